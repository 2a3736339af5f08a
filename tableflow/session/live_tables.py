"""From what a program says of its rows to the table that a session reads them by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import Changelog, ColumnDefinition, TableSchema, WatermarkDefinition
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.iteration import Iteration
from tableflow.connectors.live import LiveTable
from tableflow.connectors.memory import storage_type
from tableflow.connectors.script import Script
from tableflow.errors import InterfaceError
from tableflow.sql.dialect import parse_with
from tableflow.sql.tokens import tokenize
from tableflow.sql.type_names import parse_type
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class LiveDescription:
    """What a program says of its rows; see :meth:`tableflow.dbapi.connection.Connection.register_stream`."""

    schema: Any
    watermark: tuple[str, Any] | None = None
    key: Sequence[str] = ()
    changelog: Changelog = "append"


def live_table(of: LiveDescription, source: Any, objects: ObjectStore) -> LiveTable:
    """A table over the rows of ``source``; :class:`InterfaceError` says what is wrong with the description."""
    columns = tuple(_columns(of.schema))
    watermark = None
    if of.watermark is not None:
        column, delay = of.watermark
        quoted = '"' + column.replace('"', '""') + '"'
        watermark = WatermarkDefinition(column, f"{quoted} - {_interval(delay)}")
    feed = source if isinstance(source, Script) else Iteration(source)
    keys = (tuple(of.key),) if of.key else ()
    return LiveTable(TableSchema(columns, keys, watermark, of.changelog), feed, objects)


def _columns(schema: Any) -> Iterable[ColumnDefinition]:
    if isinstance(schema, pa.Schema):
        for field in schema:
            yield ColumnDefinition(field.name, from_arrow_type(storage_type(field.type)), field.nullable)
        return
    pairs = schema.items() if isinstance(schema, Mapping) else schema
    for name, of in pairs:
        yield ColumnDefinition(name, _type(of))


def _type(of: Any) -> SqlType:
    if isinstance(of, str):
        return parse_with(of, tokenize(of), parse_type)
    if isinstance(of, pa.DataType):
        return from_arrow_type(of)
    if isinstance(of, SqlType):
        return of
    raise InterfaceError(f"a {type(of).__name__} is no type; 'BIGINT' or pyarrow.int64() are")


def _interval(delay: Any) -> str:
    """A delay as an INTERVAL literal."""
    micros = delay // timedelta(microseconds=1) if isinstance(delay, timedelta) else int(delay)
    return f"INTERVAL '{micros // 1_000_000}.{micros % 1_000_000:06d}' SECOND"
