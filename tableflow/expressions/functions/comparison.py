"""Comparisons, IN and DISTINCT FROM.

Numbers compare by value whatever their scale.  NaN equals NaN and is above all numbers, -0.0 equals 0.0.  Text compares
by code point.  Intervals compare with a month as 30 days and a day as 24 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import exact
from tableflow.expressions.casting.calendar import DAY
from tableflow.expressions.coercion import unify_comparison
from tableflow.expressions.function import Binding, Function, Kernel, Rule
from tableflow.expressions.keys import keyed
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, both, build, from_arrow, numbers, rows_of

_ARROW: dict[str, Callable[..., Any]] = {
    "eq": pc.later("equal"), "ne": pc.later("not_equal"), "lt": pc.later("less"), "le": pc.later("less_equal"),
    "gt": pc.later("greater"), "ge": pc.later("greater_equal"),
}  # fmt: skip
_NUMPY: dict[str, Callable[..., Any]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


def comparable(of: Operand) -> Array:
    """Values whose order is the SQL order, for one type: integers, floats, objects."""
    values = numbers(of)
    if isinstance(of.type, t.IntervalType):
        return length(of)
    if isinstance(of.type, t.BooleanType):
        return values.astype(np.int64)
    return values


def length(of: Operand) -> Array:
    """Nanoseconds of intervals, with a month as 30 days and a day as 24 hours (native/interval.h is the same)."""
    values = numbers(of)
    days = values["months"].astype(np.int64) * 30 + values["days"]
    return exact.add(exact.multiply(days, np.array([DAY * 1000])), values["nanoseconds"])


def compare(kind: str, a: Operand, b: Operand) -> Mask:
    """Where ``a`` stands in this relation to ``b``; rows with a NULL hold anything."""
    if isinstance(a.type, (t.StringType, t.JsonType, t.BytesType)):
        result = from_arrow(t.BOOLEAN, _ARROW[kind](a.datum, b.datum)).array
        filled: Mask = result.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
        return filled
    if isinstance(a.type, (t.ArrayType, t.MapType, t.RowType)):
        return _compare_nested(kind, a, b)
    left, right = comparable(a), comparable(b)
    if isinstance(a.type, t.FloatType) or isinstance(b.type, t.FloatType):
        return _compare_floats(kind, left, right)
    if isinstance(a.type, t.DecimalType) or isinstance(b.type, t.DecimalType):
        scale = max(exact.scale_of(a.type), exact.scale_of(b.type))
        left = exact.rescale(left, scale - exact.scale_of(a.type))
        right = exact.rescale(right, scale - exact.scale_of(b.type))
    elif isinstance(a.type, t.NullType) or isinstance(b.type, t.NullType):
        return np.zeros(max(len(a), len(b)), np.bool_)
    mask: Mask = _NUMPY[kind](left, right).astype(np.bool_)
    return mask


def _compare_floats(kind: str, left: Array, right: Array) -> Mask:
    mask: Mask = _NUMPY[kind](left, right)
    left_nan, right_nan = np.isnan(left), np.isnan(right)
    if left_nan.any() or right_nan.any():
        # NaN as the greatest number: only comparisons with a NaN differ from IEEE.
        ranked: Mask = _NUMPY[kind](left_nan.astype(np.int8), right_nan.astype(np.int8))
        mask = np.where(left_nan | right_nan, ranked, mask)
    return mask


def _compare_nested(kind: str, a: Operand, b: Operand) -> Mask:
    rows = rows_of(a, b)
    left, right = a.plain.to_pylist(), b.plain.to_pylist()
    left, right = left * rows if a.constant else left, right * rows if b.constant else right
    order = _NUMPY[kind]
    pairs = zip(left, right, strict=True)
    results = [bool(order(_rank(x, y), 0)) if x is not None and y is not None else False for x, y in pairs]
    return np.array(results, np.bool_)


def _rank(x: Any, y: Any) -> int:
    """-1, 0, 1: nested values in order; NULLs inside are equal and above all else."""
    if x is None or y is None:
        return (x is None) - (y is None)
    if isinstance(x, dict):
        x, y = list(x.values()), list(y.values())
    if isinstance(x, (list, tuple)):
        for left, right in zip(x, y, strict=False):
            if rank := _rank(left, right):
                return rank
        return (len(x) > len(y)) - (len(x) < len(y))
    return int(x > y) - int(x < y)


def _kernel(kind: str) -> Kernel:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        a, b = args
        return build(to, np.broadcast_to(compare(kind, a, b), rows_of(a, b)), both(a.valid, b.valid))

    return kernel


def _distinct(args: Sequence[Operand], to: t.SqlType) -> Operand:
    a, b = args
    rows = rows_of(a, b)
    present_a = np.broadcast_to(np.ones(1, np.bool_) if a.valid is None else a.valid, rows)
    present_b = np.broadcast_to(np.ones(1, np.bool_) if b.valid is None else b.valid, rows)
    return build(to, (present_a != present_b) | (present_a & present_b & compare("ne", a, b)))


def _not_distinct(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return build(to, ~numbers(_distinct(args, to)))


def _comparison_rule(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(map(keyed, unify_comparison(args))), t.BOOLEAN) if len(args) == 2 else None


def _stored_alike(a: Operand, b: Operand) -> bool:
    """Whether equal values are equal int64 storage."""
    if isinstance(a.type, t.DecimalType):
        return a.type == b.type and numbers(a).dtype != object and numbers(b).dtype != object
    return isinstance(a.type, (t.IntegerType, t.DateType, t.TimestampType, t.TimeType))


def _in_kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
    value, *items = args
    present = [item for item in items if item.valid is None]
    if isinstance(value.type, (t.StringType, t.BytesType, t.JsonType)):
        entries = pa.concat_arrays([item.plain for item in present]) if present else value.plain.slice(0, 0)
        found = pc.is_in(value.plain, value_set=entries).to_numpy(zero_copy_only=False)
    elif present and all(_stored_alike(value, item) for item in present):
        found = np.isin(numbers(value), np.concatenate([numbers(item) for item in present]))
    else:
        found = np.zeros(len(value), np.bool_)
        for item in present:
            found = found | compare("eq", value, item)
    valid = value.valid if len(present) == len(items) else both(value.valid, found)
    return build(to, found, valid)


def _bind_in(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) < 2:
        raise BindError("IN needs a value and at least one item", hint="value IN (item, ...)", span=span)
    value, *items = map(keyed, unify_comparison(args, "IN list"))
    if all(isinstance(item, Literal) for item in items):
        return Call(t.BOOLEAN, "in", (value, *items), span)
    tests: list[Expression] = []
    for item in items:
        pair = unify_comparison([value, item], "IN list")
        tests.append(Call(t.BOOLEAN, "eq", tuple(pair), span))
    return tests[0] if len(tests) == 1 else Call(t.BOOLEAN, "or", tuple(tests), span)


def _comparison(name: str, aliases: tuple[str, ...], doc: str, example: tuple[str, str]) -> Function:
    symbol = aliases[0]
    return Function(
        name, f"a {symbol} b", doc, example, "comparison", rule=_comparison_rule, kernel=_kernel(name), aliases=aliases
    )


_RULE: Rule = _comparison_rule
FUNCTIONS = (
    _comparison("eq", ("=", "=="), "Whether two values are equal.", ("1.0 = 1", "true")),
    _comparison("ne", ("<>", "!="), "Whether two values differ.", ("'a' <> 'b'", "true")),
    _comparison("lt", ("<",), "Whether the left value is smaller.", ("DATE '2020-01-01' < '2020-01-02'", "true")),
    _comparison("le", ("<=",), "Whether the left value is not greater.", ("2 <= 1", "false")),
    _comparison("gt", (">",), "Whether the left value is greater.", ("'b' > 'a'", "true")),
    _comparison("ge", (">=",), "Whether the left value is not smaller.", ("1 >= NULL", "NULL")),
    Function(
        "is_distinct_from", "a IS DISTINCT FROM b", "Whether two values differ, where NULL is a value equal to NULL.",
        ("1 IS DISTINCT FROM NULL", "true"), "comparison", rule=_RULE, kernel=_distinct, strict=False,
        aliases=("is distinct from",),
    ),
    Function(
        "is_not_distinct_from", "a IS NOT DISTINCT FROM b", "Whether two values are equal, where NULL equals NULL.",
        ("NULL IS NOT DISTINCT FROM NULL", "true"), "comparison", rule=_RULE, kernel=_not_distinct, strict=False,
        aliases=("is not distinct from", "<=>"),
    ),
    Function(
        "in", "value IN (item, ...)",
        "Whether the value equals an item; NULL if none is equal and the value or an item is NULL.",
        ("2 IN (1, 2, NULL)", "true"), "comparison", bind=_bind_in, kernel=_in_kernel, strict=False,
    ),
)  # fmt: skip
