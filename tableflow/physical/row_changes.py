"""What a result that is replaced says: the old row goes, the new one comes, and nothing where they are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.representation import canonical, widen
from tableflow.expressions.operand import Mask


def same_values(left: Sequence[Column], right: Sequence[Column], rows: int) -> Mask:
    """For each row whether it shows the same in both lists of columns: NULL as NULL, NaN as NaN."""
    same = np.ones(rows, np.bool_)
    for a, b in zip(left, right, strict=True):
        same &= _same(widen(a).array, widen(b).array)
    return same


def _same(a: pa.Array, b: pa.Array) -> Mask:
    if pa.types.is_nested(a.type) or pa.types.is_interval(a.type) or pa.types.is_null(a.type):
        return np.array([x == y for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)], np.bool_)
    equal = pc.equal(a, b)
    if pa.types.is_floating(a.type):
        equal = pc.or_(equal, pc.and_(pc.is_nan(a), pc.is_nan(b)))
    missing = pc.and_(a.is_null(), b.is_null())
    result: Mask = pc.or_(equal.fill_null(fill_value=False), missing).to_numpy(zero_copy_only=False)
    return result


def differing(
    old: GroupNumbers, before: Sequence[Column], new: GroupNumbers, after: Sequence[Column]
) -> tuple[Mask, Mask]:
    """Which groups no longer show what they showed, and which show something else; those that are in both and show the same are silent."""
    _, in_old, in_new = np.intersect1d(old, new, assume_unique=True, return_indices=True)
    same = same_values(take_columns(before, in_old), take_columns(after, in_new), len(in_old))
    gone, come = np.ones(len(old), np.bool_), np.ones(len(new), np.bool_)
    gone[in_old[same]], come[in_new[same]] = False, False
    return gone, come


def replaced(old: Sequence[Column], old_rows: int, new: Sequence[Column], new_rows: int) -> Batch:
    """Rows that go, then rows that come, as one batch of changes."""
    parts = [
        Batch([_plain(c) for c in columns], rows, None, np.full(rows, weight, np.int64))
        for columns, rows, weight in ((old, old_rows, -1), (new, new_rows, 1))
        if rows
    ]
    return concat(parts)


def _plain(column: Column) -> Column:
    # Sums of one batch may be narrower than those of another.
    return widen(column) if column.array.type != canonical(column.type) else column
