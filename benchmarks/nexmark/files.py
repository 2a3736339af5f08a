"""The queries over the same event files, by TableFlow and by Flink in turn: seconds by the clock and of the processor, memory.

Flink runs in a process of its own with the interpreter that is given (one with ``pip install apache-flink``): parallelism as ours,
objects reused, one JVM for all queries, each query once before it counts.  Both read the files as streams and drop the rows.
Memory is what the process had at most, all in all; a JVM gives little back, so its later figures are those of the greediest query so far.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import tableflow
from benchmarks.nexmark.flink_peer import BID_NOW, Flink, Measured, by_seconds
from benchmarks.nexmark.memory import megabytes
from benchmarks.nexmark.queries import COLUMNS, SIDE_ROWS, declare, text

_PARTS = 2
"""Files of a table, so that two tasks have something to read from the beginning."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The best of both; ``flink`` is None where it was not asked or refused."""

    query: int
    ours: Measured
    flink: Measured | None
    refused: str = ""

    @property
    def ratio(self) -> float | None:
        """How often as fast by the clock."""
        return self.flink.seconds / self.ours.seconds if self.flink else None

    def line(self) -> str:
        """For people."""
        own = f"q{self.query:<3}{self.ours.seconds:7.2f} s {self.ours.processor:7.2f} s of processor {self.ours.megabytes or 0:6,.0f} MB"
        if self.flink is None:
            return f"{own}  {self.refused}".rstrip()
        return (
            f"{own}   Flink {self.flink.seconds:6.2f} s {self.flink.processor:6.2f} s {self.flink.megabytes or 0:6,.0f} MB   "
            f"{self.ratio:5.1f} x by the clock, {self.flink.processor / self.ours.processor:5.1f} x by the processor"
        )


def compare_files(
    kind: str, events: int, runs: int, threads: int, numbers: Sequence[int], interpreter: str | None, out: Path | None
) -> list[Compared]:
    """Prints a line per query and the geometric means; ``kind`` is csv or json."""
    found = []
    with TemporaryDirectory(prefix="nexmark-") as folder:
        # By another process, so that this one's memory is that of the queries.
        writing = get_context("spawn").Process(target=write_events, args=(Path(folder), kind, events))
        writing.start()
        writing.join()
        if writing.exitcode:
            raise RuntimeError("the event files could not be written, see above")
        statements = _tables(Path(folder), kind)
        flink = Flink(interpreter, threads, [*statements, BID_NOW]) if interpreter else None
        settings = {"parallelism.default": str(threads), "execution.runtime-mode": "streaming"}
        with tableflow.connect(settings=settings) as connection:
            for statement in [*statements, BID_NOW]:
                connection.execute(statement)
            for number in numbers:
                found.append(_compared(connection, flink, number, runs))
                print(found[-1].line(), flush=True)
        if flink is not None:
            flink.close()
    ratios = [each.ratio for each in found if each.ratio]
    if ratios:
        print(
            f"geometric mean: {math.exp(statistics.fmean(map(math.log, ratios))):.1f} x Flink, least {min(ratios):.1f}"
        )
    if out is not None:
        given = [asdict(each) for each in found]
        out.write_text(json.dumps({"format": kind, "events": events, "threads": threads, "queries": given}, indent=1))
    return found


def write_events(folder: Path, kind: str, events: int) -> None:
    """``events`` events in the tables' directories, in order, cut in the middle."""
    with tableflow.connect() as connection:
        declare(connection, events)
        for table in COLUMNS:
            (folder / table).mkdir()
            rows = connection.execute(f"SELECT * FROM {table}").fetch_arrow_table()
            middle = -(-len(rows) // _PARTS)
            for part in range(_PARTS):
                connection.register("part", rows.slice(part * middle, middle))
                header = ", HEADER false" if kind == "csv" else ""
                connection.execute(
                    f"COPY (SELECT * FROM part) TO '{folder / table}/{part}.{kind}' (FORMAT {kind}{header})"
                )

        numbers = {"key": list(range(SIDE_ROWS)), "value": list(range(SIDE_ROWS))}
        connection.register("side_input", numbers)
        (folder / "side_input").mkdir()
        connection.execute(f"COPY (SELECT * FROM side_input) TO '{folder}/side_input/0.csv' (FORMAT csv, HEADER false)")


def _tables(folder: Path, kind: str) -> list[str]:
    """What declares the files, as both engines read it."""
    return [
        f"CREATE TABLE {table} ({columns}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) "
        f"WITH ('connector' = 'filesystem', 'path' = '{folder / table}', 'format' = '{kind}')"
        for table, columns in COLUMNS.items()
    ] + [
        f"CREATE TABLE side_input (key BIGINT, `value` BIGINT) WITH ('connector' = 'filesystem', 'path' = '{folder}/side_input', 'format' = 'csv')"
    ]


def _compared(connection: tableflow.Connection, flink: Flink | None, number: int, runs: int) -> Compared:
    """Both in turn; the first of Flink's runs only warms it."""
    ours, theirs, refused = [], [], ""
    for run in range(runs + 1):
        if flink is not None and not refused:
            flink.wait_until_quiet()
            answer = flink.run(text(number))
            if isinstance(answer, str):
                refused = f"Flink: {answer}"
            elif run:
                theirs.append(answer)
        if run:
            if flink is not None:
                flink.wait_until_quiet()
            ours.append(_dropped(connection, number))
    return Compared(number, min(ours, key=by_seconds), min(theirs, key=by_seconds, default=None), refused)


def _dropped(connection: tableflow.Connection, number: int) -> Measured:
    megabytes("VmRSS", reset=True)
    began, processor = time.perf_counter(), time.process_time()
    cursor = connection.execute(text(number))
    while cursor.fetch_record_batch() is not None:
        pass
    cursor.close()
    return Measured(time.perf_counter() - began, time.process_time() - processor, megabytes("VmHWM"))
