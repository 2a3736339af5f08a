"""Aggregates as calls over windows, which know FILTER only where all rows of a frame are put together."""

from __future__ import annotations

from tableflow.expressions.nodes import WHOLE_PARTITION, AggregateCall, Case, Frame, Literal, WindowCall
from tableflow.expressions.registry import aggregate


def aggregate_over(of: AggregateCall, frame: Frame = WHOLE_PARTITION) -> WindowCall:
    """The aggregate over frames: rows that its FILTER leaves out count as NULL, which aggregates pass over."""
    if of.filter is None or aggregate(of.function).collected:
        return WindowCall(of.type, of.function, of.args, frame, of.distinct, span=of.span, filter=of.filter)
    if not of.args:
        return WindowCall(of.type, "count_if", (of.filter,), frame, span=of.span)
    args = tuple([Case(arg.type, (of.filter,), (arg,), Literal(arg.type, None)) for arg in of.args])
    return WindowCall(of.type, of.function, args, frame, of.distinct, span=of.span)
