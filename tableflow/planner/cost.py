"""What join orders are compared by: rows moved through hash tables, in units of one cheap probe.

After the C_out function (rows of all intermediate results), with the asymmetry of hash joins: building is dearer than
probing, and a table that outgrows the caches makes each probe wait for memory.
"""

from __future__ import annotations

import math

BUILD = 3.0
OUTPUT = 1.0
PAIR = 0.15
"""One pair of rows of a nested loop."""
_CACHED_ROWS = 50_000.0


def probe(build_rows: float) -> float:
    """One probe of a hash table of so many rows."""
    if build_rows <= _CACHED_ROWS:
        return 1.0
    return 1.0 + min(3.0, math.log2(build_rows / _CACHED_ROWS) / 2.0)


def hash_join_cost(probe_rows: float, build_rows: float, output_rows: float) -> float:
    """Building on one input, probing with the other and writing the result."""
    return build_rows * BUILD + probe_rows * probe(build_rows) + output_rows * OUTPUT


def nested_loop_cost(left_rows: float, right_rows: float, output_rows: float) -> float:
    """Every pair of rows looked at."""
    return left_rows * right_rows * PAIR + right_rows + output_rows * OUTPUT
