"""Whether two results are the same: floating point at 1e-9 relative, everything else exactly."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

RELATIVE = 1e-9


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as tuples of Python values; decimals without trailing zeros, so that scales do not matter."""
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * table.num_rows


def _plain(value: Any) -> Any:
    return value.normalize() if isinstance(value, Decimal) else value


def difference(ours: pa.Table, theirs: pa.Table, *, ordered: bool = True) -> str | None:
    """The first difference in words, or None; unordered comparison is as bags."""
    if ours.num_columns != theirs.num_columns:
        return f"{ours.num_columns} columns, expected {theirs.num_columns}"
    left, right = rows_of(ours), rows_of(theirs)
    if len(left) != len(right):
        return f"{len(left)} rows, expected {len(right)}"
    if not ordered:
        left, right = sorted(left, key=_sort_key), sorted(right, key=_sort_key)
    for number, (a, b) in enumerate(zip(left, right, strict=True)):
        if not all(same(x, y) for x, y in zip(a, b, strict=True)):
            return f"row {number}: {a}, expected {b}"
    return None


def same(a: Any, b: Any) -> bool:
    """Equal values; where one side is floating point, at :data:`RELATIVE`; NaN equals NaN."""
    if a is None or b is None:
        return a is b
    if isinstance(a, float) or isinstance(b, float):
        x, y = float(a), float(b)
        return (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=RELATIVE, abs_tol=1e-12)
    return bool(a == b)


def _sort_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    # Floating point is rounded, so that noise does not reorder rows.
    return tuple((v is None, f"{v:.6g}" if isinstance(v, float) else str(v)) for v in row)
