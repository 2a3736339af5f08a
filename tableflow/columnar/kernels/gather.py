"""Rows picked out of columns and put together, whatever the representations.

Dictionaries are shared as long as all parts have the same one; nested columns go through pyarrow.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import _native
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.types import TypeFamily, family

Index = npt.NDArray[Any]


def take(column: Column, indices: Index, nullable: bool = False) -> Column:
    """The rows ``indices`` (uint32 or int64) of a column; with ``nullable`` -1 gives NULL.

    Raises :class:`IndexError` for a row the column does not have.
    """
    return take_columns([column], indices, nullable)[0]


def take_columns(columns: Sequence[Column], indices: Index, nullable: bool = False) -> list[Column]:
    """:func:`take` for several columns at once."""
    if indices.dtype not in (np.uint32, np.int64):
        indices = indices.astype(np.int64)
    indices = np.ascontiguousarray(indices)
    flat = [column for column in columns if not is_nested(column)]
    taken = iter(_native.take([column.vector for column in flat], indices, nullable))
    if len(flat) == len(columns):
        return [Column(column.type, None, vector) for column, vector in zip(columns, taken, strict=True)]
    return [
        Column(column.type, _take_nested(column.array, indices, nullable))
        if is_nested(column)
        else Column(column.type, vector=next(taken))
        for column in columns
    ]


def take_rows(batch: Batch, indices: Index) -> Batch:
    """The stored rows ``indices`` of a batch, with their weights and without a selection."""
    weights = None if batch.weights is None else batch.weights[indices]
    return Batch(take_columns(batch.columns, indices), len(indices), None, weights, batch.event_time)


def take_rows_steps(batch: Batch, indices: npt.NDArray[np.int64]) -> Generator[None, None, Batch]:
    """:func:`take_rows` with a pause whenever some milliseconds have passed."""
    work = _native.Concatenation([column.vector for column in batch.columns if not is_nested(column)], indices)
    while not work.step():
        yield
    taken = iter(work.take())
    columns = []
    for column in batch.columns:
        if is_nested(column):
            columns.append(Column(column.type, _take_nested(column.array, indices, nullable=False)))
            yield
        else:
            columns.append(Column(column.type, vector=next(taken)))
    weights = None if batch.weights is None else batch.weights[indices]
    return Batch(columns, len(indices), None, weights, batch.event_time)


def compact(batch: Batch) -> Batch:
    """The batch without a selection: itself, or its selected rows copied."""
    return batch if batch.selection is None else take_rows(batch, batch.selection)


def concat(batches: Sequence[Batch]) -> Batch:
    """The selected rows of all batches in order, as one batch; at least one batch is needed.

    Columns may differ in representation from batch to batch.  Weights of a batch without any count +1 each.
    """
    if len(batches) == 1:
        return compact(batches[0])
    first = batches[0]
    selections = [batch.selection for batch in batches]
    flat = [i for i, column in enumerate(first.columns) if not is_nested(column)]
    made = iter(_native.concat([[batch.columns[i].vector for batch in batches] for i in flat], selections))
    columns = [
        Column(column.type, _concat_nested([batch.columns[i] for batch in batches], batches))
        if is_nested(column)
        else Column(column.type, vector=next(made))
        for i, column in enumerate(first.columns)
    ]
    return Batch(columns, sum(batch.rows for batch in batches), None, _concat_weights(batches), first.event_time)


def concat_steps(batches: Sequence[Batch]) -> Generator[None, None, Batch]:
    """:func:`concat` of batches without selections, with a pause whenever some milliseconds have passed."""
    first = batches[0]
    if len(batches) == 1:
        return first
    flat = [i for i, column in enumerate(first.columns) if not is_nested(column)]
    work = _native.Concatenation([[batch.columns[i].vector for batch in batches] for i in flat])
    while not work.step():
        yield
    made = iter(work.take())
    columns = []
    for i, column in enumerate(first.columns):
        if is_nested(column):
            columns.append(Column(column.type, pa.concat_arrays([batch.columns[i].array for batch in batches])))
            yield
        else:
            columns.append(Column(column.type, vector=next(made)))
    return Batch(columns, sum(batch.rows for batch in batches), None, _concat_weights(batches), first.event_time)


def concat_ranges(blocks: Sequence[Batch], starts: Sequence[int], counts: Sequence[int]) -> Batch:
    """Rows ``[starts[i], starts[i] + counts[i])`` of each block in order; blocks have no selections."""
    first = blocks[0]
    flat = [i for i, column in enumerate(first.columns) if not is_nested(column)]
    made = iter(_native.concat_ranges([[block.columns[i].vector for block in blocks] for i in flat], starts, counts))
    pieces = list(zip(blocks, starts, counts, strict=True))
    columns = [
        Column(column.type, pa.concat_arrays([block.columns[i].array.slice(at, count) for block, at, count in pieces]))
        if is_nested(column)
        else Column(column.type, vector=next(made))
        for i, column in enumerate(first.columns)
    ]
    weights = None
    if any(block.weights is not None for block in blocks):
        weights = np.concatenate([weights_of(block)[at : at + count] for block, at, count in pieces])
    return Batch(columns, sum(counts), None, weights, first.event_time)


def _concat_weights(batches: Sequence[Batch]) -> npt.NDArray[np.int64] | None:
    if all(batch.weights is None for batch in batches):
        return None
    return np.concatenate([weights_of(batch) for batch in batches])


def weights_of(batch: Batch) -> npt.NDArray[np.int64]:
    """Weights of the selected rows, in order; ones for a batch without weights."""
    if batch.weights is None:
        return np.ones(batch.rows, np.int64)
    return batch.weights if batch.selection is None else batch.weights[batch.selection]


def is_nested(column: Column) -> bool:
    """Whether kernels see the column through pyarrow only."""
    return family(column.type) is TypeFamily.NESTED


def _take_nested(array: pa.Array, indices: Index, nullable: bool) -> pa.Array:
    if not nullable:
        return array.take(pa.array(indices))
    signed = indices.astype(np.int64)
    missing = signed < 0 if indices.dtype == np.int64 else indices == np.uint32(0xFFFFFFFF)
    return array.take(pa.array(signed, mask=missing))


def _concat_nested(columns: Sequence[Column], batches: Sequence[Batch]) -> pa.Array:
    arrays = [
        column.array if batch.selection is None else column.array.take(pa.array(batch.selection))
        for column, batch in zip(columns, batches, strict=True)
    ]
    return pa.concat_arrays(arrays)
