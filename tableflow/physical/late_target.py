"""Where rows that come too late for a window are written."""

from __future__ import annotations

from tableflow.errors import Span
from tableflow.expressions.nodes import Expression
from tableflow.records import dataclass
from tableflow.runtime.graph import SinkSpec
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True)
class LateTarget:
    """A table and what its ``columns`` are given: expressions over the input's columns, behind which ``made`` stand.

    ``made`` are the window's start, its end, and the watermark that had passed it.  ``required`` are positions of columns that
    hold no NULL.  ``sink`` is None in a plan that is only shown.
    """

    table: str
    sink: SinkSpec | None
    columns: tuple[str, ...]
    values: tuple[Expression, ...]
    made: tuple[Field, ...]
    required: tuple[int, ...] = ()
    span: Span | None = None
