"""Which errors count, for which rows, and how they are worded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.errors import BindError, DataError, Span
from tableflow.expressions import registry
from tableflow.expressions.evaluation import evaluate, filter_rows, project
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.expressions.operand import Operand
from tests.expressions.binding import bind

REFS = {"a": ColumnRef(t.INT, 1, "a"), "b": ColumnRef(t.INT, 2, "b"), "s": ColumnRef(t.STRING, 3, "s")}
COLUMNS = {
    1: Column(t.INT, pa.array([10, 7, None, 5, 1], pa.int32())),
    2: Column(t.INT, pa.array([2, 0, 0, None, 0], pa.int32())),
    3: Column(t.STRING, pa.array(["1", "x", "3", None, "-4"])),
}
BATCH = Batch([COLUMNS[1], COLUMNS[2], COLUMNS[3]], 5)
POSITIONS = {1: 0, 2: 1, 3: 2}
FAILS = "fails"


def rows(sql, selection=None):
    expression = bind(sql, REFS)
    result = evaluate(expression, COLUMNS, 5, selection)
    values = storage_values(Operand(expression.type, result.column.array))
    errors = np.zeros(len(values), bool) if result.errors is None else result.errors
    assert all(value is None for value, failed in zip(values, errors, strict=True) if failed)
    return [FAILS if failed else value for value, failed in zip(values, errors, strict=True)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a / b", [5, FAILS, None, None, FAILS]),
        ("a % b", [0, FAILS, None, None, FAILS]),
        ("try(a / b)", [5, None, None, None, None]),
        ("coalesce(try(a / b), -1)", [5, -1, -1, -1, -1]),
        ("coalesce(a / b, -1)", [5, FAILS, -1, -1, FAILS]),
        ("coalesce(a, 1 / 0)", [10, 7, FAILS, 5, 1]),
        ("a / nullif(b, 0)", [5, None, None, None, None]),
        ("CASE WHEN b <> 0 THEN a / b ELSE 0 END", [5, 0, 0, 0, 0]),
        ("CASE WHEN a / b > 1 THEN 1 ELSE 2 END", [1, FAILS, 2, 2, FAILS]),
        ("CASE WHEN b = 0 THEN 1 WHEN a / b > 1 THEN 2 END", [2, 1, 1, None, 1]),
        ("if(b = 0, 1 / b, 1)", [1, FAILS, FAILS, 1, FAILS]),
        ("b <> 0 AND a / b > 1", [True, False, False, None, False]),
        ("a / b > 1 AND b <> 0", [True, False, False, None, False]),
        ("b = 0 OR a / b > 1", [True, True, True, None, True]),
        ("a / b > 1 OR b = 0", [True, True, True, None, True]),
        ("a / b > 1 OR a > 100", [True, FAILS, None, None, FAILS]),
        ("a / b > 1 AND a > 0", [True, FAILS, None, None, FAILS]),
        ("NOT (a / b > 1 AND b <> 0)", [False, True, True, None, True]),
        ("(a / b) IS NULL", [False, FAILS, True, True, FAILS]),
        ("a / b IS DISTINCT FROM 1", [True, FAILS, True, True, FAILS]),
        ("greatest(a / b, 3)", [5, FAILS, 3, 3, FAILS]),
        ("CAST(s AS INT)", [1, FAILS, 3, None, -4]),
        ("TRY_CAST(s AS INT)", [1, None, 3, None, -4]),
        ("TRY_CAST(a / b AS STRING)", ["5", FAILS, None, None, FAILS]),
        ("CAST(a AS DECIMAL(2,1))", [FAILS, 70, None, 50, 10]),
        ("CAST(1 AS DOUBLE) / b", [0.5, float("inf"), float("inf"), None, float("inf")]),
        ("a / CAST(b AS DECIMAL(5,2))", [5.0, FAILS, None, None, FAILS]),
        ("substring(s, 1, b - 1)", ["1", FAILS, FAILS, None, FAILS]),
        ("a IN (b, 10 / b)", [False, FAILS, FAILS, None, FAILS]),
        ("make_date(2000, a, 31)", [11261, 11169, None, 11108, 10987]),
        ("make_date(2000 + a, 2, 29)", [FAILS, FAILS, None, FAILS, FAILS]),
    ],
)
def test_errors_are_masks_and_only_of_rows_that_count(sql, expected):
    assert rows(sql) == expected


def test_arms_see_only_open_rows_also_under_a_selection():
    selection = np.array([0, 1, 4], np.uint32)
    assert rows("CASE WHEN b <> 0 THEN a / b END", selection) == [5, None, None]
    assert rows("a / b", selection) == [5, FAILS, FAILS]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_conjuncts_of_a_filter_commute(order):
    conjuncts = [bind("a / b > 1", REFS), bind("b <> 0", REFS)]
    assert filter_rows([conjuncts[i] for i in order], BATCH, POSITIONS).tolist() == [0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_null_refuses_a_row_as_well(order):
    conjuncts = [bind("1 / b > 0", REFS), bind("a + NULL > 0", REFS)]
    assert filter_rows([conjuncts[i] for i in order], BATCH, POSITIONS).tolist() == []


def test_filter_gives_stored_row_numbers_under_a_selection():
    batch = BATCH.with_selection(np.array([1, 3, 4], np.uint32))
    assert filter_rows([bind("a < 7", REFS)], batch, POSITIONS).tolist() == [3, 4]
    assert filter_rows([], batch, POSITIONS).tolist() == [1, 3, 4]
    assert filter_rows([bind("TRUE")], BATCH, POSITIONS).tolist() == [0, 1, 2, 3, 4]
    assert filter_rows([bind("NULL = 1")], BATCH, POSITIONS).tolist() == []


def test_two_conjuncts_that_both_fail_raise():
    with pytest.raises(DataError, match="division by zero"):
        filter_rows([bind("a / b > 1", REFS), bind("a % b > 1", REFS)], BATCH, POSITIONS)


def test_a_failure_names_the_operation_its_place_and_the_values():
    inner = Call(t.INT, "divide", (REFS["a"], REFS["b"]), Span(7, 12))
    outer = registry.resolve_call("+", [inner, Literal(t.INT, 1)], Span(7, 16))
    with pytest.raises(DataError) as caught:
        project([outer], BATCH, POSITIONS)
    error = caught.value
    assert error.message == "division by zero"
    assert error.detail == "in a / b where a = 7, b = 0"
    assert error.hint == "try(...) gives NULL instead"
    assert error.span == Span(7, 12)


def test_a_failing_cast_shows_the_text():
    with pytest.raises(DataError, match="cannot cast 'x' to INT") as caught:
        project([bind("CASE WHEN a > 5 THEN CAST(s AS INT) END", REFS)], BATCH, POSITIONS)
    assert caught.value.hint == "TRY_CAST gives NULL instead"


def test_overflow_names_the_type():
    with pytest.raises(DataError, match="out of range for INT"):
        project([bind("a * 2000000000", REFS)], BATCH, POSITIONS)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("2147483647 + 1", "out of range for INT"),
        ("9223372036854775807 + 1", "out of range for BIGINT"),
        ("-(-9223372036854775807 - 1)", "out of range for BIGINT"),
        ("(-9223372036854775807 - 1) // -1", "out of range for BIGINT"),
        ("99999999999999999999999999999999999999 + 1", "out of range for DECIMAL"),
        ("CAST(1e40 AS BIGINT)", "cannot cast"),
        ("CAST('2020-02-30' AS DATE)", "cannot cast '2020-02-30' to DATE"),
        ("DATE '9999-12-31' + 1", "out of range for DATE"),
        ("chr(-1)", "no such character"),
        ("repeat('ab', 99999999999)", "too long"),
        ("lpad('a', 99999999999)", "too long"),
        ("CAST(CAST('nan' AS DOUBLE) AS INT)", "cannot cast"),
    ],
)
def test_constants_that_fail_do_so_at_run_time(sql, message):
    with pytest.raises(DataError, match=message):
        project([bind(sql)], Batch([], 1), {})


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("nosuch(1)", "unknown function 'nosuch'"),
        ("upper(1)", r"does not take \(INT\)"),
        ("1 + TRUE", "does not take"),
        ("1 = TRUE", "comparison of INT and BOOLEAN"),
        ("DATE '2020-01-01' < '2020-13-01'", "cannot read '2020-13-01' as DATE"),
        ("1 = 'x'", "cannot read 'x' as INT"),
        ("CAST(TRUE AS DATE)", "cannot cast BOOLEAN to DATE"),
        ("CASE WHEN 1 THEN 2 END", "a condition of CASE is INT"),
        ("CASE WHEN TRUE THEN 1 ELSE DATE '2020-01-01' END", "results of CASE"),
        ("'a' LIKE 'b!' ESCAPE '!'", "is not valid"),
        ("'a' LIKE 'b' ESCAPE '!!'", "is not valid"),
        ("regexp_matches('a', '(')", "is not valid"),
        ("sum(1)", "not allowed here"),
        ("date_trunc('fortnight', DATE '2020-01-01')", "does not know the unit"),
        ("extract(hour FROM 1)", "EXTRACT does not take INT"),
        ("NOT 1", "does not take"),
        ("nullif(1, DATE '2020-01-01')", "comparison of INT and DATE"),
    ],
)
def test_what_does_not_fit_is_a_bind_error(sql, message):
    with pytest.raises(BindError, match=message):
        bind(sql)


def test_a_pattern_from_data_is_its_rows_error():
    columns = {1: Column(t.STRING, pa.array(["(", "a", None]))}
    result = evaluate(bind("regexp_matches('xa', p)", {"p": ColumnRef(t.STRING, 1, "p")}), columns, 3)
    assert result.errors.tolist() == [True, False, False]
    assert result.column.to_pylist() == [None, True, None]


def test_no_rows():
    columns = {n: Column(c.type, c.array.slice(0, 0)) for n, c in COLUMNS.items()}
    for sql in (
        "a / b",
        "CASE WHEN a > 1 THEN b END",
        "s LIKE '%x'",
        "coalesce(a, b)",
        "a > 1 AND b > 1",
        "upper(s)",
        "1 + 1",
    ):
        result = evaluate(bind(sql, REFS), columns, 0)
        assert len(result.column) == 0
        assert result.errors is None


def test_wide_values():
    of = t.DecimalType(38, 2)
    values = [Decimal("99999999999999999999999999999999999.99"), Decimal("-0.01"), None]
    columns = {1: Column(of, pa.array(values, canonical(of)))}
    ref = {"w": ColumnRef(of, 1, "w")}
    assert evaluate(bind("w = w", ref), columns, 3).column.to_pylist() == [True, True, None]
    assert (
        evaluate(bind("-w", ref), columns, 3).column.array.cast(canonical(of)).to_pylist()[0] == values[0].copy_negate()
    )
    assert evaluate(bind("w + w", ref), columns, 3).errors is None
    assert evaluate(bind("w * 1000", ref), columns, 3).errors.tolist() == [True, False, False]


def test_dates_out_of_python_range_are_errors_not_tracebacks():
    columns = {1: Column(t.DATE, pa.array([dt.date(9999, 12, 1), dt.date(1, 1, 1)]))}
    ref = {"d": ColumnRef(t.DATE, 1, "d")}
    assert evaluate(bind("d + INTERVAL '1' MONTH", ref), columns, 2).errors.tolist() == [True, False]
    assert evaluate(bind("d - INTERVAL '1' YEAR", ref), columns, 2).errors.tolist() == [False, True]
