"""ALTER TABLE, TRUNCATE, and what is said of transactions."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tableflow.sql.statements import AlterTable, ShowVersions, Truncate, Vacuum
from tests.sql.binding import bound, fails
from tests.sql.managed import CATALOG
from tests.sql.soundness import check


def altered(text: str) -> AlterTable:
    statement = bound(text, (), CATALOG)
    assert isinstance(statement, AlterTable)
    for each in statement.validations:
        check(each.query)
    return statement


def columns(text: str) -> list[str]:
    description = altered(text).description
    assert description is not None
    return [f"{c.id} {c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in description.columns]


def test_add_column():
    text = "ALTER TABLE t ADD COLUMN x DECIMAL(5,2) DEFAULT 3 NOT NULL COMMENT 'new'"
    assert columns(text) == ["1 a INT", "2 b STRING", "3 c DECIMAL(8,2)", "4 x DECIMAL(5,2) NOT NULL"]
    statement = altered(text)
    assert statement.description is not None
    added = statement.description.columns[-1]
    assert (added.default, added.initial, added.comment, statement.validations) == ("3", 300, "new", ())
    assert statement.description.next_column == 5
    assert altered("ALTER TABLE t ADD IF NOT EXISTS A INT").description is None


def test_add_column_with_conditions_looks_at_the_rows():
    statement = altered("ALTER TABLE t ADD x INT NOT NULL CHECK (x > a)")
    assert [each.message for each in statement.validations] == [
        "column 'x' is NOT NULL, and rows without a value for it exist",
        "a row of table 't' violates check 't_x_check'",
    ]


def test_drop_column():
    assert columns("ALTER TABLE t DROP COLUMN b") == ["1 a INT", "3 c DECIMAL(8,2)"]
    assert altered("ALTER TABLE t DROP IF EXISTS q").description is None
    description = altered("ALTER TABLE g DROP a CASCADE").description
    assert description is not None
    assert [column.name for column in description.columns] == ["b", "d"]
    assert [each.name for each in description.checks] == ["g_b_check"]
    without_key = altered("ALTER TABLE k DROP id CASCADE").description
    assert without_key is not None
    assert [key.name for key in without_key.keys] == ["k_name_n_key"]


def test_rename():
    description = altered('ALTER TABLE g RENAME a TO "the first", RENAME CONSTRAINT small TO tiny').description
    assert description is not None
    assert [column.name for column in description.columns] == ["the first", "b", "s", "d"]
    assert description.columns[2].generated == '"the first" + b'
    assert [(each.name, each.text) for each in description.checks] == [
        ("g_b_check", "b > 0"),
        ("tiny", '"the first" < 100'),
    ]
    assert altered("ALTER TABLE t RENAME TO tt").rename == "tt"
    assert altered("ALTER TABLE t RENAME COLUMN a TO A").description is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALTER a TYPE BIGINT", "1 a BIGINT"), ("ALTER COLUMN a SET DATA TYPE INT", None), ("ALTER c TYPE DECIMAL(38,2)", "3 c DECIMAL(38,2)"),
    ],
)  # fmt: skip
def test_widen(text, expected):
    statement = altered(f"ALTER TABLE t {text}")
    if expected is None:
        assert statement.description is None
    else:
        assert expected in columns(f"ALTER TABLE t {text}")


def test_defaults_and_nulls():
    statement = altered("ALTER TABLE t ALTER a SET DEFAULT 5, ALTER b DROP DEFAULT, ALTER c SET NOT NULL")
    assert statement.description is not None
    assert [column.default for column in statement.description.columns] == ["5", None, None]
    assert [each.message for each in statement.validations] == ["column 'c' of table 't' has NULLs"]
    both = altered("ALTER TABLE t ADD x INT, ALTER x SET NOT NULL")
    assert [each.message for each in both.validations] == [
        "column 'x' is NOT NULL, and rows without a value for it exist"
    ]
    assert columns("ALTER TABLE k ALTER name DROP NOT NULL")[1] == "2 name VARCHAR(5)"


def test_constraints():
    statement = altered("ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0), ADD CHECK (c > 0)")
    assert statement.description is not None
    assert [(each.name, each.text) for each in statement.description.checks] == [
        ("positive", "a > 0"),
        ("t_c_check", "c > 0"),
    ]
    assert len(statement.validations) == 2
    dropped = altered("ALTER TABLE k DROP CONSTRAINT K_PKEY").description
    assert dropped is not None
    assert [key.name for key in dropped.keys] == ["k_name_n_key"]
    assert altered("ALTER TABLE k DROP CONSTRAINT IF EXISTS q").description is None


def test_if_exists_and_options():
    assert altered("ALTER TABLE IF EXISTS nothing ADD x INT").table is None
    description = altered("ALTER TABLE t SET (compression = 'lz4')").description
    assert description is not None
    assert description.options == (("compression", "lz4"),)


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("ALTER TABLE q ADD x INT", CatalogError, "table 'q' does not exist", "q"),
        ("ALTER TABLE outside ADD x INT", CatalogError, "table 'outside' cannot be altered", "outside"),
        ("ALTER TABLE v ADD x INT", CatalogError, "'v' is a view and cannot be altered", "v"),
        ("ALTER TABLE t ADD a INT", CatalogError, "has a column 'a' already", "a"),
        ("ALTER TABLE t ADD _row_id INT", CatalogError, "'_row_id' is taken", "_row_id"),
        ("ALTER TABLE t ADD x DOUBLE DEFAULT random()", UnsupportedError, "differs from row to row", "random()"),
        ("ALTER TABLE t ADD x AS a + 1", UnsupportedError, "adding a generated column", "x"),
        ("ALTER TABLE t ADD x INT UNIQUE", UnsupportedError, "adding a column that is a key", "x"),
        ("ALTER TABLE t ADD UNIQUE (a)", UnsupportedError, "adding a key to a table", "UNIQUE"),
        ("ALTER TABLE t ADD x INT CHECK (y > 1)", BindError, "column 'y' does not exist", "y"),
        ("ALTER TABLE t ADD x", SqlSyntaxError, "a type is expected", ""),
        ("ALTER TABLE t ADD x INT FIRST", SqlSyntaxError, "is expected", "FIRST"),
        ("ALTER TABLE t DROP q", BindError, "table 't' has no column 'q'", "q"),
        ("ALTER TABLE g DROP b", BindError, "column 'b' cannot be dropped", "b"),
        ("ALTER TABLE k DROP id", BindError, "column 'id' cannot be dropped", "id"),
        ("ALTER TABLE t DROP a, DROP b, DROP c", BindError, "at least one column", "c"),
        ("ALTER TABLE t RENAME a TO b", CatalogError, "has a column 'b' already", "b"),
        ("ALTER TABLE t RENAME TO x, ADD y INT", UnsupportedError, "RENAME TO together", "t"),
        ("ALTER TABLE t ALTER a TYPE SMALLINT", BindError, "cannot be changed from INT to SMALLINT", "SMALLINT"),
        ("ALTER TABLE t ALTER a TYPE STRING", BindError, "cannot be changed from INT to STRING", "STRING"),
        ("ALTER TABLE t ALTER c TYPE DECIMAL(10,3)", BindError, "cannot be changed", "DECIMAL(10,3)"),
        ("ALTER TABLE t ALTER b TYPE VARCHAR(5)", BindError, "cannot be changed", "VARCHAR(5)"),
        ("ALTER TABLE t ALTER a TYPE BIGINT USING a + 1", UnsupportedError, "USING", "USING"),
        ("ALTER TABLE g ALTER s TYPE BIGINT", BindError, "column 's' is generated", "BIGINT"),
        ("ALTER TABLE g ALTER s SET DEFAULT 1", BindError, "column 's' is generated", "s"),
        ("ALTER TABLE t ALTER a SET DEFAULT 'x'", BindError, "the default does not fit", "'x'"),
        ("ALTER TABLE k ALTER id DROP NOT NULL", BindError, "part of the primary key", "id"),
        ("ALTER TABLE t ALTER a SET 5", SqlSyntaxError, "DEFAULT, NOT NULL or DATA TYPE is expected", "5"),
        ("ALTER TABLE g DROP CONSTRAINT smal", BindError, "no constraint 'smal'", "smal"),
        ("ALTER TABLE g ADD CONSTRAINT small CHECK (a > 0)", CatalogError, "two constraints named 'small'", "small"),
        ("ALTER TABLE t SET (color = 'red')", CatalogError, "'color' is no option", None),
        ("ALTER TABLE t FROB", SqlSyntaxError, "ADD, DROP, RENAME, ALTER or SET is expected", "FROB"),
        ("ALTER VIEW v RENAME TO w", UnsupportedError, "ALTER VIEW", "VIEW"),
        ("TRUNCATE outside", CatalogError, "table 'outside' cannot be truncated", "outside"),
        ("TRUNCATE t, k", UnsupportedError, "TRUNCATE of several tables", ","),
        ("BEGIN", UnsupportedError, "BEGIN is not supported", "BEGIN"),
        ("START TRANSACTION", UnsupportedError, "START is not supported", "START"),
        ("COMMIT", UnsupportedError, "COMMIT is not supported", "COMMIT"),
        ("ROLLBACK", UnsupportedError, "ROLLBACK is not supported", "ROLLBACK"),
        ("VACUUM q", CatalogError, "table 'q' does not exist", "q"),
        ("SHOW VERSIONS outside", CatalogError, "cannot be asked for its versions", "outside"),
        ("SHOW VERSIONS", SqlSyntaxError, "syntax error", None),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)


def test_the_reason_for_having_no_transactions():
    assert "one statement is one transaction" in fails("BEGIN", UnsupportedError, "BEGIN").detail


def test_other_statements_about_a_table():
    assert bound("TRUNCATE TABLE t", (), CATALOG) == Truncate(("t",), span=bound("TRUNCATE TABLE t", (), CATALOG).span)
    for text, expected in (
        ("VACUUM", Vacuum()), ("VACUUM TABLE t", Vacuum(("t",))), ("SHOW VERSIONS t", ShowVersions(("t",))),
        ("show versions of main.t", ShowVersions(("main", "t"))),
    ):  # fmt: skip
        statement = bound(text, (), CATALOG)
        assert (type(statement), statement.name) == (type(expected), expected.name)
