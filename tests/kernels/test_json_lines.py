"""The native decoder of JSON lines against Python's json: what it takes it takes rightly, and it takes what is plain."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.kernels.text import JsonLines, is_utf8
from tableflow.columnar.representation import canonical, widen
from tableflow.connectors.filesystem.json_block import loads
from tableflow.connectors.filesystem.json_row import RowDecoder

_ROW = t.RowType((t.RowField("p", t.STRING), t.RowField("q", t.DOUBLE), t.RowField("l", t.ArrayType(t.INT))))
FIELDS = [
    ("b", t.BOOLEAN), ("t", t.TINYINT), ("i", t.INT), ("n", t.BIGINT), ("d", t.DOUBLE), ("x", t.DecimalType(10, 2)),
    ("y", t.DecimalType(38, 6)), ("s", t.STRING), ("z", t.BYTES), ("day", t.DATE), ("time", t.TIME), ("at", t.TIMESTAMP),
    ("nano", t.TimestampType(9)), ("zone", t.TIMESTAMP_LTZ), ("r", _ROW), ("l", t.ArrayType(_ROW)),
    ("m", t.MapType(t.STRING, t.BIGINT)), ('naïve "key"', t.INT),
]  # fmt: skip
_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
_REALS = st.floats(allow_nan=False, allow_infinity=False)
_ROWS = st.none() | st.fixed_dictionaries(
    {}, optional={"p": _TEXT, "q": _REALS, "l": st.lists(st.none() | st.integers(-9, 9), max_size=3)}
)
_NANOS = st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1))
_INNER = st.none() | st.booleans() | st.floats() | _TEXT
_VALUES = {
    "b": st.booleans(), "t": st.integers(-128, 127), "i": st.integers(-(2**31), 2**31 - 1),
    "n": st.integers(-(2**63), 2**63 - 1), "d": _REALS | st.integers(-(10**25), 10**25),
    "x": st.integers(-(10**9), 10**9).map(lambda cents: cents / 100), "y": st.integers(-(10**31), 10**31), "s": _TEXT,
    "z": _TEXT, "day": st.dates().map(str), "time": st.times().map(str), "at": st.datetimes().map(str),
    "nano": _NANOS.map(str), "zone": st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)).map(lambda one: f"{one}+01:30"),
    "r": _ROWS, "l": st.lists(_ROWS, max_size=3), "m": st.dictionaries(_TEXT, st.integers(0, 9), max_size=20),
    'naïve "key"': st.integers(0, 9),
    "other": st.recursive(_INNER, lambda of: st.lists(of, max_size=3) | st.dictionaries(_TEXT, of, max_size=3), max_leaves=8),
}  # fmt: skip
_OBJECTS = st.fixed_dictionaries({}, optional={name: st.none() | of for name, of in _VALUES.items()})
_ENDS = st.sampled_from(["\n", "\r\n", "\n \t\n"])
_MARKS = st.sampled_from([(",", ":"), (" , ", "\t: ")])


def _decoder(fields=FIELDS, *, complete=False):
    made = JsonLines.of(fields, complete=complete)
    assert made is not None
    return made


def _taken(decoder):
    columns, rows = decoder.take()
    found = [widen(column).array for column in columns]
    for array in found:
        array.validate(full=True)
        assert len(array) == rows
    return found, rows


def _read_by_python(fields, lines):
    slow = RowDecoder(fields, lenient=False, complete=False)
    rows = [slow.decode(loads(line)) for line in lines]
    return [pa.array([row[i] for row in rows], canonical(of)) for i, (_, of) in enumerate(fields)]


def _is_plain(row):
    """Whether no value is written with an exponent where there are none, or in words that JSON does not have."""
    exponents = any(isinstance(row.get(name), Decimal) and "E" in str(row[name]) for name in ("x", "y"))
    return not exponents and not any(word in repr(row).lower() for word in ("nan", "inf"))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_OBJECTS, st.booleans(), _ENDS, _MARKS), max_size=6), st.booleans())
def test_lines_are_what_python_reads(lines, ends):
    text = "".join(json.dumps(one, ensure_ascii=plain, separators=marks) + end for one, plain, end, marks in lines)
    data = text.encode() if ends else text.rstrip("\n").encode()
    decoder, at, found = _decoder(), 0, [pa.nulls(0, canonical(of)) for _, of in FIELDS]
    while True:
        at = decoder.decode(data, at)
        found = [pa.concat_arrays(pair) for pair in zip(found, _taken(decoder)[0], strict=True)]
        if at == len(data):
            break
        end = data.find(b"\n", at) + 1 or len(data)
        assert not _is_plain(loads(data[at:end]))
        found = [pa.concat_arrays(pair) for pair in zip(found, _read_by_python(FIELDS, [data[at:end]]), strict=True)]
        at = end
    expected = _read_by_python(FIELDS, [line for line in data.split(b"\n") if line.strip()])
    assert [array.to_pylist() for array in found] == [array.to_pylist() for array in expected]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(_OBJECTS, min_size=1, max_size=3), st.data())
def test_damaged_lines_are_refused_or_read_as_python_does(objects, data):
    text = bytearray("\n".join(json.dumps(one) for one in objects).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b'"\\{}[]:,\n 0-e.ntu\x00'))
    decoder = _decoder()
    stopped = decoder.decode(bytes(text), 0)
    found, rows = _taken(decoder)
    lines = [line for line in bytes(text[:stopped]).split(b"\n") if line.strip()]
    assert len(lines) == rows
    assert [one.to_pylist() for one in found] == [one.to_pylist() for one in _read_by_python(FIELDS, lines)]


_LONG = "123456789012345678901234567890.5e-10"


@pytest.mark.parametrize(
    ("of", "text", "value"),
    [
        (t.BIGINT, "-9223372036854775808", -(2**63)), (t.BIGINT, '"12"', 12), (t.BIGINT, "-0", 0),
        (t.BIGINT, "9223372036854775808", None), (t.TINYINT, "128", None), (t.INT, "1.0", None), (t.INT, "1e2", None),
        (t.INT, "01", None), (t.INT, "+1", None), (t.INT, "true", None), (t.DOUBLE, "5e-324", 5e-324),
        (t.DOUBLE, "1.7976931348623157e308", 1.7976931348623157e308), (t.DOUBLE, "1e999", None), (t.DOUBLE, "0.1", 0.1),
        (t.DOUBLE, "9007199254740993", 9007199254740992.0), (t.DOUBLE, _LONG, float(_LONG)), (t.DOUBLE, "1.", None),
        (t.DOUBLE, ".5", None), (t.DOUBLE, "-", None), (t.DOUBLE, "NaN", None), (t.DOUBLE, "00.5", None),
        (t.FLOAT, "0.1", pa.scalar(0.1, pa.float32()).as_py()), (t.FLOAT, "1e39", None),
        (t.DecimalType(5, 2), "1.005", Decimal("1.01")), (t.DecimalType(5, 2), "-1.005", Decimal("-1.01")),
        (t.DecimalType(5, 2), "999.995", None), (t.DecimalType(5, 2), "0.00499999", Decimal("0.00")),
        (t.DecimalType(5, 2), '"7.1"', Decimal("7.10")), (t.DecimalType(38, 0), "9" * 38, Decimal("9" * 38)),
        (t.DecimalType(38, 0), str(2**128), None), (t.DecimalType(38, 0), "1" + "0" * 60, None),
        (t.STRING, r'"\ud83d\ude00\u00e9\n\/"', "\U0001f600é\n/"), (t.STRING, r'"\ud83d"', None),
        (t.STRING, r'"\ude00"', None), (t.STRING, r'"\x"', None), (t.STRING, r'"\u12g4"', None), (t.STRING, '"\t"', None),
        (t.STRING, '"' + "x" * 99 + r"\"" + "é" * 99 + '"', "x" * 99 + '"' + "é" * 99), (t.STRING, "5", "5"),
        (t.STRING, "-0", None), (t.STRING, "2.50", None), (t.STRING, "true", "true"), (t.STRING, "{}", None),
        (t.BYTES, "1", None), (t.DATE, '"2024-02-30"', None), (t.DATE, '"0000-01-01"', None), (t.TIME, '"24:00:00"', None),
        (t.TIMESTAMP, '"2024-01-01T00:00:00.1234567"', dt.datetime(2024, 1, 1, 0, 0, 0, 123456)),
        (t.TIMESTAMP, '"2024-01-01T00:00:00.1234567890"', None), (t.TIME, '"00:00:00."', None), (t.ArrayType(t.INT), "[1,]", None),
        (t.ArrayType(t.INT), "[1 2]", None), (t.ArrayType(t.INT), "[]", []), (t.BOOLEAN, "tru", None),
        (t.MapType(t.STRING, t.INT), '{"a":1,"a":2}', None), (t.MapType(t.STRING, t.INT), "{}", []),
        (t.BOOLEAN, "truex", None), (t.BOOLEAN, "1", None),
    ],
)  # fmt: skip
def test_values(of, text, value):
    data = f'{{"a":{text}}}'.encode()
    decoder = _decoder([("a", of)])
    assert decoder.decode(data, 0) == (0 if value is None else len(data))
    found, _ = _taken(decoder)
    assert found[0].to_pylist() == ([] if value is None else [value])


@pytest.mark.parametrize(
    "line",
    [
        "{", "}", "[]", "3", "null", '{"a":1', '{"a":1}}', '{"a":1} x', '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1 "b":2}',
        '{"a":1,"a":2}', '{"u":nope}', '{"u":[1,{"v":}]}', '{"u":[1}', '{"u":{"v":1]}', '{"u":01}', r'{"u":"\q"}', '{"u":"',
        '{"u":tru}', '{"u":1.}', '{"u":-}', '{"u":' + "[" * 600 + "]" * 600 + "}", '{"u":' + "[" * 600,
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused_where_it_begins(line):
    good = '{"a":1,"s":"before"}\n'
    data = (good + line + "\n" + good).encode()
    decoder = _decoder([("a", t.INT), ("s", t.STRING), ("l", t.ArrayType(t.STRING))])
    assert decoder.decode(data, 0) == len(good)
    assert [one.to_pylist() for one in _taken(decoder)[0]] == [[1], ["before"], [None]]
    assert decoder.decode(data, len(good) + len(line) + 1) == len(data)
    assert decoder.take()[1] == 1


def test_fields_that_are_passed_over_may_be_anything():
    deep = "[" * 300 + "]" * 300
    line = '{"u":{"v":[[],{},{"w":"}\\"]"},-1.5e+3,true,false,null,"\\u0041"]}, "a" : 1, "\\u0062":2 ,"w":' + deep + "}"
    decoder = _decoder([("a", t.INT), ("b", t.INT)])
    assert decoder.decode(line.encode(), 0) == len(line)
    assert [one.to_pylist() for one in _taken(decoder)[0]] == [[1], [2]]


def test_keys_come_in_any_order():
    lines = ['{"a":1,"b":2,"c":3}', '{"c":3,"a":1}', '{"b":2}', '{"x":0,"c":3,"b":2,"a":1}', "{}"] * 3
    data = "\n".join(lines).encode()
    decoder = _decoder([("c", t.INT), ("a", t.INT)])
    assert decoder.decode(data, 0) == len(data)
    assert [one.to_pylist() for one in _taken(decoder)[0]] == [[3, 3, None, 3, None] * 3, [1, 1, None, 1, None] * 3]
    decoder = _decoder([])
    assert decoder.decode(data, 0) == len(data)
    assert decoder.take() == ([], 15)
    decoder = _decoder([("a", t.INT)], complete=True)
    assert decoder.decode(data, 0) == data.index(b'{"b"')


def test_types_without_a_decoder():
    assert JsonLines.of([("a", t.JSON)]) is None
    assert JsonLines.of([("a", t.ArrayType(t.JSON))]) is None
    assert JsonLines.of([("a", t.INT), ("a", t.INT)]) is None
    with pytest.raises(IndexError, match="outside of the text"):
        _decoder().decode(b"{}", 3)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80)
    | st.tuples(_TEXT, st.binary(max_size=3), _TEXT).map(lambda of: of[0].encode() + of[1] + of[2].encode())
)
def test_utf8(data):
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert is_utf8(data) == valid
