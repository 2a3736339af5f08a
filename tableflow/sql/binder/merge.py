"""MERGE: source and target are joined, and the first WHEN whose condition holds says what becomes of the row.

Rows of the source without a target row, and target rows without a source, are only joined in if a clause speaks of them.  The
clause of a row is a column (its number); values are chosen by it, so each is computed only for rows that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError
from tableflow.expressions.nodes import Call, Case, ColumnRef, Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass
from tableflow.sql.binder.assigning import bind_assignments, condition_of
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes, define
from tableflow.sql.binder.insert import constant, filled, is_default, wrong_number
from tableflow.sql.binder.joins import bind_chains
from tableflow.sql.binder.operators import flattened
from tableflow.sql.binder.scope import Scope
from tableflow.sql.binder.target import BoundTarget, TargetScan, find_target, scan_target
from tableflow.sql.binder.writing import Rows, Writing, extended, reference, valued, write
from tableflow.sql.dml_syntax import Constant, Match, Merge, MergeInsert, MergeOther, MergeUpdate, When
from tableflow.sql.statements import Action, Write
from tableflow.storage.description import ChangeKind
from tableflow.types import Field


@dataclass(slots=True)
class Arm:
    """A clause: when it applies, what it does (None: nothing), and the values by position that differ from the old row's."""

    condition: Expression
    action: Action | None
    values: dict[int, Expression] = field(default_factory=dict)


def bind_merge(context: StatementContext, source: Source, node: Merge) -> Write:
    """A MERGE; a target row that two source rows change is refused when it is written."""
    target = find_target(context, source, node.target)
    block = Block.begin(context, source, define(node.with_, Ctes(), None, source), None)
    given = bind_chains(block, node.source, [], Scope())
    old = scan_target(context, target, block.number)
    own = Scope.of(target.relation(old.columns, (old.row_id,)))
    whole = own.beside(given.scope)
    block.scope = whole
    on = [condition_of(block, each, "ON") for each in flattened(node.condition, exp.And)]
    if block.waiting:
        raise BindError("ON of MERGE cannot hold a subquery", hint="put it into USING", span=block.waiting[0].span)
    present = context.field("present", types.BOOLEAN, nullable=False)
    marked = extended(given.plan, [(present, Literal(types.BOOLEAN, value=True))])
    kind = _kind({when.match for when in node.clauses})
    block.plan = Join(kind, marked, old.plan, tuple(dict.fromkeys(on)), block=block.number)
    arms = [_arm(block, target, when, own, given.scope, old, present) for when in node.clauses]
    block.scope = whole
    rows, row_id, action = _chosen(block, target, old, arms)
    writing = Writing(
        target, ChangeKind.MERGE, Action.UPDATE, row_id, action, others=given.scope.relations, ctes=block.ctes
    )  # fmt: skip
    return write(context, source, writing, rows, node.returning)


def _kind(matches: set[Match]) -> JoinKind:
    """Which rows without a partner are needed; the source stands on the left."""
    if Match.BY_TARGET in matches:
        return JoinKind.FULL if Match.BY_SOURCE in matches else JoinKind.LEFT
    return JoinKind.RIGHT if Match.BY_SOURCE in matches else JoinKind.INNER


def _arm(
    block: Block, target: BoundTarget, when: When, own: Scope, given: Scope, old: TargetScan, present: Field
) -> Arm:
    """A clause over the names that exist for its rows."""
    known, unknown = {
        Match.MATCHED: ((old.row, reference(present)), ()),
        Match.BY_TARGET: ((reference(present),), (old.row,)),
        Match.BY_SOURCE: ((old.row,), (reference(present),)),
    }[when.match]
    block.scope = {Match.MATCHED: own.beside(given), Match.BY_TARGET: given, Match.BY_SOURCE: own}[when.match]
    parts = [resolve_call("is_not_null", [each]) for each in known]
    parts += [resolve_call("is_null", [each]) for each in unknown]
    if when.condition is not None:
        parts.append(condition_of(block, when.condition, "WHEN"))
    condition = resolve_call("and", parts) if len(parts) > 1 else parts[0]
    match when.then:
        case MergeOther.NOTHING:
            return Arm(condition, None)
        case MergeOther.DELETE:
            return Arm(condition, Action.DELETE)
        case MergeUpdate(assignments=()):
            return Arm(condition, Action.UPDATE, _by_name(block, target, given, when))
        case MergeUpdate(assignments=assignments):
            return Arm(condition, Action.UPDATE, bind_assignments(block, target, assignments).values)
        case MergeInsert():
            return Arm(condition, Action.INSERT, _inserted(block, target, given, when, when.then))


