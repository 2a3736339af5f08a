"""information_schema: the standard's tables about tables, as constant rows made from the catalog when they are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tableflow import types
from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import TableFlowError
from tableflow.expressions.nodes import Literal
from tableflow.planner.logical.nodes import Values
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import Source
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.queries import Bound, bind_query
from tableflow.sql.dialect import parse_query
from tableflow.storage.failure import StaleStateError
from tableflow.storage.provider import ManagedTable, managed
from tableflow.types import SqlType

SCHEMA = "information_schema"
CATALOG = "tableflow"
"""What table_catalog says: there is one."""

_S, _N = types.STRING, types.INT
_Row = tuple[Any, ...]


def _schemata(block: Block) -> Iterator[_Row]:
    for schema in block.context.catalog.schema_names():
        yield CATALOG, schema
    yield CATALOG, SCHEMA


def _objects(block: Block) -> Iterator[tuple[str, str, str | None, bool]]:
    """Schema, name, a view's text, whether it is temporary."""
    catalog = block.context.catalog
    for schema in catalog.schema_names():
        for each in catalog.objects(schema):
            yield schema, each.name, each.text, each.temporary


def _tables(block: Block) -> Iterator[_Row]:
    for schema, name, text, temporary in _objects(block):
        kind = "VIEW" if text is not None else "LOCAL TEMPORARY" if temporary else "BASE TABLE"
        insertable = text is None and _managed(block, schema, name) is not None
        yield CATALOG, schema, name, kind, "YES" if insertable else "NO"


def _managed(block: Block, schema: str, name: str) -> ManagedTable | None:
    """The managed table of a name; a table whose files are missing is not one."""
    try:
        return managed(block.context.catalog.table((schema, name)))
    except TableFlowError:
        return None


def _columns(block: Block) -> Iterator[_Row]:
    for schema, name, text, _ in _objects(block):
        try:
            columns = _columns_of(block, schema, name, text)
        except TableFlowError:
            continue  # a view that no longer binds, a table whose files are gone: they have no columns to show
        table = None if text is not None else _managed(block, schema, name)
        stored = {} if table is None else {column.name: column for column in table.description.columns}
        for number, column in enumerate(columns, 1):
            kept = stored.get(column.name)
            generated = kept is not None and kept.generated is not None
            yield (
                CATALOG, schema, name, column.name, number, kept.default if kept else None,
                "YES" if column.nullable else "NO", str(column.type), *_sizes(column.type),
                "ALWAYS" if generated else "NEVER", kept.generated if kept else None, kept.comment if kept else None,
            )  # fmt: skip


def _columns_of(block: Block, schema: str, name: str, text: str | None) -> Sequence[ColumnDefinition]:
    if text is None:
        provider = block.context.catalog.table((schema, name))
        return [] if provider is None else [column for column in provider.schema.columns if not column.hidden]
    parsed = parse_query(text)
    context = block.context
    before, reader = context.views, context.catalog
    scope = reader.view_scope((schema, name))
    context.views, context.catalog = (*before, scope.name), scope.catalog
    try:
        source = Source(text, parsed.tokens, fixed=block.source.place(0, 0))
        bound = bind_query(context, source, parsed.tree, Ctes(), None)
    finally:
        context.views, context.catalog = before, reader
    return [ColumnDefinition(column.name, column.type, column.nullable) for column in bound.columns]


def _sizes(of: SqlType) -> tuple[int | None, int | None, int | None, int | None]:
    """Characters, precision, scale, precision of a time."""
    match of:
        case types.StringType(length=length):
            return length, None, None, None
        case types.DecimalType(precision=precision, scale=scale):
            return None, precision, scale, None
        case types.IntegerType(bits=bits) | types.FloatType(bits=bits):
            return None, bits, 0 if isinstance(of, types.IntegerType) else None, None
        case types.TimestampType(precision=precision) | types.TimeType(precision=precision):
            return None, None, None, precision
    return None, None, None, None


