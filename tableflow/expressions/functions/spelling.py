"""How an interval is written: 1 month, 30 days and 720 hours are equal, and a group of them shows one.

The number of a spelling is greater the more months it has, then the more days: the greatest of a group is what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting.calendar import build_intervals, intervals
from tableflow.expressions.function import Function, always, overloads
from tableflow.expressions.operand import Operand, build, numbers

_DAY = 86_400_000_000
_MONTH_DAYS = 30
_HALF = 2**31


def _spelling(args: Sequence[Operand], to: t.SqlType) -> Operand:
    months, days, _ = intervals(args[0])
    return build(to, months * (2 * _HALF) + days + _HALF, args[0].valid)


def _spelled(args: Sequence[Operand], _to: t.SqlType) -> Operand:
    months, days, microseconds = intervals(args[0])
    number = numbers(args[1])
    other_months, other_days = number >> 32, (number & (2 * _HALF - 1)) - _HALF
    moved = (months - other_months) * _MONTH_DAYS + days - other_days
    valid = args[0].valid
    if args[1].valid is not None:
        valid = args[1].valid if valid is None else np.logical_and(valid, args[1].valid)
    return build_intervals(other_months, other_days, microseconds + moved * _DAY, valid, None)


FUNCTIONS = (
    Function(
        "interval_spelling", "interval_spelling(interval)",
        "The number of an interval's spelling, greater the more months it has, then the more days.",
        ("interval_spelling(INTERVAL '1' MONTH) > interval_spelling(INTERVAL '30' DAY)", "true"), "dates",
        rule=overloads(((t.INTERVAL,), t.BIGINT)), kernel=_spelling,
    ),
    Function(
        "interval_spelled", "interval_spelled(interval, number)",
        "The equal interval with the spelling of that number.",
        ("interval_spelled(INTERVAL '30' DAY, interval_spelling(INTERVAL '1' MONTH))", "1 month"), "dates",
        rule=overloads(((t.INTERVAL, t.BIGINT), t.INTERVAL)), kernel=_spelled, can_raise=always,
    ),
)  # fmt: skip
