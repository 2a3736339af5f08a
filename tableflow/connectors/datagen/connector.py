"""CREATE TABLE ... WITH ('connector' = 'datagen'): the options are Flink's, and so are their names."""

from __future__ import annotations

import time
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema, TableStatistics
from tableflow.columnar.batch import Batch
from tableflow.config import FORCE_REPRESENTATION, PARALLELISM, duration
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.datagen.declaration import COLLECTION_LENGTH, TEXT_LENGTH, makings
from tableflow.connectors.datagen.values import ColumnMaker, Making, Sequence
from tableflow.connectors.draws import Draws, Events
from tableflow.connectors.generated import GeneratedSource, Pace, tasks_reading
from tableflow.connectors.option import Option, boolean, choice, text
from tableflow.connectors.storage import column_from_arrow
from tableflow.records import dataclass
from tableflow.serialization import serializable

KIND = "datagen"
_TICK = 10_000
"""Microseconds between batches at rates of more than a row in that time: who waits for made-up rows is in no hurry."""


def _whole(value: str) -> int:
    try:
        return int(value.strip().replace("_", ""))
    except ValueError:
        raise ValueError("a whole number is expected") from None


def _count(value: str) -> int:
    if (count := _whole(value)) < 0:
        raise ValueError("a whole number of at least 0 is expected")
    return count


def _tasks(value: str) -> int:
    if (tasks := _whole(value)) < 1:
        raise ValueError("a whole number of at least 1 is expected")
    return tasks


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
    Option("number-of-rows", "number", _count, "how many rows there are; by default they never end"),
    Option("seed", "number", _whole, "other seeds give other random values", default=0),
    Option("scan.parallelism", "number", _tasks, "how many tasks make rows, of those that there are; by default all"),
    Option("fields.#.kind", "text", choice("random", "sequence"), "random (the default), or the numbers from start to end"),
    Option("fields.#.min", "number", text, "least random number; by default the type's, 0 for FLOAT and DOUBLE"),
    Option("fields.#.max", "number", text, "greatest random number; by default the type's, 1 for FLOAT and DOUBLE"),
    Option("fields.#.max-past", "duration", duration, "how long before now a timestamp is at most; by default it is now"),
    Option("fields.#.length", "number", _whole,
           f"of texts ({TEXT_LENGTH}, or what the type says), of arrays and maps ({COLLECTION_LENGTH})"),
    Option("fields.#.var-len", "boolean", boolean, "lengths are random, from 1 to that one"),
    Option("fields.#.null-rate", "number", _rate, "the share of values that are NULL"),
    Option("fields.#.start", "number", _whole, "first number of a sequence"),
    Option("fields.#.end", "number", _whole, "last number of a sequence; the table ends with it"),
)  # fmt: skip


@serializable
@dataclass(frozen=True, slots=True)
class DatagenScan:
    """Columns to make, each with the salt that tells it from others; rows in all, rows per second of all tasks, how many tasks make them."""

    columns: tuple[tuple[int, Making], ...]
    rows: int | None
    per_second: int | None
    seed: int
    tasks: int | None = None


class DatagenTable(ProjectedTable):
    """The provider of a declared table; its times are counted from when it is read."""

    repeatable = False

    def __init__(self, definition: TableDefinition, options: dict[str, Any]) -> None:
        self._schema = TableSchema(definition.columns, (definition.primary_key,) if definition.primary_key else ())
        self._makings = makings(definition, options)
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
        return KIND, DatagenScan(
            columns, self._rows, rate if rate > 0 else None, self._options["seed"], self._options["scan.parallelism"]
        )


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

    return GeneratedSource(
        make, Pace(scan.rows, scan.per_second, tick=_TICK), tasks_reading(scan.tasks, settings.get(PARALLELISM))
    )


def _now() -> int:
    return time.time_ns() // 1000


CONNECTOR = Connector(KIND, "rows that are made up: random values and sequences", OPTIONS, open_source, DatagenTable)
