"""``python -m benchmarks.nexmark check|bench``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.nexmark.bench import bench
from benchmarks.nexmark.check import Check
from benchmarks.nexmark.queries import NUMBERS


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part.removeprefix("q")) for part in text.split(","))
    unknown = [number for number in numbers if number not in NUMBERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"queries are 0 to 22, not {unknown[0]}")
    return numbers


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nexmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="compare streams, finished data and DuckDB")
    measuring = commands.add_parser("bench", help="measure streams")
    for command, events in ((checking, 100_000), (measuring, 2_000_000)):
        command.add_argument("--events", type=int, default=events)
        command.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
        command.add_argument("--queries", type=_numbers, default=NUMBERS)
    measuring.add_argument("--runs", type=int, default=3)
    measuring.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if given.command == "bench":
        bench(given.events, given.runs, given.threads, given.queries, given.json)
        return 0
    check = Check(given.events, {"parallelism.default": str(given.threads)})
    problems = [problem for number in given.queries if (problem := check.difference(number))]
    check.close()
    print("\n".join(problems) or f"{len(given.queries)} of {len(given.queries)} agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
