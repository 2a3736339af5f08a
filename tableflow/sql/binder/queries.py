"""A query of any form: SELECT, set operation, VALUES or one in parentheses, with its WITH."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from tableflow.errors import SqlSyntaxError, UnsupportedError
from tableflow.planner.logical.nodes import Node
from tableflow.records import dataclass
from tableflow.sql.binder import ctes as with_clause
from tableflow.sql.binder.block import Block, Outer
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.types import Field

_NAMES = {
    "qualify": "QUALIFY", "windows": "WINDOW", "into": "SELECT INTO", "pivots": "PIVOT", "sample": "TABLESAMPLE",
    "laterals": "LATERAL VIEW", "kind": "SELECT AS", "limit_options": "LIMIT with PERCENT or TIES",
    "by_name": "UNION BY NAME", "version": "FOR VERSION AS OF", "match": "MATCH_RECOGNIZE", "ordinality": "WITH ORDINALITY",
    "order": "ORDER BY", "group": "GROUP BY", "with_fill": "WITH FILL", "search": "SEARCH", "cycle": "CYCLE", "only": "ONLY",
}  # fmt: skip


_ORDER_OF_CLAUSES = ("where", "group", "having", "windows", "qualify", "emit", "order", "limit", "offset")


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound query: its plan, its columns (ids into the plan's output), and references to enclosing blocks."""

    plan: Node
    columns: tuple[Field, ...]
    outer: tuple[Outer, ...] = ()


def bind_query(context: StatementContext, source: Source, node: exp.Expr, ctes: Ctes, parent: Block | None) -> Bound:
    """The plan of a query; ``parent`` is the block whose columns it may refer to."""
    from tableflow.sql.binder.select import bind_select
    from tableflow.sql.binder.set_operations import bind_set_operation
    from tableflow.sql.binder.values import bind_values

    visible = with_clause.define(node.args.get("with_"), ctes, parent, source)
    block = Block.begin(context, source, visible, parent)
    match node:
        case exp.Select():
            return bind_select(block, node)
        case exp.SetOperation():
            return bind_set_operation(block, node)
        case exp.Values():
            only(block, node, {"expressions", "order", "limit", "offset", "with_"})
            return modified(block, node, bind_values(block, node))
        case exp.Subquery():
            only(block, node, {"this", "order", "limit", "offset", "with_"})
            return modified(block, node, bind_query(context, source, node.this, visible, parent))
    raise SqlSyntaxError("a query is expected", span=source.span(node))


def modified(block: Block, node: exp.Expr, bound: Bound) -> Bound:
    """The query with the ORDER BY, LIMIT and OFFSET that stand behind it as a whole."""
    from tableflow.sql.binder.order import order_and_limit

    plan = order_and_limit(block, node, bound.plan, bound.columns)
    return Bound(plan, bound.columns, (*bound.outer, *block.outer.values()))


def in_order(block: Block, node: exp.Expr) -> None:
    """Refuse clauses in the wrong order, which sqlglot forgives."""
    if node.args.keys().isdisjoint(_ORDER_OF_CLAUSES):
        return
    last, before = -1, ""
    for key in _ORDER_OF_CLAUSES:
        clause = node.args.get(key)
        first: Any = clause[0] if isinstance(clause, list) and clause else clause
        at = first.meta_get("keyword") if isinstance(first, exp.Expr) else None
        if at is None:
            continue
        name = _NAMES.get(key, key.upper())
        if at < last:
            raise SqlSyntaxError(
                f"{name} cannot stand before {before}",
                hint=f"write {before} ... {name} ...",
                span=block.source.place(at, at + len(name)),
            )
        if key not in {"limit", "windows", "emit"}:
            # OFFSET may stand before LIMIT or behind it, WINDOW before QUALIFY or behind it, EMIT before ORDER BY or at the end
            last, before = at, name


def only(block: Block, node: exp.Expr, known: Iterable[str]) -> None:
    """Refuse, by name, whatever else sqlglot has read into the node."""
    in_order(block, node)
    for key, value in node.args.items():
        if value and key not in known:
            first: Any = value[0] if isinstance(value, list) else value
            span = block.source.span(first) or block.source.span(node)
            raise UnsupportedError(f"{_NAMES.get(key, key.upper())} is not supported yet", span=span)
