"""CREATE TABLE and column definitions as they were written; what it means the binder decides.

What only managed tables have (defaults, checks, ...) is noted with its place in ``refused``: a connector's table refuses it.
"""

from __future__ import annotations

from dataclasses import field

from sqlglot import exp

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statement_base import OptionPlaces
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression as it was written."""

    tree: exp.Expr
    text: str
    span: Span


@dataclass(slots=True)
class ColumnSyntax:
    """A column definition; ``type`` is None if it is the generated expression's (or the query's)."""

    name: Name
    type: SqlType | None
    nullable: bool = True
    default: Formula | None = None
    generated: Formula | None = None
    metadata: str = ""
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class KeySyntax:
    """PRIMARY KEY or UNIQUE."""

    name: Name | None
    columns: tuple[Name, ...]
    primary: bool
    enforced: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CheckSyntax:
    """CHECK; ``column`` is the one that it stands behind."""

    name: Name | None
    condition: Formula
    column: str | None


@dataclass(frozen=True, slots=True)
class WatermarkSyntax:
    """WATERMARK FOR column AS expression."""

    column: Name
    expression: Formula
    span: Span


@dataclass(frozen=True, slots=True)
class LikeSyntax:
    """LIKE, with what is left out of EVERY part that a table may have."""

    path: tuple[str, ...]
    span: Span
    excluded: frozenset[str]


LIKE_PARTS = ("DEFAULTS", "CONSTRAINTS", "GENERATED", "COMMENTS", "OPTIONS")


@dataclass(slots=True)
class TableSyntax:
    """CREATE TABLE."""

    name: tuple[str, ...] = ()
    name_span: Span = field(default_factory=lambda: Span(0, 0))
    items: list[ColumnSyntax | LikeSyntax] = field(default_factory=list)
    keys: list[KeySyntax] = field(default_factory=list)
    checks: list[CheckSyntax] = field(default_factory=list)
    watermarks: list[WatermarkSyntax] = field(default_factory=list)
    comment: str | None = None
    partitioned: tuple[Name, ...] = ()
    options: tuple[tuple[str, str], ...] | None = None
    options_at: OptionPlaces = field(default_factory=lambda: OptionPlaces(Span(0, 0)))
    query: exp.Expr | None = None
    with_data: bool = True
    temporary: bool = False
    or_replace: bool = False
    if_not_exists: bool = False
    streaming: bool = False
    query_text: str = ""
    refused: list[tuple[str, Span]] = field(default_factory=list)
    untyped: list[Span] = field(default_factory=list)

    @property
    def columns(self) -> list[ColumnSyntax]:
        """The columns that are written out."""
        return [item for item in self.items if isinstance(item, ColumnSyntax)]
