"""INSERT and ON CONFLICT: which values go where, and what is said of those that do not fit."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.expressions.nodes import Call, Cast, Literal
from tableflow.expressions.text import to_sql
from tableflow.planner.logical.nodes import Join, JoinKind, Project, Values
from tableflow.sql.binder import changes
from tableflow.sql.plain_rows import read_plain_rows
from tableflow.sql.statements import Action
from tableflow.storage.description import ChangeKind
from tests.sql.binding import fails, nodes
from tests.sql.managed import CATALOG, managed_catalog, written


def rows(text: str, parameters=()) -> list[list[object]]:
    """The constant rows of an INSERT ... VALUES."""
    values = next(node for node in nodes(written(text, parameters).query.root) if isinstance(node, Values))
    return [[cell.value if isinstance(cell, Literal) else to_sql(cell) for cell in row] for row in values.rows]


def columns(text: str) -> list[str]:
    """Name and type of the written values, in order."""
    statement = written(text)
    return [f"{statement.query.columns[i].name} {statement.query.columns[i].type}" for i in statement.values]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSERT INTO t VALUES (1, 'x', 2.5), (2, NULL, 3)", [[1, "x", 250], [2, None, 300]]),
        ("INSERT INTO t VALUES (-3, DEFAULT, 1 + 1)", [[-3, "none", "CAST(1 + 1 AS DECIMAL(8,2))"]]),
        ("INSERT INTO t VALUES ('7', 5, '2.345')", [[7, "5", 235]]),
        ("INSERT INTO t (c, a) VALUES (1, 2)", [[100, 2]]),
        ("INSERT INTO t(\"A\") VALUES (+1)", [["1"]]),
        ("INSERT INTO g (d) VALUES (DATE '1970-01-02'), ('1970-01-03'), ('1969-12-31')", [[1], [2], [-1]]),
        ("INSERT INTO k VALUES (1, 'ab   ', 3), (1, 'abcde   ', 3)", [[1, "ab   ", 3], [1, "abcde", 3]]),
        ("INSERT INTO t VALUES (1.5, TRUE || '', 2)", [[2, "'true' || ''", 200]]),
        ("INSERT INTO t VALUES (2147483648, 'x', 1)", [["CAST(2147483648 AS INT)", "x", 100]]),
        ("INSERT INTO k VALUES (1, 'too long', 3)", [[1, "CAST(fit('too long', 5) AS VARCHAR(5))", 3]]),
    ],
)  # fmt: skip
def test_values(text, expected):
    found = rows(text)
    assert found == expected or [[str(cell) for cell in row] for row in found] == expected


def test_parameters_stand_for_values():
    assert rows("INSERT INTO t VALUES (?, ?, ?), (?, 'y', NULL)", (1, "x", 2.5, 4)) == [
        [1, "x", 250],
        [4, "y", None],
    ]
    assert rows("INSERT INTO t (a) VALUES (:n)", {"n": 5}) == [[5]]
    fails("INSERT INTO t (a) VALUES (?)", BindError, "no value was given", "?", CATALOG)


def test_values_have_the_columns_types_and_defaults():
    assert columns("INSERT INTO t (c) VALUES (1)") == ["a INT", "b STRING", "c DECIMAL(8,2)"]
    statement = written("INSERT INTO t DEFAULT VALUES")
    assert isinstance(statement.query.root, Project)
    assert [to_sql(value) for value in statement.query.root.expressions] == ["NULL", "'none'", "NULL"]
    assert (statement.default_action, statement.kind) == (Action.INSERT, ChangeKind.INSERT)
    assert (statement.action, statement.row_id, statement.returning, statement.checks) == (None, None, None, ())
    assert statement.table is CATALOG.tables["t"]


def test_queries_are_cast_column_by_column():
    assert columns("INSERT INTO t SELECT id, n, n FROM k") == ["a INT", "b STRING", "c DECIMAL(8,2)"]
    assert columns("INSERT INTO t BY NAME SELECT id AS c, n AS a FROM k") == ["a INT", "b STRING", "c DECIMAL(8,2)"]
    assert columns("WITH x AS (SELECT 1 AS a) INSERT INTO t (a) FROM x") == ["a INT", "b STRING", "c DECIMAL(8,2)"]
    assert columns("INSERT INTO t (a) WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL VALUES (2)")
    assert columns("INSERT INTO t (a) VALUES (1) UNION ALL SELECT 2")
    assert columns("INSERT INTO t (a) (SELECT 2)")


def test_generated_columns_are_computed_over_the_new_values():
    statement = written("INSERT INTO g (a) VALUES (1)")
    names = [statement.query.columns[i].name for i in statement.values]
    assert names == ["a", "b", "s", "d"]
    assert [check.constraint for check in statement.checks] == ["g_b_check", "small"]
    computed = [
        value
        for node in nodes(statement.query.root)
        if isinstance(node, Project)
        for value in node.expressions
        if isinstance(value, Call)
    ]
    assert [to_sql(value) for value in computed] == ["b > 0", "a < 100", "a + b"]


def test_subqueries_among_values():
    statement = written("INSERT INTO t VALUES ((SELECT max(id) FROM k), 'x', DEFAULT), (1, (SELECT 'y'), 3)")
    kinds = [node.kind for node in nodes(statement.query.root) if isinstance(node, Join)]
    assert kinds == [JoinKind.SINGLE, JoinKind.SINGLE]
    assert columns("INSERT INTO t VALUES ((SELECT max(id) FROM k), 'x', 1)") == ["a INT", "b STRING", "c DECIMAL(8,2)"]


def test_returning():
    statement = written("INSERT INTO g (a) VALUES (1) RETURNING *, s + 1 AS more, g.a")
    assert statement.returning is not None
    found = [statement.query.columns[i].name for i in statement.returning]
    assert found == ["a", "b", "s", "d", "more", "a"]


def test_on_conflict_do_nothing_looks_for_every_key():
    statement = written("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT DO NOTHING")
    assert written("INSERT INTO k SELECT 1, 'x', 3 FROM t CROSS JOIN g ON CONFLICT DO NOTHING").keep_first
    assert written("INSERT INTO k SELECT 1, 'x', 3 FROM t JOIN g ON t.a = g.a ON CONFLICT DO NOTHING").keep_first
    joins = [node for node in nodes(statement.query.root) if isinstance(node, Join)]
    assert [(join.kind, len(join.conjuncts)) for join in joins] == [(JoinKind.ANTI, 2), (JoinKind.ANTI, 1)]
    assert [key.name for key in statement.keep_first] == ["k_pkey", "k_name_n_key"]
    one = written("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (id) DO NOTHING")
    assert [key.name for key in one.keep_first] == ["k_pkey"]
    assert len([node for node in nodes(one.query.root) if isinstance(node, Join)]) == 1
    named = written("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT ON CONSTRAINT k_name_n_key DO NOTHING")
    assert [len(node.conjuncts) for node in nodes(named.query.root) if isinstance(node, Join)] == [2]


def test_on_conflict_do_update():
    statement = written(
        "INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (id) DO UPDATE SET n = n + excluded.n, name = DEFAULT "
        "WHERE k.n < excluded.n RETURNING id, n"
    )
    joins = [node for node in nodes(statement.query.root) if isinstance(node, Join)]
    assert [join.kind for join in joins] == [JoinKind.LEFT]
    assert (statement.conflict, statement.keep_first) == ("k_pkey", ())
    assert statement.action is not None
    assert statement.row_id is not None
    assert statement.query.columns[statement.row_id].nullable
    assert not statement.query.columns[statement.action].nullable


def test_many_literals_are_no_casts():
    statement = written("INSERT INTO g (a, d) VALUES " + ", ".join(f"({i}, '2024-01-{i:02}')" for i in range(1, 30)))
    values = next(node for node in nodes(statement.query.root) if isinstance(node, Values))
    assert all(isinstance(cell, Literal) for row in values.rows for cell in row)
    bad = written("INSERT INTO g (a, d) VALUES (1, '2024-01-01'), (2, 'never'), (3, '2024-01-03')")
    values = next(node for node in nodes(bad.query.root) if isinstance(node, Values))
    assert [type(row[1]) for row in values.rows] == [Literal, Cast, Literal]


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("INSERT INTO t VALUES (1, 2)", BindError, "the row has 2 values, 3 are expected", "(1, 2)"),
        ("INSERT INTO t VALUES (1, 2, 3), (1)", BindError, "the row has 1 value, 3 are expected", "(1)"),
        ("INSERT INTO t (a) VALUES (1, 2)", BindError, "the row has 2 values, 1 is expected", "(1, 2)"),
        ("INSERT INTO t SELECT 1", BindError, "the query gives 1 value, 3 are expected", "SELECT 1"),
        ("INSERT INTO t (a, q) VALUES (1, 2)", BindError, "table 't' has no column 'q'", "q"),
        ("INSERT INTO t (a, A) VALUES (1, 2)", BindError, "column 'a' is listed twice", "A"),
        ("INSERT INTO g (s) VALUES (1)", BindError, "column 's' is generated", "s"),
        ("INSERT INTO g VALUES (1, 2, 3, DATE '2024-01-01')", BindError, "the row has 4 values, 3 are expected", None),
        ("INSERT INTO t VALUES (TRUE, 'x', 1)", BindError, "column 'a' is INT, the value is BOOLEAN", "TRUE"),
        ("INSERT INTO g (d) SELECT 1", BindError, "column 'd' is DATE, the value is INT", "SELECT 1"),
        ("INSERT INTO t BY NAME SELECT 1 AS q", BindError, "has no column 'q'", None),
        ("INSERT INTO t BY NAME SELECT 1 AS a, 2 AS A", BindError, "gives column 'A' twice", None),
        ("INSERT INTO t BY NAME VALUES (1)", BindError, "VALUES have no names", "t"),
        ("INSERT INTO v VALUES (1)", CatalogError, "'v' is a view and cannot be changed", "v"),
        ("INSERT INTO outside VALUES (1)", CatalogError, "table 'outside' cannot be changed", "outside"),
        ("INSERT INTO tt VALUES (1)", CatalogError, "table 'tt' does not exist", "tt"),
        ("INSERT INTO t VALUES (a, 'x', 1)", BindError, "column 'a' does not exist", "a"),
        ("INSERT INTO t VALUES (count(*), 'x', 1)", BindError, "aggregate 'count' cannot stand in VALUES", None),
        ("INSERT INTO t", SqlSyntaxError, "a query is expected", ""),
        ("INSERT INTO t VALUES", SqlSyntaxError, r"'\(' is expected", ""),
        ("INSERT INTO t VALUES ()", SqlSyntaxError, "an expression is expected", ")"),
        ("INSERT INTO t (a VALUES (1)", SqlSyntaxError, r"'\)' is expected", "VALUES"),
        ("INSERT INTO t VALUES (1, 2, 3) nonsense", SqlSyntaxError, "syntax error at 'nonsense'", "nonsense"),
        ("INSERT OR REPLACE INTO t VALUES (1)", UnsupportedError, "INSERT OR", "OR"),
        ("INSERT OVERWRITE t VALUES (1)", UnsupportedError, "INSERT OVERWRITE", "OVERWRITE"),
        ("INSERT INTO t VALUES (1, 'x', 3) ON CONFLICT DO NOTHING", BindError, "table 't' has no key", "ON CONFLICT"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (n) DO NOTHING", BindError, r"no key over \(n\)", "ON CONFLICT (n)"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (q) DO NOTHING", BindError, "no column 'q'", "q"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT ON CONSTRAINT kk DO NOTHING", BindError, "no key 'kk'", "kk"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT DO UPDATE SET n = 1", BindError, "needs to know which key", "ON CONFLICT"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (id) DO UPDATE SET m = 1", BindError, "no column 'm'", "m"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (id) DO UPDATE SET n = excluded.m", BindError, "'excluded.m' does not exist", "excluded.m"),
        ("INSERT INTO k VALUES (1, 'x', 3) ON CONFLICT (id) DO UPDATE SET n = 1 WHERE 5", BindError, "needs a BOOLEAN", "5"),
        ("INSERT INTO t DEFAULT VALUES RETURNING count(*)", BindError, "an aggregate cannot stand in RETURNING", "count(*)"),
        ("INSERT INTO t DEFAULT VALUES RETURNING a, row_number() OVER ()", BindError, "a window function cannot stand in RETURNING",
         "row_number() OVER ()"),
        ("INSERT INTO t DEFAULT VALUES RETURNING _row_id", BindError, "column '_row_id' does not exist", "_row_id"),
        ("INSERT INTO t DEFAULT VALUES RETURNING", SqlSyntaxError, "an expression is expected", ""),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)


PLAIN = (
    "INSERT INTO t VALUES (1, 'it''s', 2.5),(-2,NULL, 1e0) , ( 3 ,'', .5)",
    "INSERT INTO t VALUES (1, 'a', 2), (2, 'b' 'c', 3), (3, DEFAULT, -4), (-9223372036854775808, TRUE || '', 5)",
    "insert into t (b) values ('x'), /* a comment */ ('y') -- another\n, ('z') returning a",
    "INSERT INTO g (d, a) VALUES (DATE '2024-02-29', 1), (date  '1969-12-31', 2), (DATE('2024-01-01'), 3)",
    "INSERT INTO t (a) VALUES (1), (2) UNION ALL SELECT 3 ORDER BY 1 LIMIT 2",
    "INSERT INTO k VALUES (1, 'x', NULL) ON CONFLICT (id) DO UPDATE SET n = 5",
    "INSERT INTO t (a) VALUES (1_000), (1.), (00012), (12345678901234567890)",
    "INSERT INTO t SELECT * FROM (VALUES (1, 'x', 2)) v",
    "INSERT INTO t (\"a\", b) VALUES (NULL, 'NULL'), (NULLIF(1, 1), ? || 'x')",
    "INSERT INTO t VALUES (1, 'x')", "INSERT INTO t VALUES (1, 'x', 2) , ", "INSERT INTO t VALUES (1, 'x', 2) ('y')",
    "INSERT INTO t VALUES (1, 'x', DATE '2024-13-01')", "INSERT INTO t VALUES (1, 'open, 2)", "INSERT INTO t VALUES (1, 'x', 2x)",
    "INSERT INTO t VALUES (TRUE, 'x', 2), (1, 2, 3, 4)", "INSERT INTO t VALUES (1, 'x', 99999999999999999999999999999999999999999)",
)  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_plain_rows_mean_what_the_parser_reads(text, monkeypatch):
    def outcome():
        try:
            return repr(written(text, ("p",) if "?" in text else ()).query)
        except TableFlowError as error:
            return type(error), error.message, error.span, error.hint

    plain = outcome()
    monkeypatch.setattr(changes, "read_plain_rows", lambda text: None)
    assert outcome() == plain


def test_plain_rows_are_read_without_the_parser():
    found = read_plain_rows(PLAIN[0])
    assert found is not None
    assert [cell.text for row in found.rows for cell in row.cells] == ["1", "it's", "2.5", "2", "NULL", "1e0"]
    assert [token.text for token in found.tokens] == [
        "INSERT",
        "INTO",
        "t",
        "VALUES",
        ",",
        "(",
        "3",
        ",",
        "",
        ",",
        ".5",
        ")",
    ]
    assert read_plain_rows("INSERT INTO t SELECT 1") is None
    assert read_plain_rows("INSERT INTO t VALUES (1 + 1)") is None


def test_misspelled_keywords_are_found():
    error = fails("INSERT INTO t VALEUS (1, 2, 3)", SqlSyntaxError, "syntax error at 'VALEUS'", "VALEUS", CATALOG)
    assert error.hint == "did you mean VALUES instead of 'VALEUS'?"
    assert "INSERT" in fails("INSRET INTO t VALUES (1)", SqlSyntaxError, "begins no statement", "INSRET", CATALOG).hint
    assert "WHERE" in fails("DELETE FROM t WEHRE a = 1", SqlSyntaxError, "syntax error", None, CATALOG).hint


def test_near_names_are_suggested():
    assert fails("INSERT INTO k (nam) VALUES ('x')", BindError, "no column 'nam'", "nam", CATALOG).hint == (
        "did you mean 'name'?"
    )


def test_what_a_default_was_worth_is_asked_again():
    catalog = managed_catalog("CREATE TABLE m (a INT, at TIMESTAMP_LTZ DEFAULT now(), r DOUBLE DEFAULT random())")
    values = written("INSERT INTO m (a) VALUES (1)", given=catalog)
    expressions = next(node for node in nodes(values.query.root) if isinstance(node, Project)).expressions
    assert [type(value).__name__ for value in expressions] == ["ColumnRef", "Literal", "Call"]
