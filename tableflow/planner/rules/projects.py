"""Projections: merged with each other, removed when they only hand columns on."""

from __future__ import annotations

from tableflow.expressions.nodes import ColumnRef, Expression, Literal, walk
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import Node, Project
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.records import replace


def merge_projects(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``Project(Project(x))`` is one projection, unless that computes something twice or calls chance twice."""
    assert isinstance(node, Project)
    inner = node.input
    if not isinstance(inner, Project):
        return None
    by_id: dict[int, Expression] = {}
    for f, e in zip(inner.fields, inner.expressions, strict=True):
        if not (isinstance(e, ColumnRef) and e.id == f.id):
            by_id[f.id] = e
    costly = {i for i, e in by_id.items() if not isinstance(e, (ColumnRef, Literal))}
    seen: set[int] = set()
    for expression in node.expressions:
        for i in _reads(expression):
            if i in costly and (i in seen or not context.deterministic(by_id[i])):
                return None
            seen.add(i)
    merged = tuple([substitute_columns(e, by_id, context) for e in node.expressions])
    return replace(node, input=inner.input, expressions=merged)


def _reads(of: Expression) -> list[int]:
    """Ids of the columns read, once for each time they are read."""
    return [node.id for node in walk(of) if isinstance(node, ColumnRef)]


def is_trivial(node: Project) -> bool:
    """Whether the projection only hands columns on under the same ids."""
    return all(isinstance(e, ColumnRef) and e.id == f.id for f, e in zip(node.fields, node.expressions, strict=True))


def remove_trivial_project(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """An input that only hands columns on is skipped; nodes above find columns by id, not by position."""
    old = inputs(node)
    for child in old:
        if type(child) is Project and is_trivial(child):
            break
    else:
        return None
    return with_inputs(
        node, tuple([child.input if isinstance(child, Project) and is_trivial(child) else child for child in old])
    )
