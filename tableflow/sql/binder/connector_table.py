"""CREATE TABLE ... WITH ('connector' = ...): a declaration of rows that are stored elsewhere."""

from __future__ import annotations

from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import BindError, CatalogError, Span, UnsupportedError
from tableflow.sql.binder.context import Source
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statements import CreateTable
from tableflow.sql.table_syntax import KeySyntax, TableSyntax


def bind_connector_table(source: Source, table: TableSyntax) -> CreateTable:
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
    columns = tuple(
        ColumnDefinition(each.name.text, each.type, each.nullable and each.name.text.lower() not in in_key)
        for each in table.columns
        if each.type is not None
    )
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
    )


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
