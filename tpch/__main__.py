"""``python -m tpch generate|check|bench``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tpch.bench import bench, print_own_peak
from tpch.check import check
from tpch.generate import generate
from tpch.hostile import generate_hostile
from tpch.queries import NUMBERS


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part.removeprefix("q")) for part in text.split(","))
    unknown = [number for number in numbers if number not in NUMBERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"queries are 1 to 22, not {unknown[0]}")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tpch", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    threads = len(os.sched_getaffinity(0))
    making = commands.add_parser("generate", help="write the tables as Parquet")
    making.add_argument("--scale", type=float, default=1.0)
    making.add_argument("--out", type=Path, required=True)
    making.add_argument("--hostile", action="store_true", help="with sparse keys, skew, NULLs and odd files")
    checking = commands.add_parser("check", help="compare all answers with DuckDB's")
    measuring = commands.add_parser("bench", help="measure engines against each other")
    peaking = commands.add_parser("peak", help="print the peak anonymous memory of one engine")
    for command in (checking, measuring, peaking):
        command.add_argument("--data", type=Path, required=True)
        command.add_argument("--threads", type=int, default=threads)
    checking.add_argument("--ties", action="store_true", help="rows may come in any order, as ties of ORDER BY do")
    for command in (measuring, peaking):
        command.add_argument("--queries", type=_numbers, default=NUMBERS)
    measuring.add_argument("--engines", default="tableflow,duckdb,polars")
    measuring.add_argument("--runs", type=int, default=5)
    measuring.add_argument("--json", type=Path)
    measuring.add_argument("--no-memory", action="store_true")
    peaking.add_argument("--engine", required=True)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 when all is well."""
    given = _parser().parse_args(arguments)
    match given.command:
        case "generate":
            (generate_hostile if given.hostile else generate)(given.scale, given.out)
        case "check":
            return 1 if check(given.data, given.threads, ordered=not given.ties) else 0
        case "bench":
            engines = given.engines.split(",")
            bench(given.data, engines, given.runs, given.threads, given.json, given.queries, memory=not given.no_memory)
        case "peak":
            print_own_peak(given.engine, given.data, given.threads, given.queries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
