"""How many events per second the queries take, from events made in memory before, beside Flink and DuckDB in one run.

Making the events, parsing and planning are not measured, with any engine: our connection keeps the columns that were made, Flink's JVM has the same rows
(:mod:`benchmarks.nexmark.flink_memory`), and its time counts from the first reader's begin.  Neither engine's turn begins before the other is quiet (:mod:`benchmarks.nexmark.quiet`).  Time is given by the clock and as
processor time divided by the number of threads, which does not depend on what else the machine does.  Memory is what the process had at most beyond what
it had, with the events, before the query; it is that of the first run, before which both engines gave free memory back, and which is not timed.
DuckDB answers the query once over finished tables in its memory.

``FLINK`` are thousands of events per second that Flink 2.3 reached on two cores of a machine like the one this was written on,
from its own generator into a sink that drops everything; single runs, 30 % noise.  They stand in where Flink or a Java compiler is not installed.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

import tableflow
from benchmarks.nexmark.flink_memory import flink_in_memory, has_compiler
from benchmarks.nexmark.flink_peer import Flink, Measured
from benchmarks.nexmark.memory import give_back, megabytes
from benchmarks.nexmark.queries import PROCESSING_TIME, SIDE_ROWS, declare, in_duckdb, text

FLINK = {
    0: 1029, 1: 928, 2: 858, 3: 915, 4: 207, 5: 277, 7: 173, 8: 456, 9: 180, 10: 382, 11: 354, 12: 502, 13: 619, 14: 651, 15: 364,
    16: 136, 17: 453, 18: 279, 19: 178, 20: 281, 21: 455, 22: 634,
}  # fmt: skip
BATCH_ROWS = 131_072
"""Most rows of our batches: all events are there, so nothing waits for a batch to become full, and the threads meet less often."""
_WARM_SECONDS, _WARM_RUNS = 3.0, 6
"""Flink runs a query so long, at most so often, before it counts: what it compiles for a query it compiles again in each job."""


@dataclass(frozen=True, slots=True)
class Run:
    """One query once: seconds by the clock and of the processor, rows out, and megabytes beyond the events (None: unknown)."""

    seconds: float
    processor: float
    rows: int
    megabytes: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a query; rates in thousand events per second.

    ``flink`` is what Flink reached by the clock, and ``flink_runs`` are its runs; without runs it is a stored figure.
    """

    query: int
    events: int
    threads: int
    runs: tuple[Run, ...]
    megabytes: float | None = None
    flink_runs: tuple[Measured, ...] = ()
    flink_megabytes: float | None = None
    duckdb_seconds: float | None = None
    refused: str = ""

    def _rate(self, seconds: float) -> float:
        return self.events / seconds / 1000

    @property
    def by_clock(self) -> float:
        """Ours."""
        return self._rate(min(run.seconds for run in self.runs))

    @property
    def by_processor(self) -> float:
        """Ours, if the threads had been busy all the time."""
        return self._rate(min(run.processor for run in self.runs) / self.threads)

    @property
    def flink(self) -> float | None:
        """Flink's rate by the clock."""
        if self.flink_runs:
            return self._rate(min(run.seconds for run in self.flink_runs))
        return FLINK.get(self.query)

    @property
    def ratio(self) -> float | None:
        """To Flink by the clock; to a stored figure, which was measured when nothing else was done, by the processor."""
        if self.flink is None:
            return None
        return (self.by_clock if self.flink_runs else self.by_processor) / self.flink

    @property
    def ratio_by_processor(self) -> float | None:
        """To Flink by processor time, where it ran."""
        if not self.flink_runs:
            return None
        return min(run.processor for run in self.flink_runs) / min(run.processor for run in self.runs)

    @property
    def ratio_of_memory(self) -> float | None:
        """How often as much Flink had beyond the events; a megabyte is the least that counts."""
        if self.flink_megabytes is None or self.megabytes is None:
            return None
        return max(self.flink_megabytes, 1.0) / max(self.megabytes, 1.0)

    def line(self) -> str:
        """For people."""
        own = f"q{self.query:<3}{self.runs[0].rows:>10,} rows {self.by_clock:>7,.0f} by the clock {self.by_processor:>7,.0f} by the processor"
        parts = [f"{own} {math.nan if self.megabytes is None else self.megabytes:5,.0f} MB"]
        if self.flink_runs:
            parts.append(
                f"Flink {self.flink:>6,.0f} {self.flink_megabytes or math.nan:5,.0f} MB: {self.ratio:5.1f} x by the clock, "
                f"{self.ratio_by_processor:5.1f} x by the processor, {self.ratio_of_memory or math.nan:5.1f} x the memory"
            )
        elif self.refused:
            parts.append(f"Flink refuses: {self.refused[:60]}")
        elif self.ratio is not None:
            parts.append(f"{self.ratio:5.1f} x Flink's {self.flink:>4}, as stored")
        if self.duckdb_seconds is not None:
            parts.append(f"DuckDB {self.duckdb_seconds:6.3f} s, ours {min(run.seconds for run in self.runs):6.3f} s")
        return "  ".join(parts)

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        names = ("by_clock", "by_processor", "flink", "ratio", "ratio_by_processor", "ratio_of_memory")
        return asdict(self) | {name: getattr(self, name) for name in names}


