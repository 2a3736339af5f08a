"""VALUES as a relation: of constants, or of expressions over columns of an enclosing query."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlglot import exp

from tableflow.errors import BindError, TableFlowError
from tableflow.expressions.coercion import common_type, unify
from tableflow.expressions.nodes import Expression, Literal, column_ids
from tableflow.planner.logical.nodes import Node, Project, SetKind, SetOperation, Values
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.queries import Bound
from tableflow.types import Field


def bind_values(block: Block, node: exp.Values) -> Bound:
    """VALUES (..), (..): columns ``col0``, ``col1`` and so on, each of the common type of its values."""
    rows = [row.expressions for row in node.expressions]
    width = len(rows[0])
    for row, tree in zip(rows, node.expressions, strict=True):
        if len(row) != width:
            raise BindError(
                f"a row of VALUES has {len(row)} values, the first has {width}", span=block.source.span(tree)
            )
    inner = Block.begin(block.context, block.source, block.ctes, block.parent)
    binder = ExpressionBinder(inner, Clause("VALUES"))
    bound = [binder.bind_all(row) for row in rows]
    columns = [_unified([row[index] for row in bound], index) for index in range(width)]
    fields = tuple(
        block.context.field(f"col{index}", column[0].type, nullable=any(_may_be_null(each) for each in column))
        for index, column in enumerate(columns)
    )
    table = tuple(zip(*columns, strict=True))
    plan: Node = Values(fields, table)
    if inner.outer or inner.waiting:
        plan = _rows_as_union(inner, fields, table)
    return Bound(plan, fields, tuple(inner.outer.values()))


def _unified(values: list[Expression], index: int) -> list[Expression]:
    # long lists of literals are nearly always of one type
    first = values[0].type
    if all(value.type == first for value in values):
        return values
    if common_type([value.type for value in values]) is None:
        try:
            return unify(values, f"column {index + 1} of VALUES")
        except TableFlowError as error:
            raise error.at(getattr(values[-1], "span", None)) from None
    return unify(values, f"column {index + 1} of VALUES")


def _may_be_null(value: Expression) -> bool:
    return not isinstance(value, Literal) or value.value is None


def _rows_as_union(block: Block, fields: tuple[Field, ...], rows: Sequence[tuple[Expression, ...]]) -> Node:
    """Rows that read columns of an enclosing query or of subqueries: constant rows cannot, projections can."""
    if len(rows) == 1:
        return Project(block.attached_to(Values((), ((),)), rows[0]), fields, rows[0])
    plans: list[Node] = []
    for constant, together in groupby(rows, key=lambda row: not any(map(column_ids, row))):
        own = tuple(block.context.renewed(field) for field in fields)
        if constant:
            plans.append(Values(own, tuple(together)))
            continue
        for row in together:
            own = tuple(block.context.renewed(field) for field in fields)
            plans.append(Project(block.attached_to(Values((), ((),)), row), own, row))
    return SetOperation(SetKind.UNION_ALL, tuple(plans), fields, tuple(map(output, plans)))
