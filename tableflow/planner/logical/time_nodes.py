"""Logical nodes that know of time: watermarks, window table functions, aggregation in windows, joins as of a time.

Over finished data rules make ordinary nodes of all of them; streaming plans have operators for them.
"""

from __future__ import annotations

import enum
from dataclasses import field

from tableflow.errors import Span
from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import AggregateCall, Expression, SortKey
from tableflow.expressions.window_assigner import WindowAssigner
from tableflow.planner.logical.late_into import LateInto
from tableflow.planner.logical.nodes import JoinKind, Node
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
class NullTime(enum.Enum):
    """What becomes of a row whose event time is NULL; PASS hands it on without moving time."""

    FAIL = "fail"
    DROP = "drop"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class AssignWatermarks(Node):
    """The input's rows; time has come as far as the greatest value of ``expression`` (over the input) so far.

    ``column`` is the event time.  Over finished data only ``nulls`` matters.
    """

    input: Node
    column: Field
    expression: Expression
    nulls: NullTime = NullTime.FAIL
    table: str = ""


@dataclass(frozen=True, slots=True)
class WindowTable(Node):
    """A window table function: each row once for every window it is in, with that window's start, end and time.

    ``time`` is a column of the input, None for windows that are not of time; a row where it is NULL is in no window.
    ``partition`` and ``order`` are columns of the input; without an order rows count as they arrive.  ``start``, ``end`` and
    ``window_time`` are new columns, None when nobody reads them.
    """

    input: Node
    assigner: WindowAssigner
    time: Field | None
    partition: tuple[Field, ...]
    order: tuple[SortKey, ...]
    start: Field | None
    end: Field | None
    window_time: Field | None
    span: Span | None = field(default=None, compare=False)

    @property
    def made(self) -> tuple[Field, ...]:
        """The columns it adds."""
        return tuple([f for f in (self.start, self.end, self.window_time) if f is not None])


@dataclass(frozen=True, slots=True)
class WindowedAggregate(Node):
    """An Aggregate over a :class:`WindowTable`, in one node: groups by ``keys`` (columns of the input) and window.

    Output: keys, those of start, end and window_time that are not None, ``fire`` (the number of the firing, from 1,
    BIGINT; for KEEP LAST and windows without an end), results.
    """

    input: Node
    assigner: WindowAssigner
    time: Field | None
    partition: tuple[Field, ...]
    order: tuple[SortKey, ...]
    start: Field | None
    end: Field | None
    window_time: Field | None
    fire: Field | None
    keys: tuple[Field, ...]
    results: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    emit: Emit | None = None
    late: LateInto | None = None
    span: Span | None = field(default=None, compare=False)

    @property
    def made(self) -> tuple[Field, ...]:
        """The columns of the window."""
        return tuple([f for f in (self.start, self.end, self.window_time, self.fire) if f is not None])


@dataclass(frozen=True, slots=True)
class TemporalJoin(Node):
    """Each left row with the right row that was valid at the left row's ``time``; ``kind`` is INNER or LEFT.

    Conjuncts say which right rows are versions of the same thing.  The version is the one with the greatest
    ``versions`` (a column of the right side) not after ``time`` (an expression over the left side).  Without ``versions``,
    the right side is taken as it is when the left row is processed.
    """

    kind: JoinKind
    left: Node
    right: Node
    conjuncts: tuple[Expression, ...]
    time: Expression
    versions: Field | None
    block: int = 0
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AsofJoin(Node):
    """Each left row with at most one right row: among those that satisfy all conjuncts the one next to it.

    ``kind`` is INNER or LEFT.  ``match`` compares (ge, gt, le, lt) an expression over the left side with the column
    ``versions`` of the right side: with ge and gt the greatest such right value is the next, with le and lt the least.
    Rows that tie are told apart by their other columns.
    """

    kind: JoinKind
    left: Node
    right: Node
    conjuncts: tuple[Expression, ...]
    match: str
    time: Expression
    versions: Field
    block: int = 0
    span: Span | None = field(default=None, compare=False)
