"""Groups of rows that know their window, where they are not one operator with it: they are final when the window closes.

Such a group is what all of its rows say, once no more can come; so it is computed over the rows of a partition that time completes.
"""

from __future__ import annotations

from tableflow.expressions.emit import OnWindowClose
from tableflow.expressions.nodes import SortKey
from tableflow.expressions.over import aggregate_over
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Aggregate, Filter, Node, Project, Window
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.planner.logical.traversal import reference
from tableflow.planner.stream_facts import Streams
from tableflow.planner.window_closings import closings
from tableflow.types import TypeFamily, family

_WITHOUT_ORDER = (TypeFamily.NESTED, TypeFamily.JSON)


def close_groups_of_windows(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """One row of each group, when the last of its rows has come."""
    assert isinstance(node, Aggregate)
    if not node.calls or not _when_closed(node) or any(call.order for call in node.calls):
        return None
    rows = node.input
    while isinstance(rows, Filter | Project):
        rows = rows.input
    if not isinstance(rows, WindowTable):
        return None
    streams = Streams(node.input)
    if not streams.of(node.input).appends or closings(node.input, streams.of).keys().isdisjoint(
        f.id for f in node.keys
    ):
        return None
    calls = tuple([aggregate_over(call) for call in node.calls])
    said = Window(node.input, node.keys, (), node.results, calls)
    # The rows of a group say the same now; that the first one is taken in this order tells that it does not matter which.
    order = tuple([SortKey(reference(f)) for f in node.results if family(f.type) not in _WITHOUT_ORDER])
    once = Window(said, node.keys, order, (), (), 1)
    fields = (*node.keys, *node.results)
    return Project(once, fields, passing(fields))


def _when_closed(node: Aggregate) -> bool:
    """Whether final results are asked for, or nothing is said."""
    emit = node.emit
    if node.fire is not None or node.late is not None:
        return False
    if emit is None:
        return True
    return not emit.evicts and emit.lateness is None and all(isinstance(each, OnWindowClose) for each in emit.triggers)
