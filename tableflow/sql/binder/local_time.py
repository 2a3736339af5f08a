"""The session's time zone in a statement's plan."""

from __future__ import annotations

from tableflow.expressions.casting.zones import UTC
from tableflow.expressions.localize import localize
from tableflow.planner.logical.nodes import Node
from tableflow.planner.logical.traversal import map_expressions, transform_plan


def localized(plan: Node, zone: str) -> Node:
    """The plan with the session's zone in every expression that depends on it."""
    if zone == UTC:
        return plan
    return transform_plan(plan, lambda node: map_expressions(node, lambda expression: localize(expression, zone)))
