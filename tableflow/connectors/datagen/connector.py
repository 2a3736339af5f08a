"""CREATE TABLE ... WITH ('connector' = 'datagen'): the options are Flink's, and so are their names."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import Any

from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema, TableStatistics
from tableflow.columnar.batch import Batch
from tableflow.config import FORCE_REPRESENTATION, PARALLELISM, duration
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.datagen.values import ColumnMaker, Making, Random, Sequence
from tableflow.connectors.draws import Draws, Events
from tableflow.connectors.generated import GeneratedSource, Pace
from tableflow.connectors.option import Option, boolean, choice, text
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import CatalogError
from tableflow.records import dataclass
from tableflow.serialization import serializable

KIND = "datagen"
_TEXT_LENGTH, _COLLECTION_LENGTH = 100, 3
_TICK = 10_000
"""Microseconds between batches at rates of more than a row in that time: who waits for made-up rows is in no hurry."""


def _whole(value: str) -> int:
    try:
        return int(value.strip().replace("_", ""))
    except ValueError:
        raise ValueError("a whole number is expected") from None


def _rate(value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError("a number from 0 to 1 is expected")
    return rate


OPTIONS = (
    Option("rows-per-second", "number", _whole, "rows of all tasks per second; 0 or less: as fast as they are read",
           default=10_000),
    Option("number-of-rows", "number", _whole, "how many rows there are; by default they never end"),
    Option("seed", "number", _whole, "other seeds give other random values", default=0),
    Option("fields.#.kind", "text", choice("random", "sequence"), "random (the default), or the numbers from start to end"),
    Option("fields.#.min", "number", text, "least random number; by default the type's, 0 for FLOAT and DOUBLE"),
    Option("fields.#.max", "number", text, "greatest random number; by default the type's, 1 for FLOAT and DOUBLE"),
    Option("fields.#.max-past", "duration", duration, "how long before now a timestamp is at most; by default it is now"),
    Option("fields.#.length", "number", _whole,
           f"of texts ({_TEXT_LENGTH}, or what the type says), of arrays and maps ({_COLLECTION_LENGTH})"),
    Option("fields.#.var-len", "boolean", boolean, "lengths are random, from 1 to that one"),
    Option("fields.#.null-rate", "number", _rate, "the share of values that are NULL"),
    Option("fields.#.start", "number", _whole, "first number of a sequence"),
    Option("fields.#.end", "number", _whole, "last number of a sequence; the table ends with it"),
)  # fmt: skip


@serializable
@dataclass(frozen=True, slots=True)
class DatagenScan:
    """Columns to make, each with the salt that tells it from others; rows in all, rows per second of all tasks."""

    columns: tuple[tuple[int, Making], ...]
    rows: int | None
    per_second: int | None
    seed: int


class DatagenTable(ProjectedTable):
    """The provider of a declared table; its times are counted from when it is read."""

    repeatable = False

    def __init__(self, definition: TableDefinition, options: dict[str, Any]) -> None:
        stored = [column for column in definition.columns if not column.computed]
        if not stored:
            raise CatalogError(
                f"table {definition.name!r} declares no columns", hint="datagen makes the columns that are declared"
            )
        self._schema = TableSchema(definition.columns, (definition.primary_key,) if definition.primary_key else ())
        given = {name: value for name, value in options.items() if name.startswith("fields.")}
        self._makings = {
            column.name: (place, _making(column.type, f"fields.{column.name.lower()}", given, definition.name))
            for place, column in enumerate(stored)
        }
        if given:
            raise CatalogError(
                f"option {next(iter(given))!r} of table {definition.name!r} fits none of its columns",
                hint="fields.<column>.<option>; fields of rows are named <column>.<field>, parts of others "
                "<column>.element, .key and .value",
            )
        self._options = options
        ends = [m.end - m.start + 1 for _, m in self._makings.values() if isinstance(m, Sequence)]
        wanted = options["number-of-rows"]
        self._rows = min([*ends, *([] if wanted is None else [wanted])], default=None)

    @property
    def schema(self) -> TableSchema:
        """The declared columns."""
        return self._schema

    @property
    def bounded(self) -> bool:
        """Whether there is a number of rows, or a sequence."""
        return self._rows is not None

    @property
    def made_up(self) -> bool:
        """See :func:`~tableflow.catalog.provider.is_made_up`."""
        return self._rows is None or self._options["rows-per-second"] > 0

    def statistics(self) -> TableStatistics:
        """Rows."""
        return TableStatistics(self._rows)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        rate = self._options["rows-per-second"]
        columns = tuple(self._makings[name] for name in accepted.request.columns)
        return KIND, DatagenScan(columns, self._rows, rate if rate > 0 else None, self._options["seed"])


def _making(of: t.SqlType, name: str, given: dict[str, Any], table: str) -> Making:
    """Takes the options of a column, or of a part of one, out of ``given``."""

    def take(option: str, default: Any = None) -> Any:
        return given.pop(f"{name}.{option}", default)

    def wrong(message: str, hint: str | None = None) -> CatalogError:
        return CatalogError(f"{name!r} of table {table!r} {message}", hint=hint)

    if take("kind", "random") == "sequence":
        start, end = take("start"), take("end")
        if start is None or end is None:
            raise wrong("is a sequence without start or end", f"say '{name}.start' and '{name}.end'")
        if not isinstance(of, t.IntegerType | t.StringType | t.DecimalType) or end < start:
            raise wrong(
                f"cannot be the sequence from {start} to {end} of {of}", "sequences are ascending whole numbers"
            )
        if isinstance(of, t.DecimalType):
            of = t.DecimalType(of.precision, 0) if of.scale == 0 else _no_scale(of, wrong)
        return Sequence(of, start, end)
    least, most = _bounds(of, take("min"), take("max"), wrong)
    if isinstance(of, t.TimestampType):
        most = take("max-past", 0)
    if isinstance(of, t.StringType | t.BytesType):
        length = take("length", of.length if of.length is not None else _TEXT_LENGTH)
        if of.length is not None and length > of.length:
            raise wrong(f"is {of} and cannot have length {length}")
    else:
        length = take("length", _COLLECTION_LENGTH) if isinstance(of, t.ArrayType | t.MapType) else 0
    any_length = take("var-len", default=False)
    if length < 0 or length > 65_536 or (any_length and length == 0):
        raise wrong(f"has length {length}", "lengths are from 1 to 65536")
    children = tuple(_making(part, f"{name}.{called}", given, table) for called, part in _parts(of))
    return Random(of, least, most, length, any_length, take("null-rate", 0.0), children)


def _no_scale(of: t.DecimalType, wrong: Any) -> t.DecimalType:
    raise wrong(f"is {of}: sequences have no fractions")


def _parts(of: t.SqlType) -> tuple[tuple[str, t.SqlType], ...]:
    match of:
        case t.ArrayType(element=element):
            return (("element", element),)
        case t.MapType(key=key, value=value):
            return (("key", key), ("value", value))
        case t.RowType(fields=fields):
            return tuple((field.name.lower(), field.type) for field in fields)
        case t.NullType() | t.IntervalType() | t.JsonType():
            raise CatalogError(f"datagen makes no values of {of}")
    return ()


def _bounds(of: t.SqlType, low: str | None, high: str | None, wrong: Any) -> tuple[int | float, int | float]:
    """Least and greatest value in storage."""
    scale = 0
    match of:
        case t.IntegerType(bits=bits):
            least, most = Decimal(-(2 ** (bits - 1))), Decimal(2 ** (bits - 1) - 1)
        case t.DecimalType(precision=precision, scale=scale):
            most = Decimal(10 ** min(precision, 18) - 1)
            least = -most
        case t.FloatType():
            least, most = Decimal(0), Decimal(1)
        case _:
            if low is not None or high is not None:
                raise wrong(f"is {of} and has no 'min' and 'max'")
            return 0, 0
    exact = not isinstance(of, t.FloatType)
    try:
        lower = least if low is None else Decimal(low) * 10**scale
        upper = most if high is None else Decimal(high) * 10**scale
    except InvalidOperation:
        raise wrong(f"lies between {low!r} and {high!r}, which are not numbers") from None
    if lower > upper or (exact and (lower < least or upper > most)):
        raise wrong(f"is {of} and cannot lie between {low or least} and {high or most}")
    return (int(lower), int(upper)) if exact else (float(lower), float(upper))


def open_source(scan: DatagenScan, context: OpenContext) -> GeneratedSource:
    """The source of a scan, with a split per task."""
    settings, draws = context.settings, Draws(scan.seed)
    representation = settings.get(FORCE_REPRESENTATION)
    makers = [ColumnMaker(making, draws, place + 1, _now) for place, making in scan.columns]
    types = [making.type for _, making in scan.columns]

    def make(rows: Events) -> Batch:
        columns = [
            column_from_arrow(maker.make(rows), of, of, representation) for maker, of in zip(makers, types, strict=True)
        ]
        return Batch(columns, len(rows))

    return GeneratedSource(make, Pace(scan.rows, scan.per_second, tick=_TICK), settings.get(PARALLELISM))


def _now() -> int:
    return time.time_ns() // 1000


CONNECTOR = Connector(KIND, "rows that are made up: random values and sequences", OPTIONS, open_source, DatagenTable)
