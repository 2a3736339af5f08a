"""Statements as data: what the binder returns and the session carries out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

from tableflow.catalog.provider import ColumnDefinition, WatermarkDefinition
from tableflow.errors import Span
from tableflow.planner.logical.nodes import Query
from tableflow.records import dataclass
from tableflow.sql.statement_base import Base, Notice, OptionPlaces
from tableflow.sql.streaming_statements import (
    CreateStreamingTable,
    EndJob,
    ExplainJob,
    Flush,
    InsertIntoSink,
    JobAction,
    JobView,
    ShowJobs,
    ShowWatermarks,
    StatementSet,
)
from tableflow.storage.description import ChangeKind, KeyConstraint, TableDescription
from tableflow.storage.provider import ManagedTable

__all__ = [
    "Action", "AlterTable", "Base", "CopyTo", "CreateManagedTable", "CreateSchema", "CreateStreamingTable", "CreateTable",
    "CreateView", "Describe", "Drop", "DropSchema", "EndJob", "Explain", "ExplainJob", "ExplainKind", "Flush",
    "InsertIntoSink", "JobAction", "JobView", "Notice", "ObjectKind", "QueryStatement", "ResetStatement", "RowCheck",
    "SetStatement", "Show", "ShowJobs", "ShowKind", "ShowVersions", "ShowWatermarks", "Statement", "StatementSet", "Truncate", "Use",
    "Vacuum", "Validation", "Write",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueryStatement(Base):
    """A query whose rows are wanted."""

    query: Query


@dataclass(frozen=True, slots=True)
class CreateTable(Base):
    """CREATE TABLE over a connector.  ``options`` hold the connector under the key ``connector``.

    Without columns the connector is asked for them.
    """

    name: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...]
    options: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...] = ()
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None
    temporary: bool = False
    if_not_exists: bool = False
    text: str = ""
    watermark: WatermarkDefinition | None = None
    options_at: OptionPlaces | None = field(default=None, compare=False)
    columns_at: Mapping[str, Span] = field(default_factory=dict, compare=False)
    """Where the names of columns stand, by name in small letters."""


@dataclass(frozen=True, slots=True)
class CreateView(Base):
    """CREATE VIEW; ``text`` is the query that is bound again at each use, column names included."""

    name: tuple[str, ...]
    text: str
    temporary: bool = False
    or_replace: bool = False
    if_not_exists: bool = False


class ObjectKind(enum.Enum):
    """What DROP and SHOW CREATE speak of."""

    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Drop(Base):
    """DROP TABLE or VIEW of one or several.  Views are texts that are bound again, so CASCADE takes nothing more away."""

    kind: ObjectKind
    names: tuple[tuple[str, ...], ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class SetStatement(Base):
    """SET key = value; without a key: show all settings."""

    key: str | None = None
    value: str | None = None
    value_at: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ResetStatement(Base):
    """RESET key; without a key: all settings."""

    key: str | None = None


class ExplainKind(enum.Enum):
    """What EXPLAIN shows; PLAIN is the default rendering of the physical plan."""

    PLAIN = "plain"
    COST = "cost"
    CHANGELOG = "changelog"
    PHYSICAL = "physical"
    LOGICAL = "logical"
    JSON = "json"
    ANALYZE = "analyze"
    WATERMARK = "watermark"


@dataclass(frozen=True, slots=True)
class Explain(Base):
    """EXPLAIN of a query, or of a ``statement`` that writes (``query`` gives its rows); ``text`` is its own text.

    ANALYZE carries it out.
    """

    kind: ExplainKind
    query: Query
    text: str = ""
    statement: Write | CreateManagedTable | CreateStreamingTable | CopyTo | InsertIntoSink | StatementSet | None = None


class ShowKind(enum.Enum):
    """What SHOW lists."""

    TABLES = "tables"
    VIEWS = "views"
    FUNCTIONS = "functions"
    CONNECTORS = "connectors"
    HINTS = "hints"
    SETTINGS = "settings"
    CREATE = "create"


@dataclass(frozen=True, slots=True)
class Show(Base):
    """SHOW; ``name`` and ``object`` only for SHOW CREATE TABLE or VIEW."""

    kind: ShowKind
    name: tuple[str, ...] = ()
    object: ObjectKind | None = None


@dataclass(frozen=True, slots=True)
class Describe(Base):
    """DESCRIBE a table or view, or (``query``) the columns of a query."""

    name: tuple[str, ...] = ()
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Use(Base):
    """USE schema."""

    schema: str


class Action(enum.IntEnum):
    """What a row of a :class:`Write`'s query does, as its TINYINT column ``action`` says."""

    INSERT = 0
    UPDATE = 1
    DELETE = 2


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A condition that no written row may make FALSE; ``column`` is the position of the BOOLEAN column that holds it."""

    constraint: str
    column: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Write(Base):
    """INSERT, UPDATE, DELETE, MERGE or COPY FROM on a managed table.

    All numbers are positions in ``query.columns`` (ids may change while a plan is made): ``action`` (an :class:`Action` per
    row, never NULL; None: all rows do ``default_action``), ``row_id`` (the target row of UPDATE and DELETE, NULL for INSERT; a row
    that appears twice is an error), ``values`` (one per stored column of the target, in order, already cast, defaults and
    generated columns computed; empty if all rows are deleted), the columns of ``checks``, and ``returning`` (the rows that the
    statement gives, in the order in which they are written).  That no NULL comes into a column that is NOT NULL is for the
    writer to see to, from the description.  Rows to be deleted pass every check.
    """

    target: tuple[str, ...]
    table: ManagedTable = field(compare=False)
    query: Query
    default_action: Action
    kind: ChangeKind
    values: tuple[int, ...] = ()
    row_id: int | None = None
    action: int | None = None
    checks: tuple[RowCheck, ...] = ()
    returning: tuple[int, ...] | None = None
    keep_first: tuple[KeyConstraint, ...] = ()
    """ON CONFLICT DO NOTHING: of several new rows with one of these keys the first is kept, instead of an error."""
    conflict: str | None = None
    """ON CONFLICT DO UPDATE: the key constraint; two new rows with one key of it would affect a row twice."""
    conflict_at: Span | None = field(default=None, compare=False)
    returning_at: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CreateManagedTable(Base):
    """CREATE TABLE without a connector, from columns, LIKE, or (``query``) AS SELECT: its columns are the table's, in order."""

    name: tuple[str, ...]
    description: TableDescription
    query: Query | None = None
    temporary: bool = False
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Truncate(Base):
    """TRUNCATE [TABLE] t."""

    name: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """What the rows of a table must satisfy before ALTER TABLE may be done: ``query`` gives a row that does not, if any.

    ``message`` is the primary message of the :class:`~tableflow.errors.IntegrityError` to raise then.
    """

    message: str
    query: Query


