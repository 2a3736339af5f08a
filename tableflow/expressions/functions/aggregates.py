"""Aggregates: their types.  Operators compute them; NULLs are left out by all but count(*)."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.expressions.coercion import cast, implicit_cast
from tableflow.expressions.function import AggregateFunction, Binding, Rule, numeric_nulls
from tableflow.expressions.nodes import Expression


def _count(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), t.BIGINT) if len(args) <= 1 else None


def _sum(args: Sequence[Expression]) -> Binding | None:
    args = numeric_nulls(args)
    if len(args) != 1:
        return None
    match args[0].type:
        case t.IntegerType(bits=bits):
            return Binding(tuple(args), t.BIGINT if bits < 64 else t.DecimalType(38, 0))
        case t.DecimalType(scale=scale):
            return Binding(tuple(args), t.DecimalType(38, scale))
        case t.FloatType():
            return Binding((cast(args[0], t.DOUBLE),), t.DOUBLE)
        case _:
            return None


def _average(args: Sequence[Expression]) -> Binding | None:
    args = numeric_nulls(args)
    if len(args) != 1 or not t.is_numeric(args[0].type):
        return None
    exact = isinstance(args[0].type, (t.IntegerType, t.DecimalType))
    return Binding((args[0] if exact else cast(args[0], t.DOUBLE),), t.DOUBLE)


def _same(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), args[0].type) if len(args) == 1 else None


def _ordered(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or isinstance(args[0].type, t.MapType):
        return None
    return _same(args)


def _moments(args: Sequence[Expression]) -> Binding | None:
    args = numeric_nulls(args)
    if len(args) != 1 or not t.is_numeric(args[0].type):
        return None
    return Binding((cast(args[0], t.DOUBLE),), t.DOUBLE)


def _boolean(result: t.SqlType) -> Rule:
    def rule(args: Sequence[Expression]) -> Binding | None:
        condition = implicit_cast(args[0], t.BOOLEAN) if len(args) == 1 else None
        return None if condition is None else Binding((condition,), result)

    return rule


AGGREGATES = (
    AggregateFunction(
        "count", "count(*) or count([DISTINCT] value)", "Rows, or rows whose value is not NULL. BIGINT.", _count,
        example=("count(x)", "4"),
    ),
    AggregateFunction(
        "sum", "sum([DISTINCT] number)",
        "Sum; NULL of no rows. BIGINT of integers up to 32 bits, DECIMAL(38,0) of BIGINT, DECIMAL(38,s) of decimals, DOUBLE "
        "of floats.",
        _sum, example=("sum(x)", "9"),
    ),
    AggregateFunction(
        "avg", "avg([DISTINCT] number)", "Mean, as DOUBLE; of exact numbers from their exact sum.", _average, ("mean",),
        example=("avg(x)", "2.25"),
    ),
    AggregateFunction("min", "min(value)", "The least value.", _ordered, ignores_duplicates=True, example=("min(x)", "1")),
    AggregateFunction(
        "max", "max(value)", "The greatest value; NaN is above all numbers.", _ordered, ignores_duplicates=True,
        example=("max(y)", "e"),
    ),
    AggregateFunction(
        "any_value", "any_value(value)", "Some value that is not NULL.", _same, ("arbitrary",), ignores_duplicates=True,
        example=("any_value(x) IS NULL", "false"),
    ),
    AggregateFunction(
        "stddev_samp", "stddev([DISTINCT] number)", "Standard deviation of a sample; NULL of fewer than two rows.", _moments,
        ("stddev",), example=("round(stddev(x), 4)", "1.2583"),
    ),
    AggregateFunction(
        "stddev_pop", "stddev_pop([DISTINCT] number)", "Standard deviation of a population.", _moments,
        example=("round(stddev_pop(x), 4)", "1.0897"),
    ),
    AggregateFunction(
        "var_samp", "variance([DISTINCT] number)", "Variance of a sample; NULL of fewer than two rows.", _moments,
        ("variance",), example=("round(variance(x), 4)", "1.5833"),
    ),
    AggregateFunction(
        "var_pop", "var_pop([DISTINCT] number)", "Variance of a population.", _moments,
        example=("var_pop(x)", "1.1875"),
    ),
    AggregateFunction(
        "bool_and", "bool_and(condition)", "Whether all are TRUE.", _boolean(t.BOOLEAN), ("every",), ignores_duplicates=True,
        example=("bool_and(x > 0)", "true"),
    ),
    AggregateFunction(
        "bool_or", "bool_or(condition)", "Whether any is TRUE.", _boolean(t.BOOLEAN), ignores_duplicates=True,
        example=("bool_or(x > 3)", "true"),
    ),
    AggregateFunction(
        "count_if", "count_if(condition)", "Rows for which the condition is TRUE.", _boolean(t.BIGINT), ("countif",),
        example=("count_if(x = 2)", "2"),
    ),
)  # fmt: skip
