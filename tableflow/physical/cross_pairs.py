"""Every row of a batch with every row of a published row set, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.joining import Rows
from tableflow.physical.join_pairs import PairColumns, pieces


class CrossPairs:
    """Candidates of a nested-loop join; the right rows are numbered through all batches."""

    exact = False

    def __init__(self, right: Sequence[Batch], columns: PairColumns, most: int) -> None:
        self.columns = columns
        self.most = most
        self._parts: list[tuple[int, Batch]] = []
        number = 0
        for batch in right:
            for start in range(0, batch.length, most):
                part = batch if batch.length <= most else batch.slice(start, min(most, batch.length - start))
                self._parts.append((number, part))
                number += part.length
        self.rows = number

    def candidates(
        self, batch: Batch, done: npt.NDArray[np.uint8] | None = None, marked: npt.NDArray[np.uint8] | None = None
    ) -> Iterator[tuple[Rows, Rows, Batch]]:
        """See :class:`~tableflow.physical.join_emission.Candidates`; parts without an unmarked row are left out."""
        for first, part in self._parts:
            if marked is not None and marked[first : first + part.length].all():
                continue
            lanes = np.arange(batch.rows, dtype=np.uint32) if done is None else _open(done)
            if len(lanes) == 0:
                return
            for block in pieces(lanes, max(1, self.most // part.length)):
                yield self._pairs(batch, block, first, part)

    def _pairs(self, batch: Batch, block: Rows, first: int, part: Batch) -> tuple[Rows, Rows, Batch]:
        if part.length == 1:
            rows = np.zeros(len(block), np.uint32)
            if 2 * len(block) > batch.length:
                return block, rows + np.uint32(first), self.columns.beside(batch, block, part.columns, rows)
            return block, rows + np.uint32(first), self.columns.gather(batch, block, part.columns, rows)
        lanes = np.repeat(block, part.length)
        rows = np.tile(np.arange(part.length, dtype=np.uint32), len(block))
        return lanes, rows + np.uint32(first), self.columns.gather(batch, lanes, part.columns, rows)

    def without_left(self, rows: npt.NDArray[np.int64]) -> Iterator[Batch]:
        """These right rows (ascending) beside NULLs."""
        for first, part in self._parts:
            start, end = np.searchsorted(rows, [first, first + part.length])
            if start < end:
                yield self.columns.without_probe(part.columns, rows[start:end] - first)


def _open(done: npt.NDArray[np.uint8]) -> Rows:
    return np.flatnonzero(done == 0).astype(np.uint32)
