"""The 22 query texts and the tables they read."""

from __future__ import annotations

from pathlib import Path

from tpch.parameters import with_parameters

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
NUMBERS = tuple(range(1, 23))


def query_text(number: int, seed: int = 0) -> str:
    """The text of query 1 to 22, which DuckDB reads too: with the validation parameters (0), or those that a seed draws."""
    text = (Path(__file__).parent / "queries" / f"q{number:02d}.sql").read_text()
    return with_parameters(number, text, seed) if seed else text
