"""Flink does the same work: what all its changes come to is what ours come to.

Known differences of the dialects are allowed for: Flink's avg() of whole numbers is a whole number, and its regexp_extract() is NULL where
nothing matches, where ours (and DuckDB's) is an empty text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from benchmarks.nexmark.check import Rows
from benchmarks.nexmark.flink_peer import Flink
from benchmarks.nexmark.queries import PROCESSING_TIME, net, text

_AVERAGES = frozenset({4, 17})
_EXTRACTS = frozenset({21})
_KEYS = {9: (0,), 18: (0, 1)}
"""Where Flink writes rows over those of the same key, without taking the old ones back."""
Changes = Sequence[tuple[str, tuple[object, ...]]]


def flink_difference(flink: Flink, number: int, ours: Rows) -> str | None:
    """The first way in which Flink's answer differs from ours; None also where it refuses the query or the answer depends on the clock."""
    answer = flink.rows(text(number))
    if isinstance(answer, str) or number in PROCESSING_TIME:
        return None
    return difference(number, answer, ours)


def difference(number: int, changes: Changes, ours: Rows) -> str | None:
    """What distinguishes the sum of Flink's changes from our rows."""
    kept = [(_plain(number, row), count) for row, count in ours.items() if number not in _EXTRACTS or row[-1] != ""]
    expected = net(None, [row for row, count in kept for _ in range(count)])
    found = _sum(number, [(kind, _plain(number, row)) for kind, row in changes])
    if found == expected:
        return None
    more, less = _without(found, expected), _without(expected, found)
    return f"q{number}, Flink: {len(more)} rows that we have not, {len(less)} that only we have: {more[:1]}, {less[:1]}"


def _sum(number: int, changes: Changes) -> Rows:
    if number not in _KEYS:
        return net([kind for kind, _ in changes], [row for _, row in changes])
    latest: dict[tuple[object, ...], tuple[object, ...]] = {}
    for kind, row in changes:
        key = tuple(row[place] for place in _KEYS[number])
        if kind.startswith("+"):
            latest[key] = row
        elif latest.get(key) == row:
            del latest[key]
    return net(None, list(latest.values()))


def _plain(number: int, row: Iterable[object]) -> tuple[object, ...]:
    """Values as JSON leaves them."""
    if number in _AVERAGES:
        row = [int(value) if isinstance(value, float | Decimal) else value for value in row]
    return tuple(str(value) if isinstance(value, datetime | Decimal) else value for value in row)


def _without(rows: Rows, others: Rows) -> list[tuple[object, ...]]:
    return sorted((row for row, count in rows.items() for _ in range(count - others.get(row, 0))), key=str)
