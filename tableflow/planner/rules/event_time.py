"""Event time over finished data: nothing waits for it, only rows without it have to be judged."""

from __future__ import annotations

from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.nodes import Filter, Node
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.time_nodes import AssignWatermarks, NullTime
from tableflow.planner.logical.traversal import reference


def settle_event_time(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The rows that have an event time, or all; a filter that fails where a NULL is an error, so that it goes with others."""
    assert isinstance(node, AssignWatermarks)
    time = reference(node.column)
    if node.nulls is NullTime.PASS or node.column.id in present(node.input, context):
        return node.input
    if node.nulls is NullTime.DROP:
        return Filter(node.input, (call("is_not_null", time),))
    return Filter(node.input, (resolve_call("has_event_time", [time]),))
