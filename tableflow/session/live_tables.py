"""From what a program says of its rows to the table that a session reads them by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from queue import Queue, SimpleQueue
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import Alignment, Changelog, ColumnDefinition, TableSchema, WatermarkDefinition
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.iteration import Iteration
from tableflow.connectors.live import Feed, LiveTable
from tableflow.connectors.lookup import Asked, LookupTable
from tableflow.connectors.memory import storage_type
from tableflow.connectors.script import Script
from tableflow.errors import InterfaceError, TableFlowError
from tableflow.expressions.text import duration_text
from tableflow.records import dataclass, replace
from tableflow.sql.dialect import parse_with
from tableflow.sql.tokens import tokenize
from tableflow.sql.type_names import parse_type
from tableflow.types import SqlType, TimestampType

_LIKE: Mapping[Any, str] = {
    int: "'BIGINT'", str: "'STRING'", float: "'DOUBLE'", bool: "'BOOLEAN'", bytes: "'BYTES'", datetime: "'TIMESTAMP(3)'",
    date: "'DATE'", Decimal: "'DECIMAL(18, 2)'", timedelta: "'INTERVAL'",
}  # fmt: skip
"""What to write for classes that hold such values."""
_NOT_NULL = re.compile(r"\s+NOT\s+NULL\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LiveDescription:
    """What a program says of its rows; see :meth:`tableflow.dbapi.connection.Connection.register_stream`."""

    schema: Any
    watermark: tuple[str, Any] | None = None
    key: Sequence[str] = ()
    changelog: Changelog = "append"
    alignment: tuple[str, Any] | None = None


def live_table(name: str, of: LiveDescription, source: Any, objects: ObjectStore) -> LiveTable:
    """A table over the rows of ``source``; :class:`InterfaceError` says what is wrong with the description."""
    columns = columns_of(of.schema)
    names = [column.name for column in columns]
    keys = (key_columns(of.key, names),) if of.key else ()
    weighted = isinstance(source, Script)  # rows of others do not say whether they come or go
    if of.changelog not in {"append", "upsert"} and not (weighted and of.changelog == "retract"):
        raise InterfaceError(f"changelog is 'append' or 'upsert', not {of.changelog!r}")
    if of.changelog == "upsert" and not keys:
        raise InterfaceError("rows can only replace each other by a key; name its columns with key=[...]")
    watermark = None if of.watermark is None else _watermark(of.watermark, columns)
    if of.alignment is not None:
        if watermark is None:
            raise InterfaceError("alignment is about event time: give a watermark as well")
        watermark = replace(watermark, alignment=_alignment(of.alignment))
    return LiveTable(name, TableSchema(columns, keys, watermark, of.changelog), _feed(source), objects)


def _feed(source: Any) -> Feed:
    if isinstance(source, Script):
        return source
    if isinstance(source, (Queue, SimpleQueue)):
        from tableflow.connectors.queued import Queued

        return Queued(source)
    return Iteration(source)


def names_given(argument: str, of: Any) -> tuple[str, ...]:
    """Names of columns: one alone, or several."""
    if isinstance(of, str):
        return (of,)
    if not isinstance(of, (Sequence, Set)) or not all(isinstance(name, str) for name in of):
        raise InterfaceError(f"{argument} is the name of a column, or a list of names such as ['id'], not {of!r}")
    return tuple(of)


def key_columns(key: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a key, which have to be there."""
    columns = names_given("key", key)
    for column in columns:
        if column not in names:
            raise InterfaceError(f"key column {column!r} is none of {', '.join(names)}")
    return columns


def _watermark(of: Any, columns: Sequence[ColumnDefinition]) -> WatermarkDefinition:
    if not isinstance(of, (tuple, list)) or len(of) != 2:
        raise InterfaceError("watermark is a pair of a column and a delay, such as ('ts', timedelta(seconds=5))")
    name, delay = of
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise InterfaceError(f"watermark column {name!r} is none of {', '.join(c.name for c in columns)}")
    if not isinstance(found.type, TimestampType):
        raise InterfaceError(f"watermark column {name!r} is {found.type}; event time is a TIMESTAMP or TIMESTAMP_LTZ")
    quoted = '"' + name.replace('"', '""') + '"'
    return WatermarkDefinition(name, f"{quoted} - {duration_text(_microseconds(delay, 'the delay of a watermark'))}")


def _alignment(of: Any) -> Alignment:
    if not isinstance(of, (tuple, list)) or len(of) != 2 or not isinstance(of[0], str) or not of[0]:
        raise InterfaceError(
            "alignment is a pair of a group and how far to be ahead at most, such as ('g', timedelta(minutes=1))"
        )
    return Alignment(of[0], _microseconds(of[1], "the most that a source may be ahead"))


def lookup_table(name: str, schema: Any, asked: Asked, objects: ObjectStore) -> LookupTable:
    """A table behind a function that is asked for the rows of keys."""
    return LookupTable(name, TableSchema(columns_of(schema)), asked, objects)


def columns_of(schema: Any) -> tuple[ColumnDefinition, ...]:
    """The columns of an Arrow schema, or of types by name."""
    columns = tuple(_columns(schema))
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise InterfaceError(f"the schema has column {column.name!r} twice, and case makes no difference")
        seen.add(column.name.lower())
    return columns


def _columns(schema: Any) -> Iterator[ColumnDefinition]:
    if isinstance(schema, pa.Schema):
        for field in schema:
            yield ColumnDefinition(field.name, from_arrow_type(storage_type(field.type)), field.nullable)
        return
    given = schema.items() if isinstance(schema, Mapping) else schema
    pairs = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else []
    if not pairs or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise InterfaceError("schema is an Arrow schema, or SQL types by column name, such as {'id': 'BIGINT'}")
    for name, of in pairs:
        if not isinstance(name, str) or not name:
            raise InterfaceError(f"the name of a column is a text, not {name!r}")
        text, required = _NOT_NULL.subn("", of) if isinstance(of, str) else (of, 0)
        yield ColumnDefinition(name, _type(name, text), nullable=not required)


def _type(name: str, of: Any) -> SqlType:
    if isinstance(of, str):
        try:
            return parse_with(of, tokenize(of), parse_type)
        except TableFlowError as error:
            hint = f"; {error.hint}" if error.hint else ""
            raise InterfaceError(f"the type {of!r} of column {name!r}: {error.message}{hint}") from None
    if isinstance(of, pa.DataType):
        return from_arrow_type(of)
    if isinstance(of, SqlType):
        return of
    shown = f"Python's {of.__name__}" if isinstance(of, type) else f"a {type(of).__name__}"
    like = _LIKE.get(of if isinstance(of, type) else None, "'BIGINT' or pyarrow.int64()")
    raise InterfaceError(f"column {name!r}: {shown} is no type; {like} is one")


def _microseconds(of: Any, what: str) -> int:
    if isinstance(of, timedelta):
        of = of // timedelta(microseconds=1)
    if not isinstance(of, int) or of < 0:
        raise InterfaceError(f"{what} is a timedelta, or microseconds, not below zero: {of!r}")
    return of
