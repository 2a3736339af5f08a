"""UNION, INTERSECT and EXCEPT: columns by position, each of the inputs' common type."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, SqlSyntaxError, TableFlowError
from tableflow.expressions.coercion import unify
from tableflow.expressions.keys import is_nested_key, keyed, unkeyed
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.nodes import Node, Project, SetKind, SetOperation
from tableflow.sql.binder.aggregates import check_groupable
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.projection import exactly
from tableflow.sql.binder.queries import Bound, bind_query, modified, only
from tableflow.types import Field

_KINDS = {
    (exp.Union, True): SetKind.UNION, (exp.Union, False): SetKind.UNION_ALL,
    (exp.Intersect, True): SetKind.INTERSECT, (exp.Intersect, False): SetKind.INTERSECT_ALL,
    (exp.Except, True): SetKind.EXCEPT, (exp.Except, False): SetKind.EXCEPT_ALL,
}  # fmt: skip
_ASSOCIATIVE = frozenset({SetKind.UNION, SetKind.UNION_ALL, SetKind.INTERSECT, SetKind.INTERSECT_ALL})
_OWN = ("order", "limit", "offset", "with_")


def bind_set_operation(block: Block, node: exp.SetOperation) -> Bound:
    """A set operation; a chain of the same kind becomes one node with many inputs."""
    only(block, node, {"this", "expression", "distinct", *_OWN})
    kind = _kind(node)
    operands: list[exp.Expr] = [node.expression]
    first: exp.Expr = node.this
    while isinstance(first, exp.SetOperation) and _kind(first) is kind and kind in _ASSOCIATIVE:
        if any(first.args.get(key) for key in _OWN):
            break
        only(block, first, {"this", "expression", "distinct"})
        operands.append(first.expression)
        first = first.this
    trees = [first, *reversed(operands)]
    for tree in trees:
        own = [tree.args[key] for key in ("order", "limit", "offset") if tree.args.get(key)]
        if own and isinstance(tree, exp.Select):
            raise SqlSyntaxError(
                f"ORDER BY and LIMIT of a single query of {kind.value.upper()} need parentheses around the query",
                span=block.source.span(own[0]),
            )
    bound = [bind_query(block.context, block.source, each, block.ctes, block.parent) for each in trees]
    width = len(bound[0].columns)
    for each, tree in zip(bound, trees, strict=True):
        if len(each.columns) != width:
            raise BindError(
                f"{kind.value.upper()} of {width} and {len(each.columns)} columns",
                detail="all its queries have the same number of columns",
                span=block.source.span(tree) or block.source.span(node),
            )
    inputs = _unified(block, bound, kind, trees)
    fields = tuple(
        block.context.field(column.name, inputs[0][1][index].type, nullable=any(c[index].nullable for _, c in inputs))
        for index, column in enumerate(bound[0].columns)
    )
    if kind is not SetKind.UNION_ALL:
        for field in fields:
            check_groupable(ColumnRef(field.type, field.id, field.name, block.source.span(node)))
    if kind is not SetKind.UNION_ALL and any(is_nested_key(field.type) for field in fields):
        plan = _by_keys(block, kind, inputs, fields)
    else:
        plans, columns = zip(*inputs, strict=True)
        plan = SetOperation(kind, plans, fields, columns)
    outer = tuple(outer for each in bound for outer in each.outer)
    return modified(block, node, Bound(plan, fields, outer))


def _by_keys(
    block: Block, kind: SetKind, inputs: Sequence[tuple[Node, tuple[Field, ...]]], fields: tuple[Field, ...]
) -> Node:
    """The operation over the keys of nested values, which are made of them again behind it."""
    context = block.context

    def keys(columns: tuple[Field, ...]) -> tuple[tuple[Field, ...], tuple[Expression, ...]]:
        made = tuple(keyed(ColumnRef(column.type, column.id, column.name)) for column in columns)
        pairs = zip(columns, made, strict=True)
        return tuple(context.field(c.name, e.type, nullable=c.nullable) for c, e in pairs), made

    below = tuple(Project(plan, *keys(columns)) for plan, columns in inputs)
    stored, _ = keys(fields)
    pairs = zip(fields, stored, strict=True)
    values = tuple(unkeyed(ColumnRef(key.type, key.id, key.name), field.type) for field, key in pairs)
    operation = SetOperation(kind, below, stored, tuple(each.fields for each in below))
    return Project(operation, fields, values)


def _kind(node: exp.SetOperation) -> SetKind:
    return _KINDS[type(node), bool(node.args.get("distinct"))]


def _unified(
    block: Block, bound: Sequence[Bound], kind: SetKind, trees: Sequence[exp.Expr]
) -> list[tuple[Node, tuple[Field, ...]]]:
    """Inputs with exactly the wanted columns, cast to common types."""
    inputs = [exactly(block.context, each.plan, each.columns) for each in bound]
    casts: list[list[Expression]] = []
    for index in range(len(bound[0].columns)):
        references = [ColumnRef(columns[index].type, columns[index].id) for _, columns in inputs]
        try:
            casts.append(unify(references, f"column {index + 1} of {kind.value.upper()}"))
        except TableFlowError as error:
            raise error.at(block.source.span(trees[-1])) from None
    unified: list[tuple[Node, tuple[Field, ...]]] = []
    for number, (plan, columns) in enumerate(inputs):
        wanted = [column[number] for column in casts]
        if all(isinstance(each, ColumnRef) for each in wanted):
            unified.append((plan, columns))
            continue
        fields = tuple(
            column
            if isinstance(each, ColumnRef)
            else block.context.field(column.name, each.type, nullable=column.nullable)
            for column, each in zip(columns, wanted, strict=True)
        )
        unified.append((Project(plan, fields, tuple(wanted)), fields))
    return unified
