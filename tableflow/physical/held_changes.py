"""Changes that wait until they are known to be whole, summed up by row.

Invariant: equal rows are one entry whose weight is the sum of theirs, so what comes out is the same however the changes were cut
into batches, and a row that came and went does not come out at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.physical.state_rows import load_rows, save_rows
from tableflow.runtime.operator import Reservation
from tableflow.types import SqlType

Weights = npt.NDArray[np.int64]


class HeldChanges:
    """Rows of these types with their weights, by the columns ``keys``; bytes are accounted before they are needed."""

    def __init__(
        self, types: Sequence[SqlType], reservation: Reservation, keys: Sequence[int] = (), dealt: Sequence[int] = ()
    ) -> None:
        """``dealt``: the columns by which rows are dealt to tasks; without any, what is held is no key's."""
        self._dealt = dealt
        self._state = MultiState(types, keys, [True] * len(keys))
        self._everything = range(len(self._state.types))
        self._reservation = reservation
        reservation.rows = lambda: self._state.rows

    def add(self, batch: Batch) -> None:
        """Adds a batch of changes."""
        if not batch.rows:
            return
        self._reservation.resize(self._state.bytes_after(batch.columns, batch.rows))
        self._state.apply(batch.columns, batch.length, batch.selection, batch.weights)
        self._state.compact()
        self._reservation.resize(self._state.bytes)

    @property
    def rows(self) -> int:
        """Different rows that wait."""
        return self._state.rows

    def parts(self, rows: int) -> Iterator[Batch]:
        """What is left of all changes, in batches of at most so many different rows; no weight is zero."""
        for slots in self._state.pieces(rows):
            yield Batch(self._state.columns(self._everything, slots), len(slots), None, self._state.counts(slots))

    def take(self, keys: Sequence[Column], rows: int) -> Iterator[Batch]:
        """What is left of the changes with these keys, each once, as :meth:`parts`; forgotten when all have been asked for."""
        found = [slots for _, slots in self._state.probe(keys, len(keys[0].array)).pieces(rows)]
        for slots in found:
            yield Batch(self._state.columns(self._everything, slots), len(slots), None, self._state.counts(slots))
        for slots in found:
            self._state.remove(slots)
        self._state.compact()
        self._reservation.resize(self._state.bytes)

    def take_below(self, position: int, bound: int, rows: int) -> Iterator[Batch]:
        """As :meth:`take`, of the changes whose value at ``position`` (a time, or a whole number) is below the bound."""
        found = self._state.below(position, bound)
        for start in range(0, len(found), rows):
            slots = found[start : start + rows]
            yield Batch(self._state.columns(self._everything, slots), len(slots), None, self._state.counts(slots))
        self._state.remove(found)
        self._state.compact()
        self._reservation.resize(self._state.bytes)

    def clear(self) -> None:
        """Forgets everything."""
        self._state.clear()
        self._reservation.resize(self._state.bytes)

    def snapshot(self, keys: KeyRange) -> bytes:
        """The changes of a range of keys."""
        return save_rows(self._state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        load_rows(self._state, parts)
        self._reservation.resize(self._state.bytes)

    def close(self) -> None:
        """Gives the memory back."""
        self._state.clear()
        self._reservation.release()


def weights_of(batch: Batch) -> Weights:
    """One weight for each stored row."""
    return np.ones(batch.length, np.int64) if batch.weights is None else batch.weights