@dataclass(frozen=True, slots=True)
class AlterTable(Base):
    """ALTER TABLE: the description after it, or (``rename``) another name for the table itself.

    Widened columns only change their type.  ``table`` is None if there is none and IF EXISTS stands there, ``description`` and
    ``rename`` are None if there is nothing to do.
    """

    name: tuple[str, ...]
    table: ManagedTable | None = field(default=None, compare=False)
    description: TableDescription | None = None
    rename: str | None = None
    validations: tuple[Validation, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateSchema(Base):
    """CREATE SCHEMA s."""

    schema: str
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropSchema(Base):
    """DROP SCHEMA of one or several [CASCADE]."""

    schemas: tuple[str, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class CopyTo(Base):
    """COPY t | (query) TO 'path' (options); ``format`` is parquet, csv, json or arrow."""

    query: Query
    path: str
    format: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Vacuum(Base):
    """VACUUM [t]: folds, compacts and removes what no retained version needs, now."""

    name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShowVersions(Base):
    """SHOW VERSIONS t."""

    name: tuple[str, ...]


Statement: TypeAlias = (
    QueryStatement | CreateTable | CreateView | Drop | SetStatement | ResetStatement | Explain | Show | Describe | Use
    | Write | CreateManagedTable | Truncate | AlterTable | CreateSchema | DropSchema | CopyTo | Vacuum | ShowVersions
    | CreateStreamingTable | Flush | ShowJobs | ShowWatermarks | EndJob | ExplainJob | InsertIntoSink | StatementSet
)  # fmt: skip
"""COPY t FROM is a :class:`Write` over a scan of the file."""