def bench(
    events: int,
    runs: int,
    threads: int,
    numbers: Sequence[int],
    out: Path | None,
    *,
    peer: bool = True,
    interpreter: str | None = None,
    batch_rows: int = BATCH_ROWS,
) -> list[Figures]:
    """Prints a line per query and the geometric means; writes all figures as JSON."""
    figures = []
    settings = {
        "parallelism.default": str(threads),
        "execution.runtime-mode": "streaming",
        "execution.batch-rows": str(batch_rows),
    }
    with (
        _flink(interpreter, events, threads) as flink,
        tableflow.connect(settings=settings) as connection,
        _peer(events, threads, wanted=peer) as duckdb_seconds,
    ):
        declare(connection, events, preloaded="true")
        for number in numbers:
            theirs = duckdb_seconds if peer and number not in PROCESSING_TIME else None  # which DuckDB has no word for
            figures.append(_figures(number, events, threads, runs, connection, flink, theirs))
            print(figures[-1].line(), flush=True)
    for line in summary(figures):
        print(line)
    if out is not None:
        given = [each.document() for each in figures]
        out.write_text(json.dumps({"events": events, "threads": threads, "queries": given}, indent=1))
    return figures


def summary(figures: Sequence[Figures]) -> list[str]:
    """Geometric means and the least of the ratios."""
    measured = [each for each in figures if each.flink_runs]
    if not measured:
        return [_mean("Flink's figures by the processor's time, as stored", [(e.query, e.ratio) for e in figures])]
    return [
        _mean("Flink by the clock", [(each.query, each.ratio) for each in measured]),
        _mean("Flink by the processor", [(each.query, each.ratio_by_processor) for each in measured]),
        _mean("our memory beyond the events is Flink's", [(each.query, each.ratio_of_memory) for each in measured]),
    ]


def _mean(what: str, ratios: Sequence[tuple[int, float | None]]) -> str:
    known = [(ratio, query) for query, ratio in ratios if ratio is not None]
    if not known:
        return f"no ratio to {what}"
    least, query = min(known)
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio, _ in known))
    return f"geometric mean of {len(known)}: {mean:.1f} x {what}, least {least:.1f} (q{query})"


