"""JSON: lines and arrays, the tolerant decoder, errors with their line, nested values."""

import datetime as dt
import json
from decimal import Decimal

import pytest

import tableflow
from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition
from tableflow.connectors import Sources, create_provider, file_provider
from tableflow.connectors.filesystem import json as json_format
from tableflow.connectors.filesystem import text_block
from tableflow.connectors.filesystem.json_row import json_value
from tableflow.errors import CatalogError, ConnectorError
from tests.connectors.scanning import scan, spec_of, splits_of


@pytest.fixture
def declared(tmp_path):
    def make(content, columns, **options):
        path = tmp_path / "t.json"
        path.write_text(content)
        given = {"path": str(path), **{f"json.{name.replace('_', '-')}": value for name, value in options.items()}}
        definitions = tuple(ColumnDefinition(name, of) for name, of in columns)
        return create_provider(TableDefinition("t", "filesystem", definitions, tuple(given.items())))

    return make


AB = [("a", t.BIGINT), ("b", t.STRING)]


def test_only_declared_columns_are_read(declared):
    assert scan(declared('{"b":"x","c":{"d":[1]},"a":1}\n\n{"a":2}', AB)) == [(1, "x"), (2, None)]


def test_inference(tmp_path):
    path = tmp_path / "t.ndjson"
    path.write_text('{"i":1,"f":1.5,"at":"2020-01-01T00:00:00Z","s":"x","n":null,"r":{"a":[1,2]}}\n')
    provider = file_provider(str(path))
    types = {c.name: str(c.type) for c in provider.schema.columns}
    assert types == {
        "i": "BIGINT", "f": "DOUBLE", "at": "TIMESTAMP_LTZ(6)", "s": "STRING", "n": "STRING", "r": "ROW<a ARRAY<BIGINT>>",
    }  # fmt: skip
    moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert scan(provider) == [(1, 1.5, moment, "x", None, {"a": [1, 2]})]


def test_an_array_of_objects(declared, tmp_path):
    content = '  [{"a": 1, "b": "x"},\n {"a": 2}]'
    assert scan(declared(content, AB), batch_rows=1) == [(1, "x"), (2, None)]
    assert scan(file_provider(str(tmp_path / "t.json"))) == [(1, "x"), (2, None)]
    with pytest.raises(ConnectorError, match="element 2"):
        scan(declared('[{"a":1},{"a":"x"}]', AB))
    with pytest.raises(ConnectorError, match="is not valid JSON"):
        scan(declared('[{"a":1},', AB))


def test_the_slow_decoder_reads_what_the_fast_one_does_not(declared):
    content = '{"a":1.0,"b":5}\n{"a":"7","b":{"x":[1, 2.5]}}\n{"a":null,"b":true}\n'
    assert scan(declared(content, AB)) == [(1, "5"), (7, '{"x":[1,2.5]}'), (None, "true")]


def test_both_decoders_agree(declared):
    columns = [
        ("d", t.DecimalType(10, 2)), ("day", t.DATE), ("time", t.TIME), ("at", t.TIMESTAMP), ("n", t.TimestampType(9)),
        ("z", t.TIMESTAMP_LTZ), ("f", t.DOUBLE), ("s", t.FLOAT), ("t", t.TINYINT), ("ok", t.BOOLEAN), ("y", t.BYTES),
        ("l", t.ArrayType(t.INT)), ("r", t.RowType((t.RowField("p", t.STRING), t.RowField("q", t.DOUBLE)))),
    ]  # fmt: skip
    row = {
        "d": 12.25, "day": "2020-02-29", "time": "23:59:59.5", "at": "2020-01-01 10:00:00.123456", "n": "2020-01-01T00:00:00",
        "z": "2020-01-01T10:00:00+01:00", "f": 1e10, "s": 0.5, "t": -128, "ok": False, "y": "xyz", "l": [1, None], "r": {"q": 1.5},
    }  # fmt: skip
    fast = scan(declared(json.dumps(row), columns))
    slow = scan(declared(json.dumps({**row, "t": "-128"}), columns))
    assert fast == slow
    assert fast[0][0] == Decimal("12.25")
    assert fast[0][5] == dt.datetime(2020, 1, 1, 9, tzinfo=dt.UTC)
    assert fast[0][-1] == {"p": None, "q": 1.5}


def test_types_only_the_slow_decoder_has(declared):
    columns = [("j", t.JSON), ("m", t.MapType(t.STRING, t.INT))]
    assert scan(declared('{"j":{"a":[1,"x"]},"m":{"k":1}}', columns)) == [('{"a":[1,"x"]}', [("k", 1)])]
    with pytest.raises(CatalogError, match="cannot be INTERVAL"):
        declared("", [("i", t.INTERVAL)])


