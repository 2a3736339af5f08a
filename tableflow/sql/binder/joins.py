"""Joins of FROM: explicit ones bind more tightly than the comma; USING and NATURAL merge columns."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Project
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.joins_per_row import joined_per_row
from tableflow.sql.binder.operators import flattened
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.scope import Scope, did_you_mean, unique_relations
from tableflow.sql.binder.tables import bind_relation
from tableflow.sql.binder.time_joins import asof_join, is_temporal, match_condition, temporal_join, without_version
from tableflow.types import Field

_KINDS = {
    ("", ""): JoinKind.INNER, ("", "INNER"): JoinKind.INNER, ("", "CROSS"): JoinKind.INNER,
    ("LEFT", ""): JoinKind.LEFT, ("LEFT", "OUTER"): JoinKind.LEFT,
    ("RIGHT", ""): JoinKind.RIGHT, ("RIGHT", "OUTER"): JoinKind.RIGHT,
    ("FULL", ""): JoinKind.FULL, ("FULL", "OUTER"): JoinKind.FULL,
    ("", "SEMI"): JoinKind.SEMI, ("LEFT", "SEMI"): JoinKind.SEMI,
    ("", "ANTI"): JoinKind.ANTI, ("LEFT", "ANTI"): JoinKind.ANTI,
}  # fmt: skip


def bind_chains(block: Block, first: exp.Expr, joins: Sequence[exp.Join], visible: Scope) -> Part:
    """All of FROM: chains of joins, crossed where commas stand.  Joins that hang on the first relation come first."""
    whole: Part | None = None
    for table, rest, span in _chains(block, first, [*(first.args.get("joins") or []), *joins]):
        seen = visible if whole is None else visible.beside(whole.scope)
        part = bind_relation(block, table, seen) if table is first else _operand(block, table, seen)
        for join in rest:
            part = _joined(block, part, join, seen)
        whole = part if whole is None else _crossed(block, whole, part, span)
    if whole is None:
        raise AssertionError("FROM has a first relation")
    return whole


def _chains(
    block: Block, first: exp.Expr, joins: Sequence[exp.Join]
) -> list[tuple[exp.Expr, list[exp.Join], Span | None]]:
    chains: list[tuple[exp.Expr, list[exp.Join], Span | None]] = [(first, [], None)]
    for join in joins:
        if join.args.get("kind") == "COMMA":
            chains.append((join.this, [], block.source.span(join)))
        else:
            chains[-1][1].append(join)
    return chains


def _operand(block: Block, table: exp.Expr, visible: Scope) -> Part:
    return bind_chains(block, table, [], visible) if table.args.get("joins") else bind_relation(block, table, visible)


def _crossed(block: Block, left: Part, right: Part, span: Span | None) -> Part:
    scope = left.scope.beside(right.scope)
    return _combined(block, JoinKind.INNER, left, right, (), scope, span)


def _combined(
    block: Block,
    kind: JoinKind,
    left: Part,
    right: Part,
    conjuncts: Sequence[Expression],
    scope: Scope,
    span: Span | None,
) -> Part:
    dependent = not right.needs.isdisjoint(left.scope.ids)
    if dependent and kind in {JoinKind.RIGHT, JoinKind.FULL}:
        raise BindError(
            f"a LATERAL subquery cannot stand on the right of a {kind.value.upper()} JOIN", hint="use LEFT", span=span
        )
    plan = Join(kind, left.plan, right.plan, tuple(conjuncts), dependent=dependent, span=span, block=block.number)
    return Part(plan, scope, left.needs | (right.needs - left.scope.ids))


def _joined(block: Block, left: Part, node: exp.Join, visible: Scope) -> Part:
    span = block.source.span(node)
    method, kind = node.args.get("method") or "", _kind(block, node)
    temporal = is_temporal(node.this)
    relation = without_version(node.this) if temporal else node.this
    right = _operand(block, relation, visible.beside(left.scope))
    both = left.scope.beside(right.scope)
    if (temporal or method == "ASOF") and node.args.get("using") is not None:
        raise refused("USING in a join as of a time", span)
    if node.args.get("using") is not None or method == "NATURAL":
        names = _shared(left, right) if method == "NATURAL" else [each.name for each in node.args["using"]]
        return _using(block, kind, left, right, names, span)
    if node.args.get("kind") == "CROSS":
        if node.args.get("on") is not None:
            raise SqlSyntaxError("CROSS JOIN has no ON", hint="write JOIN ... ON", span=span)
        return _combined(block, kind, left, right, (), both, span)
    if method == "ASOF" and node.args.get("on") is None and node.args.get("match_condition") is not None:
        return asof_join(block, kind, left, right, node, match_condition(block, node, both))
    if node.args.get("on") is None:
        raise SqlSyntaxError("JOIN needs ON or USING", hint="write CROSS JOIN for all combinations", span=span)
    conjuncts = _condition(block, node.args["on"], both, visible)
    if temporal:
        return temporal_join(block, kind, left, right, node, conjuncts)
    if method == "ASOF":
        return asof_join(block, kind, left, right, node, [*match_condition(block, node, both), *conjuncts])
    scope = left.scope if kind in {JoinKind.SEMI, JoinKind.ANTI} else both
    waiting = block.needed(conjuncts)
    if not waiting:
        return _combined(block, kind, left, right, conjuncts, scope, span)
    if kind is JoinKind.INNER:
        part = _combined(block, kind, left, right, (), scope, span)
        return Part(Filter(block.attached_to(part.plan, conjuncts), tuple(conjuncts)), scope, part.needs)
    if any(each.reads() & left.scope.ids and each.reads() & right.scope.ids for each in waiting):
        return joined_per_row(block, kind, left, right, conjuncts, scope, span)
    left, right = _with_subqueries(block, left, right, conjuncts)
    return _combined(block, kind, left, right, conjuncts, scope, span)


def _kind(block: Block, node: exp.Join) -> JoinKind:
    span = block.source.span(node)
    method, side, word = (node.args.get(key) or "" for key in ("method", "side", "kind"))
    kind = _KINDS.get((side, word))
    if kind is None or (method == "NATURAL" and word == "CROSS"):
        words = " ".join(each for each in (method, side, word, "JOIN") if each)
        raise SqlSyntaxError(f"{words} is no kind of join", span=span)
    return kind


def _condition(block: Block, node: exp.Expr, scope: Scope, hidden: Scope) -> list[Expression]:
    before, block.scope, block.hidden = block.scope, scope, hidden
    binder = ExpressionBinder(block, Clause("ON"))
    found = [binder.condition(each) for each in flattened(node, exp.And)]
    block.scope, block.hidden = before, None
    return list(dict.fromkeys(found))


def _with_subqueries(block: Block, left: Part, right: Part, conjuncts: Sequence[Expression]) -> tuple[Part, Part]:
    """Join each subquery of an outer join's ON to the side that it refers to."""
    left_ids, right_ids = left.scope.ids, right.scope.ids
    left_plan, right_plan = left.plan, right.plan
    for each in block.needed(conjuncts):
        result = [ColumnRef(field.type, field.id) for field in output(each.plan) if field.id in each.provides]
        result += [ColumnRef(each.mark.type, each.mark.id)] if each.mark is not None else []
        if each.reads() & left_ids:
            left_plan = block.attached_to(left_plan, result)
            left_ids |= each.provides
        else:
            right_plan = block.attached_to(right_plan, result)
            right_ids |= each.provides
    return Part(left_plan, left.scope, left.needs), Part(right_plan, right.scope, right.needs)


