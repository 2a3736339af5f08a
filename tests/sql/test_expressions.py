"""Operators, literals, casts, types, parameters."""

import datetime as dt
import decimal

import pytest

from tableflow import types
from tableflow.errors import BindError, SqlSyntaxError, UnsupportedError
from tableflow.expressions.nodes import Call, Cast, Literal
from tableflow.planner.logical.nodes import Project
from tests.sql.binding import bound, columns, fails, query


def expression(text: str, parameters=(), table: str = " FROM t"):
    root = query(f"SELECT {text} AS x{table}", parameters).root
    assert isinstance(root, Project)
    return root.expressions[0]


def literal(text: str) -> tuple[object, str]:
    found = expression(text, table="")
    assert isinstance(found, Literal), found
    return found.value, str(found.type)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("1", 1, "INT"), ("2147483648", 2147483648, "BIGINT"), ("-2147483648", -2147483648, "INT"),
        ("-9223372036854775808", -9223372036854775808, "BIGINT"), ("9223372036854775808", 2**63, "DECIMAL(19,0)"),
        ("1.50", 150, "DECIMAL(3,2)"), (".5", 5, "DECIMAL(1,1)"), ("-0.06", -6, "DECIMAL(2,2)"), ("1e3", 1000.0, "DOUBLE"),
        ("1_000", 1000, "INT"), ("'it''s'", "it's", "STRING"), ("'a' 'b'", "ab", "STRING"), ("$$a'b$$", "a'b", "STRING"),
        ("x'00fF'", b"\x00\xff", "BYTES"), ("TRUE", True, "BOOLEAN"), ("NULL", None, "NULL"),
        ("DATE '1970-01-02'", 1, "DATE"), ("DATE '1969-12-31'", -1, "DATE"),
        ("TIMESTAMP '1970-01-01 00:00:01'", 1_000_000, "TIMESTAMP(6)"),
        ("TIMESTAMP(3) '1970-01-01 00:00:01.5'", 1_500_000, "TIMESTAMP(3)"),
        ("TIME '00:00:01'", 1_000_000, "TIME(6)"),
        ("INTERVAL '90' DAY", (0, 90, 0), "INTERVAL"), ("INTERVAL 3 MONTHS", (3, 0, 0), "INTERVAL"),
        ("INTERVAL '1' YEAR", (12, 0, 0), "INTERVAL"), ("INTERVAL -2 DAY", (0, -2, 0), "INTERVAL"),
        ("INTERVAL '-1.5' HOUR", (0, 0, -5_400_000_000), "INTERVAL"), ("INTERVAL '1' WEEK", (0, 7, 0), "INTERVAL"),
        ("INTERVAL '1-2' YEAR TO MONTH", (14, 0, 0), "INTERVAL"),
        ("INTERVAL '1 02:03:04.5' DAY TO SECOND", (0, 1, 7_384_500_000), "INTERVAL"),
        ("INTERVAL '-1 02:00' DAY TO MINUTE", (0, -1, -7_200_000_000), "INTERVAL"),
        ("INTERVAL '1 day 2 hours'", (0, 1, 7_200_000_000), "INTERVAL"),
        ("INTERVAL '1 month, 3 days 01:02:03'", (1, 3, 3_723_000_000), "INTERVAL"),
        ("- INTERVAL '1' DAY", None, None),
    ],
)  # fmt: skip
def test_literal(text, value, kind):
    if kind is None:
        assert columns(f"SELECT {text} AS x") == ["x INTERVAL"]
    else:
        assert literal(text) == (value, kind)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("DATE '2020-13-01'", "cannot read '2020-13-01' as DATE", "DATE '2020-13-01'"),
        ("DATE 'tomorrow'", "cannot read", None),
        ("TIMESTAMP 'x'", "cannot read", None),
        ("INTERVAL 'x' DAY", "cannot read 'x' as an INTERVAL DAY", "INTERVAL 'x' DAY"),
        ("INTERVAL '1'", "cannot read '1' as an INTERVAL", None),
        ("INTERVAL '1.5' MONTH", "no fixed length|cannot read", None),
        ("INTERVAL '1' MONTH TO DAY", "cannot read", None),
        ("INTERVAL '1' DAY TO HOUR", "cannot read", None),
        ("INTERVAL '99999999999' YEAR", "too long", None),
        ("INTERVAL c DAY", "INTERVAL needs a number", "c"),
        ("1" * 39 + ".5", "digits", None),
    ],
)
def test_unreadable_literal(text, message, at):
    fails(f"SELECT {text} FROM t", BindError, message, at)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("a + 1", "add"), ("a - 1", "subtract"), ("a * 2", "multiply"), ("a / 2", "divide"), ("a % 2", "modulo"),
        ("a // 2", "integer_divide"), ("c || 'x'", "concat"), ("- a", "negate"), ("a = 1", "eq"), ("a == 1", "eq"),
        ("a <> 1", "ne"), ("a != 1", "ne"), ("a < 1", "lt"), ("a <= 1", "le"), ("a > 1", "gt"), ("a >= 1", "ge"),
        ("a IS DISTINCT FROM 1", "is_distinct_from"), ("a IS NOT DISTINCT FROM 1", "is_not_distinct_from"),
        ("a IS NULL", "is_null"), ("a IS NOT NULL", "is_not_null"), ("f IS TRUE", "is_true"),
        ("f IS NOT TRUE", "is_not_true"), ("f IS FALSE", "is_false"), ("f IS NOT FALSE", "is_not_false"),
        ("f IS UNKNOWN", "is_null"), ("f IS NOT UNKNOWN", "is_not_null"), ("NOT f", "not"), ("f AND a = 1", "and"),
        ("f OR a = 1", "or"), ("a BETWEEN 1 AND 2", "and"), ("a NOT BETWEEN 1 AND 2", "not"),
        ("a BETWEEN SYMMETRIC 2 AND 1", "or"), ("a IN (1, 2)", "in"), ("a NOT IN (1)", "not"), ("c LIKE 'a%'", "like"),
        ("c NOT LIKE 'a%'", "not"), ("c ILIKE 'a%'", "ilike"), ("coalesce(a, 1)", "coalesce"),
        ("nullif(a, 1)", "nullif"), ("EXTRACT(YEAR FROM ts)", "extract"), ("substring(c FROM 1 FOR 2)", "substring"),
        ("substring(c, 1)", "substring"), ("position('a' IN c)", "strpos"), ("+ a + 1", "add"),
    ],
)  # fmt: skip
def test_operator(text, function):
    found = expression(text)
    assert isinstance(found, Call)
    assert found.function == function


