"""Which columns of a stream's rows tell when their window closes.

Promise: no row with a column's value ``v`` comes once the watermark has reached ``v + 1 + behind`` microseconds, and one that came
before has nothing more to wait for then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.sealed_joins import passing_side
from tableflow.types import TimestampType

if TYPE_CHECKING:
    from tableflow.planner.stream_facts import StreamFacts

Closings = Mapping[int, int]
"""By column: how far the watermark must be behind (or, -1, ahead of) it."""


def closings(node: logical.Node, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    """Of a node that takes no row back."""
    match node:
        case logical.Project():
            below = closings(node.input, stream)
            pairs = zip(node.fields, node.expressions, strict=True)
            return {f.id: below[e.id] for f, e in pairs if isinstance(e, ColumnRef) and e.id in below}
        case logical.Shared():
            below = closings(node.input, stream)
            return {
                new.id: below[old.id] for old, new in zip(node.columns, node.fields, strict=True) if old.id in below
            }
        case logical.Filter() | logical.Hinted() | logical.Sort() | logical.Window():
            return closings(node.input, stream)
        case logical.Aggregate() if node.keys and not node.calls:
            below = closings(node.input, stream)
            return {f.id: below[f.id] for f in node.keys if f.id in below}
        case logical.SetOperation():
            many = [closings(child, stream) for child in node.inputs]
            return {
                f.id: max(below[columns[i].id] for below, columns in zip(many, node.columns, strict=True))
                for i, f in enumerate(node.fields)
                if all(columns[i].id in below for below, columns in zip(many, node.columns, strict=True))
            }
        case logical.Join():
            passing = passing_side(node, stream)
            if passing is not None:
                return closings(passing, stream)
            left, right = closings(node.left, stream), closings(node.right, stream)
            return _joined(node, left, right) if _same_window(node.conjuncts, left, right) else {}
        case timed.WindowTable() | timed.WindowedAggregate():
            return _made(node, stream)
        case _:
            return {}


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


def closing_column(node: logical.Window, stream: Callable[[logical.Node], StreamFacts]) -> tuple[int, int] | None:
    """The column of a window's partition, if there is one, that tells when the partition is complete, and how far behind."""
    found = closings(node.input, stream)
    return next(((f.id, found[f.id]) for f in node.partition if f.id in found), None)


def _same_window(conjuncts: Iterable[Expression], left: Closings, right: Closings) -> bool:
    """Whether both sides are of one window."""
    for conjunct in conjuncts:
        if isinstance(conjunct, Call) and conjunct.function == "eq":
            ids = [e.id for e in conjunct.args if isinstance(e, ColumnRef)]
            if len(ids) == 2 and ((ids[0] in left and ids[1] in right) or (ids[1] in left and ids[0] in right)):
                return True
    return False


def _made(node: timed.WindowTable | timed.WindowedAggregate, stream: Callable[[logical.Node], StreamFacts]) -> Closings:
    at_once = isinstance(node, timed.WindowTable) and isinstance(node.assigner, Tumble | Hop | Cumulate)
    found = dict(closings(node.input, stream)) if at_once else {}
    if node.time is None or node.time.id not in stream(node.input).event_time:
        return found
    if node.end is not None and isinstance(node.end.type, TimestampType):
        found[node.end.id] = -1
    time = node.window_time
    if time is not None and isinstance(time.type, TimestampType):
        # It is one unit of its precision before the end.
        found[time.id] = 10 ** max(6 - time.type.precision, 0) - 1
    return found
