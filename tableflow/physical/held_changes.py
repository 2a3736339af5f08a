"""Changes that wait until they are known to be whole, summed up by row.

Invariant: equal rows are one entry whose weight is the sum of theirs, so what comes out is the same however the changes were cut
into batches, and a row that came and went does not come out at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_columns
from tableflow.columnar.kernels.grouping import Aggregate, GroupTable
from tableflow.runtime.operator import Reservation
from tableflow.types import BIGINT, SqlType

_SUM = Aggregate("sum", (0,), (BIGINT,), BIGINT)
Weights = npt.NDArray[np.int64]


class HeldChanges:
    """Rows of these types with their weights; bytes are accounted before they are needed."""

    def __init__(self, types: Sequence[SqlType], reservation: Reservation) -> None:
        self._types = tuple(types)
        self._table = GroupTable(self._types, [_SUM])
        self._reservation = reservation

    def add(self, batch: Batch) -> None:
        """Adds a batch of changes."""
        batch = compact(batch)
        if not batch.length:
            return
        weights = Column(BIGINT, pa.array(weights_of(batch)))
        self._reservation.resize(self._table.bytes_after(batch.columns, [weights], batch.length))
        self._table.update(batch.columns, [weights], batch.length)
        self._reservation.resize(self._table.bytes)

    def parts(self, rows: int) -> Iterator[Batch]:
        """What is left of all changes, in order of first appearance; no weight is zero."""
        for start in range(0, self._table.groups, rows):
            count = min(rows, self._table.groups - start)
            weights = self._table.results(start, count)[0].array.to_numpy(zero_copy_only=False)
            kept = np.flatnonzero(weights)
            columns = self._table.keys(start, count)
            if len(kept) < count:
                columns = take_columns(columns, kept)
            if len(kept):
                yield Batch(columns, len(kept), None, weights[kept])

    def clear(self) -> None:
        """Forgets everything."""
        self._table.clear()
        self._reservation.resize(self._table.bytes)


def weights_of(batch: Batch) -> Weights:
    """One weight for each stored row."""
    return np.ones(batch.length, np.int64) if batch.weights is None else batch.weights
