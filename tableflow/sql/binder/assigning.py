"""SET: which columns get which values, in UPDATE, MERGE and ON CONFLICT DO UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from sqlglot import exp

from tableflow.errors import BindError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.nodes import Filter, JoinKind
from tableflow.records import dataclass
from tableflow.sql.binder import subqueries
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.block import Block, Waiting
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.operators import flattened
from tableflow.sql.binder.queries import bind_query
from tableflow.sql.binder.target import BoundTarget
from tableflow.sql.dml_syntax import Assignment, Name


@dataclass(slots=True)
class Setting:
    """New values, cast to their columns' types, by the column's position."""

    values: dict[int, Expression] = field(default_factory=dict)

    def expressions(self) -> list[Expression]:
        """All of them."""
        return list(self.values.values())


def bind_assignments(block: Block, target: BoundTarget, assignments: Sequence[Assignment]) -> Setting:
    """The values of SET over the block's names; subqueries in them wait in the block."""
    setting = Setting()
    for each in assignments:
        values = _values(block, target, each)
        for name, value in zip(each.columns, values, strict=True):
            index = target.index(name, block.source)
            if index in setting.values:
                raise BindError(
                    f"column {name.text!r} is set twice", span=block.source.place(name.span.start, name.span.end)
                )
            column = target.columns[index]
            place = block.source.place(each.span.start, each.span.end)
            found = target.default(block.context, column) if value is None else value
            setting.values[index] = assigned(found, column.type, column.name, place)
    return setting


def _values(block: Block, target: BoundTarget, node: Assignment) -> list[Expression | None]:
    """The values of one assignment; None stands for DEFAULT."""
    from tableflow.sql.binder.insert import is_default

    for name in node.columns:
        target.index(name, block.source)
    if len(node.columns) > 1 and len(node.values) == 1 and isinstance(node.values[0], exp.Query):
        return _row_of_query(block, node.columns, node.values[0])
    if len(node.columns) != len(node.values):
        raise BindError(
            f"{len(node.columns)} columns are set to {len(node.values)} value{'' if len(node.values) == 1 else 's'}",
            span=block.source.place(node.span.start, node.span.end),
        )
    binder = ExpressionBinder(block, Clause("SET"))
    return [None if is_default(value) else binder.bind(value) for value in node.values]


def _row_of_query(block: Block, columns: Sequence[Name], node: exp.Expr) -> list[Expression | None]:
    """``(a, b) = (SELECT ...)``: the columns of at most one row, NULLs without one."""
    span = block.source.span(node)
    inner: exp.Expr = node
    while isinstance(inner, exp.Subquery) and inner.is_wrapper:
        inner = inner.this
    bound = bind_query(block.context, block.source, inner, block.ctes, block)
    if len(bound.columns) != len(columns):
        raise BindError(f"{len(columns)} columns are set to a query of {len(bound.columns)}", span=span)
    provides = frozenset(column.id for column in bound.columns)
    outer = block.adopt(bound.outer)
    block.waiting.append(Waiting(JoinKind.SINGLE, bound.plan, provides, outer, inner=provides, span=span))
    return [ColumnRef(column.type, column.id, column.name, span) for column in bound.columns]


def condition_of(block: Block, node: exp.Expr, clause: str) -> Expression:
    """A condition as a whole; subqueries in it wait in the block."""
    return ExpressionBinder(block, Clause(clause)).condition(node)


def filter_block(block: Block, node: exp.Expr | None, clause: str = "WHERE") -> None:
    """Keep the block's rows for which a condition is TRUE."""
    if node is None:
        return
    binder = ExpressionBinder(block, Clause(clause))
    rest = [each for each in flattened(node, exp.And) if not subqueries.conjunct(binder, each)]
    conjuncts = [binder.condition(each) for each in rest]
    if conjuncts:
        block.attach(conjuncts)
        block.plan = Filter(block.plan, tuple(dict.fromkeys(conjuncts)))
