"""LATE INTO: the table that takes the rows which come too late for a window, and what each of its columns is given."""

from __future__ import annotations

from dataclasses import field

from tableflow.catalog.provider import TableProvider
from tableflow.errors import Span
from tableflow.expressions.nodes import Expression
from tableflow.records import dataclass
from tableflow.runtime.graph import SinkSpec
from tableflow.storage.description import TableDescription
from tableflow.types import Field


@dataclass(frozen=True, slots=True)
class LateInto:
    """A late row as the table's ``columns``: ``values`` over the input of the window, then ``window`` over ``made``.

    ``made`` are columns for the window's start, its end, and the watermark that had passed it.  ``required`` are positions of
    columns that hold no NULL.  Without a ``provider`` there is no such table yet, and ``description`` is what it is to be.
    ``sink`` is how it is written to, once somebody has said so; over finished data no row is late.
    """

    path: tuple[str, ...]
    values: tuple[Expression, ...]
    made: tuple[Field, Field, Field]
    window: tuple[Expression, ...]
    columns: tuple[str, ...]
    required: tuple[int, ...] = ()
    provider: TableProvider | None = field(default=None, compare=False)
    description: TableDescription | None = None
    sink: SinkSpec | None = None
    span: Span | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The table's name as it was written."""
        return ".".join(self.path)
