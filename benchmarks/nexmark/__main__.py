"""``python -m benchmarks.nexmark check|bench|files|latency``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.nexmark.bench import BATCH_ROWS, bench
from benchmarks.nexmark.check import Check
from benchmarks.nexmark.files import compare_files
from benchmarks.nexmark.flink_check import flink_difference
from benchmarks.nexmark.flink_memory import flink_in_memory
from benchmarks.nexmark.latency import latency, plot
from benchmarks.nexmark.queries import NUMBERS


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part.removeprefix("q")) for part in text.split(","))
    unknown = [number for number in numbers if number not in NUMBERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"queries are 0 to 22, not {unknown[0]}")
    return numbers


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nexmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="compare streams, finished data and DuckDB")
    measuring = commands.add_parser("bench", help="measure streams")
    reading = commands.add_parser("files", help="measure streams from CSV or JSON files, beside Flink")
    for command, events in ((checking, 100_000), (measuring, 2_000_000), (reading, 1_000_000)):
        command.add_argument("--events", type=int, default=events)
        command.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
        command.add_argument("--queries", type=_numbers, default=NUMBERS)
    for command in (measuring, reading):
        command.add_argument("--runs", type=int, default=3)
        command.add_argument("--json", type=Path)
    for command in (checking, measuring, reading):
        command.add_argument("--flink", metavar="PYTHON", help="an interpreter with apache-flink, to compare with")
    reading.add_argument("--format", choices=("csv", "json"), default="csv")
    measuring.add_argument("--batch-rows", type=int, default=BATCH_ROWS, help="most rows of our batches")
    measuring.add_argument("--alone", action="store_true", help="without DuckDB")
    waiting = commands.add_parser("latency", help="measure from the end of a window to its result")
    waiting.add_argument("--rates", type=_counts, default=(100_000, 1_000_000), help="events per second")
    waiting.add_argument("--windows", type=int, default=600)
    waiting.add_argument("--seconds", type=float, default=1.0, help="size of a window")
    waiting.add_argument("--keyed", action="store_true", help="count by auction")
    waiting.add_argument("--timeouts", type=_counts, default=(0, 2, 10, 50, 100), help="buffer timeouts to plot, in ms")
    waiting.add_argument("--plot", type=Path, help="draw latency over throughput for some buffer timeouts")
    waiting.add_argument("--quantile", type=float, default=0.99, help="which part of the windows the drawing is about")
    given = parser.parse_args(arguments)
    if given.command == "latency":
        if given.plot is None:
            latency(given.rates, given.windows, given.seconds, keyed=given.keyed)
        else:
            plot(given.timeouts, given.rates, given.windows, given.seconds, given.plot, given.quantile)
        return 0
    if given.command == "bench":
        bench(
            given.events,
            given.runs,
            given.threads,
            given.queries,
            given.json,
            peer=not given.alone,
            interpreter=given.flink,
            batch_rows=given.batch_rows,
        )
        return 0
    if given.command == "files":
        compare_files(given.format, given.events, given.runs, given.threads, given.queries, given.flink, given.json)
        return 0
    check = Check(given.events, {"parallelism.default": str(given.threads)})
    problems = [problem for number in given.queries if (problem := check.difference(number))]
    if given.flink is not None:
        with flink_in_memory(given.flink, given.events, given.threads) as flink:
            found = [flink_difference(flink, number, check.streamed(number)[0]) for number in given.queries]
        problems += [problem for problem in found if problem]
    check.close()
    print("\n".join(problems) or f"{len(given.queries)} of {len(given.queries)} agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