def _figures(
    number: int,
    events: int,
    threads: int,
    runs: int,
    connection: tableflow.Connection,
    flink: Flink | None,
    duckdb_seconds: Callable[[int], float] | None,
) -> Figures:
    """The engines in turn, after each has run the query once for its memory, and Flink until it is warm."""
    connection.execute(text(number)).close()  # makes the columns
    _declare_sink(connection, number)
    give_back()
    megabytes_of_ours = _stream(connection, number).megabytes
    warmed = None if flink is None else _warm(flink, number)
    ours, theirs, peer = [], [], []
    for _ in range(runs):
        if flink is not None and isinstance(warmed, Measured):
            theirs.append(_flink_once(flink, number))
            flink.wait_until_quiet()
        ours.append(_stream(connection, number))
        if duckdb_seconds is not None:
            peer.append(duckdb_seconds(number))
    return Figures(
        number, events, threads, tuple(ours), megabytes_of_ours, tuple(theirs),
        warmed.beyond if isinstance(warmed, Measured) else None, min(peer, default=None), warmed if isinstance(warmed, str) else "",
    )  # fmt: skip


def _flink_once(flink: Flink, number: int) -> Measured:
    """Flink's turn."""
    flink.wait_until_quiet()
    measured = flink.run(text(number))
    if isinstance(measured, Measured):
        return measured
    raise RuntimeError(f"Flink ran q{number} before and now does not: {measured}")


def _warm(flink: Flink, number: int) -> Measured | str:
    """Runs that do not count; the first one tells the memory, or why Flink refuses the query."""
    first = flink.run(text(number), trim=True)
    taken = first.seconds if isinstance(first, Measured) else math.inf
    for _ in range(_WARM_RUNS - 1):
        if taken > _WARM_SECONDS:
            break
        again = flink.run(text(number))
        taken += again.seconds if isinstance(again, Measured) else math.inf
    return first


@contextmanager
def _flink(interpreter: str | None, events: int, threads: int) -> Iterator[Flink | None]:
    """Flink with the events in memory, if it is wanted; without a compiler for their source, the reason is printed."""
    if interpreter is None or not has_compiler():
        if interpreter is not None:
            print("there is no javac, which compiles the source of events in memory: Flink's figures are stored ones")
        yield None
        return
    with flink_in_memory(interpreter, events, threads) as flink:
        yield flink


def _stream(connection: tableflow.Connection, number: int) -> Run:
    """Runs a query once into a table that drops everything; what the calling thread does, which plans and then waits, is not counted."""
    before = megabytes("VmRSS", reset=True)
    began, processor, own = time.perf_counter(), time.process_time(), time.thread_time()
    cursor = connection.execute(f"INSERT INTO dropped_{number} {text(number)}")
    own = time.thread_time() - own
    seconds, processor = time.perf_counter() - began - own, time.process_time() - processor - own
    most, rows = megabytes("VmHWM"), cursor.rowcount
    cursor.close()
    return Run(seconds, processor, rows, None if before is None or most is None else max(most - before, 0.0))


def _declare_sink(connection: tableflow.Connection, number: int) -> None:
    """The table ``dropped_NUMBER``, with the columns of the query."""
    connection.execute(f"CREATE TEMPORARY VIEW wanted AS {text(number)}")
    columns = ", ".join(f"`{row[0]}` {row[1]}" for row in connection.execute("DESCRIBE wanted").fetchall())
    connection.execute("DROP VIEW wanted")
    connection.execute(f"CREATE TABLE dropped_{number} ({columns}) WITH ('connector' = 'blackhole')")


@contextmanager
def _peer(events: int, threads: int, *, wanted: bool) -> Iterator[Callable[[int], float]]:
    """Gives what runs a query over tables in DuckDB's memory, in seconds."""
    with duckdb.connect() as peer:
        peer.execute(f"SET threads = {threads}")
        if wanted:
            with tableflow.connect(settings={"parallelism.default": str(threads)}) as connection:
                declare(connection, events)
                for table in ("person", "auction", "bid"):
                    rows = connection.execute(f"SELECT * FROM {table}").fetch_arrow_table()  # noqa: F841 - DuckDB reads it by name
                    peer.execute(f"CREATE TABLE {table} AS SELECT * FROM rows")
            peer.execute(f"CREATE TABLE side_input AS SELECT range AS key, range AS value FROM range({SIDE_ROWS})")

        def run(number: int) -> float:
            began = time.perf_counter()
            peer.sql(in_duckdb(number)).to_arrow_table()
            return time.perf_counter() - began

        yield run
