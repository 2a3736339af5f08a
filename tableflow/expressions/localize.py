"""The session's time zone, written into the expressions that depend on it.

What is bound knows no session.  ``localize`` makes the zone an explicit part of every cast between instants
(TIMESTAMP_LTZ) and other types, and of every function that looks at an instant's wall clock, so that an expression means
the same wherever it is computed.  UTC, which is what is meant where no zone is written, changes nothing.
"""

from __future__ import annotations

from tableflow import types as t
from tableflow.expressions.casting.rules import is_instant, zone_matters
from tableflow.expressions.casting.zones import UTC
from tableflow.expressions.nodes import Call, Cast, Expression, Literal, transform
from tableflow.records import replace

_OF_WALL_CLOCK = frozenset({"extract", "date_diff", "last_day", "dayname", "monthname", "strftime", "date_format"})
"""Functions whose result is no instant: they are given the wall clock instead."""
_ON_WALL_CLOCK = frozenset({"add", "subtract", "date_trunc"})
"""Functions that move an instant by the wall clock: they take the zone as one more argument."""


def localize(expression: Expression, zone: str) -> Expression:
    """The expression in a session whose wall clock is the zone's."""
    return expression if zone == UTC else transform(expression, lambda node: _localized(node, zone))


def _localized(of: Expression, zone: str) -> Expression:
    match of:
        case Cast(operand=operand, zone=None) if zone_matters(operand.type, of.type):
            return replace(of, zone=zone)
        case Call(function=name, args=args) if name in _OF_WALL_CLOCK and not _is_epoch(of):
            return replace(of, args=tuple(_on_wall(arg, zone) for arg in args))
        case Call(function=name, args=(_, _) as args) if name in _ON_WALL_CLOCK and is_instant(of.type):
            return of if _is_elapsed_time(args[1]) else replace(of, args=(*args, Literal(t.STRING, zone)))
        case _:
            return of


def _on_wall(of: Expression, zone: str) -> Expression:
    if not isinstance(of.type, t.TimestampType) or not of.type.zoned:
        return of
    return Cast(t.TimestampType(of.type.precision), of, zone=zone)


def _is_epoch(of: Call) -> bool:
    field = of.args[0]
    return of.function == "extract" and isinstance(field, Literal) and field.value == "epoch"


def _is_elapsed_time(by: Expression) -> bool:
    """Whether an interval has neither months nor days, whose length depends on the calendar."""
    if not isinstance(by, Literal) or not isinstance(by.type, t.IntervalType):
        return False
    return by.value is None or (by.value[0] == 0 and by.value[1] == 0)
