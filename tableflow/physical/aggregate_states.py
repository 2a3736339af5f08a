"""What a partial aggregation hands to the final one: the state columns of each call.

A state is enough to continue: merging the states of any split of a group's rows gives the state of all of them.
"""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall
from tableflow.types import BIGINT, DOUBLE, DecimalType, Field, FloatType, SqlType

_IDEMPOTENT = frozenset({"min", "max", "any_value", "bool_and", "bool_or"})
_MOMENTS = frozenset({"stddev_samp", "stddev_pop", "var_samp", "var_pop"})


def splittable(call: AggregateCall) -> bool:
    """Whether the call has partial states; DISTINCT calls need all rows of a group in one place."""
    return not call.distinct or call.function in _IDEMPOTENT


def state_fields(call: AggregateCall, first_id: int) -> tuple[Field, ...]:
    """The columns of a call's state, with ids from ``first_id`` on."""
    return tuple(
        Field(first_id + i, f"{call.function}_{name}", of, nullable)
        for i, (name, of, nullable) in enumerate(_parts(call))
    )


def _parts(call: AggregateCall) -> tuple[tuple[str, SqlType, bool], ...]:
    if call.function in {"count", "count_if"}:
        return (("rows", BIGINT, False),)
    if call.function == "avg":
        return (("sum", _exact_sum(call.args[0].type), True), ("rows", BIGINT, False))
    if call.function in _MOMENTS:
        return (("rows", BIGINT, False), ("mean", DOUBLE, False), ("deviation", DOUBLE, False))
    if call.function in _IDEMPOTENT:
        return (("value", call.args[0].type, True),)
    return (("value", call.type, True),)


def _exact_sum(of: SqlType) -> SqlType:
    match of:
        case FloatType():
            return DOUBLE
        case DecimalType(scale=scale):
            return DecimalType(38, scale)
        case _:
            return DecimalType(38, 0)
