"""The 22 query texts and the tables they read."""

from __future__ import annotations

from pathlib import Path

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
NUMBERS = tuple(range(1, 23))


def query_text(number: int) -> str:
    """The text of query 1 to 22 with the validation parameters; DuckDB reads it too."""
    return (Path(__file__).parent / "queries" / f"q{number:02d}.sql").read_text()
