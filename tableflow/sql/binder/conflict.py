"""ON CONFLICT: new rows are joined with the rows that have their key.

DO NOTHING keeps the new rows that find none (an anti join per key that it speaks of).  DO UPDATE is a left join: a row that finds one updates it,
the others are inserted.  A NULL in a key equals nothing, so such a row conflicts with none.
"""

from __future__ import annotations

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.expressions.nodes import Case, Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Join, JoinKind
from tableflow.sql.binder.assigning import Setting, bind_assignments, condition_of
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.scope import Relation, Scope
from tableflow.sql.binder.target import BoundTarget, TargetScan, scan_target
from tableflow.sql.binder.writing import Rows, Writing, extended, reference, valued
from tableflow.sql.dml_syntax import Conflict
from tableflow.sql.statements import Action
from tableflow.storage.description import KeyConstraint

EXCLUDED = "excluded"


def resolved(
    context: StatementContext, source: Source, writing: Writing, rows: Rows, node: Conflict
) -> tuple[Writing, Rows]:
    """The rows that remain to be written, and what they do."""
    target = writing.target
    span = source.place(node.span.start, node.span.end)
    keys = _keys(source, target, node, span)
    if not node.assignments:
        plan = rows.plan
        for key in keys:
            old = scan_target(context, target, 0)
            plan = Join(JoinKind.ANTI, plan, old.plan, _equal(target, key, rows, old))
        changed = Writing(target, writing.kind, Action.INSERT, keep_first=tuple(keys), ctes=writing.ctes)
        return changed, Rows(plan, rows.columns)
    if len(keys) != 1:
        raise BindError(
            "ON CONFLICT DO UPDATE needs to know which key",
            detail=f"table {target.path[-1]!r} has {_listed(target)}",
            hint="write ON CONFLICT (columns of the key) DO UPDATE",
            span=span,
        )
    return _updating(context, source, writing, rows, node, keys[0])


def _updating(
    context: StatementContext, source: Source, writing: Writing, rows: Rows, node: Conflict, key: KeyConstraint
) -> tuple[Writing, Rows]:
    target = writing.target
    block = Block.begin(context, source, writing.ctes, None)
    old = scan_target(context, target, block.number)
    block.plan = Join(JoinKind.LEFT, rows.plan, old.plan, _equal(target, key, rows, old), block=block.number)
    own = target.relation(old.columns)
    if own.alias.lower() == EXCLUDED:
        raise BindError("'excluded' names the new rows here", hint="give the table another alias", span=target.span)
    block.scope = Scope((own, Relation(EXCLUDED, rows.columns)), old.columns)
    is_new = resolve_call("is_null", [old.row])
    if node.where is not None:
        condition = condition_of(block, node.where, "WHERE")
        block.attach([condition])
        block.plan = Filter(block.plan, (resolve_call("or", [is_new, condition]),))
    setting = bind_assignments(block, target, node.assignments)
    block.attach(setting.expressions())
    action = context.field("action", types.TINYINT, nullable=False)
    codes = [Literal(types.TINYINT, int(code)) for code in (Action.INSERT, Action.UPDATE)]
    plan = extended(block.plan, [(action, Case(types.TINYINT, (is_new,), (codes[0],), codes[1]))])
    given = _either(target, rows, old, setting, is_new)
    changed = Writing(
        target, writing.kind, Action.INSERT, old.row_id, action, conflict=key.name, ctes=writing.ctes
    )  # fmt: skip
    return changed, valued(context, target, plan, given, target.span)


def _either(
    target: BoundTarget, rows: Rows, old: TargetScan, setting: Setting, is_new: Expression
) -> list[Expression | None]:
    """The new row's values where there was none, else the old row's as SET changes them."""
    given: list[Expression | None] = []
    for index, (column, kept) in enumerate(zip(target.columns, old.values(), strict=True)):
        if column.generated is not None:
            given.append(None)
            continue
        changed = setting.values.get(index, kept)
        given.append(Case(column.type, (is_new,), (reference(rows.columns[index]),), changed))
    return given


def _equal(target: BoundTarget, key: KeyConstraint, rows: Rows, old: TargetScan) -> tuple[Expression, ...]:
    positions = [index for index, column in enumerate(target.columns) if column.id in key.columns]
    return tuple(
        resolve_call("eq", [reference(rows.columns[index]), reference(old.columns[index])]) for index in positions
    )


def _keys(source: Source, target: BoundTarget, node: Conflict, span: Span) -> list[KeyConstraint]:
    """The keys that the clause speaks of: the one it names, else all."""
    keys = target.table.description.keys
    if node.constraint is not None:
        found = [key for key in keys if key.name.lower() == node.constraint.text.lower()]
        if found:
            return found
        raise BindError(
            f"table {target.path[-1]!r} has no key {node.constraint.text!r}",
            hint=f"it has {_listed(target)}",
            span=source.place(node.constraint.span.start, node.constraint.span.end),
        )
    if not keys:
        raise BindError(
            f"table {target.path[-1]!r} has no key",
            detail="ON CONFLICT speaks of rows with the same PRIMARY KEY or UNIQUE columns",
            hint="declare one in CREATE TABLE, or use MERGE",
            span=span,
        )
    if not node.columns:
        return list(keys)
    wanted = set()
    for name in node.columns:
        position = target.position(name.text)
        if position is None:
            target.index(name, source)
        else:
            wanted.add(target.columns[position].id)
    found = [key for key in keys if set(key.columns) == wanted]
    if not found:
        raise BindError(
            f"table {target.path[-1]!r} has no key over ({', '.join(name.text for name in node.columns)})",
            hint=f"it has {_listed(target)}",
            span=span,
        )
    return found[:1]


def _listed(target: BoundTarget) -> str:
    description = target.table.description
    return (
        " and ".join(
            f"{'PRIMARY KEY' if key.primary else 'UNIQUE'} ({', '.join(description.column(each).name for each in key.columns)})"
            for key in description.keys
        )
        or "no key"
    )
