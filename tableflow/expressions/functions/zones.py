"""Time zones: wall-clock times as instants, and instants as wall-clock times."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tableflow import types as t
from tableflow.errors import BindError
from tableflow.expressions.casting import convert
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding, Function, always
from tableflow.expressions.nodes import Expression, Literal
from tableflow.expressions.operand import Operand


def _zone_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or not isinstance(args[1], Literal) or not isinstance(args[1].value, str):
        return None
    value, zone = args[0], args[1]
    try:
        ZoneInfo(zone.value)
    except (ZoneInfoNotFoundError, ValueError):
        raise BindError(
            f"unknown time zone {zone.value!r}", hint="zones are named as in 'Europe/Berlin'", span=zone.span
        ) from None
    if isinstance(value.type, (t.DateType, t.NullType)):
        value = cast(value, t.TIMESTAMP)
    if not isinstance(value.type, t.TimestampType):
        return None
    return Binding((value, zone), t.TimestampType(value.type.precision, not value.type.zoned))


def _at_zone(args: Sequence[Operand], to: t.SqlType) -> Operand:
    value = args[0]
    result = convert(Operand(value.type, value.array), to, args[1].value)
    return Operand(to, result.array, errors=result.errors)


FUNCTIONS = (
    Function(
        "at_time_zone", "value AT TIME ZONE 'zone'",
        "A TIMESTAMP read as the zone's wall clock is an instant (TIMESTAMP_LTZ); an instant as the zone's wall clock shows it "
        "is a TIMESTAMP. A time that comes twice is the first; one that the clock leaps over is as much later as it leaps.",
        ("at_time_zone(at_time_zone(TIMESTAMP '2020-07-01 12:00:00', 'Europe/Berlin'), 'UTC')", "2020-07-01 10:00:00"), "dates",
        rule=_zone_rule, kernel=_at_zone, can_raise=always,
    ),
)  # fmt: skip
