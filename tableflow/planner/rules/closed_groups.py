"""Groups of rows that know their window, and whose aggregates need all rows together: they are final when the window closes.

Such a group is what all of its rows say, once no more can come; so it is computed over the rows of a partition that time completes.
Where aggregates can be kept one row at a time :class:`~tableflow.physical.changelog_aggregate.ChangelogAggregate` does that, until then.
"""

from __future__ import annotations

from tableflow.expressions.nodes import SortKey
from tableflow.expressions.over import aggregate_over
from tableflow.physical.collect_aggregate import is_collected
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Aggregate, Node, Project, Window
from tableflow.planner.logical.traversal import reference
from tableflow.planner.stream_facts import Streams
from tableflow.planner.window_closings import group_closing, says_when_closed
from tableflow.types import TypeFamily, family

_WITHOUT_ORDER = (TypeFamily.NESTED, TypeFamily.JSON)


def close_groups_of_windows(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """One row of each group, when the last of its rows has come."""
    assert isinstance(node, Aggregate)
    if not any(map(is_collected, node.calls)) or not says_when_closed(node) or any(call.order for call in node.calls):
        return None
    if group_closing(node, Streams(node.input).of) is None:
        return None
    calls = tuple([aggregate_over(call) for call in node.calls])
    said = Window(node.input, node.keys, (), node.results, calls)
    # The rows of a group say the same now; that the first one is taken in this order tells that it does not matter which.
    order = tuple([SortKey(reference(f)) for f in node.results if family(f.type) not in _WITHOUT_ORDER])
    once = Window(said, node.keys, order, (), (), 1)
    fields = (*node.keys, *node.results)
    return Project(once, fields, passing(fields))
