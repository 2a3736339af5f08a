"""The command line that all suites have: ``generate``, ``check``, ``bench``, and ``peak`` for the benchmark's own use."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.side_by_side.bench import bench
from benchmarks.side_by_side.check import check
from benchmarks.side_by_side.peak import print_own_peak
from benchmarks.side_by_side.suite import Suite

PEERS = {"duckdb", "polars"}


def _parser(suite: Suite) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {suite.module}", description=suite.title)
    commands = parser.add_subparsers(dest="command", required=True)
    threads = len(os.sched_getaffinity(0))
    making = commands.add_parser("generate", help="write the tables as Parquet")
    making.add_argument("--out", type=Path, required=True)
    suite.options(making)
    checking = commands.add_parser("check", help="compare all answers with DuckDB's")
    measuring = commands.add_parser("bench", help="measure engines against each other")
    peaking = commands.add_parser("peak", help="print the peak anonymous memory of one engine")
    for command in (checking, measuring, peaking):
        command.add_argument("--data", type=Path, required=True)
        command.add_argument("--threads", type=int, default=threads)
    for command in (measuring, peaking):
        command.add_argument("--queries", type=suite.chosen, default=suite.numbers)
        command.add_argument(
            "--set", action="append", type=_setting, default=[], metavar="KEY=VALUE", help="of TableFlow"
        )
    measuring.add_argument("--engines", default="tableflow,duckdb,polars")
    measuring.add_argument("--runs", type=int, default=5)
    measuring.add_argument("--json", type=Path)
    measuring.add_argument("--no-memory", action="store_true")
    peaking.add_argument("--engine", required=True)
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def run_command(suite: Suite, arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 when all is well."""
    given = _parser(suite).parse_args(arguments)
    try:
        return _carry_out(suite, given)
    except ModuleNotFoundError as missing:
        if missing.name not in PEERS:
            raise
        sys.exit(
            f"error: {missing.name} is not installed, with which we are compared\nhint: pip install {missing.name}"
        )


def _carry_out(suite: Suite, given: argparse.Namespace) -> int:
    match given.command:
        case "generate":
            suite.generate(given)
        case "check":
            return 1 if check(suite, given.data, given.threads) else 0
        case "bench":
            engines, memory, settings = given.engines.split(","), not given.no_memory, dict(given.set)
            bench(
                suite,
                given.data,
                engines,
                given.runs,
                given.threads,
                given.json,
                given.queries,
                settings,
                memory=memory,
            )
        case "peak":
            print_own_peak(suite, given.engine, given.data, given.threads, given.queries, dict(given.set))
    return 0
