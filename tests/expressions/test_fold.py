"""Folding keeps every row's answer, errors included; and what it makes of known expressions."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.expressions import registry
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.fold import fold, split_conjuncts
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, Case, Cast, ColumnRef, Expression, Literal, column_ids
from tableflow.expressions.operand import Operand
from tableflow.expressions.properties import can_raise, deterministic, is_constant, null_rejecting, strict
from tableflow.expressions.text import to_sql
from tests.expressions.binding import bind

REFS = {
    "a": ColumnRef(t.INT, 1, "a"), "b": ColumnRef(t.INT, 2, "b"), "p": ColumnRef(t.BOOLEAN, 3, "p"),
    "q": ColumnRef(t.BOOLEAN, 4, "q"), "s": ColumnRef(t.STRING, 5, "s"), "x": ColumnRef(t.DOUBLE, 6, "x"),
}  # fmt: skip
THREE = [True, False, None]
ROWS = [(a, b, p, q) for a in (None, 0, 7) for b in (None, 0, 1) for p in THREE for q in THREE]
COLUMNS = {
    n: Column(of, pa.array([row[n - 1] for row in ROWS], kind))
    for n, of, kind in (
        (1, t.INT, pa.int32()),
        (2, t.INT, pa.int32()),
        (3, t.BOOLEAN, pa.bool_()),
        (4, t.BOOLEAN, pa.bool_()),
    )
}
NAN = float("nan")
COLUMNS[6] = Column(t.DOUBLE, pa.array([(NAN, 0.0, None, 1.5)[i % 4] for i in range(len(ROWS))]))


@st.composite
def conditions(draw, depth=3) -> Expression:
    leaves = [
        "p", "q", "TRUE", "FALSE", "CAST(NULL AS BOOLEAN)", "a > 1", "a = b", "a / b > 1", "1 / 0 = 1", "a IS NULL", "1 < 2",
        "x > 1", "x <= x", "try(1 / b) = 1", "TRY_CAST('x' AS INT) = 1", "a IN (0, 7, NULL)", "coalesce(NULL, a, 3, b) = 3",
    ]  # fmt: skip
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return bind(draw(st.sampled_from(leaves)), REFS)
    kind = draw(
        st.sampled_from(["and", "or", "and3", "not", "case", "coalesce", "is_true", "is_not_false", "distinct"])
    )
    parts = [draw(conditions(depth=depth - 1)) for _ in range(3)]
    match kind:
        case "and" | "or":
            return registry.resolve_call(kind, parts[:2])
        case "and3":
            return registry.resolve_call("and", parts)
        case "not" | "is_true" | "is_not_false":
            return registry.resolve_call(kind, parts[:1])
        case "coalesce":
            return registry.resolve_call(kind, parts[:2])
        case "distinct":
            return registry.resolve_call("is_distinct_from", parts[:2])
    return Case(t.BOOLEAN, (parts[0],), (parts[1],), parts[2])


def outcome(expression):
    result = evaluate(expression, COLUMNS, len(ROWS))
    errors = [False] * len(ROWS) if result.errors is None else result.errors.tolist()
    return ["error" if e else v for v, e in zip(result.column.to_pylist(), errors, strict=True)]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(expression=conditions())
def test_folding_changes_no_row(expression):
    folded = fold(expression)
    assert folded.type == expression.type
    assert outcome(folded) == outcome(expression), to_sql(folded)
    assert fold(folded) == folded
    assert column_ids(folded) <= column_ids(expression)
    if "error" in outcome(expression):
        assert can_raise(expression)


@settings(max_examples=80, deadline=None)
@given(expression=conditions())
def test_null_rejecting_conditions_are_not_true_of_null_rows(expression):
    ids = frozenset({1, 3})
    if null_rejecting(expression, ids):
        nulls = [row[0] is None and row[2] is None for row in ROWS]
        assert True not in [v for v, is_null in zip(outcome(expression), nulls, strict=True) if is_null]
    if strict(expression):
        for number in column_ids(expression):
            values = COLUMNS[number].to_pylist()
            strict_rows = [v for v, value in zip(outcome(expression), values, strict=True) if value is None]
            assert True not in strict_rows
            assert False not in strict_rows


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("0.06 - 0.01", "0.05"),
        ("DATE '1995-01-01' + INTERVAL '1' YEAR", "DATE '1996-01-01'"),
        ("TRUE AND p", "p"),
        ("p AND FALSE", "FALSE"),
        ("p AND p", "p"),
        ("1 / 0 = 1 AND FALSE", "FALSE"),
        ("p OR 1 = 1", "TRUE"),
        ("p OR (q OR p)", "p OR q"),
        ("NOT (a > 1 AND p)", "a <= 1 OR NOT p"),
        ("NOT NOT p", "p"),
        ("NOT (a IS NULL)", "a IS NOT NULL"),
        ("1 / 0", "1 / 0"),
        ("a + 1 / 0", "a + 1 / 0"),
        ("coalesce(NULL, a, 2, b)", "coalesce(a, 2)"),
        ("coalesce(1, b)", "1"),
        ("CASE WHEN FALSE THEN a WHEN TRUE THEN b ELSE 1 / 0 END", "b"),
        ("CASE WHEN p THEN a WHEN NULL THEN b END", "CASE WHEN p THEN a END"),
        ("try(a)", "a"),
        ("try(1 / 0)", "NULL"),
        ("upper('a') || 'b'", "'Ab'"),
        ("random() < 0.5 AND random() < 0.5", "random() < 5e-1 AND random() < 5e-1"),
        ("a * (2 + 3)", "a * 5"),
    ],
)
def test_known_foldings(sql, expected):
    text = to_sql(fold(bind(sql, REFS)))
    assert text.replace("0.5e0", "5e-1") == expected


def test_conjuncts():
    assert [to_sql(c) for c in split_conjuncts(bind("a > 1 AND (p AND 1 = 1) AND NOT (q OR b = 2)", REFS))] == [
        "a > 1", "p", "NOT q", "b <> 2",
    ]  # fmt: skip
    assert split_conjuncts(bind("1 = 1")) == ()


def test_properties():
    assert is_constant(bind("1 + pi()"))
    assert not is_constant(bind("random()"))
    assert not is_constant(bind("a", REFS))
    assert not deterministic(bind("a + random()", REFS))
    assert strict(bind("upper(s) LIKE 'a%'", REFS))
    assert not strict(bind("coalesce(a, b)", REFS))
    for sql in (
        "a / 2",
        "x / 0",
        "upper(s)",
        "a > b",
        "try(a / b)",
        "CAST(a AS BIGINT)",
        "CAST(a AS DECIMAL(12,2))",
        "a % 3",
    ):
        assert not can_raise(bind(sql, REFS)), sql
    for sql in (
        "a / b",
        "a + b",
        "CAST(s AS INT)",
        "CAST(x AS INT)",
        "CAST(a AS SMALLINT)",
        "coalesce(a / b, 1)",
        "-a",
    ):
        assert can_raise(bind(sql, REFS)), sql


def test_folding_shares_unchanged_nodes():
    expression = bind("a + b > 1", REFS)
    assert fold(expression) is expression
    assert isinstance(fold(bind("1 + 1")), Literal)


@st.composite
def exact_constants(draw) -> Literal:
    """An integer or decimal, often at the edge of its type."""
    of = draw(st.sampled_from([t.INT, t.BIGINT, t.DecimalType(4, 2), t.DecimalType(18, 0), t.DecimalType(38, 10)]))
    edge = 10**of.precision - 1 if isinstance(of, t.DecimalType) else 2 ** (of.bits - 1) - 1
    return Literal(of, draw(st.one_of(st.integers(-200, 200), st.sampled_from([edge, -edge, edge - 1]))))


@settings(max_examples=400, database=None, deadline=None)
@given(exact_constants(), exact_constants(), st.sampled_from(["add", "subtract", "multiply", "cast"]), st.booleans())
def test_exact_arithmetic_over_constants(a: Literal, b: Literal, what: str, lenient: bool) -> None:
    """What interval analysis knows of constants is what the evaluator computes; failures are left to it."""
    of = Cast(b.type, a, lenient) if what == "cast" else registry.resolve_call(what, [a, b])
    result = evaluate(of, {}, 1)
    folded = fold(of)
    if result.errors is not None and result.errors.any():
        assert not isinstance(folded, Literal)
    else:
        assert folded == Literal(of.type, storage_values(Operand(of.type, result.column.array))[0])


FIRST_DAY, LAST_DAY = -719_162, 2_932_896
FEW = st.integers(-40, 40)
ANY = st.integers(-(2**31) + 1, 2**31 - 1)


@settings(database=None, deadline=None)
@given(
    st.integers(FIRST_DAY, LAST_DAY) | st.sampled_from([FIRST_DAY, FIRST_DAY + 30, LAST_DAY, LAST_DAY - 30]),
    FEW | ANY, FEW | ANY, st.sampled_from(["add", "subtract"]),
)  # fmt: skip
def test_dates_moved_by_constant_intervals(day: int, months: int, days: int, what: str) -> None:
    """What folding computes is what the kernel does; where that fails nothing is folded."""
    moved = Call(t.DATE, what, (Literal(t.DATE, day), Literal(t.INTERVAL, (months, days, 0))))
    result, folded = evaluate(moved, {}, 1), fold(moved)
    if result.errors is not None and result.errors.any():
        assert folded is moved
    else:
        (value,) = storage_values(Operand(t.DATE, result.column.array))
        assert folded == Literal(t.DATE, value)
        assert isinstance(folded, Literal)
        assert type(folded.value) is int


@pytest.mark.parametrize("operands", [(None, (1, 0, 0)), (0, None)])
def test_a_null_moves_no_date(operands: tuple[object, object]) -> None:
    day, interval = operands
    assert fold(Call(t.DATE, "add", (Literal(t.DATE, day), Literal(t.INTERVAL, interval)))) == Literal(t.DATE, None)
