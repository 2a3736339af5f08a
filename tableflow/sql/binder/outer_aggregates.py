"""Aggregates of an enclosing block: ``SELECT (SELECT sum(o.x)) FROM o`` sums the rows of ``o``.

In SQL an aggregate belongs to the innermost block of which its arguments read a column.  If that is not the block in
which it stands, it becomes a column of the other one, which computes it with its own aggregates.
"""

from __future__ import annotations

from collections.abc import Iterator

from tableflow.errors import BindError
from tableflow.expressions.nodes import AggregateCall, ColumnRef, column_ids
from tableflow.sql.binder.block import Block, Outer

Noted = list[tuple[Block, dict[int, Outer]]]


def _enclosing(block: Block) -> Iterator[Block]:
    at: Block | None = block
    while at is not None:
        yield at
        at = at.parent


def noted(block: Block) -> Noted:
    """References to enclosing blocks that were noted so far."""
    return [(each, dict(each.outer)) for each in _enclosing(block) if each.parent is not None]


def owner(block: Block, call: AggregateCall) -> Block | None:
    """The enclosing block that the aggregate belongs to; None if it is the one in which it stands."""
    read = column_ids(call)
    if not read or any(each not in block.outer or each in block.scope.ids for each in read):
        return None
    owners = {id(block.outer[each].owner) for each in read}
    return next(each for each in _enclosing(block) if id(each) in owners)


def taken_over(block: Block, by: Block, call: AggregateCall, before: Noted) -> ColumnRef:
    """The column of the enclosing block that holds the aggregate; its arguments are no references of blocks further in."""
    binding = by.binder
    if binding is None or not binding.takes_aggregates:
        where = "FROM" if binding is None else binding.clause_name
        raise BindError(
            f"aggregate {call.function!r} belongs to an outer query and cannot stand in its {where}",
            detail="all columns that it reads are of that query",
            span=call.span,
        )
    if binding.inside_aggregate:
        raise BindError(f"aggregate {call.function!r} is nested in one of the outer query", span=call.span)
    for each, outer in before:
        if each is by:
            break
        each.outer = outer
    field = by.outer_aggregates.get(call)
    if field is None:
        nullable = call.function not in {"count", "count_if"}
        field = by.outer_aggregates[call] = by.context.field(call.function, call.type, nullable=nullable)
    column = ColumnRef(field.type, field.id, field.name, call.span)
    block.note_outer(Outer(by, column))
    return column
