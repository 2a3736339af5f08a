"""Rows to be written: from a plan and an expression per column to a :class:`~tableflow.sql.statements.Write`.

Three projections one on the other: the values that the statement gives, cast to the columns' types; the generated columns over
them; checks and RETURNING over both.  Each value is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.expressions.registry import bind_case, resolve_call
from tableflow.planner.logical.nodes import Node, Project, Query
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.calls import has_aggregate
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.items import SelectList
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.projection import Projection
from tableflow.sql.binder.scope import Relation, Scope
from tableflow.sql.binder.stored import CHECK, GENERATED, bind_text
from tableflow.sql.binder.target import BoundTarget
from tableflow.sql.statements import Action, RowCheck, Write
from tableflow.storage.description import ROW_ID, ChangeKind, KeyConstraint
from tableflow.types import Field

MERGE_ACTION = "merge_action"


@dataclass(frozen=True, slots=True)
class Rows:
    """A plan whose rows are to be written: ``columns`` are the stored columns' values, in order."""

    plan: Node
    columns: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """What a statement does with its rows; ``row_id`` and ``action`` are columns of the plan."""

    target: BoundTarget
    kind: ChangeKind
    default_action: Action
    row_id: Field | None = None
    action: Field | None = None
    others: tuple[Relation, ...] = ()
    keep_first: tuple[KeyConstraint, ...] = ()
    conflict: str | None = None
    ctes: Ctes = field(default_factory=Ctes)


def reference(column: Field) -> ColumnRef:
    """The column as an expression."""
    return ColumnRef(column.type, column.id, column.name)


def valued(
    context: StatementContext, target: BoundTarget, plan: Node, given: Sequence[Expression | None], span: Span | None
) -> Rows:
    """The plan with a column per stored column: what is given (already cast), and generated columns over it.

    ``given`` has None for generated columns, and only for them.
    """
    available = {column.id: column for column in output(plan)}
    fields: list[Field] = []
    added: list[tuple[Field, Expression]] = []
    for column, value in zip(target.columns, given, strict=True):
        if value is None:
            fields.append(context.field(column.name, column.type))
            continue
        passed = available.get(value.id) if isinstance(value, ColumnRef) else None
        if passed is None:
            nullable = not isinstance(value, Literal) or value.value is None
            passed = context.field(column.name, column.type, nullable=nullable)
            added.append((passed, value))
        fields.append(Field(passed.id, column.name, column.type, passed.nullable))
    plan = extended(plan, added)
    return _with_generated(context, target, plan, fields, span)


def _with_generated(
    context: StatementContext, target: BoundTarget, plan: Node, fields: list[Field], span: Span | None
) -> Rows:
    pairs = list(zip(target.columns, fields, strict=True))
    base = [made for column, made in pairs if column.generated is None]
    added = []
    for column, made in pairs:
        if column.generated is not None:
            value = bind_text(context, column.generated, span or target.span, GENERATED, base)
            added.append((made, assigned(value, column.type, column.name, span)))
    return Rows(extended(plan, added), tuple(fields))


def extended(plan: Node, added: Sequence[tuple[Field, Expression]]) -> Node:
    """The plan with more columns."""
    if not added:
        return plan
    kept = output(plan)
    fields = (*kept, *(column for column, _ in added))
    return Project(plan, fields, (*map(reference, kept), *(value for _, value in added)))


def write(
    context: StatementContext, source: Source, writing: Writing, rows: Rows, returning: Sequence[exp.Expr] | None
) -> Write:
    """The statement: checks and RETURNING over the rows."""
    block = Block.begin(context, source, writing.ctes, None)
    block.plan = rows.plan
    target = writing.target
    deletes_only = writing.action is None and writing.default_action is Action.DELETE
    checks = [] if deletes_only else _checks(context, target, rows)
    items = _returning(block, writing, rows, returning) if returning is not None else None
    projection = Projection(context, block.plan)
    columns: list[Field] = []

    def add(value: Expression, name: str) -> int:
        found = projection.add(value, name)
        columns.append(Field(found.id, name, found.type, found.nullable))
        return len(columns) - 1

    action = None if writing.action is None else add(reference(writing.action), "action")
    row_id = None if writing.row_id is None else add(reference(writing.row_id), ROW_ID)
    values = () if deletes_only else tuple(add(reference(column), column.name) for column in rows.columns)
    conditions = tuple(RowCheck(name, add(value, name), text) for name, text, value in checks)
    listed = None if items is None else tuple(add(value, name) for name, value in items)
    return Write(
        target.path,
        target.managed,
        Query(localized(projection.node(), context.zone), tuple(columns)),
        writing.default_action,
        writing.kind,
        values,
        row_id,
        action,
        conditions,
        listed,
        writing.keep_first,
        writing.conflict,
        names_at=(target.span,),
    )


def _checks(context: StatementContext, target: BoundTarget, rows: Rows) -> list[tuple[str, str, Expression]]:
    return [
        (check.name, check.text, bind_text(context, check.text, target.span, CHECK, rows.columns))
        for check in target.table.description.checks
    ]


def _returning(block: Block, writing: Writing, rows: Rows, nodes: Sequence[exp.Expr]) -> list[tuple[str, Expression]]:
    """RETURNING: the rows as they are written (or were, if they are deleted).

    The statement's other relations can be named; ``*`` and names that the table has too mean the table's columns.
    """
    hidden = (writing.row_id,) if writing.row_id is not None and writing.default_action is Action.DELETE else ()
    own = writing.target.relation(rows.columns, hidden)
    known = {column.name.lower() for column in rows.columns}
    beside = [column for relation in writing.others for column in relation.columns if column.name.lower() not in known]
    relations = (own, *writing.others, Relation("", (), hidden=tuple(beside)))
    if writing.kind is ChangeKind.MERGE and writing.action is not None:
        action = _named_action(block, writing.action)
        relations = (*relations, Relation(MERGE_ACTION, (), hidden=(action,)))
        nodes = [node.transform(_action_column) for node in nodes]
    block.scope = Scope(relations, rows.columns)
    items = SelectList(block, nodes)
    expressions = items.bind()
    for expression in expressions:
        if has_aggregate(expression):
            raise BindError("an aggregate cannot stand in RETURNING", span=getattr(expression, "span", None))
    if block.windows:
        place = next((block.source.span(node) for node in nodes if node.find(exp.Window) is not None), None)
        raise BindError("a window function cannot stand in RETURNING", span=place)
    block.attach(expressions)
    return list(zip(items.names_of_output(), expressions, strict=True))


def _named_action(block: Block, action: Field) -> Field:
    """The word for what MERGE does with a row, as a column of the plan."""
    found = bind_case(
        [resolve_call("eq", [reference(action), Literal(types.TINYINT, int(code))]) for code in Action],
        [Literal(types.STRING, code.name) for code in Action],
        Literal(types.STRING, ""),
    )
    column = block.context.field(MERGE_ACTION, types.STRING, nullable=False)
    block.plan = extended(block.plan, [(column, found)])
    return column


def _action_column(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() == MERGE_ACTION and not node.expressions:
        column = exp.column(MERGE_ACTION, table=MERGE_ACTION)
        column.meta.update(node.meta)
        return column
    return node
