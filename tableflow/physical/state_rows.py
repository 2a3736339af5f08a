"""Keyed rows as bytes and back: what a snapshot has of a state.

The rows with their counts and marks, as an Arrow stream; slots are not part of it, so a restored state may number rows otherwise.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState, Slots
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange

_PIECE_ROWS = 65_536


def save_rows(state: MultiState, keys: KeyRange = EVERY_KEY, dealt: Sequence[int] = ()) -> bytes:
    """The rows of a settled state, of a range of keys where rows are dealt by the columns ``dealt``; nothing when there are none."""
    sink = io.BytesIO()
    writer: pa.ipc.RecordBatchStreamWriter | None = None
    for slots in state.pieces(_PIECE_ROWS, keys, dealt):
        if not len(slots):
            continue
        arrays = [column.array for column in state.columns(range(len(state.types)), slots)]
        arrays += [pa.array(state.counts(slots)), pa.array(state.marks(slots))]
        batch = pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(len(arrays))])
        if writer is None:
            writer = pa.ipc.new_stream(sink, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()
    return sink.getvalue()


def load_rows(state: MultiState, parts: Sequence[bytes]) -> Slots:
    """Puts rows that were saved into an empty state of the same types and keys; where they are now, in the order of the parts."""
    placed = [np.zeros(0, np.uint32)]
    for batch in (batch for part in parts if part for batch in pa.ipc.open_stream(part)):
        *arrays, counts, marks = batch.columns
        columns = [Column(of, array) for of, array in zip(state.types, arrays, strict=True)]
        weights = counts.to_numpy() if state.counted else None
        changes = state.apply(columns, batch.num_rows, None, weights)
        slots = np.zeros(batch.num_rows, np.uint32)
        slots[changes.rows] = changes.slots
        placed.append(slots)
        by = marks.to_numpy()
        if np.any(by):
            state.add_marks(changes.slots, by[changes.rows])
    state.settle()
    state.take_marked()
    return np.concatenate(placed)
