"""The queries, the tables they read, and how DuckDB says the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import tableflow

ROOT = Path(__file__).parent
NUMBERS = tuple(range(23))
PROCESSING_TIME = frozenset({12})
"""Queries whose answers depend on when they run."""

COLUMNS = {
    "person": "id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, "
    "`dateTime` TIMESTAMP(3), extra STRING",
    "auction": "id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, `dateTime` TIMESTAMP(3), "
    "expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING",
    "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING",
}
SIDE_ROWS = 10_000


def text(number: int) -> str:
    """The query's SQL."""
    return (ROOT / "queries" / f"q{number:02}.sql").read_text().strip().rstrip(";")


def declare(connection: tableflow.Connection, events: int, **options: str) -> None:
    """The tables of a run, with event time bounded by four seconds of disorder."""
    given = {"connector": "nexmark", "events": str(events), **{k.replace("_", "-"): v for k, v in options.items()}}
    for table, columns in COLUMNS.items():
        wanted = ", ".join(f"'{name}' = '{value}'" for name, value in {**given, "table": table}.items())
        connection.execute(
            f"CREATE TABLE {table} ({columns}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ({wanted})"
        )
    connection.execute("CREATE VIEW bid_now AS SELECT *, proctime() AS p_time FROM bid")
    connection.register("side_input", {"key": list(range(SIDE_ROWS)), "value": list(range(SIDE_ROWS))})


def in_duckdb(number: int) -> str:
    """The same query for DuckDB, over finished tables of the same names."""
    own = ROOT / "duckdb" / f"q{number:02}.sql"
    if own.exists():
        return own.read_text().strip().rstrip(";")
    sql = text(number).replace("`", '"').replace("char_length(", "length(")
    sql = re.sub(r"date_format\(([^,]+), 'yyyy-MM-dd'\)", r"strftime(\1, '%Y-%m-%d')", sql)
    sql = re.sub(r"date_format\(([^,]+), 'HH:mm'\)", r"strftime(\1, '%H:%M')", sql)
    return re.sub(r"split_index\(url, '/', (\d)\)", lambda m: f"split_part(url, '/', {int(m[1]) + 1})", sql)


def net(kinds: Sequence[str] | None, rows: Sequence[tuple[object, ...]]) -> dict[tuple[object, ...], int]:
    """How often each row is there after all changes; ``kinds`` is None where rows only come."""
    found: dict[tuple[object, ...], int] = {}
    for place, row in enumerate(rows):
        weight = 1 if kinds is None or kinds[place].startswith("+") else -1
        found[row] = found.get(row, 0) + weight
    return {row: count for row, count in found.items() if count}
