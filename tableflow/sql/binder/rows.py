"""Rows compared with rows: column by column from the left, as SQL compares words by their letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow.errors import BindError
from tableflow.expressions.nodes import Expression

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder


def written(node: Any) -> list[exp.Expr] | None:
    """The values of a row that is written out, ``(a, b)`` or ``ROW(a, b)``; None of anything else."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Anonymous) and node.name.lower() == "row" and len(node.expressions) > 1:
        return list(node.expressions)
    return list(node.expressions) if isinstance(node, exp.Tuple) else None


_STRICTLY = {"lt": "lt", "le": "lt", "gt": "gt", "ge": "gt"}


def compared(
    binder: ExpressionBinder, node: Any, name: str, left: Sequence[Expression], right: Sequence[Expression]
) -> Expression:
    """The comparison of two rows of equal length; NULL as soon as an undecided column is NULL."""
    if len(left) != len(right):
        raise BindError(f"a row of {len(left)} is compared with a row of {len(right)}", span=binder.source.span(node))
    pairs = list(zip(left, right, strict=True))
    if name in {"ne", "is_distinct_from"}:
        same = "eq" if name == "ne" else "is_not_distinct_from"
        return binder.call("not", [_all(binder, node, same, pairs)], node)
    if name not in _STRICTLY:
        return _all(binder, node, name, pairs)
    *before, last = pairs
    found = binder.call(name, last, node)
    for pair in reversed(before):
        equal = binder.call("and", [binder.call("eq", pair, node), found], node)
        found = binder.call("or", [binder.call(_STRICTLY[name], pair, node), equal], node)
    return found


def _all(binder: ExpressionBinder, node: Any, name: str, pairs: Sequence[tuple[Expression, Expression]]) -> Expression:
    return binder.conjunction("and", [binder.call(name, pair, node) for pair in pairs], node)
