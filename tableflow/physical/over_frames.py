"""What functions with OVER need of the rows around them, in the order of event time.

A value is final once the watermark has passed all rows that it may depend on.  Rows with equal order keys have one time, so that the
watermark passes them together: what reaches to a row's peers reaches no further than its time.
"""

from __future__ import annotations

from tableflow.expressions.nodes import (
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    WindowCall,
)
from tableflow.physical.window_collected import is_collected
from tableflow.records import dataclass

_NUMBERS = frozenset({"row_number", "rank", "dense_rank"})
_OF_WHOLE_PARTITIONS = frozenset({"ntile", "percent_rank", "cume_dist", "delta_number"})
_CARRIED = frozenset(
    {"count", "count_if", "sum", "avg", "stddev_samp", "stddev_pop", "var_samp", "var_pop"}
    | {"min", "max", "bool_and", "bool_or", "first_value", "any_value"}
)
_BLIND_TO_DUPLICATES = frozenset({"min", "max", "bool_and", "bool_or", "any_value"})


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rows a call's value depends on besides the row's peers.

    ``running``: all before, which one row of state stands for.  Otherwise ``everything`` before, or so many ``rows`` or groups of peers
    (``groups``), or those whose time is not before ``since``; and those behind whose time is not after ``until``.
    """

    running: bool = False
    everything: bool = False
    rows: int = 0
    groups: int = 0
    since: Expression | None = None
    until: Expression | None = None


def reach(call: WindowCall) -> Reach | None:
    """The reach of a call; None if it ends with no time."""
    function = call.function
    if function in _NUMBERS:
        return Reach(running=True)
    if function in _OF_WHOLE_PARTITIONS:
        return None
    if function in {"lag", "lead"}:
        return _neighbour(call)
    start, end = call.frame.start, call.frame.end
    if not _ends_in_time(call.frame):
        return None
    until = end.key if end.side is FrameSide.FOLLOWING else None
    here = until is None and end.side is not FrameSide.PRECEDING
    if start.side is FrameSide.UNBOUNDED_PRECEDING:
        if here and function == "last_value" and not call.ignore_nulls:
            return Reach()
        return Reach(running=True) if here and is_carried(call) else Reach(everything=True, until=until)
    if start.side is not FrameSide.PRECEDING:
        return Reach(until=until)
    if call.frame.unit is FrameUnit.ROWS:
        return Reach(rows=start.offset)
    return Reach(groups=start.offset) if start.key is None else Reach(since=start.key, until=until)


def tells_duplicates(call: WindowCall) -> bool:
    """Whether it matters to the call that a value has come before."""
    return call.distinct and call.function not in _BLIND_TO_DUPLICATES


def is_carried(call: WindowCall) -> bool:
    """Whether the value over all rows so far follows from that of the rows before and the rows that have come since."""
    if is_collected(call):
        return False
    return call.function in _CARRIED or (call.function == "last_value" and call.ignore_nulls)


def _neighbour(call: WindowCall) -> Reach | None:
    offset = call.args[1]
    if not isinstance(offset, Literal) or not isinstance(offset.value, int):
        return None
    distance = offset.value if call.function == "lag" else -offset.value
    if distance < 0:
        return None
    return Reach(everything=True) if call.ignore_nulls and distance else Reach(rows=distance)


def _ends_in_time(frame: Frame) -> bool:
    """Whether all rows of a frame have come once time has passed the row, or a time that follows from the row's."""
    match frame.end:
        case FrameBound(side=FrameSide.UNBOUNDED_FOLLOWING):
            return False
        case FrameBound(side=FrameSide.FOLLOWING, offset=offset, key=None):
            return offset == 0
        case _:
            return True
