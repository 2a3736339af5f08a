"""INSERT, UPDATE, DELETE and MERGE as they are written; queries and expressions inside are sqlglot's trees.

Rows of VALUES that are plain constants are no trees: a statement of a thousand rows is read without a tree per value.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import Span
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier and its place in the text."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Target:
    """The table that a statement changes, and what the statement calls it."""

    path: tuple[str, ...]
    alias: str | None
    span: Span


class Constant(NamedTuple):
    """A plain constant of VALUES: what it is, its text without sign and quotes, its place, the sign in front of it."""

    kind: TokenType
    text: str
    start: int
    end: int
    negative: bool = False


Cell: TypeAlias = "Constant | exp.Expr"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of VALUES, or of MERGE's INSERT."""

    cells: Sequence[Cell]
    span: Span


@dataclass(frozen=True, slots=True)
class Rows:
    """VALUES; ``DEFAULT`` in it is a column of that name."""

    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Assignment:
    """``column = value`` or ``(columns) = (values)``; several columns with one value take a subquery's."""

    columns: tuple[Name, ...]
    values: tuple[exp.Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Conflict:
    """ON CONFLICT: which key, and what to do; without assignments nothing is done."""

    columns: tuple[Name, ...]
    constraint: Name | None
    assignments: tuple[Assignment, ...]
    where: exp.Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT; ``source`` is None for DEFAULT VALUES."""

    with_: exp.Expr | None
    target: Target
    columns: tuple[Name, ...] | None
    by_name: bool
    source: Rows | exp.Expr | None
    conflict: Conflict | None
    returning: list[exp.Expr] | None


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE."""

    with_: exp.Expr | None
    target: Target
    assignments: tuple[Assignment, ...]
    source: exp.Expr | None
    where: exp.Expr | None
    returning: list[exp.Expr] | None


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    with_: exp.Expr | None
    target: Target
    source: exp.Expr | None
    where: exp.Expr | None
    returning: list[exp.Expr] | None


class Match(enum.Enum):
    """Which rows a WHEN of MERGE speaks of."""

    MATCHED = "MATCHED"
    BY_TARGET = "NOT MATCHED"
    BY_SOURCE = "NOT MATCHED BY SOURCE"


@dataclass(frozen=True, slots=True)
class MergeUpdate:
    """THEN UPDATE SET; without assignments UPDATE SET *: each column the source has under its name."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class MergeInsert:
    """THEN INSERT; no row means DEFAULT VALUES, or with ``by_name`` INSERT *."""

    columns: tuple[Name, ...] | None
    row: Row | None
    by_name: bool = False


class MergeOther(enum.Enum):
    """THEN DELETE, THEN DO NOTHING."""

    DELETE = "delete"
    NOTHING = "do nothing"


@dataclass(frozen=True, slots=True)
class When:
    """A clause of MERGE."""

    match: Match
    condition: exp.Expr | None
    then: MergeUpdate | MergeInsert | MergeOther
    span: Span


@dataclass(frozen=True, slots=True)
class Merge:
    """MERGE."""

    with_: exp.Expr | None
    target: Target
    source: exp.Expr
    condition: exp.Expr
    clauses: tuple[When, ...]
    returning: list[exp.Expr] | None


Change: TypeAlias = Insert | Update | Delete | Merge
