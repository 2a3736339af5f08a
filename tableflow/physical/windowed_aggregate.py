"""Aggregation in windows of a stream."""

from __future__ import annotations

from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import AggregateCall
from tableflow.expressions.window_assigner import WindowAssigner
from tableflow.physical.late_target import LateTarget
from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class WindowedAggregate(UnaryNode):
    """Groups by window and ``keys`` (fields of the input); rows of equal ``partition`` and keys come to one task.

    ``time`` is the id of the time column, None for windows that are not of time.  ``partition`` and ``order`` (columns of the
    input) matter to windows that depend on other rows.  ``changing``: the input may have weights.  ``fields`` are the keys,
    those of ``start``, ``end``, ``window_time`` and ``fire`` that are not None, and one result per call.  Output: append
    if nothing is ever replaced, else retract.  ``late``: where rows that come too late are written, once for each window they
    missed; None: they are counted only.
    ``processing_time``: the clock decides, whatever the time column says.  ``untimed``: watermarks do not speak of the time column.  ``in_time``: the first column of ``order`` is the
    one that watermarks speak of.  ``once``: each row is there several times (for grouping sets), and late only once, where the column with this id
    (of integers) has this value.  ``rows``: instead of results the rows themselves, with these columns of the input, when their
    window closes (of windows that depend on other rows; without keys and calls).
    """

    assigner: WindowAssigner
    time: int | None
    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    start: Field | None
    end: Field | None
    window_time: Field | None
    fire: Field | None
    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    emit: Emit
    changing: bool = False
    late: LateTarget | None = None
    processing_time: bool = False
    untimed: bool = False
    in_time: bool = True
    rows: tuple[Field, ...] = ()
    once: tuple[int, int] | None = None
