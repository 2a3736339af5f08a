"""Checks that a plan is well formed: columns exist where they are read, and every id is made once."""

from __future__ import annotations

from tableflow.config import Settings
from tableflow.expressions.nodes import column_ids
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.nodes import Aggregate, Join, Node, Project, Query, SetOperation, Shared, Sort
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.traversal import expressions, produced


def check(query: Query, *, allow_dependent: bool = False) -> None:
    context = Context(query.root, Settings())
    made: set[int] = set()
    shared: set[int] = set()
    _check(query.root, frozenset(), made, shared, allow_dependent)
    assert not context.free(query.root), context.free(query.root)
    types = {f.id: f.type for f in output(query.root)}
    for column in query.columns:
        assert types[column.id] == column.type


def _check(node: Node, outer: frozenset[int], made: set[int], shared: set[int], allow_dependent: bool) -> None:
    if isinstance(node, Shared):
        if node.key not in shared:
            shared.add(node.key)
            _check(node.input, outer, made, shared, allow_dependent)
        assert {f.id for f in node.columns} <= {f.id for f in output(node.input)}
        assert [f.type for f in node.columns] == [f.type for f in node.fields]
    elif isinstance(node, Join):
        assert allow_dependent or not node.dependent
        _check(node.left, outer, made, shared, allow_dependent)
        inner = outer | {f.id for f in output(node.left)} if node.dependent else outer
        _check(node.right, inner, made, shared, allow_dependent)
    else:
        for child in inputs(node):
            _check(child, outer, made, shared, allow_dependent)
    for f in produced(node):
        assert f.id not in made, f"column {f.name}#{f.id} is made twice"
        made.add(f.id)
    available = set(outer)
    for child in inputs(node):
        available |= {f.id for f in output(child)}
    if not inputs(node):
        available |= {f.id for f in output(node)}
    _check_nulls(node)
    for expression in expressions(node):
        missing = column_ids(expression) - available
        assert not missing, f"{type(node).__name__} reads {missing}"
    if isinstance(node, Sort):
        assert all(key.column.id in available for key in node.keys)
    if isinstance(node, SetOperation):
        for branch, columns in zip(node.inputs, node.columns, strict=True):
            assert {f.id for f in columns} <= {f.id for f in output(branch)}
            assert len({f.id for f in columns}) == len(columns)
            assert [f.type for f in columns] == [f.type for f in node.fields]


def _check_nulls(node: Node) -> None:
    """A column that may be NULL is not handed on as one that is not."""
    kept = node.keys if isinstance(node, Aggregate) else node.fields if isinstance(node, Project) else ()
    if kept:
        (child,) = inputs(node)
        below = {f.id: f for f in output(child)}
        known = present(child, Context(child, Settings()))
        for f in kept:
            if f.id in below and f.id not in known:
                assert f.nullable, f"column {f.name}#{f.id} is called NOT NULL"