@pytest.mark.slow
def test_long_chains_are_flat():
    found = expression(" AND ".join(f"a <> {i}" for i in range(3000)))
    assert isinstance(found, Call)
    assert len(found.args) == 3000
    found = expression(" OR ".join(f"(a = {i} OR b = {i})" for i in range(1000)))
    assert len(found.args) == 2000


def test_spans_of_expressions():
    text = "SELECT (a + 1) * coalesce(b, 2) AS x FROM t"
    root = query(text).root
    found = root.expressions[0]
    assert text[found.span.start : found.span.end] == "(a + 1) * coalesce(b, 2)"
    left, right = found.args
    assert text[right.span.start : right.span.end] == "coalesce(b, 2)"
    assert text[left.span.start : left.span.end] == "a + 1"
    assert text[left.args[0].span.start : left.args[0].span.end] == "a"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("boolean", "BOOLEAN"), ("TINYINT", "TINYINT"), ("smallint", "SMALLINT"), ("INT", "INT"), ("integer", "INT"),
        ("BIGINT", "BIGINT"), ("FLOAT", "FLOAT"), ("real", "FLOAT"), ("DOUBLE", "DOUBLE"), ("DOUBLE PRECISION", "DOUBLE"),
        ("DECIMAL", "DECIMAL(10,0)"), ("DECIMAL(5)", "DECIMAL(5,0)"), ("NUMERIC(38, 6)", "DECIMAL(38,6)"),
        ("CHAR(3)", "CHAR(3)"), ("CHAR", "CHAR(1)"), ("VARCHAR(9)", "VARCHAR(9)"), ("VARCHAR", "STRING"),
        ("CHARACTER VARYING(2)", "VARCHAR(2)"), ("STRING", "STRING"), ("TEXT", "STRING"), ("BINARY(3)", "BINARY(3)"),
        ("BYTES", "BYTES"), ("VARBINARY", "BYTES"), ("DATE", "DATE"), ("TIME", "TIME(6)"), ("TIME(0)", "TIME(0)"),
        ("TIMESTAMP", "TIMESTAMP(6)"), ("TIMESTAMP(9)", "TIMESTAMP(9)"), ("TIMESTAMP(3) WITH TIME ZONE", "TIMESTAMP_LTZ(3)"),
        ("TIMESTAMP WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(6)"), ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP(6)"),
        ("TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(3)"), ("INTERVAL", "INTERVAL"), ("JSON", "JSON"), ("ARRAY<INT>", "ARRAY<INT>"),
        ("INT ARRAY", "ARRAY<INT>"), ("INT[]", "ARRAY<INT>"), ("MAP<STRING, ARRAY<INT>>", "MAP<STRING, ARRAY<INT>>"),
        ("ROW<a INT, b ROW<c STRING>>", "ROW<a INT, b ROW<c STRING>>"), ("STRUCT<a: INT>", "ROW<a INT>"),
        ("ROW(a INT, b DECIMAL(5,2))", "ROW<a INT, b DECIMAL(5,2)>"),
    ],
)  # fmt: skip
def test_type_name(name, expected):
    statement = bound(f"CREATE TABLE x (q {name}) WITH ('connector' = 'filesystem')")
    assert str(statement.columns[0].type) == expected


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("DECIMAL(39, 2)", BindError, "between 1 and 38"), ("DECIMAL(0)", BindError, "between 1 and 38"),
        ("DECIMAL(5, 6)", BindError, "scale"), ("TIMESTAMP(10)", BindError, "between 0 and 9"),
        ("TIME(10)", BindError, "between 0 and 9"), ("CHAR(0)", BindError, "at least 1"),
        ("VARCHAR(99999999999)", BindError, "at least 1"), ("INTT", BindError, "'INTT' is not known"),
        ("ARRAY<INT", SqlSyntaxError, "'>' is expected"), ("MAP<INT>", SqlSyntaxError, "',' is expected"),
        ("ROW<a INT, A INT>", BindError, "'A' appears twice"), ("DECIMAL(x)", SqlSyntaxError, "a whole number"),
        ("'INT'", SqlSyntaxError, "a type is expected"), ("5", SqlSyntaxError, "a type is expected"),
        ("ARRAY<" * 2000 + "INT" + ">" * 2000, SqlSyntaxError, "levels deep"),
    ],
)  # fmt: skip
def test_type_name_misuse(name, kind, message):
    fails(f"CREATE TABLE x (q {name}) WITH ('connector' = 'filesystem')", kind, message)
    fails(f"SELECT CAST(a AS {name}) FROM t", kind, message)


