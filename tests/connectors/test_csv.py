"""CSV: headers, dialects, NULLs, errors with their line, byte ranges."""

import datetime as dt
import random
from decimal import Decimal

import pytest

from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition
from tableflow.connectors import Sources, create_provider, file_provider
from tableflow.connectors.filesystem import csv as csv_format
from tableflow.connectors.filesystem import csv_layout, text_block
from tableflow.errors import CatalogError, ConnectorError
from tests.connectors.scanning import scan, spec_of, splits_of


@pytest.fixture
def declared(tmp_path):
    def make(content, columns, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {
            "path": str(path),
            **{name.replace("_", "-").replace("csv-", "csv."): v for name, v in options.items()},
        }
        definitions = tuple(ColumnDefinition(name, of) for name, of in columns)
        return create_provider(TableDefinition("t", "filesystem", definitions, tuple(given.items())))

    return make


@pytest.fixture
def inferred(tmp_path):
    def make(content, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file_provider(str(path), {f"csv.{name.replace('_', '-')}": value for name, value in options.items()})

    return make


AB = [("a", t.BIGINT), ("b", t.STRING)]


def test_inference(inferred):
    provider = inferred("id,price,day,at,ok,name\n1,1.5,2020-01-02,2020-01-02 03:04:05,true,x\n,,,,,\n")
    assert [(c.name, str(c.type)) for c in provider.schema.columns] == [
        ("id", "BIGINT"), ("price", "DOUBLE"), ("day", "DATE"), ("at", "TIMESTAMP(6)"), ("ok", "BOOLEAN"), ("name", "STRING"),
    ]  # fmt: skip
    moment = dt.datetime.fromisoformat("2020-01-02T03:04:05")
    assert scan(provider) == [(1, 1.5, dt.date(2020, 1, 2), moment, True, "x"), (None,) * 6]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("1,2\n3,4\n", ["column0", "column1"]),
        ("x,2020-01-01\ny,2020-01-02\n", ["column0", "column1"]),
        ("a,\n1,2\n", ["a", "column1"]),
        (",a,b\n0,1,x\n", ["column0", "a", "b"]),
        ("x,,z\nu,v,\n", ["column0", "column1", "column2"]),
        ("\ufeffa,b\r\n1,2\r\n", ["a", "b"]),
        ("a,a\n1,2\n", ["a", "a_1"]),
    ],
)
def test_whether_the_first_line_is_a_header(inferred, content, names):
    assert [c.name for c in inferred(content).schema.columns] == names


def test_a_header_with_blanks_is_no_row(inferred):
    assert scan(inferred("a, b\n1,x\n")) == [(1, "x")]


def test_header_said(inferred):
    assert scan(inferred("x,y\nz,w\n", header="false")) == [("x", "y"), ("z", "w")]
    assert [c.name for c in inferred("1,2\n3,4\n", header="true").schema.columns] == ["1", "2"]


def test_declared_columns_by_position_or_by_name(declared):
    assert scan(declared("1,x\n2,y\n", AB)) == [(1, "x"), (2, "y")]
    assert scan(declared("B,c,A\nx,0,1\ny,0,2\n", AB)) == [(1, "x"), (2, "y")]
    with pytest.raises(ConnectorError, match="has no column 'a'"):
        scan(declared("x,y\n1,2\n", AB, csv_header="true"))
    with pytest.raises(ConnectorError, match="has 3 columns, not 2"):
        scan(declared("1,2,3\n", AB))


def test_nulls(declared):
    assert scan(declared('1,\n,""\n', AB)) == [(1, None), (None, "")]
    assert scan(declared('1,NULL\nNULL,\n3,"NULL"\n', AB, csv_null_literal="NULL")) == [
        (1, None),
        (None, ""),
        (3, "NULL"),
    ]
    assert scan(declared("x\n\ny\n", [("b", t.STRING)])) == [("x",), (None,), ("y",)]


def test_dialects(declared):
    assert scan(declared("1\tx\n", AB, csv_field_delimiter="\\t")) == [(1, "x")]
    assert scan(declared("1|x\n", AB, csv_delimiter="|")) == [(1, "x")]
    assert scan(declared("1,'a,''b'\n", AB, csv_quote_character="'")) == [(1, "a,'b")]
    assert scan(declared('1,"x\n2,y"\n', AB, csv_disable_quote_character="true")) == [(1, '"x'), (2, 'y"')]
    with pytest.raises(CatalogError, match="cannot be 'ab'"):
        declared("", AB, csv_delimiter="ab")


