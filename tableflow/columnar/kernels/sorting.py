"""Sorting batches, and merging, cutting and thresholding what is sorted.

A key is ``(position, descending, nulls_first)``.  The order is that of SQL values, whatever their representation:
-0.0 equals 0.0, NaN is one value above all numbers, strings compare by bytes.  Everything is stable.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.kernels.gather import (
    compact,
    concat_ranges,
    is_nested,
    take_columns,
    take_rows,
    take_rows_steps,
)
from tableflow.columnar.kernels.steps import finish
from tableflow.errors import UnsupportedError

Key: TypeAlias = tuple[int, bool, bool]
"""(position, descending, nulls_first)."""


def _vectors(batch: Batch, keys: Sequence[Key]) -> list[_native.Vector]:
    columns = [batch.columns[position] for position, _, _ in keys]
    for column in columns:
        if is_nested(column):
            raise UnsupportedError(f"values of type {column.type} have no order", hint="order by parts of them")
    return [column.vector for column in columns]


def _directions(keys: Sequence[Key]) -> list[tuple[bool, bool]]:
    return [(descending, nulls_first) for _, descending, nulls_first in keys]


def sort_indices(batch: Batch, keys: Sequence[Key]) -> npt.NDArray[np.int64]:
    """The stored rows that count, in order; rows with equal keys keep their order.  At least one key."""
    return finish(sort_indices_steps(batch, keys))


def sort_indices_steps(batch: Batch, keys: Sequence[Key]) -> Generator[None, None, npt.NDArray[np.int64]]:
    """:func:`sort_indices` with a pause whenever some milliseconds have passed."""
    vectors = _vectors(batch, keys)
    if batch.selection is not None:
        columns = [batch.columns[position] for position, _, _ in keys]
        vectors = [column.vector for column in take_columns(columns, batch.selection)]
    work = _native.Sorting(vectors, _directions(keys), batch.rows)
    while not work.step():
        yield
    order = work.take()
    return order if batch.selection is None else batch.selection[order].astype(np.int64)


def sort_batch(batch: Batch, keys: Sequence[Key]) -> Batch:
    """The selected rows in order, as a batch of their own."""
    return finish(sort_batch_steps(batch, keys))


def sort_batch_steps(batch: Batch, keys: Sequence[Key]) -> Generator[None, None, Batch]:
    """:func:`sort_batch` with a pause whenever some milliseconds have passed."""
    order = yield from sort_indices_steps(batch, keys)
    yield
    return (yield from take_rows_steps(batch, order))


def lower_bound(run: Batch, keys: Sequence[Key], boundary: Batch, row: int) -> int:
    """How many rows of a sorted ``run`` come strictly before ``row`` of ``boundary``; both without a selection."""
    return _native.lower_bound(_vectors(run, keys), run.length, _vectors(boundary, keys), row, _directions(keys))


def select_before(batch: Batch, keys: Sequence[Key], threshold: Batch, row: int) -> Selection:
    """The selected rows of ``batch`` that come strictly before ``row`` of ``threshold``."""
    return _native.select_before(
        _vectors(batch, keys), batch.selection, batch.length, _vectors(threshold, keys), row, _directions(keys)
    )


class SortedMerge:
    """One sorted stream out of several, each given block by block.

    Rows with equal keys come in the order of their inputs.  :meth:`next` gives rows as long as every input that has not
    been finished has some; then :meth:`wanting` says whom to :meth:`push` to (or :meth:`finish`).
    """

    def __init__(self, inputs: int, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        self._merger = _native.Merger(inputs, _directions(keys))
        self._blocks: list[Batch | None] = [None] * inputs
        self._at = [0] * inputs

    def push(self, input: int, block: Batch) -> None:
        """The next sorted rows of an input that is :meth:`wanting`."""
        block = compact(block)
        self._merger.push(input, _vectors(block, self._keys), block.length)
        self._blocks[input] = block if block.length else None
        self._at[input] = 0

    def finish(self, input: int) -> None:
        """The input gives no more blocks."""
        self._merger.finish(input)

    def wanting(self) -> list[int]:
        """Inputs that have no rows and are not finished: nothing is merged before they get some."""
        return [i for i in range(len(self._blocks)) if self._merger.wants(i)]

    @property
    def exhausted(self) -> bool:
        """Whether no rows are left and none will come."""
        return all(block is None for block in self._blocks) and not self.wanting()

    def next(self, rows: int) -> Batch | None:
        """At most ``rows`` merged rows, fewer when an input has run out; None when there are none now."""
        taken, order = self._merger.merge(rows)
        sources = [i for i, count in enumerate(taken) if count]
        if not sources:
            return None
        blocks = [block for i in sources if (block := self._blocks[i]) is not None]
        starts, counts = [self._at[i] for i in sources], [taken[i] for i in sources]
        for i in sources:
            self._advance(i, taken[i])
        if len(blocks) == 1:
            return blocks[0].slice(starts[0], counts[0])
        return take_rows(concat_ranges(blocks, starts, counts), order)

    def _advance(self, input: int, rows: int) -> None:
        self._at[input] += rows
        block = self._blocks[input]
        if block is not None and self._at[input] == block.length:
            self._blocks[input] = None
