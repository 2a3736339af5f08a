"""From what a program says of its rows to the table that a session reads them by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import ColumnDefinition, TableSchema
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.iteration import Iteration
from tableflow.connectors.live import LiveTable
from tableflow.connectors.memory import storage_type
from tableflow.connectors.script import Script
from tableflow.errors import InterfaceError, UnsupportedError
from tableflow.sql.dialect import parse_with
from tableflow.sql.tokens import tokenize
from tableflow.sql.type_names import parse_type
from tableflow.types import SqlType


def live_table(schema: Any, source: Any, watermark: Any, objects: ObjectStore) -> LiveTable:
    """A table over the rows of ``source``; :class:`InterfaceError` says what is wrong with the description."""
    columns = tuple(_columns(schema))
    if watermark is not None:
        raise UnsupportedError("a watermark of a registered stream is not there yet")
    feed = source if isinstance(source, Script) else Iteration(source)
    return LiveTable(TableSchema(columns), feed, objects)


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


def delay_text(delay: Any) -> str:
    """A delay as an INTERVAL literal."""
    micros = delay // timedelta(microseconds=1) if isinstance(delay, timedelta) else int(delay)
    return f"INTERVAL '{micros // 1_000_000}.{micros % 1_000_000:06d}' SECOND"
