"""Old versions, changes, hidden row ids and information_schema in queries."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tableflow.expressions.nodes import Literal
from tableflow.planner.logical.nodes import Scan, Values
from tests.sql.binding import columns, fails, nodes, query
from tests.sql.managed import CATALOG


def scans(text: str, parameters=()) -> list[Scan]:
    return [node for node in nodes(query(text, parameters, CATALOG).root) if isinstance(node, Scan)]


def rows(text: str) -> list[tuple]:
    """The constant rows of a system table."""
    values = next(node for node in nodes(query(text, (), CATALOG).root) if isinstance(node, Values))
    return [tuple(cell.value for cell in row if isinstance(cell, Literal)) for row in values.rows]


@pytest.mark.parametrize(
    ("clause", "version"),
    [
        ("FOR VERSION AS OF 1", 1), ("FOR VERSION AS OF 1 + 2", 3), ("for version as of ?", 3),
        ("FOR SYSTEM_TIME AS OF '2024-01-01 00:00:00'", 2), ("FOR SYSTEM TIME AS OF now()", 2),
        ("FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00' - INTERVAL 1 DAY", 2),
    ],
)  # fmt: skip
def test_versions(clause, version):
    found = scans(f"SELECT x.a FROM t {clause} AS x", (3,) if "?" in clause else ())
    assert [scan.provider.version for scan in found] == [version]


def test_versions_are_different_tables():
    old, new = scans("SELECT * FROM t FOR VERSION AS OF 1 o JOIN t n ON o.a = n.a")
    assert (old.table, new.table) == ("t FOR VERSION AS OF 1", "t")
    assert len(scans("WITH t AS (SELECT 1 AS a) SELECT * FROM t FOR VERSION AS OF 1")) == 1


def test_changes():
    assert columns("SELECT * FROM table_changes('t', 1, 3)", (), CATALOG) == [
        "a INT", "b STRING", "c DECIMAL(8,2)", "_change_version BIGINT", "_change_weight BIGINT",
    ]  # fmt: skip
    assert columns("SELECT c._change_weight FROM TABLE_CHANGES('t', 1) c", (), CATALOG) == ["_change_weight BIGINT"]


def test_row_ids_are_hidden():
    assert columns("SELECT * FROM t", (), CATALOG) == ["a INT", "b STRING", "c DECIMAL(8,2)"]
    assert columns("SELECT _row_id, t._ROW_ID + 1 AS next, t.* FROM t", (), CATALOG)[:2] == [
        "_row_id BIGINT",
        "next BIGINT",
    ]
    assert columns("SELECT * FROM t JOIN k USING (_row_id)", (), CATALOG)[0] == "_row_id BIGINT"
    assert columns("SELECT max(_row_id) AS m FROM t GROUP BY a", (), CATALOG) == ["m BIGINT"]
    fails("SELECT _row_id FROM t, k", BindError, "column '_row_id' is ambiguous", "_row_id", CATALOG)
    fails("SELECT _row_id FROM (SELECT * FROM t) x", BindError, "column '_row_id' does not exist", "_row_id", CATALOG)


def test_information_schema():
    assert rows("SELECT * FROM information_schema.tables") == [
        ("tableflow", "default", "g", "BASE TABLE", "YES"),
        ("tableflow", "default", "k", "BASE TABLE", "YES"),
        ("tableflow", "default", "outside", "BASE TABLE", "NO"),
        ("tableflow", "default", "t", "BASE TABLE", "YES"),
        ("tableflow", "default", "v", "VIEW", "NO"),
    ]
    found = rows("SELECT * FROM Information_Schema.COLUMNS")
    assert next(row[:9] for row in found if row[2:4] == ("k", "name")) == (
        "tableflow",
        "default",
        "k",
        "name",
        2,
        None,
        "NO",
        "VARCHAR(5)",
        5,
    )
    assert [row[3] for row in found if row[2] == "v"] == ["a", "b", "c"]
    assert next(row[12:14] for row in found if row[2:4] == ("g", "s")) == ("ALWAYS", "a + b")
    assert next(row[5] for row in found if row[2:4] == ("t", "b")) == "'none'"
    assert rows("SELECT * FROM information_schema.schemata") == [
        ("tableflow", "default"),
        ("tableflow", "other"),
        ("tableflow", "information_schema"),
    ]
    assert [(row[2], row[5], row[6]) for row in rows("FROM information_schema.table_constraints")] == [
        ("g_b_check", "g", "CHECK"),
        ("small", "g", "CHECK"),
        ("k_pkey", "k", "PRIMARY KEY"),
        ("k_name_n_key", "k", "UNIQUE"),
    ]
    assert [row[2:] for row in rows("FROM information_schema.key_column_usage")] == [
        ("k_pkey", "tableflow", "default", "k", "id", 1),
        ("k_name_n_key", "tableflow", "default", "k", "name", 1),
        ("k_name_n_key", "tableflow", "default", "k", "n", 2),
    ]
    assert rows("FROM information_schema.views") == [("tableflow", "default", "v", "SELECT * FROM t")]
    assert rows("FROM information_schema.check_constraints")[0][2:] == ("g_b_check", "b > 0")
    assert columns("SELECT t.table_name FROM information_schema.tables t", (), CATALOG) == ["table_name STRING"]


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("SELECT * FROM t FOR VERSION AS OF 12", CatalogError, "version 12 is not retained", "12"),
        ("SELECT * FROM t FOR VERSION AS OF 'x'", BindError, "takes the number of a version", "'x'"),
        ("SELECT * FROM t FOR VERSION AS OF (SELECT 1)", BindError, "takes a constant", None),
        ("SELECT * FROM t FOR VERSION 3", SqlSyntaxError, "AS is expected", "3"),
        ("SELECT * FROM t FOR SYSTEM_TIME AS OF 3", BindError, "takes a time, this is INT", "3"),
        ("SELECT * FROM t FOR SYSTEM_TIME AS OF 'x'", BindError, "'x' is no timestamp", "'x'"),
        ("SELECT * FROM t FOR SYSTEM_TIME AS OF a", UnsupportedError, "temporal or lookup join", "FOR"),
        ("SELECT * FROM outside FOR VERSION AS OF 1", UnsupportedError, "FOR VERSION AS OF is not supported here", "FOR"),
        ("SELECT * FROM 'a.csv' FOR VERSION AS OF 1", UnsupportedError, "FOR ... AS OF is not supported here", "FOR"),
        ("SELECT * FROM information_schema.tables FOR VERSION AS OF 1", UnsupportedError, "FOR ... AS OF", "FOR"),
        ("SELECT * FROM table_changes('t', 0) FOR VERSION AS OF 1", UnsupportedError, "FOR ... AS OF", "FOR"),
        ("SELECT * FROM v FOR VERSION AS OF 1", UnsupportedError, "FOR ... AS OF is not supported here", "FOR"),
        ("SELECT * FROM table_changes('q', 1)", CatalogError, "table 'q' does not exist", "'q'"),
        ("SELECT * FROM table_changes('outside', 1)", UnsupportedError, "keeps no changes", "'outside'"),
        ("SELECT * FROM table_changes(t, 1)", BindError, "takes the name of a table", None),
        ("SELECT * FROM table_changes('t')", BindError, "takes the name of a table", None),
        ("SELECT * FROM table_changes('t', 3, 1)", BindError, "the second version is before the first", "1"),
        ("SELECT * FROM information_schema.tabels", CatalogError, "does not exist", None),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)