def test_casts():
    found = expression("CAST(c AS INT)")
    assert isinstance(found, Cast)
    assert not found.lenient
    assert expression("TRY_CAST(c AS INT)").lenient
    assert str(expression("a::BIGINT::STRING").type) == "STRING"
    assert literal("CAST('5' AS INT)") == (5, "INT")
    assert literal("NULL::DATE") == (None, "DATE")
    fails("SELECT CAST(ts AS INT) FROM t", BindError, "cannot cast TIMESTAMP", "ts")


def test_strings_take_the_type_of_what_they_are_compared_with():
    assert isinstance(expression("ts > '2020-01-01'").args[1], Literal)
    assert str(expression("ts > '2020-01-01'").args[1].type).startswith("TIMESTAMP")
    fails("SELECT ts > 'soon' FROM t", BindError, "cannot read 'soon' as TIMESTAMP", "'soon'")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("f IS 5", SqlSyntaxError, "IS is followed by"),
        ("a IS TRUE", BindError, "needs a BOOLEAN"),
        ("NOT a", BindError, "needs a BOOLEAN"),
        ("f AND a", BindError, "needs a BOOLEAN"),
        ("a + f", BindError, "INT"),
        ("a = 'x'", BindError, "cannot read 'x' as INT"),
        ("c ESCAPE 'x'", SqlSyntaxError, "syntax error|ESCAPE follows"),
        ("CASE WHEN a THEN 1 END", BindError, "needs a BOOLEAN"),
        ("CASE a WHEN 'x' THEN 1 END", BindError, "cannot read"),
        ("CASE WHEN f THEN ts ELSE a END", BindError, "the results of CASE"),
        ("a IN (1, ts)", BindError, ""),
        ("a[1]", BindError, "element_at|INT"),
        ("c AT TIME ZONE 'UTC'", BindError, "at_time_zone|STRING"),
        ("f(x -> 1)", UnsupportedError, "lambda"),
        ("()", SqlSyntaxError, "an expression is expected"),
        ("EXISTS (1)", SqlSyntaxError, "followed by a subquery"),
    ],
)
def test_expression_misuse(text, kind, message):
    fails(f"SELECT {text} FROM t", kind, message or "of INT and TIMESTAMP|comparison")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "NULL"), (True, "BOOLEAN"), (5, "INT"), (2**40, "BIGINT"), (1.5, "DOUBLE"), ("x", "STRING"), (b"x", "BYTES"),
        (decimal.Decimal("1.25"), "DECIMAL(3,2)"), (dt.date(2020, 1, 1), "DATE"),
        (dt.datetime.fromisoformat("2020-01-01 00:00"), "TIMESTAMP(6)"), (dt.timedelta(days=1), "INTERVAL"),
    ],
)  # fmt: skip
def test_parameters(value, kind):
    assert columns("SELECT ? AS x", (value,)) == [f"x {kind}"]
    assert columns("SELECT :p AS x, :p AS y", {"p": value}) == [f"x {kind}", f"y {kind}"]