def _views(block: Block) -> Iterator[_Row]:
    for schema, name, text, _ in _objects(block):
        if text is not None:
            yield CATALOG, schema, name, text


def _stored(block: Block) -> Iterator[tuple[str, str, ManagedTable]]:
    for schema, name, text, _ in _objects(block):
        table = None if text is not None else _managed(block, schema, name)
        if table is not None:
            yield schema, name, table


def _constraints(block: Block) -> Iterator[_Row]:
    for schema, name, table in _stored(block):
        for key in table.description.keys:
            kind = "PRIMARY KEY" if key.primary else "UNIQUE"
            yield CATALOG, schema, key.name, CATALOG, schema, name, kind, "YES"
        for check in table.description.checks:
            yield CATALOG, schema, check.name, CATALOG, schema, name, "CHECK", "YES"


def _checks(block: Block) -> Iterator[_Row]:
    for schema, _, table in _stored(block):
        for check in table.description.checks:
            yield CATALOG, schema, check.name, check.text


def _key_columns(block: Block) -> Iterator[_Row]:
    for schema, name, table in _stored(block):
        for key in table.description.keys:
            for number, column in enumerate(key.columns, 1):
                yield (
                    CATALOG, schema, key.name, CATALOG, schema, name, table.description.column(column).name, number,
                )  # fmt: skip


def _storage(block: Block) -> Iterator[_Row]:
    for schema, name, text, _ in _objects(block):
        if text is not None:
            continue
        try:
            table = managed(block.context.catalog.table((schema, name)))
        except StaleStateError:
            raise  # the statement begins anew with a newer state
        except TableFlowError as error:
            yield CATALOG, schema, name, None, None, None, error.message
            continue
        if table is not None:
            facts = table.storage()
            yield CATALOG, schema, name, table.version, facts.files, facts.rows_in_log, facts.error


_CONSTRAINT = (("constraint_catalog", _S), ("constraint_schema", _S), ("constraint_name", _S))
_TABLE = (("table_catalog", _S), ("table_schema", _S), ("table_name", _S))
TABLES: dict[str, tuple[tuple[tuple[str, SqlType], ...], Callable[[Block], Iterator[_Row]]]] = {
    "schemata": ((("catalog_name", _S), ("schema_name", _S)), _schemata),
    "tables": ((*_TABLE, ("table_type", _S), ("is_insertable_into", _S)), _tables),
    "columns": (
        (
            *_TABLE, ("column_name", _S), ("ordinal_position", _N), ("column_default", _S), ("is_nullable", _S),
            ("data_type", _S), ("character_maximum_length", _N), ("numeric_precision", _N), ("numeric_scale", _N),
            ("datetime_precision", _N), ("is_generated", _S), ("generation_expression", _S), ("column_comment", _S),
        ),
        _columns,
    ),
    "storage": (
        (*_TABLE, ("version", types.BIGINT), ("files", _N), ("rows_in_log", types.BIGINT), ("maintenance_error", _S)),
        _storage,
    ),
    "views": ((*_TABLE, ("view_definition", _S)), _views),
    "table_constraints": ((*_CONSTRAINT, *_TABLE, ("constraint_type", _S), ("enforced", _S)), _constraints),
    "check_constraints": ((*_CONSTRAINT, ("check_clause", _S)), _checks),
    "key_column_usage": ((*_CONSTRAINT, *_TABLE, ("column_name", _S), ("ordinal_position", _N)), _key_columns),
}  # fmt: skip
"""Columns, and the rows of a catalog."""


def system_table(block: Block, path: Sequence[str]) -> Bound | None:
    """The table of information_schema that a name means; None if it means none."""
    if len(path) != 2 or path[0].lower() != SCHEMA or path[1].lower() not in TABLES:
        return None
    columns, rows = TABLES[path[1].lower()]
    fields = tuple(block.context.field(name, of) for name, of in columns)
    kinds = [of for _, of in columns]
    found = tuple(tuple(Literal(of, value) for of, value in zip(kinds, row, strict=True)) for row in rows(block))
    return Bound(Values(fields, found), fields)
