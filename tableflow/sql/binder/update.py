"""UPDATE and DELETE: the target's rows with their row ids, joined with FROM or USING, and what becomes of them."""

from __future__ import annotations

from sqlglot import exp

from tableflow.expressions.nodes import Expression
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Aggregate, Join, JoinKind
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.assigning import bind_assignments, filter_block
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes, define
from tableflow.sql.binder.joins import bind_chains
from tableflow.sql.binder.scope import Relation, Scope
from tableflow.sql.binder.target import BoundTarget, TargetScan, find_target, scan_target
from tableflow.sql.binder.writing import Rows, Writing, valued, write
from tableflow.sql.dml_syntax import Delete, Update
from tableflow.sql.statements import Action, Write
from tableflow.storage.description import ChangeKind


def bind_update(context: StatementContext, source: Source, node: Update) -> Write:
    """An UPDATE: a row that FROM gives twice is refused when it is written."""
    target = find_target(context, source, node.target)
    block = Block.begin(context, source, define(node.with_, Ctes(), None, source), None)
    old, others = _rows_of(block, target, node.source)
    filter_block(block, node.where)
    setting = bind_assignments(block, target, node.assignments)
    block.attach(setting.expressions())
    given: list[Expression | None] = [
        None if column.generated is not None else setting.values.get(index, kept)
        for index, (column, kept) in enumerate(zip(target.columns, old.values(), strict=True))
    ]
    rows = valued(context, target, block.plan, given, target.span)
    writing = Writing(target, ChangeKind.UPDATE, Action.UPDATE, old.row_id, others=others, ctes=block.ctes)
    return write(context, source, writing, rows, node.returning)


def bind_delete(context: StatementContext, source: Source, node: Delete) -> Write:
    """A DELETE; a row that USING gives several times is deleted once."""
    target = find_target(context, source, node.target)
    block = Block.begin(context, source, define(node.with_, Ctes(), None, source), None)
    old, others = _rows_of(block, target, node.source)
    filter_block(block, node.where)
    rows = Rows(block.plan, old.columns)
    if others:
        old, rows = _distinct(block, target, old, whole=node.returning is not None)
    writing = Writing(target, ChangeKind.DELETE, Action.DELETE, old.row_id, ctes=block.ctes)
    return write(context, source, writing, rows, node.returning)


def _rows_of(block: Block, target: BoundTarget, node: exp.Expr | None) -> tuple[TargetScan, tuple[Relation, ...]]:
    """The target beside what FROM or USING reads; neither sees the other's columns in its ON."""
    old = scan_target(block.context, target, block.number)
    own = Scope.of(target.relation(old.columns, (old.row_id,)))
    block.plan, block.scope = old.plan, own
    if node is None:
        return old, ()
    block.scope = Scope()
    part = bind_chains(block, node.this, node.args.get("joins") or [], Scope())
    block.plan = Join(JoinKind.INNER, old.plan, part.plan, block=block.number, span=block.source.span(node))
    block.scope = own.beside(part.scope)
    return old, part.scope.relations


def _distinct(block: Block, target: BoundTarget, old: TargetScan, *, whole: bool) -> tuple[TargetScan, Rows]:
    """Each row id that the block gives once, with the columns of its row if the ``whole`` of it is wanted."""
    row_id = next(field for field in output(block.plan) if field.id == old.row_id.id)
    if not whole:
        return old, Rows(Aggregate(block.plan, (row_id,), (), ()), ())
    again = scan_target(block.context, target, block.number)
    same = resolve_call("eq", [again.row, old.row])
    return again, Rows(Join(JoinKind.SEMI, again.plan, block.plan, (same,), block=block.number), again.columns)