def _by_name(block: Block, target: BoundTarget, given: Scope, when: When) -> dict[int, Expression]:
    """SET * and INSERT *: the source's columns go to the columns of their names."""
    values: dict[int, Expression] = {}
    for column in given.columns:
        index = target.position(column.name)
        if index is not None and target.columns[index].generated is None:
            stored = target.columns[index]
            values[index] = assigned(reference(column), stored.type, stored.name)
    if not values:
        raise BindError(
            "no column of the source has the name of a column of the target",
            span=block.source.place(when.span.start, when.span.end),
        )
    return values


def _inserted(block: Block, target: BoundTarget, given: Scope, when: When, node: MergeInsert) -> dict[int, Expression]:
    """All values of a new row, defaults included."""
    values: dict[int, Expression] = {}
    if node.by_name:
        values = _by_name(block, target, given, when)
    elif node.row is not None:
        positions = filled(block.source, target, node.columns)
        place = block.source.place(node.row.span.start, node.row.span.end)
        if len(positions) != len(node.row.cells):
            raise wrong_number("the row has", len(node.row.cells), len(positions), target, place)
        from tableflow.sql.binder.expressions import Clause, ExpressionBinder

        binder = ExpressionBinder(block, Clause("VALUES"))
        for index, cell in zip(positions, node.row.cells, strict=True):
            column = target.columns[index]
            if isinstance(cell, Constant):
                found: Expression = constant(cell, block.source)
            else:
                found = target.default(block.context, column) if is_default(cell) else binder.bind(cell)
            values[index] = assigned(found, column.type, column.name, place)
    for index, column in enumerate(target.columns):
        if index not in values and column.generated is None:
            values[index] = target.default(block.context, column)
    return values


def _chosen(block: Block, target: BoundTarget, old: TargetScan, arms: Sequence[Arm]) -> tuple[Rows, Field, Field]:
    """The rows for which some clause does something: their values, row id and action."""
    context = block.context
    block.attach([*(arm.condition for arm in arms), *(value for arm in arms for value in arm.values.values())])
    clause = context.field("clause", types.INT)
    numbers = [Literal(types.INT, index if arm.action is not None else None) for index, arm in enumerate(arms)]
    choice = Case(types.INT, tuple(arm.condition for arm in arms), tuple(numbers), Literal(types.INT, None))
    plan: Node = extended(block.plan, [(clause, choice)])
    plan = Filter(plan, (resolve_call("is_not_null", [reference(clause)]),))
    # Where all is DO NOTHING no row is left, and it is of no concern what would be done to it.
    doing = [(index, arm) for index, arm in enumerate(arms) if arm.action is not None] or [(0, arms[0])]
    action = context.field("action", types.TINYINT, nullable=False)
    codes = [Literal(types.TINYINT, int(Action.DELETE if arm.action is None else arm.action)) for _, arm in doing]
    plan = extended(plan, [(action, _by_clause(clause, [index for index, _ in doing], codes))])
    given: list[Expression | None] = []
    for position, (column, kept) in enumerate(zip(target.columns, old.values(), strict=True)):
        if column.generated is not None:
            given.append(None)
            continue
        values = [arm.values.get(position, kept) for _, arm in doing]
        given.append(_by_clause(clause, [index for index, _ in doing], values))
    rows = valued(context, target, plan, given, target.span)
    row_id = next(column for column in output(plan) if column.id == old.row_id.id)
    return rows, row_id, action


def _by_clause(clause: Field, numbers: Sequence[int], values: Sequence[Expression]) -> Expression:
    """The value that belongs to the row's clause."""
    if all(value == values[0] for value in values):
        return values[0]
    number: ColumnRef = reference(clause)
    conditions = tuple(Call(types.BOOLEAN, "eq", (number, Literal(types.INT, index))) for index in numbers[:-1])
    return Case(values[0].type, conditions, tuple(values[:-1]), values[-1])
