"""Columns that need not be compared to tell groups apart."""

from __future__ import annotations

from tableflow import types as t
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import Aggregate, Node, Project
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field


def drop_dependent_keys(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Keys that are constants, or follow from other keys, are computed for each group instead.

    One key stays, since a grouping without keys has a row even of no rows.  A key may follow from one that stays only if equal values
    of that are the same value: 0.0 and -0.0 are equal, and so are texts that differ in padding.
    """
    match node:
        case Aggregate(input=Project() as below, keys=(_, _, *_)) if not (node.emit or node.fire or node.late):
            pass
        case _:
            return None
    made = {field.id: of for field, of in zip(below.fields, below.expressions, strict=True)}
    bare = {of.id: key for key in node.keys if isinstance(of := made[key.id], ColumnRef)}
    usable = {number: reference(key) for number, key in bare.items() if is_told_apart(key.type)}
    read = frozenset[int]().union(*(context.columns(call) for call in node.calls))
    follows: dict[int, Expression] = {
        key.id: substitute_columns(made[key.id], dict(usable), context)
        for key in node.keys
        if key.id not in read
        and not isinstance(made[key.id], ColumnRef)
        and context.columns(made[key.id]) <= usable.keys()
        and context.movable(made[key.id])
    }
    if len(follows) == len(node.keys):
        follows.pop(node.keys[0].id)
    if not follows:
        return None
    left = [(field, of) for field, of in zip(below.fields, below.expressions, strict=True) if field.id not in follows]
    narrower = Project(below.input, tuple([field for field, _ in left]), tuple([of for _, of in left]))
    keys: tuple[Field, ...] = tuple([key for key in node.keys if key.id not in follows])
    fields = (*node.keys, *node.results)
    expressions = tuple([follows.get(field.id) or reference(field) for field in fields])
    return Project(replace(node, input=narrower, keys=keys), fields, expressions)


def is_told_apart(of: t.SqlType) -> bool:
    """Whether equal values of the type have one spelling."""
    if isinstance(of, t.StringType):
        return not of.fixed
    return isinstance(of, (t.IntegerType, t.DecimalType, t.BooleanType, t.DateType, t.TimestampType))
