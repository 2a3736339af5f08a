"""EXPLAIN WATERMARK of a query: where event time comes from, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterator

from tableflow.config import SOURCE_IDLE_TIMEOUT, Settings
from tableflow.expressions.emit import OnWindowClose
from tableflow.expressions.text import duration_text, to_sql
from tableflow.expressions.window_assigner import Cumulate, Hop, Session, Tumble
from tableflow.physical.assign_watermarks import AssignWatermarks
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import PhysicalNode
from tableflow.physical.retention import Retention
from tableflow.physical.scan import TableScan
from tableflow.physical.text import summary
from tableflow.physical.timed_join import TimedJoin
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.session.planned import Planned

COLUMNS = ("operator", "event time", "watermark", "idle after", "waits for")
_BY_TIME = Tumble | Hop | Cumulate | Session


def watermark_plan(planned: Planned, settings: Settings) -> list[list[str | None]]:
    """A row per source (its event time, the watermark, after how long a silence it is idle), and per operator that uses time."""
    idle = settings.get(SOURCE_IDLE_TIMEOUT)
    seen: set[int] = set()
    rows: list[list[str | None]] = []
    for node, time in _nodes(planned.root, None):
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, TableScan):
            names = {f.id: f.name for f in node.fields} if time is None else {f.id: f.name for f in time.fields}
            silent = None if node.facts.properties.bounded or not idle else f"{idle / 1e6:g} s"
            column = None if time is None else names.get(time.column, f"#{time.column}")
            expression = None if time is None else to_sql(time.expression)
            rows.append([f"source {node.table}", column, expression, silent, None])
            continue
        waits = _waits_for(node)
        if waits is not None:
            rows.append([summary(node), None, None, None, waits])
    return rows


def _nodes(node: PhysicalNode, time: AssignWatermarks | None) -> Iterator[tuple[PhysicalNode, AssignWatermarks | None]]:
    """Every node, parents first, with what makes the event time of the source below."""
    yield node, time
    for child in node.inputs:
        yield from _nodes(child, node if isinstance(node, AssignWatermarks) else time)


def _waits_for(node: PhysicalNode) -> str | None:
    """What the operator waits for, or does when time passes; None if time does not matter to it."""
    match node:
        case WindowedAggregate():
            return _window_waits_for(node)
        case ClosedWindows():
            names = {f.id: f.name for f in node.input.fields}
            return f"the end of the window: {names.get(node.closes.column, 'its column')}"
        case ChangelogAggregate(closes=Retention() as closes):
            names = {f.id: f.name for f in node.input.fields}
            if node.final:
                return f"the end of the window: {names.get(closes.column, 'its column')}"
            return "nothing; groups are forgotten as time passes"
        case EventTimeOver():
            return "the end of each row's frame" if node.waits_beyond else "the time of each row"
        case VersionedJoin(at_end=True):
            return "the end of its input"
        case VersionedJoin():
            return f"the time of each left row; the newest version of each key is kept {_versions_kept(node)}"
        case TimedJoin() if node.kind in {HashJoinKind.INNER, HashJoinKind.SEMI}:
            return "nothing; rows are forgotten as time passes"
        case TimedJoin():
            return "the time after which no partner can come, for rows without one"
        case ChangelogJoin() if node.left_retention is not None or node.right_retention is not None:
            return "nothing; rows are forgotten as time passes"
        case _:
            return None


def _versions_kept(node: VersionedJoin) -> str:
    """How long, and what lets keys go that never come again."""
    if node.ttl:
        return f"for {duration_text(node.ttl)}"
    return "for ever: SET 'table.exec.state.ttl', or /*+ STATE_TTL('r' = '1 d') */, forgets keys that come no more"


def _window_waits_for(node: WindowedAggregate) -> str:
    clock = "processing time: " if node.processing_time else ""
    if not isinstance(node.assigner, _BY_TIME):
        return f"{clock}the turn of each row" if node.order else f"{clock}nothing"
    emit = node.emit
    triggers = emit.triggers
    early = bool(triggers) and any(not isinstance(trigger, OnWindowClose) for trigger in triggers)
    waits = (
        f"{clock}{'triggers, and at last ' if early or (node.changing and not triggers) else ''}the end of each window"
    )
    if emit.lateness:
        waits += f"; late rows correct it for {duration_text(emit.lateness)} more"
    return waits if node.late is None else f"{waits}; later ones go to {node.late.table}"
