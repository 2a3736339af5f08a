"""How far time has come in a running job, operator by operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.node import PhysicalNode
from tableflow.physical.scan import TableScan
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.counts import JobCounters, StageCounts
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME
from tableflow.session.planned import Planned
from tableflow.types import BIGINT, STRING, TIMESTAMP, SqlType

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first moment of the year 1 and the last of 9999, in microseconds since 1970."""


COLUMNS: Mapping[str, SqlType] = {
    "operator": STRING, "watermark": TIMESTAMP, "idle": STRING, "held_back_by": STRING, "late_rows": BIGINT, "behind_ms": BIGINT,
    "rows_waiting": BIGINT, "state_rows": BIGINT, "state_bytes": BIGINT,
}  # fmt: skip


def watermark_rows(planned: Planned | None, counters: JobCounters | None) -> list[list[Any]]:
    """A row per stage: what it begins with, the least watermark of its inputs, and what it has and waits for."""
    if counters is None:
        return []
    tables = _tables(planned)
    waiting = Counter[int]()
    for stage in counters.stages:
        for edge in stage.edges:
            waiting[edge.consumer] += edge.waiting
    return [
        [
            _name(stage, tables),
            _shown_time(stage.watermark),
            _idle_text(stage),
            _held_back_by(stage, counters, tables),
            _late(stage),
            None if (behind := _behind(stage, counters)) is None else behind // 1000,
            waiting[stage.stage],
            sum(operator.state_rows for operator in stage.operators),
            sum(operator.state for operator in stage.operators),
        ]
        for stage in counters.stages
        if stage.source is not None or stage.operators
    ]


def _held_back_by(stage: StageCounts, counters: JobCounters, tables: dict[int, str]) -> str | None:
    """What the watermark waits for: the split of a source that is furthest back, be it several operators before.

    Where an operator itself is further back than all that it is told, it is the operator that holds rows, and it is named.
    """
    if stage.watermark == END_OF_TIME:
        return None
    if stage.source is not None:
        table = tables.get(stage.stage, stage.source.name)
        return None if stage.source.split is None else f"{table}: {stage.source.split[0]}"
    if not stage.inputs:
        return None
    before = counters.stage(min(stage.inputs, key=lambda each: each[1])[0])
    if before.source is None and before.watermark > stage.watermark:
        return _name(before, tables)
    return _held_back_by(before, counters, tables)


def behind_text(stage: StageCounts, counters: JobCounters) -> str | None:
    """How far the time of a stage is behind that of the job's furthest source, for people."""
    behind = _behind(stage, counters)
    return None if behind is None else _duration(behind)


def _behind(stage: StageCounts, counters: JobCounters) -> int | None:
    """The same in microseconds; None before the first row and after the last."""
    sources = [one.watermark for one in counters.stages if one.source is not None]
    furthest = max((time for time in sources if time != END_OF_TIME), default=START_OF_TIME)
    if START_OF_TIME in (furthest, stage.watermark) or stage.watermark == END_OF_TIME:
        return None
    return max(0, furthest - stage.watermark)


def _duration(micros: int) -> str:
    """In the largest unit of which it is more than one."""
    for unit, name in ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min")):
        if micros >= unit:
            return f"{micros / unit:.3g} {name}" if micros < 1000 * unit else f"{micros // unit:,} {name}"
    return f"{micros / 1e6:.3g} s"


def idle_warning(planned: Planned, counters: JobCounters) -> str | None:
    """What to say of windows that cannot close because nothing moves time: every source that has not ended is idle."""
    nodes = [node for node, _ in planned.lowered.nodes()]
    windows = any(isinstance(node, (WindowedAggregate, ClosedWindows)) or _is_final(node) for node in nodes)
    if not windows and not any(isinstance(node, EventTimeOver) for node in nodes):
        return None
    tables = _tables(planned)
    quiet = []
    for stage in counters.stages:
        if stage.source is not None:
            if stage.source.idle + stage.source.ended < stage.tasks:
                return None
            if stage.source.idle:
                quiet.append(tables.get(stage.stage, stage.source.name))
    if not quiet:
        return None
    which = f"source {quiet[0]!r} is" if len(quiet) == 1 else f"sources {', '.join(map(repr, quiet))} are"
    waits = "windows that are open cannot close" if windows else "rows that wait for their time do not come out"
    return f"{waits}: {which} idle, so that time stands still"


def late_warning(planned: Planned, counters: JobCounters) -> str | None:
    """What to say of rows that came too late, and went nowhere."""
    windows, overs = _late_rows(planned, counters, windows=True), _late_rows(planned, counters, windows=False)
    told = []
    if windows:
        told.append(
            f"{_rows(windows)} came too late for a window, and counted nowhere: LATE INTO keeps such rows, LATENESS lets them correct results"
        )
    if overs:
        told.append(f"{_rows(overs)} came too late for OVER in the order of event time, and counted nowhere")
    return "; ".join(told) or None


def _late_rows(planned: Planned, counters: JobCounters, *, windows: bool) -> int:
    """Late rows that windows, or functions with OVER, did not count."""
    late = 0
    for node, (stage, place) in planned.lowered.nodes():
        closes = isinstance(node, ClosedWindows) or (isinstance(node, WindowedAggregate) and node.late is None)
        closes = closes or (isinstance(node, ChangelogAggregate) and node.closes is not None)
        if closes if windows else isinstance(node, EventTimeOver):
            operators = counters.stage(stage).operators
            named = operators[place].named if 0 <= place < len(operators) else ()
            late += sum(value for name, value in named if name == "late_rows")
    return late


def _is_final(node: PhysicalNode) -> bool:
    return isinstance(node, ChangelogAggregate) and node.final


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _tables(planned: Planned | None) -> dict[int, str]:
    """The table that each stage reads."""
    nodes = () if planned is None else planned.lowered.nodes()
    return {place[0]: node.table for node, place in nodes if isinstance(node, TableScan)}


def _idle_text(stage: StageCounts) -> str | None:
    """Of a source whether it is idle, or how many of its tasks are; of every stage whether all rows have come."""
    if stage.watermark == END_OF_TIME:
        return "ended"
    if stage.source is None:
        return None
    idle = stage.source.idle
    return "no" if not idle else "yes" if idle + stage.source.ended == stage.tasks else f"{idle} of {stage.tasks} tasks"


def _shown_time(time: int) -> datetime | None:
    """A watermark, or the nearest moment that Python has; None where it is none."""
    if time in {START_OF_TIME, END_OF_TIME}:
        return None
    return (_ZERO + timedelta(microseconds=min(max(time, _FIRST), _LAST))).replace(tzinfo=None)


def time_text(time: int) -> str | None:
    """A watermark as people read it; None before anything is known."""
    if time == START_OF_TIME:
        return None
    if time == END_OF_TIME:
        return "end"
    try:
        return (_ZERO + timedelta(microseconds=time)).replace(tzinfo=None).isoformat(" ", "milliseconds")
    except OverflowError:
        return str(time)


def _name(stage: StageCounts, tables: dict[int, str]) -> str:
    names = [operator.name for operator in stage.operators]
    if stage.source is not None:
        names.insert(0, f"source {tables.get(stage.stage, stage.source.name)}")
    return " > ".join(names)


def _late(stage: StageCounts) -> int:
    return sum(value for operator in stage.operators for name, value in operator.named if name == "late_rows")
