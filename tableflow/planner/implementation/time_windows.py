"""The implementation rules of windows in time and of event time: they keep rows where they are, and in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.errors import InternalError
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.physical.assign_windows import AssignWindows
from tableflow.physical.node import PhysicalNode
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.leaves import children_of
from tableflow.planner.implementation.requirements import Required
from tableflow.planner.logical.time_nodes import WindowTable

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_window_table(search: Search, node: WindowTable, required: Required) -> Iterable[PhysicalNode]:
    """Windows that follow from a row's time alone; what is asked of the window's columns is enforced above."""
    if node.time is None or not isinstance(node.assigner, (Tumble, Hop, Cumulate)):
        raise InternalError(f"a window table function of {type(node.assigner).__name__} has no operator")
    made = {f.id for f in node.made}
    asked = {*required.partitioning.keys, *(key.column for key in required.ordering)}
    for child in children_of(search, node.input, required if asked.isdisjoint(made) else Required()):
        wanted = search.needed(node)
        start, end, window_time = (
            f if f is not None and f.id in wanted else None for f in (node.start, node.end, node.window_time)
        )
        fields = (*child.fields, *[f for f in (start, end, window_time) if f is not None])
        properties = child.facts.properties
        work = search.cardinality.rows(node) * len(fields) * costs.EXPRESSION_VALUE
        facts = search.facts(node, fields, (child,), work, properties.partitioning, properties.ordering)
        yield AssignWindows(
            fields=fields, facts=facts, input=child, assigner=node.assigner, time=node.time.id, start=start, end=end,
            window_time=window_time,
        )  # fmt: skip
