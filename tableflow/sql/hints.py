"""The hints of the dialect, for the binder and for SHOW HINTS."""

from __future__ import annotations

from typing import Final

HINTS: Final[dict[str, str]] = {
    "BROADCAST": "BROADCAST(r): send the relation to every task instead of partitioning both sides",
    "SHUFFLE_HASH": "SHUFFLE_HASH(a, b): join these by partitioning both sides on the key",
    "SHUFFLE_MERGE": "SHUFFLE_MERGE(a, b): join these by sorting both sides on the key",
    "NEST_LOOP": "NEST_LOOP(a): join this by comparing all pairs",
    "LEADING": "LEADING(a, b, c): join in this order, from the left",
    "NO_REORDER": "NO_REORDER: join in the order of FROM",
    "ROWS": "ROWS(t, 1e6): assume that the relation has this many rows",
    "SELECTIVITY": "SELECTIVITY(t, 0.01): assume that this fraction of the relation's rows passes its filter",
    "UNIQUE": "UNIQUE(t.k): assume that the column has no duplicates",
    "PARALLEL": "PARALLEL(8): run with this many tasks",
    "STATE_TTL": "STATE_TTL('o' = '1d'): forget the relation's state after this time",
}
