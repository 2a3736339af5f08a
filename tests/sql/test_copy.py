"""COPY: formats, options, and how a file's columns find the table's."""

import pytest

from tableflow.errors import BindError, CatalogError, ConnectorError, SqlSyntaxError, UnsupportedError
from tableflow.planner.logical.nodes import Scan
from tableflow.sql.statements import CopyTo
from tableflow.storage.description import ChangeKind
from tests.sql.binding import bound, fails, nodes
from tests.sql.managed import CATALOG, written
from tests.sql.soundness import check


def copied(text: str, parameters=()) -> CopyTo:
    statement = bound(text, parameters, CATALOG)
    assert isinstance(statement, CopyTo)
    check(statement.query)
    return statement


@pytest.mark.parametrize(
    ("text", "form", "options"),
    [
        ("COPY t TO 'x.parquet'", "parquet", ()),
        ("COPY t TO 'a.b/x.csv.gz' (HEADER, DELIMITER ',')", "csv", (("header", "true"), ("delimiter", ","))),
        ("COPY t TO 'x.parquet' WITH (format csv, header off, nullstr = 'NA')", "csv",
         (("header", "false"), ("null", "NA"))),
        ("COPY t TO 'x.csv' ('csv.field-delimiter' = ';', csv.header = false)", "csv",
         (("delimiter", ";"), ("header", "false"))),
        ("COPY t TO 'x.txt' DELIMITER AS ';' CSV HEADER", "csv", (("delimiter", ";"), ("header", "true"))),
        ("COPY t TO 'x' (FORMAT 'arrow')", "arrow", ()),
        ("COPY t TO 'x.ndjson'", "json", ()),
    ],
)  # fmt: skip
def test_formats_and_options(text, form, options):
    statement = copied(text)
    assert (statement.format, statement.options) == (form, options)


def test_what_is_copied():
    assert [column.name for column in copied("COPY t TO 'x.csv'").query.columns] == ["a", "b", "c"]
    assert [column.name for column in copied("COPY main.t (c, A) TO 'x.csv'").query.columns] == ["c", "A"]
    assert [column.name for column in copied("COPY v TO 'x.csv'").query.columns] == ["a", "b", "c"]
    query = copied("COPY (WITH x AS (SELECT a FROM t) SELECT * FROM x WHERE a > ? ORDER BY 1) TO 'x.csv'", (1,))
    assert [column.name for column in query.query.columns] == ["a"]
    assert query.path == "x.csv"


def test_text_is_read_as_the_table_declares_it():
    statement = written("COPY k (name, id) FROM 'x.csv' (HEADER false)")
    assert statement.kind is ChangeKind.COPY
    scan = next(node for node in nodes(statement.query.root) if isinstance(node, Scan))
    assert [f"{field.name} {field.type}" for field in scan.fields] == ["name STRING", "id INT"]
    assert [statement.query.columns[i].name for i in statement.values] == ["id", "name", "n"]


def test_typed_files_are_matched_by_name_or_place():
    by_name = written("COPY t FROM 'x.parquet'")
    assert [by_name.query.columns[i].name for i in by_name.values] == ["a", "b", "c"]
    fails(
        "COPY k (id) FROM 'x.parquet'",
        BindError,
        "the file has 4 columns, 1 is expected|4 columns, 1 are",
        None,
        CATALOG,
    )


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("COPY t TO 'x'", BindError, "the format of 'x' is not known", "'x'"),
        ("COPY t TO 'x' (FORMAT parqet)", BindError, "format 'parqet' is not known", "FORMAT"),
        ("COPY t TO 'x.csv' (HEDER)", BindError, "COPY TO has no option HEDER", "HEDER"),
        ("COPY t TO 'x.csv' (HEADER maybe)", BindError, "HEADER cannot be 'maybe'", "HEADER"),
        ("COPY t TO 'x.csv' (HEADER, HEADER)", BindError, "option HEADER is given twice", "HEADER"),
        ("COPY t TO 'x.csv' (PARTITION_BY (a))", UnsupportedError, "a list of columns for PARTITION_BY", "("),
        ("COPY t TO x", SqlSyntaxError, "a path is expected as a string", "x"),
        ("COPY t TO STDOUT", UnsupportedError, "STDOUT", "STDOUT"),
        ("COPY t", SqlSyntaxError, "TO or FROM is expected", ""),
        ("COPY (SELECT 1) FROM 'x.csv'", SqlSyntaxError, "TO is expected", "FROM"),
        ("COPY q TO 'x.csv'", CatalogError, "table 'q' does not exist", "q"),
        ("COPY t (q) TO 'x.csv'", BindError, "column 'q' does not exist", "q"),
        ("COPY q FROM 'x.csv'", CatalogError, "table 'q' does not exist", "q"),
        ("COPY outside FROM 'x.csv'", CatalogError, "table 'outside' cannot be changed", "outside"),
        ("COPY t (q) FROM 'x.csv'", BindError, "has no column 'q'", "q"),
        ("COPY g (s) FROM 'x.csv'", BindError, "column 's' is generated", "s"),
        ("COPY t FROM 'missing.arrow'", ConnectorError, "does not exist", "'missing.arrow'"),
        ("COPY t FROM 'x.parquet' (DELIMITER ';')", BindError, "DELIMITER is an option of csv files", "DELIMITER"),
        ("COPY t FROM 'x.csv' (COMPRESSION gzip)", BindError, "COPY FROM has no option COMPRESSION", "COMPRESSION"),
        ("COPY t TO 'x.csv' (COMPRESSION gzip)", BindError, "COMPRESSION is an option of parquet and arrow files", "COMPRESSION"),
        ("COPY t TO 'x.orc'", BindError, "the format of 'x.orc' is not known", "'x.orc'"),
        ("COPY t TO 'x' (FORMAT orc)", BindError, "format 'orc' is only read", "FORMAT"),
        ("COPY t FROM 'x.csv' (DELIM ';', SEP ',')", BindError, "is given under two names", "SEP"),
        ("COPY t FROM 'x.csv' (ESCAPE '\\\\')", UnsupportedError, "ESCAPE", "ESCAPE"),
        ("COPY t FROM 'x.csv' (ENCODING 'klingon')", BindError, "ENCODING cannot be 'klingon'", "ENCODING"),
        ("COPY t FROM 'x.csv' ('csv.nosuch' = 'x')", BindError, "COPY FROM has no option CSV.NOSUCH", "'csv.nosuch'"),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)
