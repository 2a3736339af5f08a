"""Sizes of windows: constants that are a fixed number of microseconds, or of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tableflow.errors import BindError, Span
from tableflow.expressions.fold import fold
from tableflow.expressions.nodes import Literal
from tableflow.sql.window_table_syntax import RowCount
from tableflow.types import IntegerType, IntervalType

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

_DAY = 86_400_000_000


def duration(binder: ExpressionBinder, node: Any, what: str, span: Span | None, *, signed: bool = False) -> int:
    """Microseconds of a constant interval; positive unless ``signed``."""
    if isinstance(node, RowCount):
        raise BindError(f"the {what} is an INTERVAL here", hint="windows of rows have no time column", span=span)
    found = fold(binder.bind(node)) if not isinstance(node, list) else None
    if not isinstance(found, Literal) or not isinstance(found.type, IntervalType):
        rows = ", or EVERY 1000 ROWS" if what == "interval of EVERY" else ""
        raise BindError(f"the {what} is no constant INTERVAL", hint=f"write INTERVAL '10' SECOND{rows}", span=span)
    if found.value is None:
        raise BindError(f"the {what} is NULL", span=span)
    months, days, micros = found.value
    if months:
        raise BindError(
            f"the {what} is in months, which have no fixed length",
            hint="use days, or GROUP BY date_trunc('month', ts)",
            span=span,
        )
    total: int = days * _DAY + micros
    if total <= 0 and not signed:
        raise BindError(f"the {what} is not positive", span=span)
    return total


def row_count(binder: ExpressionBinder, node: Any, what: str, span: Span | None) -> int:
    """A constant number of rows, at least one."""
    if not isinstance(node, RowCount):
        raise BindError(f"the {what} is in ROWS here, like the other", hint="write 100 ROWS", span=span)
    found = fold(binder.bind(node.count))
    if not isinstance(found, Literal) or not isinstance(found.type, IntegerType) or found.value is None:
        raise BindError(f"the {what} is no constant number of rows", span=span)
    count: int = found.value
    if count < 1:
        raise BindError(f"the {what} is not positive", span=span)
    return count
