"""What every bound plan has to satisfy, whatever the query."""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, ColumnRef, walk
from tableflow.planner.logical.nodes import Aggregate, Join, Node, Query
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.traversal import expressions
from tableflow.types import SqlType
from tests.planner import validation


def check(query: Query) -> None:
    """The plan is well formed, columns are read as the type they have, and only Aggregate nodes hold aggregates."""
    validation.check(query, allow_dependent=True)
    _types(query.root, {})


def _types(node: Node, outer: dict[int, SqlType]) -> None:
    seen = dict(outer)
    for child in inputs(node):
        seen.update({field.id: field.type for field in output(child)})
    for expression in expressions(node):
        for part in walk(expression):
            assert isinstance(node, Aggregate) or not isinstance(part, AggregateCall)
            if isinstance(part, ColumnRef):
                assert seen[part.id] == part.type, f"{part.name} is read as another type"
    for child in inputs(node):
        _types(child, seen if isinstance(node, Join) and node.dependent and child is node.right else outer)
