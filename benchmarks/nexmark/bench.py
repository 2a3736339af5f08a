"""How many events per second the queries take, from events made in memory before, beside DuckDB over the same finished data.

Making the events, parsing and planning are not measured: the connection keeps the columns that were made, and a first run, cut off at once, makes
those that are missing.  Time is given by the clock and as processor time divided by the number of threads, which does not depend
on what else the machine does; memory is what the process had at most beyond what it had, with the events, before the query.

``FLINK`` are thousands of events per second that Flink 2.3 reached on two cores of a machine like the one this was written on,
from a generator in memory into a sink that drops everything; single runs, 30 % noise.  They stand in where Flink is not installed.
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
from benchmarks.nexmark.memory import megabytes
from benchmarks.nexmark.queries import PROCESSING_TIME, SIDE_ROWS, declare, in_duckdb, text

FLINK = {
    0: 1029, 1: 928, 2: 858, 3: 915, 4: 207, 5: 277, 7: 173, 8: 456, 9: 180, 10: 382, 11: 354, 12: 502, 13: 619, 14: 651, 15: 364,
    16: 136, 17: 453, 18: 279, 19: 178, 20: 281, 21: 455, 22: 634,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One query once: seconds by the clock and of the processor, rows out, and megabytes beyond the events (None: unknown)."""

    seconds: float
    processor: float
    rows: int
    megabytes: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a query; rates in thousand events per second."""

    query: int
    runs: tuple[Run, ...]
    by_clock: float
    by_processor: float
    flink: int | None
    duckdb_seconds: float | None

    @property
    def ratio(self) -> float | None:
        """To Flink, by the processor's time."""
        return self.by_processor / self.flink if self.flink else None

    def line(self) -> str:
        """For people."""
        best = min(run.seconds for run in self.runs)
        of_flink = f"{self.ratio:5.1f} x Flink's {self.flink:>4}" if self.ratio is not None else " " * 20
        megabytes = min((run.megabytes for run in self.runs if run.megabytes is not None), default=math.nan)
        peer = f"  DuckDB {self.duckdb_seconds:6.3f} s, ours {best:6.3f} s" if self.duckdb_seconds is not None else ""
        return (
            f"q{self.query:<3}{self.runs[0].rows:>10,} rows {self.by_clock:>8,.0f} by the clock {self.by_processor:>8,.0f} by the processor "
            f"{of_flink} {megabytes:6,.0f} MB{peer}"
        )


def bench(
    events: int, runs: int, threads: int, numbers: Sequence[int], out: Path | None, *, peer: bool = True
) -> list[Figures]:
    """Prints a line per query and the geometric means; writes all figures as JSON."""
    figures = []
    settings = {"parallelism.default": str(threads), "execution.runtime-mode": "streaming"}
    with tableflow.connect(settings=settings) as connection, _peer(events, threads, wanted=peer) as duckdb_seconds:
        declare(connection, events, preloaded="true")
        for number in numbers:
            connection.execute(text(number)).close()  # makes the columns
            ours = tuple(_stream(connection, number) for _ in range(runs))
            by_clock, by_processor = min(r.seconds for r in ours), min(r.processor for r in ours) / threads
            compared = peer and number not in PROCESSING_TIME  # which DuckDB has no word for
            theirs = min(duckdb_seconds(number) for _ in range(runs)) if compared else None
            figures.append(
                Figures(number, ours, events / by_clock / 1000, events / by_processor / 1000, FLINK.get(number), theirs)
            )
            print(figures[-1].line(), flush=True)
    ratios = [each.ratio for each in figures if each.ratio]
    if ratios:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        print(f"geometric mean: {mean:.1f} x Flink's figures by the processor's time, least {min(ratios):.1f}")
    if out is not None:
        given = [{**asdict(each), "ratio": each.ratio} for each in figures]
        out.write_text(json.dumps({"events": events, "threads": threads, "queries": given}, indent=1))
    return figures


def _stream(connection: tableflow.Connection, number: int) -> Run:
    """Runs a query once; what the calling thread does until the job runs is not counted."""
    before = megabytes("VmRSS", reset=True)
    processor, own = time.process_time(), time.thread_time()
    cursor = connection.execute(text(number))
    began, own = time.perf_counter(), time.thread_time() - own
    rows = 0
    while (batch := cursor.fetch_record_batch()) is not None:
        rows += batch.num_rows
    seconds, processor = time.perf_counter() - began, time.process_time() - processor - own
    most = megabytes("VmHWM")
    cursor.close()
    return Run(seconds, processor, rows, None if before is None or most is None else max(most - before, 0.0))


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
