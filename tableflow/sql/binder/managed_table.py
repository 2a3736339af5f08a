"""CREATE TABLE without a connector: columns, keys, checks and options as a description, every expression bound once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tableflow import types
from tableflow.config import duration
from tableflow.errors import BindError, CatalogError, Span, UnsupportedError
from tableflow.expressions.fold import fold
from tableflow.expressions.localize import localize
from tableflow.expressions.nodes import Expression, Literal
from tableflow.expressions.properties import is_constant
from tableflow.nearest import nearest
from tableflow.records import replace
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.constraints import ConstraintNames, bind_check, bind_key
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.like import Copied, copied
from tableflow.sql.binder.stored import DEFAULT, GENERATED, StoredText, bind_stored
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statement_base import OptionPlaces
from tableflow.sql.statements import CreateManagedTable
from tableflow.sql.table_syntax import ColumnSyntax, Formula, LikeSyntax, TableSyntax
from tableflow.storage.description import ROW_ID, KeyConstraint, StoredColumn, TableDescription
from tableflow.types import Field, SqlType

OPTIONS: Mapping[str, str] = {
    "compression": "none, lz4 or zstd: how data files are compressed",
    "retention": "how long old versions of the table are kept, such as '7 d'; else the setting storage.retention",
}
"""Options of a managed table, with what they mean."""
COMPRESSIONS = ("none", "lz4", "zstd")


def bind_managed_table(context: StatementContext, source: Source, table: TableSyntax) -> CreateManagedTable:
    """The table as its statement describes it."""
    refuse_event_time(source, table)
    if table.partitioned:
        place = place_of(source, table.partitioned[0])
        raise UnsupportedError("PARTITIONED BY on a managed table is not supported yet", span=place)
    made = TableMaker(context, source, table)
    for item in table.items:
        if isinstance(item, LikeSyntax):
            made.like(item)
        else:
            made.column(item)
    check_options(table.name[-1], table.options or (), table.options_at.shifted(source.offset))
    description = made.description(table.options or ())
    return CreateManagedTable(
        table.name,
        description,
        temporary=table.temporary,
        or_replace=table.or_replace,
        if_not_exists=table.if_not_exists,
    )


def refuse_event_time(source: Source, table: TableSyntax) -> None:
    """Only tables of connectors declare event time and metadata."""
    for watermark in table.watermarks:
        place = source.place(watermark.span.start, watermark.span.end)
        raise UnsupportedError(
            "WATERMARK FOR on a managed table is not supported yet",
            detail="rows that TableFlow stores may come at any time, and be changed and deleted later",
            hint="leave it out, and say EMIT ON UPDATE for windows over the table; tables with a connector, "
            "WITH ('connector' = ...), and register_stream(..., watermark=(column, delay)) have event time",
            span=place,
        )
    for column in table.columns:
        if column.metadata:
            raise UnsupportedError("METADATA is for tables of connectors", span=place_of(source, column.name))


def check_options(table: str, options: tuple[tuple[str, str], ...], places: OptionPlaces) -> None:
    """Refuse options that a managed table does not have, and values that they cannot have."""
    for key, value in options:
        if key not in OPTIONS:
            near = nearest(key, OPTIONS)
            raise CatalogError(
                f"table {table!r} names no connector, and {key!r} is no option of a managed table",
                hint=f"did you mean {near!r}?"
                if near
                else f"its options are {' and '.join(OPTIONS)}; a table over files says "
                "WITH ('connector' = 'filesystem', 'path' = ..., 'format' = ...)",
                span=places.of(key),
            )
        value_at = places.of(key, value=True)
        if key == "compression" and value.lower() not in COMPRESSIONS:
            raise CatalogError(
                f"unknown compression {value!r}", hint=f"one of {', '.join(COMPRESSIONS)}", span=value_at
            )
        if key == "retention":
            try:
                duration(value)
            except ValueError:
                raise CatalogError(
                    f"retention {value!r} is no duration", hint="a number with us, ms, s, min, h or d", span=value_at
                ) from None


def place_of(source: Source, name: Name) -> Span:
    """The place of an identifier in the script."""
    return source.place(name.span.start, name.span.end)


class TableMaker:
    """Collects columns; ids are given in order."""

    def __init__(self, context: StatementContext, source: Source, table: TableSyntax) -> None:
        self._context = context
        self._source = source
        self._table = table
        self._columns: list[StoredColumn] = []
        self._formulas: list[tuple[int, ColumnSyntax]] = []
        self._copied: list[Copied] = []

    def like(self, node: LikeSyntax) -> None:
        """All columns of another table."""
        found = copied(self._context, self._source, node)
        place = self._source.place(node.span.start, node.span.end)
        ids = {}
        for column in found.columns:
            ids[column.id] = self._add(replace(column, id=0), place)
        self._copied.append(replace(found, ids=ids))

    def column(self, node: ColumnSyntax) -> None:
        """A column that is written out; its expressions are bound when all columns are known."""
        kept = StoredColumn(
            0,
            node.name.text,
            node.type or types.NULL,
            node.nullable,
            node.default.text if node.default else None,
            node.generated.text if node.generated else None,
            comment=node.comment,
        )
        if node.default is not None and node.generated is not None:
            raise BindError("a generated column has no DEFAULT", span=self._span(node.default))
        self._formulas.append((self._add(kept, place_of(self._source, node.name)), node))

    def _add(self, column: StoredColumn, place: Span) -> int:
        """The id of a new column."""
        if column.name.lower() == ROW_ID:
            raise CatalogError(f"column name {column.name!r} is taken", detail="every table has it, hidden", span=place)
        if any(each.name.lower() == column.name.lower() for each in self._columns):
            raise CatalogError(f"column {column.name!r} is declared twice", span=place)
        number = len(self._columns) + 1
        self._columns.append(replace(column, id=number))
        return number

    def description(self, options: tuple[tuple[str, str], ...]) -> TableDescription:
        """The whole table, with its keys and checks."""
        for number, node in self._formulas:
            self._bind_column(number, node)
        names = ConstraintNames(self._table.name[-1])
        keys: list[KeyConstraint] = []
        checks = []
        for each in self._copied:
            keys += [key for key in each.keys(names) if not key.primary or not any(k.primary for k in keys)]
            checks += each.checks(names)
            options = options or each.options
        for key in self._table.keys:
            keys.append(bind_key(self._source, names, key, self._columns, keys))
        primary = {number for key in keys if key.primary for number in key.columns}
        columns = tuple(replace(c, nullable=c.nullable and c.id not in primary) for c in self._columns)
        fields = self.fields(columns)
        for check in self._table.checks:
            checks.append(bind_check(self._context, self._source, names, check, fields))
        return TableDescription(
            columns, tuple(keys), tuple(checks), options, self._table.comment, next_column=len(columns) + 1
        )

    def fields(self, columns: Sequence[StoredColumn]) -> list[Field]:
        """The columns as names that an expression may use."""
        return [self._context.field(c.name, c.type, nullable=c.nullable) for c in columns]

    def _bind_column(self, number: int, node: ColumnSyntax) -> None:
        column = self._columns[number - 1]
        if node.default is not None:
            check_default(self._context, self._source, node.default, column.type, column.name)
        if node.generated is not None:
            base = self.fields([each for each in self._columns if each.generated is None])
            found = bind_stored(self._context, self.stored(node.generated), GENERATED, base)
            if node.type is None:
                if isinstance(found.type, types.NullType):
                    raise BindError(
                        f"column {column.name!r} has no type",
                        hint="write it before AS",
                        span=self._span(node.generated),
                    )
                self._columns[number - 1] = replace(column, type=found.type)
            else:
                assigned(found, node.type, column.name, self._span(node.generated))

    def stored(self, formula: Formula) -> StoredText:
        """A formula of this statement."""
        return StoredText(formula.tree, self._source)

    def _span(self, formula: Formula) -> Span:
        return self._source.place(formula.span.start, formula.span.end)


def check_default(context: StatementContext, source: Source, formula: Formula, to: SqlType, name: str) -> Expression:
    """The default as the column's type; a constant that does not fit is found here."""
    span = source.place(formula.span.start, formula.span.end)
    found = assigned(bind_stored(context, StoredText(formula.tree, source), DEFAULT, ()), to, name, span)
    folded = fold(localize(found, context.zone))
    if is_constant(folded) and not isinstance(folded, Literal):
        raise BindError(f"the default does not fit column {name!r} of type {to}", span=span)
    return folded
