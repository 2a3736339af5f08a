"""The protocol between the planner and whatever holds a table.

Connectors implement it; planner and binder only call it.  Nothing here reads data: :meth:`TableProvider.source`
returns a plain value that the runtime gives to the connector in the process that runs the scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from tableflow.expressions.nodes import Expression
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import SqlType

if TYPE_CHECKING:
    from tableflow.catalog.entry import TableDefinition


@serializable
@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column as a table declares it; a ``hidden`` one can be named but is not part of ``*``.

    ``computed`` is the SQL text of an expression over the other columns: the provider neither stores nor scans the
    column.  ``metadata`` is the key of what the connector fills it with.
    """

    name: str
    type: SqlType
    nullable: bool = True
    hidden: bool = False
    computed: str = ""
    metadata: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class Alignment:
    """Splits of this source are not read on while they are more than ``max_drift`` microseconds ahead of the slowest split of the group."""

    group: str
    max_drift: int


@serializable
@dataclass(frozen=True, slots=True)
class WatermarkDefinition:
    """WATERMARK FOR: the event-time column, and the SQL text of what time has come to when a row is seen."""

    column: str
    expression: str
    alignment: Alignment | None = None


Changelog: TypeAlias = Literal["append", "retract", "upsert"]
"""What a table's source delivers: new rows, rows with weights, or the newest row of each key."""


@dataclass(frozen=True, slots=True)
class TableSchema:
    """Columns in order, and sets of column names whose values are unique together.

    With ``changelog`` upsert the first of the ``keys`` says which rows replace each other.
    """

    columns: tuple[ColumnDefinition, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    watermark: WatermarkDefinition | None = None
    changelog: Changelog = "append"


@serializable
@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What is known of a column's values; None is unknown.

    ``minimum`` and ``maximum`` are storage values (see :mod:`tableflow.expressions.nodes`) and *bounds*: no value lies
    outside, so interval analysis may rely on them.  ``distinct`` is an estimate.
    """

    minimum: Any = None
    maximum: Any = None
    nulls: int | None = None
    distinct: float | None = None
    average_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """``rows`` is exact or None; columns by name."""

    rows: int | None = None
    columns: dict[str, ColumnStatistics] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a plan would like a scan to do: columns by name, conjuncts over them, a row limit.

    Columns in ``predicates`` are ``ColumnRef``s whose ``name`` is the table's column name.
    """

    columns: tuple[str, ...]
    predicates: tuple[Expression, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider's answer: ``exact`` conjuncts are done by the scan, ``inexact`` ones only prune and stay above."""

    request: ScanRequest
    exact: tuple[Expression, ...] = ()
    inexact: tuple[Expression, ...] = ()


class TableProvider(Protocol):
    """A table, view of files or outside table that can be scanned."""

    @property
    def schema(self) -> TableSchema:
        """Columns and keys."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether a scan ends."""
        ...

    def statistics(self) -> TableStatistics:
        """What is known without reading data (footers, manifests); cheap after the first call."""
        ...

    def accept(self, request: ScanRequest) -> Accepted:
        """Which of the wishes the scan fulfils."""
        ...

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """(kind, options) for the runtime's source builder; the options are a value that may be part of a plan."""
        ...


def partition_columns(provider: TableProvider) -> frozenset[str]:
    """The columns that a provider knows of whole files: those of its attribute ``partitioned``, if it has one."""
    return frozenset(getattr(provider, "partitioned", ()))


def replayable(provider: TableProvider) -> bool:
    """Whether another scan begins with the first row again, unless its attribute ``replayable`` says that it does not."""
    return bool(getattr(provider, "replayable", True))


def given_once(provider: TableProvider) -> tuple[str | None, bool]:
    """What gives the rows to its first scan only (attribute ``once``; None: they can be scanned again), and whether there was one (``taken``)."""
    return getattr(provider, "once", None), bool(getattr(provider, "taken", False))


def assure(provider: TableProvider) -> None:
    """Raises an error if a scan could not begin, as far as its method ``assure`` can tell; what that opens is the next scan's."""
    assured = getattr(provider, "assure", None)
    if assured is not None:
        assured()


def is_made_up(provider: TableProvider) -> bool:
    """Whether rows come into being as they are read, without end or in their time, as its attribute ``made_up`` says."""
    return bool(getattr(provider, "made_up", False))


def is_stored(provider: TableProvider) -> bool:
    """Whether it is the changes of a table of the database, as its attribute ``stored`` says: these have no event time."""
    return bool(getattr(provider, "stored", False))


class ProjectedTable:
    """What a provider does that has no statistics and reads whole rows: a base class for those it fits."""

    __slots__ = ()

    def statistics(self) -> TableStatistics:
        """Nothing is known."""
        return TableStatistics()

    def accept(self, request: ScanRequest) -> Accepted:
        """Nothing but the projection: other columns are not delivered."""
        return Accepted(request)


@dataclass(frozen=True, slots=True)
class CatalogObject:
    """A table or view as information_schema lists it; ``text`` is a view's query, None for a table."""

    name: str
    text: str | None = None
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class ViewScope:
    """What the text of a view sees, whoever reads it; ``name`` tells the view from all others."""

    name: str
    catalog: Catalog


class Catalog(Protocol):
    """The frozen snapshot that a binder sees."""

    def table(self, path: Sequence[str]) -> TableProvider | None:
        """The table of this (possibly schema-qualified) name, case-insensitively; None if there is none."""
        ...

    def view(self, path: Sequence[str]) -> str | None:
        """The text of a view, to be bound again; None if there is none."""
        ...

    def view_scope(self, path: Sequence[str], *, temporary: bool | None = None) -> ViewScope:
        """What the text of a view sees; of one that is to be made, if it is said whether it is ``temporary``."""
        ...

    def file(
        self, path: str, columns: Sequence[ColumnDefinition] = (), options: tuple[tuple[str, str], ...] = ()
    ) -> TableProvider:
        """The table behind a quoted path or glob; raises :class:`~tableflow.errors.ConnectorError`.

        ``columns`` say what is in the files, where they should not be asked; ``options`` are the filesystem connector's.
        """
        ...

    def opened(self, definition: TableDefinition) -> TableProvider:
        """The table that a declaration would make; errors of the connector pass through."""
        ...

    def names(self) -> Sequence[str]:
        """All table and view names, for 'did you mean'."""
        ...

    def current(self) -> str:
        """The schema that unqualified names mean."""
        ...

    def schema_names(self) -> Sequence[str]:
        """All schemas, as they are written, in order of name."""
        ...

    def objects(self, schema: str) -> Sequence[CatalogObject]:
        """The visible tables and views of a schema, in order of name."""
        ...