def test_parameters_are_numbered_by_their_place_in_the_text():
    text = "WITH q AS (SELECT ? AS x) SELECT p.x, r.x, ? AS z FROM q p, q r WHERE p.x = ?"
    assert columns(text, (1, "b", 3)) == ["x INT", "x INT", "z STRING"]


@pytest.mark.parametrize(
    ("text", "parameters", "message", "at"),
    [
        ("SELECT ?, ?", (1,), "no value was given for parameter 2", "?"),
        ("SELECT ?", (1, 2), "2 parameters were given to a statement with 1", None),
        ("SELECT 1", (1,), "1 parameters were given to a statement with 0", None),
        ("SELECT :a", {}, "no value was given for parameter :a", ":a"),
        ("SELECT :a", {"a": 1, "b": 2}, "no parameter is named 'b'", None),
        ("SELECT :a", (1,), "needs a value by name", ":a"),
        ("SELECT ?", {"a": 1}, "needs a value by position", "?"),
        ("SELECT ?", (object(),), "has no SQL type", "?"),
        ("SELECT a FROM t WHERE a = ?", ("x",), "cannot read 'x' as INT", "?"),
    ],
)
def test_parameter_misuse(text, parameters, message, at):
    fails(text, BindError, message, at if at != ":a" else None, parameters=parameters)


def test_functions_of_the_clock_are_constants():
    assert isinstance(expression("current_date", table=""), Literal)
    assert columns("SELECT current_timestamp AS x, now() AS y") == ["x TIMESTAMP_LTZ(6)", "y TIMESTAMP_LTZ(6)"]


def test_row_fields():
    from tableflow.catalog.provider import ColumnDefinition
    from tests.sql.tables import DeclaredCatalog, DeclaredTable

    row = types.RowType((types.RowField("p", types.INT), types.RowField("q", types.STRING)))
    given = DeclaredCatalog({"r": DeclaredTable([ColumnDefinition("s", row)])})
    assert columns("SELECT s.P, r.s.q FROM r", given=given) == ["P INT", "q STRING"]
    fails("SELECT s.nope FROM r", BindError, "no field 'nope'", "s.nope", given=given)
    assert columns("SELECT s FROM r ORDER BY s", given=given) == ["s ROW<p INT, q STRING>"]