def _shared(left: Part, right: Part) -> list[str]:
    known = {column.name.lower() for column in right.scope.columns}
    return list(dict.fromkeys(column.name for column in left.scope.columns if column.name.lower() in known))


def _using(block: Block, kind: JoinKind, left: Part, right: Part, names: Sequence[str], span: Span | None) -> Part:
    pairs = [(_one(left, name, "left", span), _one(right, name, "right", span)) for name in names]
    conjuncts = [resolve_call("eq", [_reference(a, span), _reference(b, span)], span) for a, b in pairs]
    if kind in {JoinKind.SEMI, JoinKind.ANTI}:
        return _combined(block, kind, left, right, conjuncts, left.scope, span)
    part = _combined(block, kind, left, right, conjuncts, left.scope.beside(right.scope), span)
    plan: Node = part.plan
    if kind is JoinKind.FULL:
        plan, merged = _coalesced(block, plan, pairs, span)
    else:
        merged = [b if kind is JoinKind.RIGHT else a for a, b in pairs]
    hidden = {column.id for pair in pairs for column in pair}
    columns = [
        *merged,
        *(column for column in left.scope.columns if column.id not in hidden),
        *(column for column in right.scope.columns if column.id not in hidden),
    ]
    return Part(plan, Scope(unique_relations(left.scope.relations, right.scope.relations), columns), part.needs)


def _coalesced(
    block: Block, plan: Node, pairs: Sequence[tuple[Field, Field]], span: Span | None
) -> tuple[Node, list[Field]]:
    """The merged columns of a full join: whichever side has a row."""
    fields = list(output(plan))
    expressions: list[Expression] = [_reference(field, None) for field in fields]
    merged: list[Field] = []
    for a, b in pairs:
        value = resolve_call("coalesce", [_reference(a, span), _reference(b, span)], span)
        merged.append(block.context.field(a.name, value.type))
        expressions.append(value)
    return Project(plan, (*fields, *merged), tuple(expressions)), merged


def _one(part: Part, name: str, side: str, span: Span | None) -> Field:
    found = part.scope.find(name)
    if not found:
        known = [column.name for column in part.scope.columns]
        raise BindError(
            f"column {name!r} of USING does not exist on the {side} side", hint=did_you_mean(name, known), span=span
        )
    if len(found) > 1:
        raise BindError(f"column {name!r} of USING is ambiguous on the {side} side", span=span)
    return found[0]


def _reference(field: Field, span: Span | None) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name, span)
