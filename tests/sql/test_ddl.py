"""CREATE and DROP."""

import pytest

import tableflow
from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tableflow.sql.statements import CreateTable, CreateView, Drop, ObjectKind
from tests.sql.binding import bound, columns, fails
from tests.sql.tables import catalog

WITH = " WITH ('connector' = 'filesystem', 'path' = 'x/')"


def test_create_table():
    text = (
        "CREATE TEMPORARY TABLE IF NOT EXISTS main.bids (auction BIGINT, price DECIMAL(12,2) NOT NULL COMMENT 'euro', "
        '"Order" STRING, PRIMARY KEY (auction) NOT ENFORCED) COMMENT \'all bids\' PARTITIONED BY ("Order") '
        "WITH ('Connector' = 'filesystem', path = 'bids/', csv.field-delimiter = ';', skip = 1)"
    )
    table = bound(text)
    assert isinstance(table, CreateTable)
    assert table.name == ("main", "bids")
    assert [(c.name, str(c.type), c.nullable) for c in table.columns] == [
        ("auction", "BIGINT", False),
        ("price", "DECIMAL(12,2)", False),
        ("Order", "STRING", True),
    ]
    assert (table.primary_key, table.partitioned_by) == (("auction",), ("Order",))
    assert table.options == (
        ("connector", "filesystem"),
        ("path", "bids/"),
        ("csv.field-delimiter", ";"),
        ("skip", "1"),
    )
    assert (table.temporary, table.if_not_exists, table.comment, table.text) == (True, True, "all bids", text)


def test_create_table_without_columns():
    assert bound("CREATE TABLE x" + WITH).columns == ()


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("CREATE TABLE x" + WITH + " AS SELECT 1", UnsupportedError, "AS", "AS"),
        ("CREATE TABLE x LIKE t" + WITH, UnsupportedError, "LIKE", "LIKE"),
        ("CREATE OR REPLACE TABLE x (a INT)" + WITH, UnsupportedError, "CREATE OR REPLACE TABLE", "OR"),
        ("CREATE TABLE x (a INT DEFAULT 5)" + WITH, UnsupportedError, "DEFAULT", "DEFAULT"),
        ("CREATE TABLE x (a INT, UNIQUE (a))" + WITH, UnsupportedError, "UNIQUE", "UNIQUE"),
        ("CREATE STREAMING TABLE x (a INT)", BindError, "result of a query", "x"),
        ("CREATE MATERIALIZED VIEW x WITH ('connector' = 'print') AS SELECT 1", UnsupportedError, "no connector", "x"),
        ("CREATE FUNCTION f(INT) RETURNS INT LANGUAGE PYTHON AS 'm.f'", UnsupportedError, "CREATE FUNCTION", "CREATE FUNCTION"),
        ("CREATE TABLE FUNCTION f(INT) RETURNS TABLE (a INT) LANGUAGE PYTHON AS 'm.f'", UnsupportedError, "TABLE FUNCTION", "CREATE TABLE FUNCTION"),
        ("CREATE TABLE x (a INT, PRIMARY KEY (a))" + WITH, BindError, "cannot be enforced", None),
        ("CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED)" + WITH, CatalogError, "'b' of the primary key", None),
        ("CREATE TABLE x (a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED)" + WITH, CatalogError, "one primary key", None),
        ("CREATE TABLE x (a INT, A STRING)" + WITH, CatalogError, "'A' is declared twice", "A"),
        ("CREATE TABLE x (a INT) PARTITIONED BY (b)" + WITH, CatalogError, "'b' is not declared", "b"),
        ("CREATE TABLE x (a INT) WITH ('path' = 'x')", CatalogError, "names no connector", None),
        ("CREATE TABLE x (a INT) WITH ('connector' = 'a', connector = 'b')", CatalogError, "given twice", "connector"),
        ("CREATE TABLE x (a INT) WITH ('connector' 'a')", SqlSyntaxError, "'=' is expected", "'a'"),
        ("CREATE TABLE x (a INT,)" + WITH, SqlSyntaxError, "a column name is expected", ")"),
        ("CREATE TABLE x (a)" + WITH, SqlSyntaxError, "a type is expected", ")"),
        ("CREATE TABLE x (a INT b)" + WITH, SqlSyntaxError, "',' or '\\)' is expected", "b"),
        ("CREATE TABLE x (a INT" + WITH, SqlSyntaxError, "is expected", "WITH"),
        ("CREATE TABLE (a INT)" + WITH, SqlSyntaxError, "a name is expected", "("),
        ("CREATE TABLE x (a INT) NONSENSE", SqlSyntaxError, "WITH is expected", "NONSENSE"),
        ("CREATE THING x", SqlSyntaxError, "TABLE or VIEW is expected", "THING"),
        ("CREATE TABLE x (a INT)" + WITH + " more", SqlSyntaxError, "syntax error at 'more'", "more"),
    ],
)  # fmt: skip
def test_create_table_misuse(text, kind, message, at):
    fails(text, kind, message, at)


