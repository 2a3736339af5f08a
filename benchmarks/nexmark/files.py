"""The queries over the same event files, by TableFlow and by Flink in turn: seconds by the clock and of the processor, memory.

Flink runs in a process of its own with the interpreter that is given (one with ``pip install apache-flink``): parallelism as ours,
objects reused, one JVM for all queries, each query once before it counts.  Both read the files as streams and drop the rows.
Memory is what the process had at most, all in all; a JVM gives little back, so its later figures are those of the greediest query so far.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tableflow
from benchmarks.nexmark.memory import megabytes
from benchmarks.nexmark.queries import COLUMNS, SIDE_ROWS, declare, text

_PARTS = 2
"""Files of a table, so that two tasks have something to read from the beginning."""
_JVM = {"_JAVA_OPTIONS": "-Xmx6g"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One query once: seconds by the clock, of the processor, and the most resident megabytes of the process."""

    seconds: float
    processor: float
    megabytes: float | None


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


class Flink:
    """Flink behind a pipe; see :mod:`benchmarks.nexmark.flink_process`."""

    def __init__(self, interpreter: str, threads: int, statements: Sequence[str]) -> None:
        script = Path(__file__).with_name("flink_process.py")
        self._process = subprocess.Popen(
            [interpreter, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **_JVM},
        )  # fmt: skip
        settings = {
            "parallelism.default": str(threads),
            "pipeline.object-reuse": "true",
            "table.local-time-zone": "UTC",
        }
        answer = self._ask({"settings": settings, "statements": list(statements)})
        if "error" in answer:
            raise RuntimeError(f"Flink cannot be used: {answer['error']}")

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, as its output says as well
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise RuntimeError(
                "the process with Flink has ended: does its interpreter have apache-flink, and is there a Java?"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, sql: str) -> Measured | str:
        """A query once, or why not."""
        answer = self._ask({"query": sql})
        return str(answer["error"]) if "error" in answer else Measured(**answer)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


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
        flink = Flink(interpreter, threads, [*statements, _VIEW]) if interpreter else None
        settings = {"parallelism.default": str(threads), "execution.runtime-mode": "streaming"}
        with tableflow.connect(settings=settings) as connection:
            for statement in [*statements, _VIEW]:
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


_VIEW = "CREATE VIEW bid_now AS SELECT *, PROCTIME() AS p_time FROM bid"


def _compared(connection: tableflow.Connection, flink: Flink | None, number: int, runs: int) -> Compared:
    """Both in turn; the first of Flink's runs only warms it."""
    ours, theirs, refused = [], [], ""
    for run in range(runs + 1):
        if flink is not None and not refused:
            answer = flink.run(text(number))
            if isinstance(answer, str):
                refused = f"Flink: {answer}"
            elif run:
                theirs.append(answer)
        if run:
            ours.append(_dropped(connection, number))
    return Compared(number, min(ours, key=_seconds), min(theirs, key=_seconds, default=None), refused)


def _seconds(of: Measured) -> float:
    return of.seconds


def _dropped(connection: tableflow.Connection, number: int) -> Measured:
    megabytes("VmRSS", reset=True)
    began, processor = time.perf_counter(), time.process_time()
    cursor = connection.execute(text(number))
    while cursor.fetch_record_batch() is not None:
        pass
    cursor.close()
    return Measured(time.perf_counter() - began, time.process_time() - processor, megabytes("VmHWM"))
