"""Every query as a stream, over finished data, and in DuckDB: one answer."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta

import duckdb

import tableflow
from benchmarks.nexmark.queries import PROCESSING_TIME, SIDE_ROWS, declare, in_duckdb, net, text

Rows = dict[tuple[object, ...], int]


class Check:
    """The answers of one number of events."""

    def __init__(self, events: int, settings: dict[str, str], **options: str) -> None:
        self._batch = tableflow.connect(settings={**settings, "execution.runtime-mode": "batch"})
        self._stream = tableflow.connect(settings={**settings, "execution.runtime-mode": "streaming"})
        for connection in (self._batch, self._stream):
            declare(connection, events, **options)
        self._duckdb = duckdb.connect()
        for table in ("person", "auction", "bid"):
            rows = self._batch.execute(f"SELECT * FROM {table}").fetch_arrow_table()  # noqa: F841 - DuckDB reads it by name
            self._duckdb.execute(f"CREATE TABLE {table} AS SELECT * FROM rows")
        self._duckdb.execute(f"CREATE TABLE side_input AS SELECT range AS key, range AS value FROM range({SIDE_ROWS})")

    def streamed(self, number: int) -> tuple[Rows, bool]:
        """The sum of the changes of a query, and whether anything was ever taken back."""
        cursor = self._stream.execute(text(number))
        changes = []
        while some := cursor.fetch_changes():
            changes += some
        rows = net([kind for kind, _ in changes], [row for _, row in changes])
        cursor.close()
        return rows, any(kind.startswith("-") for kind, _ in changes)

    def finished(self, number: int) -> Rows:
        """The answer over finished data."""
        return dict(Counter(self._batch.execute(text(number)).fetchall()))

    def duckdb(self, number: int) -> Rows:
        """DuckDB's answer."""
        return dict(Counter(self._duckdb.execute(in_duckdb(number)).fetchall()))

    def difference(self, number: int) -> str | None:
        """The first way in which answers differ."""
        try:
            streamed, _ = self.streamed(number)
        except tableflow.Error as error:
            return f"q{number}: {error}"
        if number in PROCESSING_TIME:
            return self._by_clock(number, streamed)
        expected = self.duckdb(number)
        if not expected:
            return f"q{number}: DuckDB finds nothing, so nothing is compared"
        for name, found in (("finished data", self.finished(number)), ("stream", streamed)):
            problem = _difference(found, expected)
            if problem:
                return f"q{number}, {name}: {problem}"
        return None

    def _by_clock(self, number: int, streamed: Rows) -> str | None:
        """Which windows there are depends on the clock; but they are of ten seconds, and have each bid of a bidder once."""
        found: Counter[object] = Counter()
        for (bidder, bids, start, end), count in streamed.items():
            assert isinstance(start, datetime)
            assert isinstance(end, datetime)
            if count != 1 or end - start != timedelta(seconds=10) or start.timestamp() % 10:
                return f"q{number}: {count} windows from {start} to {end} of bidder {bidder}"
            found[bidder] += int(str(bids))
        expected = dict(self._duckdb.execute("SELECT bidder, count(*) FROM bid GROUP BY bidder").fetchall())
        return None if found == expected else f"q{number}: {found.total()} bids instead of {sum(expected.values())}"

    def close(self) -> None:
        """Closes all engines."""
        self._batch.close()
        self._stream.close()
        self._duckdb.close()


def _difference(found: Rows, expected: Rows) -> str | None:
    """What distinguishes two bags of rows; DOUBLE at 1e-9."""
    if found == expected:
        return None
    left = sorted(_repeated(found, expected), key=str)
    right = sorted(_repeated(expected, found), key=str)
    if len(left) == len(right) and all(_close(a, b) for a, b in zip(left, right, strict=True)):
        return None
    return f"{len(left)} rows that are not expected, {len(right)} missing: {left[:1]}, {right[:1]}"


def _repeated(rows: Rows, without: Rows) -> list[tuple[object, ...]]:
    return [row for row, count in rows.items() for _ in range(count - without.get(row, 0))]


def _close(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    return all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9))
        for a, b in zip(left, right, strict=True)
    )
