"""Frames of windows: ROWS, RANGE and GROUPS with their ends.

The ends of a RANGE with offsets become values of the order key, ``key - offset`` and ``key + offset``, in a type that key and
ends have in common; the window is then ordered by the key in that type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.coercion import cast, common_type
from tableflow.expressions.fold import fold
from tableflow.expressions.nodes import (
    RUNNING,
    WHOLE_PARTITION,
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    column_ids,
)
from tableflow.expressions.registry import resolve_call
from tableflow.records import replace
from tableflow.sql.binder.block import OrderItem, refused

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

_ORDER = tuple(FrameSide)


def bind_frame(
    binder: ExpressionBinder, node: exp.WindowSpec | None, order: list[OrderItem], span: Span | None
) -> tuple[list[OrderItem], Frame]:
    """The frame, and the order it needs; without ROWS, RANGE or GROUPS SQL's own."""
    if node is None:
        return order, RUNNING if order else WHOLE_PARTITION
    if node.args.get("exclude") is not None and str(node.args["exclude"]).upper() != "NO OTHERS":
        raise refused(f"EXCLUDE {node.args['exclude']} in a frame", span)
    unit = FrameUnit[str(node.args["kind"]).upper()]
    start = _side(node.args.get("start"), node.args.get("start_side"), span)
    end = (
        FrameSide.CURRENT_ROW
        if node.args.get("end") is None
        else _side(node.args.get("end"), node.args.get("end_side"), span)
    )
    if start is FrameSide.UNBOUNDED_FOLLOWING or end is FrameSide.UNBOUNDED_PRECEDING:
        raise SqlSyntaxError("a frame cannot start behind its end", span=span)
    if _ORDER.index(start) > _ORDER.index(end):
        raise SqlSyntaxError(f"a frame cannot go from {start.value.upper()} to {end.value.upper()}", span=span)
    bounds = [
        _bound(binder, unit, side, value, span)
        for side, value in ((start, node.args.get("start")), (end, node.args.get("end")))
    ]
    frame = Frame(unit, FrameBound(start, bounds[0][0]), FrameBound(end, bounds[1][0]))
    offsets = [offset for _, offset in bounds]
    if unit is FrameUnit.RANGE and any(offset is not None for offset in offsets):
        return _range(order, frame, offsets, span)
    return order, frame


def _side(value: Any, word: Any, span: Span | None) -> FrameSide:
    direction = str(word).upper() if word else ""
    if value == "CURRENT ROW" and not direction:
        return FrameSide.CURRENT_ROW
    if value is None or value == "CURRENT ROW" or direction not in {"PRECEDING", "FOLLOWING"}:
        raise SqlSyntaxError("PRECEDING, FOLLOWING or CURRENT ROW is expected in a frame", span=span)
    return FrameSide[f"UNBOUNDED_{direction}" if value == "UNBOUNDED" else direction]


def _bound(
    binder: ExpressionBinder, unit: FrameUnit, side: FrameSide, value: Any, span: Span | None
) -> tuple[int, Expression | None]:
    """Rows or groups away, or the offset of a RANGE."""
    if side not in {FrameSide.PRECEDING, FrameSide.FOLLOWING}:
        return 0, None
    offset = fold(binder.bind(value))
    if column_ids(offset) or not isinstance(offset, Literal) or offset.value is None:
        raise BindError("the offset of a frame is a constant that is not NULL", span=binder.source.span(value) or span)
    negative = any(part < 0 for part in offset.value) if isinstance(offset.type, types.IntervalType) else None
    if negative is None:
        negative = not types.is_numeric(offset.type) or offset.value < 0
    if negative:
        raise BindError("the offset of a frame is a number or interval of at least 0", span=span)
    if unit is FrameUnit.RANGE:
        return 0, offset
    if not isinstance(offset.type, types.IntegerType):
        raise BindError(f"{unit.value.upper()} counts in whole numbers, this is {offset.type}", span=span)
    return int(offset.value), None


def _range(
    order: list[OrderItem], frame: Frame, offsets: Sequence[Expression | None], span: Span | None
) -> tuple[list[OrderItem], Frame]:
    if len(order) != 1:
        raise BindError("RANGE with an offset needs one ORDER BY key", span=span)
    item = order[0]
    key = _roomy(item.key)
    if not types.is_numeric(key.type) and not isinstance(key.type, (types.DateType, types.TimestampType)):
        raise BindError(f"RANGE with an offset cannot be ordered by {item.key.type}", span=span)
    ends = [
        None
        if offset is None
        else _end(key, offset, before=(bound.side is FrameSide.PRECEDING) != item.descending, span=span)
        for bound, offset in zip((frame.start, frame.end), offsets, strict=True)
    ]
    shared: types.SqlType | None = key.type
    for end in ends:
        shared = shared if end is None or shared is None else common_type([shared, end.type])
    if shared is None:
        raise BindError(f"the offset does not fit an order by {item.key.type}", span=span)
    start, stop = (
        bound if end is None else replace(bound, key=cast(end, shared))
        for bound, end in zip((frame.start, frame.end), ends, strict=True)
    )
    return [replace(item, key=cast(key, shared))], Frame(frame.unit, start, stop)


def _roomy(key: Expression) -> Expression:
    """The key in a type in which no sum with an offset overflows."""
    if isinstance(key.type, types.IntegerType):
        return cast(key, types.DecimalType(19, 0) if key.type.bits == 64 else types.BIGINT)
    return key


def _end(key: Expression, offset: Expression, *, before: bool, span: Span | None) -> Expression:
    return resolve_call("subtract" if before else "add", [key, offset], span)
