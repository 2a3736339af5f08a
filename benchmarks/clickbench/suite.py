"""ClickBench as a suite.

The texts are the published ones, as DuckDB reads them, in lines; times are TIMESTAMP and DATE, as the published schema has them, so nothing
is converted from numbers.  `reduced` makes a query of the same form meaningful for few rows.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks.clickbench.generate import generate
from benchmarks.side_by_side.suite import Suite

NUMBERS = tuple(range(43))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=62)


def reduced(text: str) -> str:
    """The query with a thousandth of its offset and of its least count."""
    text = re.sub(r"OFFSET (\d+)", lambda match: f"OFFSET {int(match[1]) // 1000}", text)
    return text.replace("COUNT(*) > 100000", "COUNT(*) > 100")


QUERIES = Path(__file__).parent / "queries"


def query_text(number: int) -> str:
    """The text of query 0 to 42; their literals are always the same."""
    return (QUERIES / f"q{number:02d}.sql").read_text()


SUITE = Suite(
    title="ClickBench",
    module="benchmarks.clickbench",
    numbers=NUMBERS,
    tables=("hits",),
    text=lambda number, _: query_text(number),
    generate=lambda given: generate(given.rows, given.out, given.seed),
    options=_options,
)
