"""Which columns of a stream's rows tell when their window closes.

Promise: no row with a column's value ``v`` comes once the watermark has reached ``v + 1 + behind`` microseconds, and one that came
before has nothing more to wait for then.  Where rows wait for one column, others keep the promise only if they are no earlier than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tableflow.expressions.emit import OnWindowClose
from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.over_times import waited_for
from tableflow.planner.sealed_joins import passing_side
from tableflow.records import dataclass
from tableflow.types import TimestampType

if TYPE_CHECKING:
    from tableflow.physical.retention import Retention
    from tableflow.planner.stream_facts import StreamFacts


@dataclass(frozen=True, slots=True)
class Closing:
    """How far the watermark must be behind a column (or, -1, ahead of it); and the columns that are never later than it, itself included."""

    behind: int
    since: frozenset[int]


Closings = Mapping[int, Closing]
"""By column."""


def closings(node: logical.Node, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    """Of a node that takes no row back."""
    match node:
        case logical.Project():
            pairs = zip(node.fields, node.expressions, strict=True)
            return _renamed(closings(node.input, stream), [(e.id, f.id) for f, e in pairs if isinstance(e, ColumnRef)])
        case logical.Shared():
            fields = zip(node.columns, node.fields, strict=True)
            return _renamed(closings(node.input, stream), [(old.id, new.id) for old, new in fields])
        case logical.Filter() | logical.Hinted() | logical.Sort():
            return closings(node.input, stream)
        case logical.Window():
            below = closings(node.input, stream)
            waited = closing_column(node, stream) or waited_for(node, stream(node.input), below)
            return {} if waited is None else waiting(below, waited[0])
        case logical.Aggregate():
            return _grouped(node, stream)
        case logical.SetOperation():
            return _united(node, [closings(child, stream) for child in node.inputs])
        case logical.Join():
            passing = passing_side(node, stream)
            if passing is not None:
                return closings(passing, stream)
            left, right = closings(node.left, stream), closings(node.right, stream)
            same = same_window(node.conjuncts, left, right)
            if same is not None:
                behind = max(left[same[0]].behind, right[same[1]].behind)
                return _joined(node, _behind(left, same[0], behind), _behind(right, same[1], behind))
            return _in_time(node, left, right, stream)
        case timed.AsofJoin() | timed.TemporalJoin():
            return _after_time(node, stream)
        case timed.WindowTable() | timed.WindowedAggregate():
            return _made(node, stream)
        case _:
            return {}


def _grouped(node: logical.Aggregate, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    """Of groups that only say which there are, at once, and of those that come when they are complete."""
    below = closings(node.input, stream)
    if node.calls:
        final = final_groups(node, stream)
        below = {} if final is None else waiting(below, final[0])
    return {f.id: below[f.id] for f in node.keys if f.id in below}


def waiting(known: Closings, waited: int) -> Closings:
    """Of rows that wait until the window of one of their columns closes, or until time has passed it."""
    return {column: each for column, each in known.items() if waited in each.since}


def _renamed(known: Closings, columns: Sequence[tuple[int, int]]) -> Closings:
    """The same under other ids, of columns that are handed on."""
    return {
        new: Closing(known[old].behind, frozenset(n for o, n in columns if o in known[old].since))
        for old, new in columns
        if old in known
    }


def _united(node: logical.SetOperation, many: Sequence[Closings]) -> Closings:
    """What holds of all inputs."""
    each = [
        _renamed(known, [(old.id, new.id) for old, new in zip(columns, node.fields, strict=True)])
        for known, columns in zip(many, node.columns, strict=True)
    ]
    return {
        f.id: Closing(
            max(known[f.id].behind for known in each), frozenset.intersection(*(known[f.id].since for known in each))
        )
        for f in node.fields
        if all(f.id in known for known in each)
    }


def _joined(node: logical.Join, left: Closings, right: Closings) -> Closings:
    """Columns of the sides whose rows all come out: those of the others are NULL in some."""
    match node.kind:
        case logical.JoinKind.INNER:
            return {**left, **right}
        case logical.JoinKind.LEFT | logical.JoinKind.SEMI | logical.JoinKind.ANTI:
            return left
        case logical.JoinKind.RIGHT:
            return right
        case _:
            return {}


def _in_time(
    node: logical.Join, left: Closings, right: Closings, stream: Callable[[logical.Node], StreamFacts]
) -> Closings:
    """Of a join whose conditions bound two event times."""
    from tableflow.planner.join_times import join_times  # it asks for closings as well

    times = join_times(node, stream)
    delay = times.delay or 0
    return _joined(node, _kept(left, times.left, delay), _kept(right, times.right, delay))


def _kept(known: Closings, kept: Retention | None, delay: int) -> Closings:
    """Of rows that find partners as long as one of their columns says; what comes out has its time so far behind."""
    if kept is None:
        return {}
    return _behind(known, kept.column, kept.behind - delay)


def _behind(known: Closings, waited: int, behind: int) -> Closings:
    """Of rows that find partners until the watermark is so far behind one of their columns."""
    return {c: Closing(max(each.behind, behind), each.since) for c, each in waiting(known, waited).items()}


def _after_time(node: timed.AsofJoin | timed.TemporalJoin, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    """Of rows on the left that wait until time has passed them."""
    if isinstance(node, timed.AsofJoin) and node.match not in {"ge", "gt"}:
        return {}
    if not isinstance(node.time, ColumnRef) or node.time.id not in stream(node.left).event_time:
        return {}
    return waiting(closings(node.left, stream), node.time.id)


def closing_column(node: logical.Window, stream: Callable[[logical.Node], StreamFacts]) -> tuple[int, int] | None:
    """The column of a window's partition, if there is one, that tells when the partition is complete, and how far behind."""
    found = closings(node.input, stream)
    return next(((f.id, found[f.id].behind) for f in node.partition if f.id in found), None)


