"""What is known of the rows of a logical node in a streaming plan: whether they end, and how they change.

A plan is wholly batch or wholly streaming.  In a streaming plan a bounded source is a stream that ends, and rows are
changes with weights; *append* promises that no weight is ever negative, so nothing that was given is taken back.
"""

from __future__ import annotations

from tableflow.config import RUNTIME_MODE, Settings
from tableflow.errors import UnsupportedError
from tableflow.expressions.emit import Emit, OnWindowClose
from tableflow.expressions.nodes import ColumnRef
from tableflow.expressions.window_assigner import Cumulate, Global, Hop, Tumble
from tableflow.physical.properties import ChangelogMode
from tableflow.planner.join_times import join_times
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.over_times import waited_for
from tableflow.planner.window_closings import closing_column, closings, final_groups, waiting
from tableflow.records import dataclass
from tableflow.types import tick_of

_APPEND, _RETRACT = ChangelogMode.APPEND, ChangelogMode.RETRACT


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """``event_time`` are ids of columns that watermarks speak of."""

    bounded: bool
    changelog: ChangelogMode
    event_time: frozenset[int] = frozenset()

    @property
    def appends(self) -> bool:
        """Whether nothing is ever taken back."""
        return self.changelog is _APPEND


def is_endless(root: logical.Node) -> bool:
    """Whether a query reads something that has no end."""
    return _endless(root) is not None


def _endless(root: logical.Node) -> logical.Scan | None:
    return next((n for n in walk_plan(root) if isinstance(n, logical.Scan) and not n.provider.bounded), None)


def is_streaming(root: logical.Node, settings: Settings) -> bool:
    """Whether a query is planned as a stream: asked for, or because some source has no end or takes rows back."""
    mode = settings.get(RUNTIME_MODE)
    endless = _endless(root)
    if mode == "batch" and endless is not None:
        raise UnsupportedError(
            f"table {endless.table!r} has no end and cannot be read in batch mode",
            hint="CREATE STREAMING TABLE ... AS keeps the result of such a query, INSERT INTO a table with a connector writes it; "
            f"a query alone runs with SET '{RUNTIME_MODE.name}' = 'auto'",
            span=endless.span,
        )
    return mode == "streaming" or endless is not None or any(map(_changes, walk_plan(root)))


def _changes(node: logical.Node) -> bool:
    """Whether it reads rows that come and go: what is left of them is found out as of a stream that ends."""
    return isinstance(node, logical.Scan) and getattr(node.provider.schema, "changelog", "append") != "append"


