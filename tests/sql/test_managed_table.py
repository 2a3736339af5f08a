"""CREATE TABLE without a connector: columns, expressions, constraints and their names, LIKE, AS."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tableflow.sql.statements import CreateManagedTable, CreateSchema, Drop, DropSchema, ObjectKind
from tableflow.storage.description import TableDescription
from tests.sql.binding import bound, fails
from tests.sql.managed import CATALOG


def made(text: str) -> TableDescription:
    statement = bound(text, (), CATALOG)
    assert isinstance(statement, CreateManagedTable)
    return statement.description


def columns(text: str) -> list[str]:
    return [f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in made(text).columns]


def constraints(text: str) -> list[str]:
    description = made(text)
    keys = [
        f"{key.name} {'PRIMARY KEY' if key.primary else 'UNIQUE'} "
        f"({', '.join(description.column(number).name for number in key.columns)})"
        for key in description.keys
    ]
    return [*keys, *(f"{check.name} CHECK ({check.text})" for check in description.checks)]


def test_columns():
    text = (
        "CREATE TABLE z (a INT NOT NULL DEFAULT 1 + 1 COMMENT 'first', b VARCHAR(5) DEFAULT NULL, "
        "c AS a * 2 COMMENT 'twice', d BIGINT GENERATED ALWAYS AS (a + 1) STORED, e DOUBLE NULL DEFAULT random()) COMMENT 'all'"
    )
    assert columns(text) == ["a INT NOT NULL", "b VARCHAR(5)", "c INT", "d BIGINT", "e DOUBLE"]
    description = made(text)
    assert [column.default for column in description.columns] == ["1 + 1", "NULL", None, None, "random()"]
    assert [column.generated for column in description.columns] == [None, None, "a * 2", "a + 1", None]
    assert [column.comment for column in description.columns] == ["first", None, "twice", None, None]
    assert [column.id for column in description.columns] == [1, 2, 3, 4, 5]
    assert (description.next_column, description.comment) == (6, "all")


def test_constraints_and_their_names():
    assert constraints(
        "CREATE TABLE z (a INT PRIMARY KEY, b INT UNIQUE CHECK (b > 0) CHECK (b < 9), c INT, UNIQUE (b, c), "
        "CHECK (a <> c), CHECK (c > 0), CONSTRAINT odd CHECK (c % 2 = 1), CONSTRAINT once UNIQUE (c))"
    ) == [
        "z_pkey PRIMARY KEY (a)", "z_b_key UNIQUE (b)", "z_b_c_key UNIQUE (b, c)", "once UNIQUE (c)",
        "z_b_check CHECK (b > 0)", "z_b_check1 CHECK (b < 9)", "z_check CHECK (a <> c)", "z_c_check CHECK (c > 0)",
        "odd CHECK (c % 2 = 1)",
    ]  # fmt: skip
    assert columns("CREATE TABLE z (a INT, b INT, PRIMARY KEY (b, a))") == ["a INT NOT NULL", "b INT NOT NULL"]
    assert constraints("CREATE TABLE z (a INT, CONSTRAINT p PRIMARY KEY (A))") == ["p PRIMARY KEY (a)"]


def test_flags_and_options():
    statement = bound(
        "CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS s.z (a INT) WITH (compression = 'zstd')", (), CATALOG
    )
    assert isinstance(statement, CreateManagedTable)
    assert (statement.name, statement.temporary, statement.or_replace, statement.if_not_exists) == (
        ("s", "z"),
        True,
        True,
        True,
    )
    assert statement.description.options == (("compression", "zstd"),)


def test_as():
    text = "CREATE TABLE z AS SELECT id, n + 1 AS m, 'x' AS \"Word\" FROM k"
    assert columns(text) == ["id INT NOT NULL", "m BIGINT", "Word STRING"]
    statement = bound(text, (), CATALOG)
    assert [column.name for column in statement.query.columns] == ["id", "m", "Word"]
    assert columns("CREATE TABLE z (x, y) AS SELECT 1, 2.5") == ["x INT", "y DECIMAL(2,1)"]
    assert columns("CREATE TABLE z AS SELECT k.id FROM t LEFT JOIN k ON t.a = k.id") == ["id INT"]
    assert columns("CREATE TABLE z WITH (retention = '7 d') AS VALUES (1)") == ["col0 INT"]
    assert bound("CREATE TABLE z AS SELECT 1 AS a WITH NO DATA", (), CATALOG).query is None
    assert constraints("CREATE TABLE z (x, PRIMARY KEY (x)) AS SELECT 1") == ["z_pkey PRIMARY KEY (x)"]
    assert bound("CREATE TABLE z AS SELECT ? AS a", (5,), CATALOG).query is not None


def test_like():
    assert columns("CREATE TABLE z LIKE k") == ["id INT NOT NULL", "name VARCHAR(5) NOT NULL", "n BIGINT"]
    assert constraints("CREATE TABLE z LIKE k") == ["z_pkey PRIMARY KEY (id)", "z_name_n_key UNIQUE (name, n)"]
    assert constraints("CREATE TABLE z (e INT UNIQUE, LIKE g)") == [
        "z_e_key UNIQUE (e)",
        "z_b_check CHECK (b > 0)",
        "small CHECK (a < 100)",
    ]
    assert columns("CREATE TABLE z (first INT, LIKE outside, last INT)") == [
        "first INT",
        "a INT",
        "y STRING",
        "last INT",
    ]
    plain = made("CREATE TABLE z LIKE g EXCLUDING ALL INCLUDING DEFAULTS")
    assert ([c.default for c in plain.columns], [c.generated for c in plain.columns], plain.checks) == (
        [None, "1", None, None],
        [None] * 4,
        (),
    )


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("CREATE TABLE z (a INT, a INT)", CatalogError, "column 'a' is declared twice", "a"),
        ("CREATE TABLE z (a INT, LIKE t)", CatalogError, "column 'a' is declared twice", "t"),
        ("CREATE TABLE z (_row_id INT)", CatalogError, "column name '_row_id' is taken", "_row_id"),
        ("CREATE TABLE z (a INT DEFAULT 'x')", BindError, "the default does not fit column 'a'", "'x'"),
        ("CREATE TABLE z (a INT DEFAULT TRUE)", BindError, "column 'a' is INT, the value is BOOLEAN", "TRUE"),
        ("CREATE TABLE z (a VARCHAR(2) DEFAULT 'long')", BindError, "the default does not fit", "'long'"),
        ("CREATE TABLE z (a INT, b INT DEFAULT a)", BindError, "DEFAULT cannot refer to columns", "a"),
        ("CREATE TABLE z (a INT DEFAULT (SELECT 1))", UnsupportedError, "a subquery in DEFAULT", None),
        ("CREATE TABLE z (a INT DEFAULT ?)", BindError, "DEFAULT cannot hold parameters", "?"),
        ("CREATE TABLE z (a INT, b AS a + c)", BindError, "column 'c' does not exist", "c"),
        ("CREATE TABLE z (a INT, b AS a + 1, c AS b + 1)", BindError, "column 'b' does not exist", "b"),
        ("CREATE TABLE z (a INT, b AS random())", BindError, "must give the same value", "random()"),
        ("CREATE TABLE z (a INT, b AS now())", BindError, "must give the same value", "now()"),
        ("CREATE TABLE z (a INT, b AS sum(a))", BindError, "aggregate 'sum' cannot stand in a generated column", "sum(a)"),
        ("CREATE TABLE z (a INT, b AS NULL)", BindError, "column 'b' has no type", "NULL"),
        ("CREATE TABLE z (a TIMESTAMP_LTZ, b AS CAST(a AS DATE))", BindError, "must give the same value", "CAST(a AS DATE)"),
        ("CREATE TABLE z (a INT, b INT DEFAULT 1 AS a)", BindError, "a generated column has no DEFAULT", "1"),
        ("CREATE TABLE z (a INT CHECK (b > 1))", BindError, "column 'b' does not exist", "b"),
        ("CREATE TABLE z (a INT CHECK (a))", BindError, "CHECK needs a BOOLEAN", "(a)"),
        ("CREATE TABLE z (a INT CHECK (z.a > 1))", BindError, "CHECK names columns without their table", "z.a"),
        ("CREATE TABLE z (a INT CHECK (a IN (SELECT 1)))", UnsupportedError, "a subquery in CHECK", "SELECT 1"),
        ("CREATE TABLE z (a INT CHECK a > 1)", SqlSyntaxError, r"'\(' is expected", "a"),
        ("CREATE TABLE z (a INT, PRIMARY KEY (b))", BindError, "table 'z' has no column 'b'", "b"),
        ("CREATE TABLE z (a INT, PRIMARY KEY (a, a))", CatalogError, "column 'a' is twice in a key", "a"),
        ("CREATE TABLE z (a INT PRIMARY KEY, b INT PRIMARY KEY)", CatalogError, "a table has one primary key", "b"),
        ("CREATE TABLE z (a ARRAY<INT> UNIQUE)", BindError, "cannot be part of a key", "a"),
        ("CREATE TABLE z (a INT PRIMARY KEY NOT ENFORCED)", BindError, "keys of a managed table are enforced", "a"),
        ("CREATE TABLE z (a INT, CONSTRAINT x UNIQUE (a), CONSTRAINT X CHECK (a > 1))", CatalogError, "two constraints named 'X'", "X"),
        ("CREATE TABLE z (a INT REFERENCES t)", UnsupportedError, "a FOREIGN KEY constraint", "REFERENCES"),
        ("CREATE TABLE z (a INT, FOREIGN KEY (a) REFERENCES t)", UnsupportedError, "FOREIGN KEY", "FOREIGN"),
        ("CREATE TABLE z (a INT GENERATED BY DEFAULT AS IDENTITY)", UnsupportedError, "IDENTITY", "BY"),
        ("CREATE TABLE z (a INT, b AS a VIRTUAL)", UnsupportedError, "VIRTUAL", "VIRTUAL"),
        ("CREATE TABLE z (a INT) PARTITIONED BY (a)", UnsupportedError, "PARTITIONED BY", "a"),
        ("CREATE TABLE z (a INT) WITH (compresion = 'x')", CatalogError, "'compresion' is no option", None),
        ("CREATE TABLE z (a INT) WITH (compression = 'x')", CatalogError, "unknown compression 'x'", None),
        ("CREATE TABLE z (a INT) WITH (retention = 'long')", CatalogError, "retention 'long' is no duration", None),
        ("CREATE TABLE z (a)", SqlSyntaxError, "a type is expected", ")"),
        ("CREATE TABLE z", SqlSyntaxError, "is expected", ""),
        ("CREATE TABLE z LIKE q", CatalogError, "table 'q' does not exist", "q"),
        ("CREATE TABLE z LIKE t INCLUDING EVERYTHING", SqlSyntaxError, "ALL, DEFAULTS", "EVERYTHING"),
        ("CREATE TABLE z AS SELECT 1 AS a, 2 AS A", CatalogError, "two columns named 'A'", None),
        ("CREATE TABLE z AS SELECT NULL AS a", BindError, "column 'a' has no type", None),
        ("CREATE TABLE z (x) AS SELECT 1, 2", BindError, "1 column name given to a query of 2", "x"),
        ("CREATE TABLE z (x INT) AS SELECT 1", UnsupportedError, "column types in CREATE TABLE ... AS", "x"),
        ("CREATE TABLE z (LIKE t) AS SELECT 1", UnsupportedError, "LIKE together with AS", "t"),
        ("CREATE TABLE z AS SELECT _row_id FROM t", CatalogError, "'_row_id' is taken", None),
        ("CREATE SCHEMA Information_Schema", CatalogError, "exists already", "Information_Schema"),
        ("CREATE TABLE z AS SELECT q FROM t", BindError, "column 'q' does not exist", "q"),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)


def test_schemas_and_several_names():
    assert bound("CREATE SCHEMA IF NOT EXISTS s") == CreateSchema(
        "s", if_not_exists=True, span=bound("CREATE SCHEMA IF NOT EXISTS s").span
    )
    dropped = bound("DROP SCHEMA IF EXISTS s, u CASCADE")
    assert isinstance(dropped, DropSchema)
    assert (dropped.schemas, dropped.if_exists, dropped.cascade) == (("s", "u"), True, True)
    tables = bound("DROP VIEW a, b.c RESTRICT")
    assert isinstance(tables, Drop)
    assert (tables.kind, tables.names, tables.cascade) == (ObjectKind.VIEW, (("a",), ("b", "c")), False)