def group_closing(node: logical.Aggregate, stream: Callable[[logical.Node], StreamFacts]) -> tuple[int, int] | None:
    """The key, if there is one, that tells when no more rows of a group come, and how far behind; of rows that stay."""
    if not node.keys or not stream(node.input).appends:
        return None
    found = closings(node.input, stream)
    return next(((f.id, found[f.id].behind) for f in node.keys if f.id in found), None)


def final_groups(node: logical.Aggregate, stream: Callable[[logical.Node], StreamFacts]) -> tuple[int, int] | None:
    """The same if the groups say nothing before."""
    if not node.calls or not says_when_closed(node):
        return None
    from tableflow.physical.collect_aggregate import is_collected

    if any(map(is_collected, node.calls)):
        return None
    return group_closing(node, stream)


def says_when_closed(node: logical.Aggregate) -> bool:
    """Whether final results are asked for, or nothing is said."""
    emit = node.emit
    if node.fire is not None or node.late is not None:
        return False
    if emit is None:
        return True
    return not emit.evicts and emit.lateness is None and all(isinstance(each, OnWindowClose) for each in emit.triggers)


def same_window(conjuncts: Iterable[Expression], left: Closings, right: Closings) -> tuple[int, int] | None:
    """The columns of both sides, if there are such, that tell that rows which meet are of one window."""
    for conjunct in conjuncts:
        if isinstance(conjunct, Call) and conjunct.function == "eq":
            ids = [e.id for e in conjunct.args if isinstance(e, ColumnRef)]
            for one, other in (ids, ids[::-1]) if len(ids) == 2 else ():
                if one in left and other in right:
                    return one, other
    return None


def _made(node: timed.WindowTable | timed.WindowedAggregate, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    at_once = isinstance(node, timed.WindowTable) and isinstance(node.assigner, (Tumble, Hop, Cumulate))
    found = dict(closings(node.input, stream)) if at_once else {}
    if node.time is None or node.time.id not in stream(node.input).event_time:
        return found
    end, time = node.end, node.window_time
    since = frozenset({node.time.id, *(f.id for f in (end, time) if f is not None)})
    if node.time.id in found:
        since |= found[node.time.id].since
    if end is not None and isinstance(end.type, TimestampType):
        found[end.id] = Closing(-1, since)
    if time is not None and isinstance(time.type, TimestampType):
        # It is one unit of its precision before the end.
        found[time.id] = Closing(time.type.tick - 1, since)
    return found
