"""Whether an answer is one that its query allows.

ORDER BY with LIMIT leaves open which of the rows that tie come out.  What is determined: the sort keys of the rows, place by place, and that
the rows at the places of one key are among all rows with that key, each as often as there at most.  So the peer is asked for the
whole answer up to the last place and its ties, with the sort keys as further columns.  Without ORDER BY all rows tie, and without LIMIT
both sides have the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp, parse_one

from benchmarks.side_by_side.compare import rows_of, same

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """A query with its sort keys as last columns, up to the ties of its last place, and what it had of it."""

    sql: str
    keys: int
    offset: int
    limit: int | None


def difference(sql: str, ours: Callable[[str], pa.Table], theirs: Callable[[str], pa.Table]) -> str | None:
    """The first way in which our answer is not one of those that the query allows, by the peer's whole answer."""
    whole = without_limit(sql)
    found, rows = ours(sql), theirs(whole.sql)
    width = rows.num_columns - whole.keys
    if found.num_columns != width:
        return f"{found.num_columns} columns, expected {width}"
    expected = rows_of(rows)
    count = len(expected[whole.offset :][: whole.limit])
    if found.num_rows != count:
        return f"{found.num_rows} rows, expected {count}"
    tied: dict[Row, list[Row]] = {}
    for row in expected:
        tied.setdefault(row[width:], []).append(row[:width])
    for place, row in enumerate(rows_of(found)):
        allowed = tied[expected[whole.offset + place][width:]]
        match = next((at for at, other in enumerate(allowed) if all(map(same, row, other))), None)
        if match is None:
            return f"row {place}: {row}, expected e.g. {expected[whole.offset + place][:width]}"
        allowed[match] = allowed[-1]
        allowed.pop()
    return None


def without_limit(sql: str) -> Whole:
    """A query without LIMIT and OFFSET, but no rows after the ties of the last one that LIMIT leaves."""
    tree = parse_one(sql, read="duckdb")
    assert isinstance(tree, exp.Select)
    order, limit, offset = (tree.args.pop(name, None) for name in ("order", "limit", "offset"))
    skipped, most = (int(given.expression.name) if given else None for given in (offset, limit))
    if order is None:
        return Whole(tree.sql("duckdb"), 0, skipped or 0, most)
    keys = {f"sort_key_{number}": each for number, each in enumerate(order.expressions)}
    tree.select(*(exp.alias_(each.this.copy(), key) for key, each in keys.items()), copy=False)
    sorting = ", ".join(f"{key} DESC" if each.args.get("desc") else key for key, each in keys.items())
    ties = "" if most is None else f"QUALIFY rank() OVER (ORDER BY {sorting}) <= {(skipped or 0) + most}"
    return Whole(f"SELECT * FROM ({tree.sql('duckdb')}) {ties} ORDER BY {sorting}", len(keys), skipped or 0, most)
