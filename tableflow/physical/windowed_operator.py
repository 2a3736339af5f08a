"""Which operator computes a :class:`~tableflow.physical.windowed_aggregate.WindowedAggregate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tableflow.errors import InternalError, UnsupportedError
from tableflow.expressions.emit import Emit, EveryInterval, OnWindowClose
from tableflow.expressions.window_assigner import Cumulate, Global, Hop, Session, Tumble
from tableflow.physical.global_windows import GlobalWindowOperator
from tableflow.physical.last_rows_windows import LastRowsOperator
from tableflow.physical.late_writing import LateWritingOperator
from tableflow.physical.node import positions
from tableflow.physical.pane_windows import PaneWindowsOperator
from tableflow.physical.processing_time_windows import ProcessingTimeOperator
from tableflow.physical.untimed_windows import UntimedWindowsOperator
from tableflow.physical.updating_windows import UpdatingWindowsOperator
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import Operator
from tableflow.types import TimestampType, tick_of

if TYPE_CHECKING:
    from tableflow.physical.session_windows import SessionWindowsOperator
    from tableflow.physical.updating_sessions import UpdatingSessionsOperator

    TimedWindows: TypeAlias = (
        PaneWindowsOperator | UpdatingWindowsOperator | SessionWindowsOperator | UpdatingSessionsOperator
    )


def windowed_operator(node: WindowedAggregate) -> Operator:
    """A new operator; :class:`~tableflow.errors.UnsupportedError` for what none of them computes."""
    made = _made(node)
    judged = {node.time, *(key.column for key in node.order[:1] if node.in_time)}
    made.time_unit = max((tick_of(f.type) for f in node.input.fields if f.id in judged), default=1)
    return made


def _made(node: WindowedAggregate) -> Operator:
    windows = _last_rows(node) if node.emit.evicts else _in_time(node)
    if windows is not None:
        if node.processing_time:
            return ProcessingTimeOperator(node, windows, windows)
        written = windows if node.late is None else LateWritingOperator(windows, windows)
        return UntimedWindowsOperator(written) if node.untimed else written
    return _of_rows(node)


def _of_rows(node: WindowedAggregate) -> Operator:
    """The operator of windows whose bounds are numbers of rows; what few queries need is loaded for them."""
    if isinstance(node.assigner, Global):
        return GlobalWindowOperator(node)
    if node.changing:
        raise UnsupportedError(
            "windows of rows that may be taken back need an order, and an aggregation",
            hint=f"GROUP BY the window of {type(node.assigner).__name__.removeprefix('Count').upper()}(TABLE t ... ORDER BY ...)",
        )
    if closes_once(node.emit, changing=False):
        from tableflow.physical.numbered_windows import NumberedWindowsOperator

        return NumberedWindowsOperator(node)
    from tableflow.physical.updating_numbered import UpdatingNumberedOperator

    return UpdatingNumberedOperator(node)


def _last_rows(node: WindowedAggregate) -> LastRowsOperator:
    """The operator of KEEP LAST."""
    if node.changing or not isinstance(node.assigner, (Global, Tumble, Hop, Cumulate)):
        raise InternalError("KEEP LAST of windows that are told when they close")
    if node.emit.keep_last is not None and isinstance(node.assigner, Global):
        first = None if not node.order else node.input.fields[positions(node.input.fields)[node.order[0].column]].type
        if not isinstance(first, TimestampType) or node.order[0].descending:
            raise UnsupportedError("KEEP LAST of an interval needs rows in the order of time", hint="ORDER BY the time")
    if node.emit.lateness is None or node.processing_time:
        return LastRowsOperator(node)
    if any(isinstance(each, EveryInterval) and not each.event_time for each in node.emit.triggers):
        raise UnsupportedError(
            "what fires by the clock has no place in the order of time, where a late row could correct it",
            detail="KEEP LAST with LATENESS computes the firings of a window again, of all its rows in the order of time",
            hint="EVERY an interval OF EVENT TIME or a number of rows, or leave LATENESS out",
        )
    from tableflow.physical.corrected_firings import CorrectedFiringsOperator

    return CorrectedFiringsOperator(node)


def _in_time(node: WindowedAggregate) -> TimedWindows | None:
    """The operator of windows that end at a time."""
    match node.assigner:
        case Tumble() | Hop() | Cumulate() if closes_once(node.emit, node.changing):
            return PaneWindowsOperator(node)
        case Tumble() | Hop() | Cumulate():
            return UpdatingWindowsOperator(node)
        case Session() if closes_once(node.emit, node.changing):
            from tableflow.physical.session_windows import SessionWindowsOperator

            return SessionWindowsOperator(node)
        case Session():
            from tableflow.physical.updating_sessions import UpdatingSessionsOperator

            return UpdatingSessionsOperator(node)
        case _:
            return None


def closes_once(emit: Emit, changing: bool) -> bool:
    """Whether each window says one thing, when it closes; over changing input only if that is asked for."""
    if (changing and not emit.triggers) or emit.lateness:
        return False
    return all(isinstance(trigger, OnWindowClose) for trigger in emit.triggers)
