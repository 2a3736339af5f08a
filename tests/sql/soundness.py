"""What every bound plan has to satisfy, whatever the query."""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression, walk
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    Node,
    Project,
    Query,
    SetOperation,
    Sort,
    inputs,
    output,
)


def check(query: Query) -> None:
    """Every column is known where it is read, of the type it is read as, and ids are given out once."""
    made: list[int] = []
    _node(query.root, {}, made)
    assert len(made) == len(set(made)), "an id is given out twice"
    known = {field.id: field for field in output(query.root)}
    for column in query.columns:
        assert known[column.id].type == column.type


def _node(node: Node, outer: dict, made: list[int]) -> None:
    children = inputs(node)
    if isinstance(node, Join):
        _node(node.left, outer, made)
        left = {field.id: field.type for field in output(node.left)}
        _node(node.right, {**outer, **left} if node.dependent else outer, made)
    else:
        for child in children:
            _node(child, outer, made)
    seen = dict(outer)
    for child in children:
        seen.update({field.id: field.type for field in output(child)})
    for expression in _expressions(node):
        for part in walk(expression):
            assert isinstance(node, Aggregate) or not isinstance(part, AggregateCall), "an aggregate outside Aggregate"
            if isinstance(part, ColumnRef):
                assert part.id in seen, f"{part.name} is not known at {type(node).__name__}"
                assert seen[part.id] == part.type, f"{part.name} has another type"
    fields = output(node)
    assert len({field.id for field in fields}) == len(fields), f"{type(node).__name__} gives an id twice"
    before = {field.id for child in children for field in output(child)}
    made += [field.id for field in fields if field.id not in before]
    if isinstance(node, SetOperation):
        for child in children:
            assert [field.type for field in output(child)] == [field.type for field in fields]


def _expressions(node: Node) -> list[Expression]:
    match node:
        case Filter(conjuncts=conjuncts) | Join(conjuncts=conjuncts):
            return list(conjuncts)
        case Project(expressions=expressions):
            return list(expressions)
        case Aggregate(calls=calls):
            return list(calls)
        case Sort(keys=keys):
            return [key.column for key in keys]
        case _:
            return []