class Streams:
    """Facts of the nodes of one plan, each derived once.

    What a bounded plan does last is done when all has come, over rows that stay: ``finishing`` is the Sort or Limit with which
    it begins.
    """

    def __init__(self, root: logical.Node) -> None:
        self._known: dict[int, tuple[logical.Node, StreamFacts]] = {}
        self.finishing: logical.Node | None = None
        while isinstance(root, (logical.Project, logical.Hinted)):
            root = root.input
        if isinstance(root, (logical.Limit, logical.Sort)) and self.of(root).bounded:
            self.finishing = root
            self._known[id(root)] = (root, StreamFacts(bounded=True, changelog=_APPEND))

    def of(self, node: logical.Node) -> StreamFacts:
        """The facts of a node."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = (node, self._derive(node))
        return known[1]

    def _derive(self, node: logical.Node) -> StreamFacts:
        below = [self.of(child) for child in inputs(node)]
        bounded = all(one.bounded for one in below)
        match node:
            case logical.Scan(provider=provider):
                # Of rows that replace each other those that are replaced are taken back by the scan's plan.
                appends = getattr(provider.schema, "changelog", "append") == "append"
                return StreamFacts(provider.bounded, _APPEND if appends else _RETRACT)
            case logical.Values():
                return StreamFacts(bounded=True, changelog=_APPEND)
            case logical.Project():
                passed = {e.id for e in node.expressions if isinstance(e, ColumnRef)}
                return StreamFacts(bounded, below[0].changelog, below[0].event_time & passed)
            case logical.SetOperation():
                return StreamFacts(bounded, _united(below), self._common_time(node, below))
            case logical.Shared():
                pairs = zip(node.columns, node.fields, strict=True)
                time = frozenset(new.id for old, new in pairs if old.id in below[0].event_time)
                return StreamFacts(bounded, below[0].changelog, time)
            case logical.Join():
                times = join_times(node, self.of)
                if times.appends:
                    return StreamFacts(bounded, _APPEND, self._window_times(node, below) | times.event_time)
                return StreamFacts(bounded, _RETRACT)
            case logical.Aggregate():
                return self._grouped(node, below)
            case timed.AssignWatermarks():
                return StreamFacts(bounded, below[0].changelog, below[0].event_time | {node.column.id})
            case timed.WindowTable():
                return _in_windows(node, below[0])
            case timed.WindowedAggregate():
                return _windowed(node, below[0])
            case logical.Window():
                return self._window(node, below)
            case timed.AsofJoin() | timed.TemporalJoin():
                return StreamFacts(bounded, below[0].changelog, self._after_time(node, below[0]))
            case logical.Limit():
                sorted_below = isinstance(node.input, logical.Sort)
                return StreamFacts(bounded, below[0].changelog if below[0].appends and not sorted_below else _RETRACT)
            case _:
                return StreamFacts(bounded, below[0].changelog, below[0].event_time)

    def _grouped(self, node: logical.Aggregate, below: list[StreamFacts]) -> StreamFacts:
        """DISTINCT over rows that stay only ever adds, and so do groups that come when their window closes."""
        distinct = bool(node.keys) and not node.calls and below[0].appends
        if distinct or final_groups(node, self.of) is not None:
            return StreamFacts(below[0].bounded, _APPEND, self._window_times(node, below))
        return StreamFacts(below[0].bounded, _RETRACT)

    def _window(self, node: logical.Window, below: list[StreamFacts]) -> StreamFacts:
        """Rows that wait for their window's end or their own time come out once."""
        closes = below[0].appends and closing_column(node, self.of) is not None
        waited = None if closes else waited_for(node, below[0], closings(node.input, self.of))
        if not closes and waited is None:
            return StreamFacts(below[0].bounded, _RETRACT)
        ordered = frozenset[int]() if waited is None else below[0].event_time & {waited[0]}
        return StreamFacts(below[0].bounded, _APPEND, self._window_times(node, below) | ordered)

    def _after_time(self, node: timed.AsofJoin | timed.TemporalJoin, left: StreamFacts) -> frozenset[int]:
        """Of rows that wait until time has passed them: what is no earlier."""
        if not isinstance(node.time, ColumnRef) or node.time.id not in left.event_time:
            return left.event_time if isinstance(node, timed.TemporalJoin) and node.versions is None else frozenset()
        return left.event_time & {node.time.id, *waiting(closings(node.left, self.of), node.time.id)}

    def _window_times(self, node: logical.Node, below: list[StreamFacts]) -> frozenset[int]:
        """Of rows that come no later than when their window closes: its last moment.

        Whoever reads such a column takes watermarks between two of its values for the earlier one, so its rows may come as long as that
        does not make them late.
        """
        known = {f.id: f.type for f in output(node)}
        given = frozenset[int]().union(*(one.event_time for one in below)) & known.keys()
        return frozenset(
            column
            for column, each in closings(node, self.of).items()
            if column in given and 0 <= each.behind < tick_of(known[column])
        )

    def _common_time(self, node: logical.SetOperation, below: list[StreamFacts]) -> frozenset[int]:
        return frozenset(
            field.id
            for i, field in enumerate(node.fields)
            if all(columns[i].id in facts.event_time for columns, facts in zip(node.columns, below, strict=True))
        )


def _in_windows(node: timed.WindowTable, below: StreamFacts) -> StreamFacts:
    """Rows that wait for their window come when their own time has passed; others come as they do."""
    given = node.time is not None and node.time.id in below.event_time
    made = frozenset({node.window_time.id}) if given and node.window_time is not None else frozenset[int]()
    at_once = isinstance(node.assigner, (Tumble, Hop, Cumulate))
    return StreamFacts(below.bounded, below.changelog, below.event_time | made if at_once else made)


def _windowed(node: timed.WindowedAggregate, below: StreamFacts) -> StreamFacts:
    """Final rows of windows that close are only added, and have an event time of their own."""
    emit = node.emit or Emit()
    replaces = any(not isinstance(trigger, OnWindowClose) for trigger in emit.triggers) and node.fire is None
    corrects = emit.lateness is not None
    endless = isinstance(node.assigner, Global)
    if not below.appends or corrects or (replaces and not emit.evicts) or (endless and node.fire is None):
        return StreamFacts(below.bounded, _RETRACT)
    given = node.time is not None and node.time.id in below.event_time
    time = frozenset({node.window_time.id}) if given and node.window_time is not None else frozenset[int]()
    return StreamFacts(below.bounded, _APPEND, time)


def _united(below: list[StreamFacts]) -> ChangelogMode:
    return _APPEND if all(one.appends for one in below) else _RETRACT
