"""A catalog without data: tables described in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tableflow.catalog.known_values import KnownRows, KnownValues
from tableflow.catalog.provider import (
    Accepted,
    Catalog,
    ColumnDefinition,
    ColumnStatistics,
    ScanRequest,
    TableSchema,
    TableStatistics,
    ViewScope,
    WatermarkDefinition,
)
from tableflow.config import Settings
from tableflow.planner.driver import Optimized, optimize
from tableflow.sql.binder import bind
from tableflow.types import BIGINT, DATE, DOUBLE, STRING, DecimalType, SqlType, TimestampType


@dataclass(eq=False)
class Described:
    """A table of which only schema and statistics exist."""

    schema: TableSchema
    known: TableStatistics
    bounded: bool = True
    partitioned: tuple[str, ...] = ()

    def statistics(self) -> TableStatistics:
        return self.known

    def accept(self, request: ScanRequest) -> Accepted:
        return Accepted(request)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        return "described", None


@dataclass(eq=False)
class Stored(Described):
    """A table of files that knows where its rows stand; only a column ``nested`` cannot be fetched."""

    position: str = "row position"

    def known_rows(self, columns: tuple[str, ...]) -> KnownRows:
        """Extremes of ``d`` alone, and NULLs of what is never NULL; ``x`` is NULL everywhere."""
        found = {name: KnownValues(self.known.columns[name].nulls) for name in columns}
        for name in columns:
            if name == "d":
                found[name] = KnownValues(0, (0, 9999))
            elif name == "x":
                found[name] = KnownValues(self.known.rows)
        return KnownRows(self.known.rows or 0, found)

    def fetchable(self) -> frozenset[str]:
        return frozenset(column.name for column in self.schema.columns if column.name != "nested")

    def fetch(self, columns: tuple[str, ...]) -> tuple[str, Any]:
        return "described", columns


@dataclass
class Tables:
    """A frozen catalog."""

    by_name: dict[str, Described]
    views: dict[str, str] = field(default_factory=dict)

    def table(self, path: Sequence[str]) -> Described | None:
        return self.by_name.get(path[-1].lower())

    def view(self, path: Sequence[str]) -> str | None:
        return self.views.get(path[-1].lower())

    def view_scope(self, path: Sequence[str], *, temporary: bool | None = None) -> ViewScope:
        return ViewScope(".".join(path).lower(), self)

    def file(self, path: str) -> Described:
        raise AssertionError(path)

    def names(self) -> Sequence[str]:
        return sorted(self.by_name)

    def current(self) -> str:
        return "default"


TYPES: dict[str, SqlType] = {
    "int": BIGINT, "text": STRING, "date": DATE, "double": DOUBLE, "money": DecimalType(12, 2),
    "time": TimestampType(3),
}  # fmt: skip


def described(rows: int, columns: str, key: str = "") -> Described:
    """``described(100, "a int 1 10, b text")``: columns with types and perhaps bounds; ``!`` after a type: never NULL."""
    definitions, known = [], {}
    for part in columns.split(","):
        name, kind, *bounds = part.split()
        never = kind.endswith("!")
        definitions.append(ColumnDefinition(name, TYPES[kind.rstrip("!")], not never))
        low, high = (int(bounds[0]), int(bounds[1])) if bounds else (None, None)
        known[name] = ColumnStatistics(low, high, 0 if never else None)
    keys = (tuple(key.split()),) if key else ()
    return Described(TableSchema(tuple(definitions), keys), TableStatistics(rows, known))


def timed() -> Described:
    """A table with a computed column that is its event time, in files by ``k``."""
    table = described(10_000, "k int! 1 100, ts time, v int")
    computed = ColumnDefinition("at", TYPES["time"], computed="ts + INTERVAL '1' SECOND")
    watermark = WatermarkDefinition("at", "at - INTERVAL '5' SECOND")
    schema = replace(table.schema, columns=(*table.schema.columns, computed), watermark=watermark)
    return replace(table, schema=schema, partitioned=("k",))


def small() -> Tables:
    """A few tables for fixtures of rules: big b, medium m, small s, k with a key, and files."""
    files = described(5_000_000, "id int! 1 5000000, x int 0 9, y money, t text, nested text, d date 0 9999", "id")
    return Tables(
        {
            "b": described(
                1_000_000, "id int 1 1000000, m int 1 10000, s int 1 100, x int 0 9, y money, t text, d date 0 9999"
            ),
            "m": described(10_000, "id int! 1 10000, s int 1 100, x int 0 9, y money, t text"),
            "s": described(100, "id int! 1 100, x int 0 9, t text"),
            "k": described(10_000, "id int! 1 10000, v int, t text", "id"),
            "e": described(10_000, "k int! 1 100, ts time, v int"),
            "files": Stored(files.schema, files.known),
            "timed": timed(),
            "endless": replace(described(10_000, "k int! 1 100, v int"), bounded=False),
        }
    )


def optimized(text: str, tables: Catalog, settings: Settings | None = None) -> Optimized:
    """The optimised query of a SQL text."""
    options = settings or Settings()
    statement = bind(text.strip().rstrip(";"), 0, tables, options)
    return optimize(statement.query, options)


def fired(of: Optimized) -> set[str]:
    """Names of the rules that fired."""
    return {firing.rule for firing in of.trace if firing.count}
