"""Functions that only a window gives a meaning: their argument and result types.  Operators compute them."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.expressions.coercion import implicit_cast, unify
from tableflow.expressions.function import Binding, Rule
from tableflow.expressions.nodes import Expression, Literal
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """A window function: its rule gives the argument casts and the result's type.

    ``takes_nulls``: whether IGNORE NULLS may follow.
    """

    name: str
    signature: str
    doc: str
    rule: Rule
    takes_nulls: bool = False


def _number(result: t.SqlType) -> Rule:
    return lambda args: None if args else Binding((), result)


def _count(argument: Expression) -> Expression | None:
    return implicit_cast(argument, t.BIGINT) if isinstance(argument.type, (t.IntegerType, t.NullType)) else None


def _ntile(args: Sequence[Expression]) -> Binding | None:
    count = _count(args[0]) if len(args) == 1 else None
    return None if count is None else Binding((count,), t.BIGINT)


def _neighbour(args: Sequence[Expression]) -> Binding | None:
    if not 1 <= len(args) <= 3:
        return None
    offset = _count(args[1]) if len(args) > 1 else Literal(t.BIGINT, 1)
    if offset is None:
        return None
    if len(args) < 3:
        return Binding((args[0], offset), args[0].type)
    value, default = unify([args[0], args[2]], "the value and its default")
    return Binding((value, offset, default), value.type)


def _value(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), args[0].type) if len(args) == 1 else None


def _nth(args: Sequence[Expression]) -> Binding | None:
    number = _count(args[1]) if len(args) == 2 else None
    return None if number is None else Binding((args[0], number), args[0].type)


WINDOWS = (
    WindowFunction("row_number", "row_number()", "The number of the row in its partition, from 1.", _number(t.BIGINT)),
    WindowFunction("rank", "rank()", "The number of the first row with equal order keys.", _number(t.BIGINT)),
    WindowFunction("dense_rank", "dense_rank()", "As rank, without gaps.", _number(t.BIGINT)),
    WindowFunction(
        "percent_rank", "percent_rank()", "`(rank - 1) / (rows - 1)`; 0 of a single row. DOUBLE.", _number(t.DOUBLE)
    ),
    WindowFunction(
        "cume_dist", "cume_dist()", "The part of the rows up to and with the row's peers. DOUBLE.", _number(t.DOUBLE)
    ),
    WindowFunction("ntile", "ntile(buckets)", "The number of the row's bucket, of buckets of equal size.", _ntile),
    WindowFunction(
        "lag", "lag(value[, offset[, default]])", "The value `offset` (1) rows before; the default where there is none.",
        _neighbour, takes_nulls=True,
    ),
    WindowFunction(
        "lead", "lead(value[, offset[, default]])", "The value `offset` (1) rows behind; the default where there is none.",
        _neighbour, takes_nulls=True,
    ),
    WindowFunction("first_value", "first_value(value)", "The value of the frame's first row.", _value, takes_nulls=True),
    WindowFunction("last_value", "last_value(value)", "The value of the frame's last row.", _value, takes_nulls=True),
    WindowFunction("nth_value", "nth_value(value, n)", "The value of the frame's n-th row.", _nth, takes_nulls=True),
)  # fmt: skip
