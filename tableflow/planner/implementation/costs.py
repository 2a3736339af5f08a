"""The physical cost model: elapsed nanoseconds of one machine, roughly.

Work that is spread over tasks is divided by the parallelism; work in a single task is not.  The figures are
per row or byte, measured once on the kernels; only their ratios matter.  A hash table that outgrows the caches
pays for memory latency on every access.
"""

from __future__ import annotations

import math

SCAN_VALUE = 1.5
FILTER_ROW = 1.0
EXPRESSION_VALUE = 1.0
EXCHANGE_ROW = 14.0
EXCHANGE_BYTE = 0.15
RANGE_ROW = 1.5
"""Looking in which range the key of a row lies, where those of whole batches lie in one."""
BUILD_ROW = 22.0
PROBE_ROW = 7.0
OUTPUT_VALUE = 1.5
GROUP_ROW = 9.0
SORT_COMPARISON = 3.0
WINDOW_ROW = 6.0
WINDOW_CALL = 8.0
NESTED_PAIR = 1.2
FETCHED_VALUE = 50_000.0
"""One value of a row that is asked for by its position: a page has to be found and decompressed."""
STAGE = 60_000.0
"""Starting the tasks of one more stage."""

_CACHE_BYTES = 1_500_000.0
_MISS = 14.0


def cache_penalty(bytes: float) -> float:
    """Nanoseconds added to a random access into a structure of this size."""
    if bytes <= _CACHE_BYTES:
        return 0.0
    return min(3.0, math.log2(bytes / _CACHE_BYTES) / 2.0) * _MISS


def build_cost(rows: float, row_bytes: float) -> float:
    """Building a hash table of these rows."""
    return rows * (BUILD_ROW + 0.1 * row_bytes + 0.5 * cache_penalty(rows * (16.0 + row_bytes)))


def probe_cost(rows: float, build_rows: float, output_rows: float, output_columns: int) -> float:
    """Probing with ``rows`` and writing the output."""
    access = PROBE_ROW + cache_penalty(build_rows * 24.0)
    return rows * access + output_rows * output_columns * OUTPUT_VALUE


def aggregate_cost(rows: float, groups: float, calls: int, *, near: bool = False) -> float:
    """Grouping ``rows`` into ``groups``; ``near``: rows that follow each other are mostly of few groups."""
    penalty = 0.0 if near else cache_penalty(groups * (24.0 + 16.0 * calls))
    return rows * (GROUP_ROW + 2.0 * calls + penalty) + groups * 20.0


def exchange_cost(rows: float, row_bytes: float) -> float:
    """Moving rows between tasks."""
    return rows * (EXCHANGE_ROW + EXCHANGE_BYTE * row_bytes)


def window_cost(rows: float, calls: int) -> float:
    """Calls over the sorted rows of partitions."""
    return rows * (WINDOW_ROW + WINDOW_CALL * calls)


def sort_cost(rows: float) -> float:
    """Sorting rows."""
    return rows * SORT_COMPARISON * math.log2(rows + 2.0)
