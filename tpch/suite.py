"""TPC-H as a suite; its data may be hostile."""

from __future__ import annotations

import argparse

from benchmarks.side_by_side.suite import Suite
from tpch.generate import generate
from tpch.hostile import generate_hostile
from tpch.queries import NUMBERS, TABLES, query_text


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--hostile", action="store_true", help="with sparse keys, skew, NULLs and odd files")


def _generate(given: argparse.Namespace) -> None:
    (generate_hostile if given.hostile else generate)(given.scale, given.out)


SUITE = Suite(
    title="TPC-H",
    module="tpch",
    numbers=NUMBERS,
    tables=TABLES,
    text=query_text,
    generate=_generate,
    options=_options,
)
