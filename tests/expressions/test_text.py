"""Expressions as text: precedence, and text that binds to the same expression again."""

from __future__ import annotations

import pytest

from tableflow import types as t
from tableflow.expressions import registry
from tableflow.expressions.nodes import ColumnRef, Literal, SortKey
from tableflow.expressions.text import literal_text, sort_key_to_sql, to_sql
from tests.expressions.binding import bind

REFS = {name: ColumnRef(t.INT, n, name) for n, name in enumerate("abc")}
REFS |= {"s": ColumnRef(t.STRING, 9, "s"), "d": ColumnRef(t.DATE, 10, "d"), "x": ColumnRef(t.DOUBLE, 11, "x")}
REFS |= {"p": ColumnRef(t.BOOLEAN, 12, "p"), "q": ColumnRef(t.BOOLEAN, 13, "q")}


@pytest.mark.parametrize(
    "sql",
    [
        "a + b * c", "(a + b) * c", "a - (b - c)", "a - b - c", "-(a + b)", "-a * b", "a / (b * c)", "NOT p AND q",
        "NOT (p AND q)", "p AND q OR a = b", "p AND (q OR a = b)", "(a = b) = (b = c)", "a IS NULL", "(a = b) IS NOT NULL",
        "s LIKE 'a%'", "s || 'x' LIKE 'a!%' ESCAPE '!'", "a IN (1, 2, NULL)", "CASE WHEN a > 1 THEN b ELSE c END",
        "CASE WHEN p THEN 1 END", "extract(year FROM d)", "CAST(a AS DOUBLE)", "TRY_CAST(s AS DECIMAL(10,2))", "upper(s) = 'it''s'",
        "d < DATE '1995-01-01'", "d + INTERVAL '3' DAY", "d - INTERVAL '1 day 02:00:00'", "d + INTERVAL '-0.5' SECOND", "coalesce(a, b, 0)", "round(x, 2)", "x > 1.5e0", "x = 1e+20",
        "a // b % c", "a IS DISTINCT FROM b", "s IS NOT DISTINCT FROM NULL", "p IS NOT TRUE", "a = -1", "a - -1",
    ],
)  # fmt: skip
def test_text_is_the_expression_again(sql):
    expression = bind(sql, REFS)
    text = to_sql(expression)
    assert bind(text, REFS) == expression, text


@pytest.mark.parametrize(
    "sql", ["a + b * c", "(a + b) * c", "a - (b - c)", "p AND (q OR a = b)", "-a * b", "NOT (p AND q)", "a // b % c"]
)
def test_no_needless_parentheses(sql):
    assert to_sql(bind(sql, REFS)) == sql


def test_literals():
    assert literal_text(None, t.INT) == "NULL"
    assert literal_text(-105, t.DecimalType(5, 2)) == "-1.05"
    assert literal_text(b"\x01\xff", t.BYTES) == "X'01ff'"
    assert literal_text((14, 3, 1_500_000), t.INTERVAL) == "INTERVAL '1 year 2 months 3 days 00:00:01.5'"
    assert literal_text(1_500_000, t.TIMESTAMP) == "TIMESTAMP '1970-01-01 00:00:01.5'"
    assert literal_text(float("inf"), t.DOUBLE) == "CAST('inf' AS DOUBLE)"
    assert literal_text((1, None), t.ArrayType(t.INT)) == "ARRAY[1, NULL]"


def test_aggregates_and_sort_keys():
    call = registry.resolve_aggregate("sum", [REFS["a"]], distinct=True, filter=bind("p", REFS))
    assert to_sql(call) == "sum(DISTINCT a) FILTER (WHERE p)"
    assert to_sql(registry.resolve_aggregate("count", [])) == "count(*)"
    assert sort_key_to_sql(SortKey(REFS["a"], descending=True, nulls_first=True)) == "a DESC NULLS FIRST"
    assert to_sql(ColumnRef(t.INT, 5)) == "#5"
    assert to_sql(Literal(t.STRING, "a'b")) == "'a''b'"
