"""Keyed rows as bytes and back: what a snapshot has of a state.

The rows with their counts and marks, as an Arrow stream; slots are not part of it, so a restored state may number rows otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch, Weights
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState, Slots
from tableflow.columnar.kernels.packed_rows import pack_arrays, unpack_arrays
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange

_PIECE_ROWS = 65_536


def save_rows(state: MultiState, keys: KeyRange = EVERY_KEY, dealt: Sequence[int] = ()) -> bytes:
    """The rows of a settled state, of a range of keys where rows are dealt by the columns ``dealt``; nothing when there are none."""
    return pack_arrays(_saved(state, slots) for slots in state.pieces(_PIECE_ROWS, keys, dealt) if len(slots))


def _saved(state: MultiState, slots: Slots) -> list[pa.Array]:
    arrays = [column.array for column in state.columns(range(len(state.types)), slots)]
    return [*arrays, pa.array(state.counts(slots)), pa.array(state.marks(slots))]


def saved_rows(state: MultiState, parts: Sequence[bytes]) -> Iterator[tuple[Batch, Weights, Weights]]:
    """Rows that were saved of states of these types, a piece at a time, with the counts and marks of each."""
    for arrays in (arrays for part in parts for arrays in unpack_arrays(part)):
        *values, counts, marks = arrays
        columns = [Column(of, array) for of, array in zip(state.types, values, strict=True)]
        yield Batch(columns, len(counts)), counts.to_numpy(), marks.to_numpy()


def load_rows(state: MultiState, parts: Sequence[bytes]) -> Slots:
    """Puts rows that were saved into an empty state of the same types and keys; where they are now, in the order of the parts."""
    placed = [np.zeros(0, np.uint32)]
    for batch, counts, marks in saved_rows(state, parts):
        changes = state.apply(batch.columns, batch.length, None, counts if state.counted else None)
        slots = np.zeros(batch.length, np.uint32)
        slots[changes.rows] = changes.slots
        placed.append(slots)
        if np.any(marks):
            state.add_marks(changes.slots, marks[changes.rows])
    state.settle()
    state.take_marked()
    return np.concatenate(placed)
