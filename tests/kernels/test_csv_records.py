"""The native decoder of delimited records against pyarrow's reader: what it takes it takes rightly, and it takes what is plain."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.kernels.text import CsvRecords, count_byte
from tableflow.columnar.representation import canonical, widen
from tableflow.connectors.filesystem.csv_block import Dialect, parse_text

FIELDS = [
    t.BIGINT, t.STRING, t.DOUBLE, t.DecimalType(10, 2), t.DecimalType(30, 4), t.BOOLEAN, t.DATE, t.TIMESTAMP, t.TIMESTAMP_LTZ, t.TIME,
    t.TINYINT, t.FLOAT, t.BYTES, t.TimestampType(9),
]  # fmt: skip
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30)
_INTEGERS = st.integers(-(2**63), 2**63 - 1)
_VALUES = [
    _INTEGERS, _TEXT, st.floats(allow_nan=False, allow_infinity=False), st.decimals(-(10**7), 10**7, places=2),
    st.decimals(-(10**24), 10**24, places=4), st.sampled_from(["true", "FALSE", "1", "0", "True"]), st.dates(), st.datetimes(),
    st.datetimes().map(lambda one: f"{one}Z"), st.times(), st.integers(-128, 127), st.floats(width=32, allow_nan=False, allow_infinity=False),
    _TEXT, st.dates().filter(lambda one: 1700 < one.year < 2200),
]  # fmt: skip
_DIALECTS = [Dialect(",", '"', "", "false", lenient=False), Dialect("|", "'", "NULL", "false", lenient=False),
             Dialect("\t", None, r"\N", "false", lenient=False)]  # fmt: skip


def _decoder(dialect, columns=None, fields=None):
    chosen = list(enumerate(FIELDS)) if columns is None else columns
    made = CsvRecords.of(
        chosen, fields or len(FIELDS), delimiter=dialect.delimiter.encode(), quote=dialect.quote_byte or b"",
        null=dialect.null.encode(),
    )  # fmt: skip
    assert made is not None
    return made


def _taken(decoder):
    columns, rows = decoder.take()
    found = [widen(column).array for column in columns]
    for array in found:
        array.validate(full=True)
        assert len(array) == rows
    return [array.to_pylist() for array in found], rows


def _read_by_pyarrow(data, dialect, columns, fields):
    names = [f"f{i}" for i in range(fields)]
    table = parse_text(data, dialect, names, {names[i]: canonical(of) for i, of in columns})
    return [table.column(names[i]).to_pylist() for i, _ in columns]


def _written(value, dialect, *, always):
    if value is None:
        return dialect.null
    text, quote = str(value), dialect.quote
    if quote is None:
        return "".join(c for c in text if c not in "\t\n") or "x"
    needed = always or text == dialect.null or text[:1] == quote or any(c in text for c in (dialect.delimiter, "\n"))
    return quote + text.replace(quote, 2 * quote) + quote if needed else text


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(_DIALECTS), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_records_are_what_pyarrow_reads(data, dialect, end, ends):
    rows = data.draw(st.lists(st.tuples(*(st.none() | of for of in _VALUES), st.booleans()), min_size=1, max_size=6))
    lines = [dialect.delimiter.join(_written(value, dialect, always=row[-1]) for value in row[:-1]) for row in rows]
    text = (end.join(lines) + (end if ends else "")).encode()
    columns = list(enumerate(FIELDS))
    wanted = data.draw(st.lists(st.sampled_from(columns), unique=True)) or columns
    decoder = _decoder(dialect, wanted)
    # An empty field behind a quoted one, at the end of a file without line end, pyarrow takes for quoted.
    expected = _read_by_pyarrow(text if ends else text + end.encode(), dialect, wanted, len(FIELDS))
    stopped = decoder.decode(text, 0)
    found, count = _taken(decoder)
    assert found == [values[:count] for values in expected]
    # What is not plain: exponents of DECIMAL, and reals that only pyarrow's words spell; all else is taken.
    assert stopped == len(text) or any(c in text[stopped:] for c in (b"E", b"e"))
    assert stopped < len(text) or count == len(rows)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_records_are_refused_or_read_as_pyarrow_does(data):
    dialect = _DIALECTS[0]
    columns = [(0, t.INT), (1, t.STRING), (2, t.DOUBLE)]
    text = bytearray(b'12,"a ""b"",\nc",1.5\n-3,,\n4,xyz,0.25\r\n' * data.draw(st.integers(1, 4)))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'",\n\r0-.ex \x00'))
    decoder = _decoder(dialect, columns, 3)
    stopped = decoder.decode(bytes(text), 0)
    found, count = _taken(decoder)
    if count:
        assert found == _read_by_pyarrow(bytes(text[:stopped]), dialect, columns, 3)


@pytest.mark.parametrize(
    ("of", "text", "value"),
    [
        (t.BIGINT, "-9223372036854775808", -(2**63)), (t.BIGINT, "9223372036854775808", None), (t.INT, "007", 7), (t.INT, '"7"', 7),
        (t.INT, " 7", None), (t.INT, "+7", None), (t.INT, "7.0", None), (t.INT, '""', None), (t.INT, '"7" ', None), (t.INT, '"7', None),
        (t.TINYINT, "-129", None), (t.DecimalType(5, 2), "1.005", None), (t.DecimalType(5, 2), "001.5", Decimal("1.50")),
        (t.DecimalType(5, 2), "1000", None), (t.BOOLEAN, "tRUE", None), (t.BOOLEAN, "10", None), (t.DATE, "2023-02-29", None),
        (t.DATE, "2024-02-29x", None), (t.TIMESTAMP, "2024-01-01T00:00:00Z", None), (t.TIMESTAMP_LTZ, "2024-01-01", None),
        (t.STRING, '"a""b"', 'a"b'), (t.STRING, '"a"b"', None), (t.STRING, 'a"b', 'a"b'), (t.STRING, '""', ""), (t.STRING, "a\rb", None),
        (t.STRING, '"' + "x\n" * 50 + '"', "x\n" * 50), (t.DOUBLE, "1e400", None), (t.DOUBLE, "-0.1", -0.1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("last", [False, True])
def test_values(of, text, value, last):
    data = f"x,{text},y".encode() if last else f"x,{text},y\n{'z' * 99},,\n".encode()
    decoder = _decoder(_DIALECTS[0], [(1, of)], 3)
    stopped = decoder.decode(data, 0)
    found, rows = _taken(decoder)
    if value is None:
        assert (stopped, rows) == (0, 0)
    else:
        assert stopped == len(data)
        assert found[0] == [value] if last else [value, None]


@pytest.mark.parametrize("record", ["1,2", "1,2,3,4", '1,"2,3', '1,"2"x,3', "1,x,3", "\r1,2,3"])
def test_what_is_no_record_is_refused_where_it_begins(record):
    good = "1,2,3\n"
    data = (good + record + "\n" + good).encode()
    decoder = _decoder(_DIALECTS[0], [(2, t.INT), (1, t.BIGINT)], 3)
    assert decoder.decode(data, 0) == len(good)
    assert _taken(decoder) == ([[3], [2]], 1)


def test_empty_lines_and_no_columns():
    decoder = _decoder(_DIALECTS[0], [], 2)
    assert decoder.decode(b"1,2\n\n\r\n3,4", 0) == 10
    assert decoder.take() == ([], 2)
    decoder = _decoder(_DIALECTS[0], [(0, t.STRING)], 1)
    assert decoder.decode(b'1\n\n""\n', 0) == 6
    assert _taken(decoder)[0] == [["1", None, ""]]
    assert decoder.decode(b"", 0) == 0


@pytest.mark.parametrize(
    ("delimiter", "quote", "null", "of"),
    [
        (b"-", b'"', b"", t.INT), (b"1", b'"', b"", t.INT), (b";;", b'"', b"", t.INT), (b"\n", b'"', b"", t.INT), (b"\xa7", b'"', b"", t.INT),
        (b",", b",", b"", t.INT), (b",", b"\n", b"", t.INT), (b",", b'"', b"x" * 40, t.INT), (b",", b'"', b"\n", t.INT),
        (b",", b'"', b"", t.ArrayType(t.INT)),
    ],
)  # fmt: skip
def test_what_has_no_native_decoder(delimiter, quote, null, of):
    assert CsvRecords.of([(0, of)], 2, delimiter=delimiter, quote=quote, null=null) is None


@given(st.binary(max_size=9000), st.data())
@settings(max_examples=50, deadline=None)
def test_bytes_are_counted(data, draw):
    start = draw.draw(st.integers(0, len(data)))
    assert count_byte(data, start, len(data), 0) == data.count(b"\0", start)
    with pytest.raises(IndexError):
        count_byte(data, start, len(data) + 1, 0)


def test_more_bytes_are_counted():
    assert count_byte(b"ab" * 100_000, 1, 200_000, ord("b")) == 100_000