def test_errors_name_file_and_line(declared):
    good = '{"a":1,"b":"x"}\n' * 50
    with pytest.raises(ConnectorError, match=r"t\.json', line 51, could not be read") as caught:
        scan(declared(good + '{"a":"zwei"}\n' + good, AB))
    assert "field 'a' is not BIGINT" in caught.value.detail
    with pytest.raises(ConnectorError, match="line 51, "):
        scan(declared(good + '{"a":1,\n', AB))
    with pytest.raises(ConnectorError, match="line 1, ") as caught:
        scan(declared("3\n", AB))
    assert "a row is a JSON object" in caught.value.detail


def test_ignored_errors(declared):
    content = '{"a":"x","b":"kept"}\nnonsense\n{"a":3}\n'
    assert scan(declared(content, AB, ignore_parse_errors="true")) == [(None, "kept"), (3, None)]


def test_missing_fields(declared):
    provider = declared('{"a":1,"b":null}\n{"a":1}\n', AB, fail_on_missing_field="true")
    with pytest.raises(ConnectorError, match="line 2, ") as caught:
        scan(provider)
    assert "field 'b' is missing" in caught.value.detail


@pytest.mark.parametrize(
    ("value", "of"),
    [
        (128, t.TINYINT), (1.5, t.INT), (True, t.INT), ("x", t.DOUBLE), (10**9, t.DecimalType(5, 2)), (1, t.BOOLEAN),
        (1, t.DATE), ("2020-13-01", t.DATE), ("x", t.TIMESTAMP), ({}, t.ArrayType(t.INT)), ([], t.MapType(t.STRING, t.INT)),
        (1, t.BYTES), (float("nan"), t.BIGINT),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(value, of):
    with pytest.raises((ValueError, ArithmeticError)):
        json_value(value, of)


def test_decimals_are_rounded_half_away_from_zero():
    assert json_value(Decimal("1.005"), t.DecimalType(5, 2)) == Decimal("1.01")
    assert json_value(Decimal("-1.005"), t.DecimalType(5, 2)) == Decimal("-1.01")


def test_blocks_and_splits_cut_between_lines(declared, monkeypatch):
    monkeypatch.setattr(text_block, "BLOCK_BYTES", 64)
    monkeypatch.setattr(json_format, "SPLIT_BYTES", 500)
    rows = [(i, "x" * (i % 90)) for i in range(300)]
    provider = declared("\n".join(json.dumps({"a": a, "b": b}) for a, b in rows), AB)
    assert len(splits_of(Sources().open(spec_of(provider)))) > 5
    assert scan(provider) == rows


@pytest.mark.parametrize(
    ("values", "of", "first"),
    [
        (["12345678901234567890", "3", "null"], t.DecimalType(38, 0), Decimal(12345678901234567890)),
        (["9" * 39], t.STRING, "9" * 39),
        (["12345678901234567890", "1.5"], t.DOUBLE, 12345678901234567890.0),
        (["9223372036854775807"], t.BIGINT, 9223372036854775807),
    ],
)
@pytest.mark.parametrize("array", [False, True])
def test_whole_numbers_keep_all_their_digits(tmp_path, values, of, first, array):
    lines = [f'{{"a": {value}, "b": [1e300]}}' for value in values]
    path = tmp_path / "t.json"
    path.write_text(f"[{','.join(lines)}]" if array else "\n".join(lines))
    provider = file_provider(str(path))
    assert provider.schema.columns[0].type == of
    assert scan(provider, ["a"])[0][0] == first


def test_times_are_inferred_with_their_zones(tmp_path):
    """As in CSV: an offset makes an instant, a date alone is a date, and texts of both kinds stay texts."""
    path = tmp_path / "t.json"
    rows = [
        {
            "zoned": "2024-01-01 10:00:00Z",
            "day": "2024-01-01",
            "naive": "2024-01-01 10:00:00",
            "mixed": "2024-01-01 10:00:00",
        },
        {"zoned": None, "day": "2024-01-02", "naive": "2024-01-02", "mixed": "2024-01-01 10:00:00+01:00"},
        {"zoned": "2024-01-01 12:30:00+02:30", "within": {"days": ["2024-01-01", None], "at": "2024-01-01 10:00:00Z"}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with tableflow.connect() as con:
        described = con.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        found = con.execute(f"SELECT zoned, day, mixed, within.days FROM '{path}'").fetchall()
    assert [row[:2] for row in described] == [
        ("zoned", "TIMESTAMP_LTZ(6)"), ("day", "DATE"), ("naive", "TIMESTAMP(6)"), ("mixed", "STRING"),
        ("within", "ROW<days ARRAY<DATE>, at TIMESTAMP_LTZ(0)>"),
    ]  # fmt: skip
    ten = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)
    assert found == [
        (ten, dt.date(2024, 1, 1), "2024-01-01 10:00:00", None),
        (None, dt.date(2024, 1, 2), "2024-01-01 10:00:00+01:00", None),
        (ten, None, None, [dt.date(2024, 1, 1), None]),
    ]


def test_a_line_that_cannot_be_inferred_from_is_named(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"a": 1}\n\n{"a": "x}\n{"a": 2}\n')
    with pytest.raises(ConnectorError, match=r"t\.json', line 3, could not be read"):
        file_provider(str(path))
