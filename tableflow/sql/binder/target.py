"""The table that a statement changes: found in the catalog, scanned with its row ids, its defaults bound."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types
from tableflow.catalog.provider import TableProvider
from tableflow.catalog.written import given_columns, sink_of
from tableflow.errors import BindError, CatalogError, Span, TableFlowError
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Scan
from tableflow.records import dataclass
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.scope import Relation, did_you_mean
from tableflow.sql.binder.stored import DEFAULT, bind_text
from tableflow.sql.dml_syntax import Name, Target
from tableflow.storage.description import ROW_ID, StoredColumn, TableDescription
from tableflow.storage.provider import ManagedTable, managed
from tableflow.types import Field


@dataclass(frozen=True, slots=True)
class OutsideTable:
    """A table of a connector that takes rows; ``description`` has the columns that INSERT gives."""

    provider: TableProvider
    description: TableDescription


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """A table that is changed under the name that the statement gives it: a managed one, or an outside one (INSERT)."""

    path: tuple[str, ...]
    alias: str | None
    table: ManagedTable | OutsideTable
    span: Span

    @property
    def columns(self) -> tuple[StoredColumn, ...]:
        """The stored columns in order."""
        return self.table.description.columns

    @property
    def managed(self) -> ManagedTable:
        """The managed table."""
        assert not isinstance(self.table, OutsideTable)
        return self.table

    @property
    def name(self) -> str:
        """What the statement calls it."""
        return self.alias or self.path[-1]

    def index(self, name: Name, source: Source) -> int:
        """The position of a column that is given a value; errors for unknown and generated ones."""
        span = source.place(name.span.start, name.span.end)
        column = self.position(name.text)
        if column is None:
            known = [column.name for column in self.columns]
            raise BindError(
                f"table {self.path[-1]!r} has no column {name.text!r}", hint=did_you_mean(name.text, known), span=span
            )
        if self.columns[column].generated is not None:
            raise BindError(
                f"column {self.columns[column].name!r} is generated and cannot be given a value",
                detail=f"it is always {self.columns[column].generated}",
                span=span,
            )
        return column

    def position(self, name: str) -> int | None:
        """The position of a column by name; an exact match is preferred."""
        exact = [index for index, column in enumerate(self.columns) if column.name == name]
        folded = [index for index, column in enumerate(self.columns) if column.name.lower() == name.lower()]
        return next(iter(exact or folded), None)

    def default(self, context: StatementContext, column: StoredColumn) -> Expression:
        """The value of a column that is given none."""
        if column.default is None:
            return Literal(column.type, None, self.span)
        found = bind_text(context, column.default, self.span, DEFAULT, ())
        return assigned(found, column.type, column.name, self.span)

    def relation(self, columns: Sequence[Field], hidden: tuple[Field, ...] = ()) -> Relation:
        """Columns under the table's name."""
        return Relation(self.name, tuple(columns), () if self.alias else self.path, self.span, hidden)


@dataclass(frozen=True, slots=True)
class TargetScan:
    """The rows of the target as they are: columns in order, and the row id."""

    plan: Scan
    columns: tuple[Field, ...]
    row_id: Field

    @property
    def row(self) -> ColumnRef:
        """The row id as an expression."""
        return ColumnRef(self.row_id.type, self.row_id.id, ROW_ID)

    def values(self) -> list[Expression]:
        """The columns as expressions."""
        return [ColumnRef(column.type, column.id, column.name) for column in self.columns]


def find_target(context: StatementContext, source: Source, target: Target) -> BoundTarget:
    """The managed table of a name; an error that says why it cannot be changed if it is anything else."""
    span = source.place(target.span.start, target.span.end)
    return BoundTarget(target.path, target.alias, find_managed(context, target.path, span), span)


def find_written(context: StatementContext, source: Source, target: Target) -> BoundTarget:
    """The table of a name that INSERT may give rows: a managed one, or one whose connector takes rows."""
    span = source.place(target.span.start, target.span.end)
    try:
        provider = context.catalog.table(target.path)
        offer = sink_of(provider)
    except TableFlowError as error:
        raise error.at(span) from None
    if provider is None or offer is None:
        try:
            return find_target(context, source, target)
        except CatalogError as error:
            if provider is not None:
                error.hint = (
                    "rows go into managed tables (CREATE TABLE without WITH), into tables whose connector takes rows, "
                    "and to functions of register_sink"
                )
            raise
    columns = given_columns(offer.columns, ".".join(target.path))
    stored = tuple(StoredColumn(i, column.name, column.type, column.nullable) for i, column in enumerate(columns))
    return BoundTarget(target.path, target.alias, OutsideTable(provider, TableDescription(stored)), span)


def find_managed(context: StatementContext, path: tuple[str, ...], span: Span, doing: str = "changed") -> ManagedTable:
    """The managed table of a name; ``doing`` is what the statement would do to it."""
    name = ".".join(path)
    try:
        provider = context.catalog.table(path)
    except TableFlowError as error:
        raise error.at(span) from None
    table = managed(provider)
    if table is not None:
        return table
    if provider is not None:
        raise CatalogError(
            f"table {name!r} cannot be {doing}",
            detail="its rows are not stored by TableFlow",
            hint="CREATE TABLE ... AS SELECT makes a copy that can be",
            span=span,
        )
    if context.catalog.view(path) is not None:
        raise CatalogError(f"{name!r} is a view and cannot be {doing}", hint="name the table below it", span=span)
    raise CatalogError(
        f"table {name!r} does not exist", hint=did_you_mean(path[-1], context.catalog.names()), span=span
    )


def scan_target(context: StatementContext, target: BoundTarget, block: int) -> TargetScan:
    """A scan of all columns and the row id."""
    columns = tuple(context.field(column.name, column.type, nullable=column.nullable) for column in target.columns)
    row_id = context.field(ROW_ID, types.BIGINT, nullable=False)
    names = (*(column.name for column in target.columns), ROW_ID)
    plan = Scan(".".join(target.path), target.managed, (*columns, row_id), names, target.name, block=block)
    return TargetScan(plan, columns, row_id)