def test_create_view():
    view = bound("CREATE OR REPLACE TEMPORARY VIEW IF NOT EXISTS main.w AS\n SELECT a, b FROM t -- why\n WHERE a > 1")
    assert isinstance(view, CreateView)
    assert view.name == ("main", "w")
    assert view.text == "SELECT a, b FROM t -- why\n WHERE a > 1"
    assert (view.or_replace, view.temporary, view.if_not_exists) == (True, True, True)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, b FROM t -- done",
        "WITH x AS (SELECT a, b FROM t) SELECT * FROM x",
        "VALUES (1, 2)",
        "SELECT 1, 2 UNION SELECT 3, 4",
    ],
)
def test_column_names_of_a_view_are_part_of_its_text(query):
    view = bound(f'CREATE VIEW w(p, "Q q") AS {query}')
    assert [c.split()[0] for c in columns("SELECT * FROM w", given=catalog({"w": view.text}))] == ["p", "Q"]


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("CREATE VIEW w AS SELECT nope FROM t", BindError, "'nope' does not exist", "nope"),
        ("CREATE VIEW w AS SELECT a FROM t WHERE", SqlSyntaxError, "an expression is expected", ""),
        ("CREATE VIEW w AS SELECT a, a FROM t", CatalogError, "two columns named 'a'", None),
        ("CREATE VIEW w(a, b, c) AS SELECT 1, 2", BindError, "3 column names are given to 2", None),
        ("CREATE VIEW w AS SELECT ?", BindError, "cannot hold parameters", "?"),
        ("CREATE VIEW w AS SELECT :x", BindError, "by name|parameter", None),
        ("CREATE VIEW w SELECT 1", SqlSyntaxError, "AS is expected", "SELECT"),
        ("CREATE VIEW w AS INSERT", SqlSyntaxError, "a query is expected", "INSERT"),
        ("CREATE VIEW w WITH ('a' = 'b') AS SELECT 1", UnsupportedError, "options of a view", "WITH"),
    ],
)
def test_create_view_misuse(text, kind, message, at):
    fails(text, kind, message, at)


def test_a_view_cannot_read_itself():
    fails(
        "CREATE OR REPLACE VIEW w AS SELECT * FROM w",
        BindError,
        "refers to itself",
        given=catalog({"w": "SELECT 1 AS x"}),
    )


@pytest.mark.parametrize(
    ("text", "kind", "name", "if_exists"),
    [
        ("DROP TABLE t", ObjectKind.TABLE, ("t",), False),
        ("DROP TABLE IF EXISTS main.t", ObjectKind.TABLE, ("main", "t"), True),
        ("DROP VIEW w RESTRICT", ObjectKind.VIEW, ("w",), False),
        ("drop temporary view if exists `a b`", ObjectKind.VIEW, ("a b",), True),
    ],
)
def test_drop(text, kind, name, if_exists):
    statement = bound(text)
    assert isinstance(statement, Drop)
    assert (statement.kind, statement.names, statement.if_exists) == (kind, (name,), if_exists)


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("DROP", SqlSyntaxError, "TABLE or VIEW is expected", ""),
        ("DROP THING x", SqlSyntaxError, "TABLE or VIEW is expected", "THING"),
        ("DROP TABLE", SqlSyntaxError, "a name is expected", ""),
        ("DROP TABLE t, ", SqlSyntaxError, "a name is expected", ""),
        ("DROP FUNCTION f", UnsupportedError, "DROP FUNCTION", "DROP FUNCTION"),
        ("DROP TABLE t u", SqlSyntaxError, "syntax error at 'u'", "u"),
    ],
)
def test_drop_misuse(text, kind, message, at):
    fails(text, kind, message, at)


@pytest.mark.parametrize("quoted", ['"function"', "function"])
def test_a_table_may_be_called_function(quoted) -> None:
    with tableflow.connect() as connection:
        connection.execute(f"CREATE TABLE {quoted} (a INT)")
        connection.execute(f"INSERT INTO {quoted} VALUES (1)")
        connection.execute(f"DROP TABLE {quoted}")
        connection.execute(f"CREATE TABLE {quoted} AS SELECT 1 AS a")