def test_tabs_by_ending(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2,3\n")
    assert scan(file_provider(str(tmp_path / "t.tsv"))) == [(1, "2,3")]


def test_types(declared):
    columns = [("d", t.DecimalType(20, 2)), ("t", t.TIME), ("n", t.TimestampType(9)), ("z", t.TIMESTAMP_LTZ), ("c", t.StringType(3)), ("y", t.BYTES)]  # fmt: skip
    row = scan(declared("1.5,01:02:03,2020-01-01 00:00:00.000000,2020-01-01 00:00:00+02:00,abc,xyz\n", columns))[0]
    assert row[0] == Decimal("1.50") and row[1] == dt.time(1, 2, 3)
    assert row[3] == dt.datetime(2019, 12, 31, 22, tzinfo=dt.UTC)
    assert row[4:] == ("abc", b"xyz")
    with pytest.raises(CatalogError, match="cannot be ARRAY<INT>"):
        declared("1\n", [("a", t.ArrayType(t.INT))])


def test_errors_name_file_and_line(declared):
    rows = "".join(f"{i},x\n" for i in range(500))
    with pytest.raises(ConnectorError, match=r"t\.csv', line 501, could not be read") as caught:
        scan(declared(rows + "abc,x\n" + rows, AB))
    assert "invalid value 'abc'" in caught.value.detail
    with pytest.raises(ConnectorError, match=r"line 501, ") as caught:
        scan(declared(rows + "1,2,3\n", AB))
    assert "Expected 2 columns, got 3" in caught.value.detail
    with pytest.raises(ConnectorError, match=r"line 4, "):  # a quoted line end is one too
        scan(declared('a,b\n1,"x\ny"\nz,z\n', AB))
    with pytest.raises(ConnectorError, match=r"line 2: byte 0xFF is not UTF-8"):
        scan(declared(b"1,x\n2,\xff\xfe\n", AB))


def test_ignored_errors(declared):
    content = "1,x\nabc,y\n1,2,3\n4,z\n,\n"
    provider = declared(content, AB, csv_ignore_parse_errors="true")
    assert scan(provider) == [(1, "x"), (None, "y"), (4, "z"), (None, None)]
    assert scan(provider, ["b"]) == [("x",), ("y",), ("z",), (None,)]
    assert len(scan(provider, [])) == 4


def test_empty_files(declared, inferred):
    assert scan(declared("", AB)) == []
    assert scan(declared("a,b\n", AB)) == []
    assert scan(declared("a,b", AB)) == []
    assert scan(inferred("a,b\n")) == []
    with pytest.raises(ConnectorError, match="is empty"):
        inferred("")


@pytest.mark.parametrize("seed", range(5))
def test_blocks_and_splits_cut_between_records(declared, monkeypatch, seed):
    random_ = random.Random(seed)
    texts = ["", "plain", "a,b", 'say ""hi""', "two\nlines", "\n", "x" * 50]
    rows = [(i, random_.choice(texts)) for i in range(300)]
    lines = ["a,b\n"] + [f'{i},"{text}"\n' for i, text in rows]
    monkeypatch.setattr(text_block, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_layout, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_format, "SPLIT_BYTES", 500)
    provider = declared("".join(lines), AB)
    assert len(splits_of(Sources().open(spec_of(provider)))) > 5
    assert scan(provider) == [(i, text.replace('""', '"')) for i, text in rows]


def test_files_of_one_table_must_have_its_columns(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2\n")
    assert scan(file_provider(str(tmp_path))) == [(1, "x"), (2, "y")]
    (tmp_path / "3.csv").write_text("a,c,d\n3,z,1\n")
    with pytest.raises(ConnectorError, match=r"3\.csv'"):
        file_provider(str(tmp_path))


@pytest.mark.parametrize(
    ("values", "of", "first"),
    [
        (["12345678901234567890", "3", ""], t.DecimalType(38, 0), Decimal(12345678901234567890)),
        (["-9223372036854775809", "+00003"], t.DecimalType(38, 0), Decimal(-9223372036854775809)),
        (["9" * 38, "1"], t.DecimalType(38, 0), Decimal("9" * 38)),
        (["9" * 39, "1"], t.STRING, "9" * 39),
        (["12345678901234567890", "1.5"], t.DOUBLE, 12345678901234567890.0),
        (["9223372036854775807", "1"], t.BIGINT, 9223372036854775807),
    ],
)
def test_whole_numbers_keep_all_their_digits(inferred, values, of, first):
    provider = inferred("a,b\n" + "".join(f"{value},x\n" for value in values))
    assert provider.schema.columns[0].type == of
    assert scan(provider)[0][0] == first


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a,b\n1,x\n2,"y\n3,z\n', 3),
        ('a,b\n1,"x\n2,"y"\n3,z\n', 2),
        ('a,b\n1,"x\ny"\n"2,y\n3,z\n', 4),
        ('a,b\n1,"x" \n2,y\n', 2),
        ('a,b\n1,"x""\n2,y\n', 2),
        ('a,b\n1,"', 2),
    ],
)
def test_a_quote_that_is_not_closed_is_named_where_it_opens(inferred, declared, content, line):
    message = rf"t\.csv', line {line}: a quote that opens here is not closed"
    with pytest.raises(ConnectorError, match=message):
        scan(inferred(content))
    with pytest.raises(ConnectorError, match=message):
        scan(declared(content, [("a", t.STRING), ("b", t.STRING)]))


def test_quotes_that_open_no_field_are_text(inferred):
    assert scan(inferred('a,b\n5\'11",x"y\n"1""2",""\n "q",z\n')) == [
        ("5'11\"", 'x"y'), ('1"2', ""), (' "q"', "z"),
    ]  # fmt: skip


def test_rows_of_inferred_files_have_as_many_fields_as_the_header(inferred):
    with pytest.raises(ConnectorError, match=r"line 3, could not be read") as caught:
        scan(inferred("a,b\n1,x\n2\n3,z\n"))
    assert "Expected 2 columns, got 1" in caught.value.detail
    with pytest.raises(ConnectorError, match=r"line 2, could not be read"):
        scan(inferred("a,b\n1,x,9\n2,y\n"))
