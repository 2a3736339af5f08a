"""SHOW and DESCRIBE: what is there, as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.catalog.decisions import missing
from tableflow.catalog.entry import StreamingDefinition, TableEntry, ViewEntry
from tableflow.catalog.provider import ColumnDefinition, TableProvider, TableSchema
from tableflow.catalog.snapshot import CatalogSnapshot, split_path
from tableflow.config import KEYS, TIME_ZONE, Settings
from tableflow.connectors.registry import CONNECTORS
from tableflow.errors import CatalogError
from tableflow.expressions.registry import functions
from tableflow.session.fixed_result import FixedResult
from tableflow.session.table_text import create_statement, create_streaming_statement, describe_table, show_versions
from tableflow.sql.hints import HINTS
from tableflow.sql.statements import Show, ShowKind, ShowVersions
from tableflow.storage.provider import managed
from tableflow.types import Field


def show(statement: Show, catalog: CatalogSnapshot, settings: Settings) -> FixedResult:
    """The rows of a SHOW."""
    entries = catalog.entries()
    match statement.kind:
        case ShowKind.TABLES:
            return FixedResult(["name"], [[e.name] for e in entries if isinstance(e, TableEntry)])
        case ShowKind.VIEWS:
            return FixedResult(["name"], [[e.name] for e in entries if isinstance(e, ViewEntry)])
        case ShowKind.FUNCTIONS:
            return FixedResult(
                ["name", "signature", "description"], [[f.name, f.signature, f.doc] for f in functions()]
            )
        case ShowKind.CONNECTORS:
            return FixedResult(["name", "description"], _connectors())
        case ShowKind.HINTS:
            return FixedResult(["name", "description"], [[name, doc] for name, doc in sorted(HINTS.items())])
        case ShowKind.SETTINGS:
            return show_settings(settings)
        case ShowKind.CREATE:
            return FixedResult(["statement"], [[_definition(statement.name, catalog)]])


def _connectors() -> list[list[str]]:
    """Those that WITH may name; what stands behind managed tables and behind what programs register is nobody's to name."""
    return [[one.name, one.doc] for one in CONNECTORS.values() if one.create is not None]


def show_settings(settings: Settings) -> FixedResult:
    """All settings with their values."""
    set_values = dict(settings.texts)
    rows = [[name, set_values.get(name, _text(key.default)), key.doc] for name, key in sorted(KEYS.items())]
    return FixedResult(["key", "value", "description"], rows)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _definition(name: Sequence[str], catalog: CatalogSnapshot) -> str:
    entry = catalog.entry(name)
    match entry:
        case ViewEntry():
            kind = "TEMPORARY VIEW" if entry.temporary else "VIEW"
            schema, _ = split_path(name, catalog.current_schema)
            within = entry.schema or schema
            return f"{_within(within, catalog)}CREATE {kind} {_path(schema, entry.name, within)} AS {entry.text}"
        case TableEntry(definition=definition) if definition is not None and definition.text is not None:
            return definition.text
        case TableEntry(table=int()) as entry:
            table = managed(catalog.table(name))
            assert table is not None
            if entry.streaming is not None:
                return create_streaming_statement(name, table.description, entry.streaming)
            return create_statement(name, table.description)
        case TableEntry():
            return f"-- {entry.name} was registered by the program"
        case None:
            raise missing(name, "table or view", catalog.names())


def _path(schema: str, name: str, current: str) -> str:
    """The name as a statement may say it where this schema is the current one."""
    return name if schema.lower() == current.lower() else f"{schema}.{name}"


def _within(schema: str, catalog: CatalogSnapshot) -> str:
    """What makes a schema the current one, in which names of a text that follows mean what they meant."""
    return "" if schema.lower() == catalog.current_schema.lower() else f"USE {schema};\n"


def describe(table: TableProvider, streaming: StreamingDefinition | None = None) -> FixedResult:
    """A row per column of a table; of a managed one also its keys, defaults and checks."""
    stored = managed(table)
    return _describe_declared(table.schema) if stored is None else describe_table(stored.description, streaming)


def _describe_declared(schema: TableSchema) -> FixedResult:
    """A row per column, with what is declared of it; as for any other table if that is nothing."""
    columns = [column for column in schema.columns if not column.hidden]
    if not schema.keys and schema.watermark is None and not any(c.computed or c.metadata for c in columns):
        return describe_columns(schema.columns)
    rows: list[list[str | None]] = []
    for c in columns:
        key = "PRIMARY KEY NOT ENFORCED" if any(c.name in key for key in schema.keys) else None
        extras = f"AS {c.computed}" if c.computed else f"METADATA FROM '{c.metadata}' VIRTUAL" if c.metadata else None
        timed = schema.watermark is not None and schema.watermark.column.lower() == c.name.lower()
        watermark = schema.watermark.expression if timed and schema.watermark is not None else None
        rows.append([c.name, str(c.type), "YES" if c.nullable else "NO", key, extras, watermark])
    return FixedResult(["column", "type", "nullable", "key", "extras", "watermark"], rows)


def versions(statement: ShowVersions, catalog: CatalogSnapshot, settings: Settings) -> FixedResult:
    """The versions of a managed table."""
    table = managed(catalog.table(statement.name))
    if table is None:
        raise CatalogError(
            f"table {'.'.join(statement.name)!r} has no versions",
            detail="only tables that TableFlow stores have them",
            span=statement.place,
        )
    return show_versions(table.versions(), settings.get(TIME_ZONE))


def describe_columns(columns: Sequence[Field] | Sequence[ColumnDefinition]) -> FixedResult:
    """A row per column."""
    rows = [[c.name, str(c.type), "YES" if c.nullable else "NO"] for c in columns]
    return FixedResult(["column", "type", "nullable"], rows)
