"""How many events per second the queries take, from events made in memory before, beside DuckDB over the same finished data.

``FLINK`` are thousands of events per second that Flink 2.3 reached on two cores of a machine like the one this was written on,
from a generator in memory into a sink that drops everything; single runs, 30 % noise.  They stand in where Flink is not installed.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

import tableflow
from benchmarks.nexmark.queries import SIDE_ROWS, declare, in_duckdb, text

FLINK = {
    0: 1029, 1: 928, 2: 858, 3: 915, 4: 207, 5: 277, 7: 173, 8: 456, 9: 180, 10: 382, 11: 354, 12: 502, 13: 619, 14: 651, 15: 364,
    16: 136, 17: 453, 18: 279, 19: 178, 20: 281, 21: 455, 22: 634,
}  # fmt: skip


def bench(events: int, runs: int, threads: int, numbers: Sequence[int], out: Path | None) -> None:
    """Prints a line per query and the geometric means; writes all figures as JSON."""
    figures = []
    for number in numbers:
        ours = [_stream(number, events, threads) for _ in range(runs)]
        peer = [_duckdb(number, events, threads) for _ in range(runs)]
        rate = events / statistics.median(seconds for seconds, _ in ours) / 1000
        flink = FLINK.get(number)
        figures.append(
            {
                "query": number, "seconds": [seconds for seconds, _ in ours], "rows": ours[0][1], "duckdb_seconds": peer,
                "thousand_events_per_second": rate, "flink": flink, "ratio": rate / flink if flink else None,
            }
        )  # fmt: skip
        of_flink = f"{rate / flink:6.1f} x Flink's {flink}" if flink else " " * 20
        print(
            f"q{number:<3} {ours[0][1]:>9,} rows {rate:>8,.0f} thousand events/s {of_flink}  "
            f"DuckDB {statistics.median(peer):6.3f} s, ours {statistics.median(s for s, _ in ours):6.3f} s",
            flush=True,
        )
    ratios = [float(str(each["ratio"])) for each in figures if each["ratio"]]
    if ratios:
        print(
            f"geometric mean: {math.exp(statistics.fmean(map(math.log, ratios))):.1f} x Flink's figures, least {min(ratios):.1f}"
        )
    if out is not None:
        out.write_text(json.dumps({"events": events, "threads": threads, "queries": figures}, indent=1))


def _stream(number: int, events: int, threads: int) -> tuple[float, int]:
    """Seconds from the first event to the last row, and rows out."""
    settings = {"parallelism.default": str(threads), "execution.runtime-mode": "streaming"}
    with tableflow.connect(settings=settings) as connection:
        declare(connection, events, preloaded="true")
        cursor = connection.execute(text(number))
        began = time.perf_counter()
        rows = 0
        while (batch := cursor.fetch_record_batch()) is not None:
            rows += batch.num_rows
        return time.perf_counter() - began, rows


def _duckdb(number: int, events: int, threads: int) -> float:
    """Seconds of the batch query over tables in memory."""
    with tableflow.connect(settings={"parallelism.default": str(threads)}) as connection, duckdb.connect() as peer:
        peer.execute(f"SET threads = {threads}")
        declare(connection, events)
        for table in ("person", "auction", "bid"):
            rows = connection.execute(f"SELECT * FROM {table}").fetch_arrow_table()  # noqa: F841 - DuckDB reads it by name
            peer.execute(f"CREATE TABLE {table} AS SELECT * FROM rows")
        peer.execute(f"CREATE TABLE side_input AS SELECT range AS key, range AS value FROM range({SIDE_ROWS})")
        began = time.perf_counter()
        peer.execute(in_duckdb(number)).fetch_arrow_table()
        return time.perf_counter() - began
