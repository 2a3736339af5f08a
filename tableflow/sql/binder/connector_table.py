"""CREATE TABLE ... WITH ('connector' = ...): a declaration of rows that are stored elsewhere."""

from __future__ import annotations

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition, WatermarkDefinition
from tableflow.errors import BindError, CatalogError, Span, TableFlowError, UnsupportedError
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.declared import ComputedText, bind_computed, bind_watermark
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statements import CreateTable
from tableflow.sql.table_syntax import KeySyntax, TableSyntax


def bind_connector_table(context: StatementContext, source: Source, table: TableSyntax) -> CreateTable:
    """The declaration; what only TableFlow's own tables can do is refused by name."""
    if table.refused:
        what, span = table.refused[0]
        raise UnsupportedError(f"{what} is not supported yet", span=source.place(span.start, span.end))
    names: dict[str, str] = {}
    for column in table.columns:
        names[column.name.text.lower()] = column.name.text
    key = _key(source, table, names)
    for partition in table.partitioned:
        if names and partition.text.lower() not in names:
            raise CatalogError(f"column {partition.text!r} is not declared", span=_place(source, partition))
    in_key = {name.lower() for name in key}
    columns, watermark = _columns(context, source, table, in_key)
    if watermark is not None and not columns:
        _check_event_time(context, source, table, watermark)
    return CreateTable(
        table.name,
        columns,
        table.options or (),
        key,
        tuple(partition.text for partition in table.partitioned),
        table.comment,
        table.temporary,
        table.if_not_exists,
        text=source.text,
        watermark=watermark,
        options_at=table.options_at.shifted(source.offset),
        columns_at={column.name.text.lower(): _place(source, column.name) for column in table.columns},
    )


def _columns(
    context: StatementContext, source: Source, table: TableSyntax, in_key: set[str]
) -> tuple[tuple[ColumnDefinition, ...], WatermarkDefinition | None]:
    """Columns as declared, types of computed ones found out, and event time; both are bound to see that they are right."""
    computed = [
        ComputedText(c.name.text, c.generated.text, c.type, _at(source, c.generated.span))
        for c in table.columns
        if c.generated is not None
    ]
    if computed and len(computed) == len(table.columns):
        raise CatalogError(
            "a table with computed columns declares the others as well", span=_place(source, table.columns[0].name)
        )
    known = [
        context.field(c.name.text, c.type, nullable=c.nullable and c.name.text.lower() not in in_key)
        for c in table.columns
        if c.generated is None and c.type is not None
    ]
    _, fields = bind_computed(context, known, computed)
    watermark = None
    for each in table.watermarks:
        if watermark is not None:
            raise CatalogError("a table has one WATERMARK FOR", span=_at(source, each.span))
        watermark = WatermarkDefinition(each.column.text, each.expression.text)
        if table.columns:
            bind_watermark(context, watermark, _at(source, each.span), fields)
    columns = []
    for c in table.columns:
        field = fields[c.name.text.lower()]
        text = "" if c.generated is None else c.generated.text
        columns.append(ColumnDefinition(c.name.text, field.type, field.nullable, computed=text, metadata=c.metadata))
    return tuple(columns), watermark


def _check_event_time(
    context: StatementContext, source: Source, table: TableSyntax, watermark: WatermarkDefinition
) -> None:
    """Event time over the columns that the connector tells, as far as it can by now."""
    options = table.options or ()
    definition = TableDefinition(table.name[-1], dict(options).get("connector", ""), (), options, watermark=watermark)
    try:
        columns = context.catalog.opened(definition).schema.columns
    except TableFlowError:
        return  # files may still come; what is wrong for good is told when the table is made
    fields = {column.name.lower(): context.field(column.name, column.type) for column in columns}
    bind_watermark(context, watermark, _at(source, table.watermarks[0].span), fields)


def _at(source: Source, span: Span) -> Span:
    return source.place(span.start, span.end)


def _key(source: Source, table: TableSyntax, names: dict[str, str]) -> tuple[str, ...]:
    found: KeySyntax | None = None
    for key in table.keys:
        span = source.place(key.span.start, key.span.end)
        if found is not None:
            raise CatalogError("a table has one primary key", span=span)
        if key.enforced:
            raise BindError(
                "the primary key of a connector's table cannot be enforced",
                hint="write PRIMARY KEY ... NOT ENFORCED: it is then a promise",
                span=span,
            )
        found = key
    if found is None:
        return ()
    for name in found.columns:
        if name.text.lower() not in names:
            raise CatalogError(f"column {name.text!r} of the primary key is not declared", span=_place(source, name))
    return tuple(name.text for name in found.columns)


def _place(source: Source, name: Name) -> Span:
    return source.place(name.span.start, name.span.end)
