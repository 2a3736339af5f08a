"""What a managed table is, apart from its rows.

Columns have ids that never change and are never used again, so renaming one touches no file, and a file written before a
column was added is read with that column's ``initial`` value.  Texts of expressions are kept as SQL and bound again by the
session; storage never looks into them.
"""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Any

from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import SqlType

ROW_ID = "_row_id"
"""The hidden column that every managed table has: BIGINT, unique in the table, ascending in the order of commits."""


@serializable
@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column; ``default`` and ``generated`` are the texts of SQL expressions.

    ``initial`` is the storage value that rows written before the column was added have.
    """

    id: int
    name: str
    type: SqlType
    nullable: bool = True
    default: str | None = None
    generated: str | None = None
    initial: Any = None
    comment: str | None = None


@serializable
@dataclass(frozen=True, slots=True)
class KeyConstraint:
    """PRIMARY KEY or UNIQUE, enforced by an index.  A row with a NULL in a UNIQUE key conflicts with none."""

    name: str
    columns: tuple[int, ...]
    primary: bool = False


@serializable
@dataclass(frozen=True, slots=True)
class CheckConstraint:
    """CHECK: the text of a condition that no row may make FALSE."""

    name: str
    text: str


@serializable
@dataclass(frozen=True, slots=True)
class TableDescription:
    """Columns in order, constraints, options (such as ``compression``), and the next column id."""

    columns: tuple[StoredColumn, ...]
    keys: tuple[KeyConstraint, ...] = ()
    checks: tuple[CheckConstraint, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    comment: str | None = None
    next_column: int = 0

    def column(self, id: int) -> StoredColumn:
        """The column with this id."""
        return next(column for column in self.columns if column.id == id)

    @property
    def primary_key(self) -> KeyConstraint | None:
        """The primary key, if there is one."""
        return next((key for key in self.keys if key.primary), None)


@serializable
class ChangeKind(enum.Enum):
    """What made a version."""

    CREATE = "create"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    TRUNCATE = "truncate"
    ALTER = "alter"
    COPY = "copy"
    APPEND = "append"
    STREAM = "stream"


@serializable
@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One version of a table, as SHOW VERSIONS lists it; ``time`` in microseconds since 1970 (UTC)."""

    version: int
    time: int
    kind: ChangeKind
    inserted: int
    deleted: int
    rows: int
    columns: tuple[str, ...] = field(default=())
