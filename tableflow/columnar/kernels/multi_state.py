"""Keyed state of kind Multi, the typed face of the native one: a key's rows with their counts.

A state has one owner.  Rows are named by slots, which stay the same as long as the row lives; equal rows share a slot and are
counted, unless the state was made for rows that are only ever added.  Counts may be negative; a row whose count is zero can be read
until :meth:`MultiState.settle`.  Nested columns are kept in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Batch, Selection, Weights
from tableflow.columnar.column import Column
from tableflow.columnar.flattening import flat_types, flatten, unflatten
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.grouping import storage_format
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import UnsupportedError
from tableflow.records import dataclass
from tableflow.types import SqlType, TypeFamily, family

Slots = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

_PIECE_ROWS = 65_536
_TEXT_PAGE = 1 << 20

NO_SLOT = np.uint32(0xFFFFFFFF)
"""Stands for a missing row where that is allowed."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What a batch did, once for each row of the state whose count is another one than before.

    ``rows`` is for each a stored row of the batch that has its values.  ``unmatchable`` are the batch's rows that are not kept,
    because a key that is not null-safe is NULL.
    """

    slots: Slots
    rows: Slots
    before: Numbers
    after: Numbers
    unmatchable: Slots

    @property
    def deltas(self) -> Numbers:
        """By how much each count has changed."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class LeadingChanges:
    """What a batch did to the first rows of keys: the first ``gone`` of these go, the others come; all can be read until they are settled.

    ``places`` are theirs within their key, from 0; empty where they were not asked for.
    """

    slots: Slots
    places: Numbers
    gone: int


class MultiState:
    """Rows of these types by the columns ``keys``."""

    def __init__(
        self,
        types: Sequence[SqlType],
        keys: Sequence[int] = (),
        null_safe: Sequence[bool] = (),
        *,
        counted: bool = True,
    ) -> None:
        self.types = tuple(types)
        self.counted = counted
        parts = [flat_types(of) for of in types]
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64).tolist()
        self._parts = [range(end - len(part), end) for part, end in zip(parts, ends, strict=True)]
        self._flat = [of for part in parts for of in part]
        self._plain = not any(family(of) is TypeFamily.NESTED for of in types)
        if any(len(self._parts[key]) > 1 and not safe for key, safe in zip(keys, null_safe, strict=True)):
            raise UnsupportedError("values of a nested type cannot be a key", hint="use parts of them as keys")
        try:
            self.native = _native.MultiState(
                [storage_format(of) for of in self._flat],
                [part for key in keys for part in self._parts[key]],
                [int(safe) for key, safe in zip(keys, null_safe, strict=True) for _ in self._parts[key]],
                counted,
            )
        except ValueError as error:
            kinds = ", ".join(sorted({str(of) for of in types}))
            raise UnsupportedError(f"rows of {kinds} cannot be kept", detail=str(error)) from error

    def share(self, batch: Batch) -> None:
        """What comes next is of this batch: long texts may stay in its memory, which is kept as long as most of it is wanted."""
        self.native.share(batch.rows, batch.dealt_to)

    def end_sharing(self) -> None:
        """All of the batch has come."""
        self.native.share(0, 1)

    def apply(
        self,
        columns: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        weights: Weights | None = None,
        *,
        settles: bool = True,
    ) -> RowChanges:
        """Adds the selected of ``length`` stored rows with their weights (+1 each without).

        What was before is settled, unless these rows are part of a larger change.
        """
        slots, rows, before, after, unmatchable = self.native.apply(
            [part.vector for part in self._flattened(columns)], length, selection, weights, settles
        )
        if not self.counted:
            before, after = np.zeros(len(slots), np.int64), np.ones(len(slots), np.int64)
        return RowChanges(slots, rows, before, after, unmatchable)

    def lead(
        self,
        columns: Sequence[Column],
        length: int,
        selection: Selection | None,
        order: Sequence[tuple[int, bool, bool]],
        limit: int,
        *,
        placed: bool,
    ) -> LeadingChanges:
        """Of all rows so far keeps the first ``limit`` of each key by ``order`` (position, descending, NULLs first); no other way to add
        rows may be used with this.  Rows are not counted; with ``placed`` one that has another place than before goes and comes again.
        """
        vectors = [part.vector for part in self._flattened(columns)]
        flat = [(part, down, first) for position, down, first in order for part in self._parts[position]]
        return LeadingChanges(*self.native.lead(vectors, length, selection, flat, limit, placed))

    def parts(self, position: int) -> Sequence[int]:
        """Which of the native columns a column is."""
        return self._parts[position]

    def _flattened(self, columns: Sequence[Column]) -> Sequence[Column]:
        return columns if self._plain else [part for column in columns for part in flatten(column)]

    def settle(self) -> None:
        """Forgets the rows whose count was made zero, or that went with the last :meth:`lead`."""
        self.native.settle()

    def remove(self, slots: Slots) -> None:
        """Forgets rows whatever their counts."""
        self.native.remove(slots)

    def columns(self, positions: Sequence[int], slots: Slots, *, nullable: bool = False) -> list[Column]:
        """Columns of the rows; with ``nullable`` :data:`NO_SLOT` gives NULL."""
        flat = [part for position in positions for part in self._parts[position]]
        vectors = self.native.gather(flat, slots, nullable)
        made = [Column(self._flat[part], vector=vector) for part, vector in zip(flat, vectors, strict=True)]
        return made if self._plain else unflatten([self.types[position] for position in positions], made)

    def probe(self, keys: Sequence[Column], length: int, selection: Selection | None = None) -> Matches:
        """The rows with the keys of the selected rows, in chains; types as the state's keys."""
        flat = self._flattened(keys)
        return Matches(_native.MultiCursor(self.native, [key.vector for key in flat], length, selection))

    def chains(self, slots: Slots) -> Matches:
        """The rows with the same keys as these rows, every key once."""
        return Matches(_native.MultiCursor(self.native, slots))

    def live(self, slots: Slots) -> npt.NDArray[np.bool_]:
        """Whether there (still, or again) is a row in each slot."""
        return self.native.live(slots)

    def counts(self, slots: Slots) -> Numbers:
        """How often each row is there."""
        return self.native.counts(slots)

    def marks(self, slots: Slots) -> Numbers:
        """The owner's number for each row, 0 at first."""
        return self.native.marks(slots)

    def add_marks(self, slots: Slots, by: Numbers) -> None:
        """Adds to the rows' numbers."""
        self.native.add_marks(slots, by)

    def take_marked(self) -> tuple[Slots, Numbers]:
        """Rows whose number is another one than when this was last asked, and what it was then."""
        return self.native.take_marked()

    def below(self, position: int, bound: int) -> Slots:
        """Rows whose value in a column of integers (or times) is below the bound."""
        return self.native.below(self._parts[position][0], bound)

    def pieces(self, rows: int, keys: KeyRange = EVERY_KEY, dealt: Sequence[int] = ()) -> Iterator[Slots]:
        """All rows in pieces; those of a piece are looked for when it is asked for.

        With ``keys`` those of a range, where rows are dealt by the columns ``dealt``.
        """
        start = 0
        while len(slots := self.native.live_from(start, rows)):
            yield slots if keys.whole else slots[keys.rows(self.columns(dealt, slots), len(slots))]
            start = int(slots[-1]) + 1

    @property
    def rows(self) -> int:
        """Different rows."""
        return self.native.rows

    @property
    def slots(self) -> int:
        """Slots that there are, with and without rows; every slot is below."""
        return self.native.slots

    @property
    def keys(self) -> int:
        """Different keys."""
        return self.native.keys

    def prepare(self, rows: int) -> bool:
        """One step of some milliseconds towards room for ``rows`` more; False while there is more to do."""
        return self.native.prepare(rows)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self.native.bytes

    def bytes_after(self, columns: Sequence[Column], rows: int) -> int:
        """About how many :attr:`bytes` there are at most when ``rows`` rows of these columns have been added."""
        text = sum(c.nbytes_of(rows) for c in columns)
        # Texts lie in pages, of which one may have to be begun.
        return self.native.bytes_after(rows) + 2 * text + min(_TEXT_PAGE, self.bytes)

    def compact(self) -> tuple[Slots, Slots] | None:
        """Gives memory back if most slots have no row, and settles; the slots that rows had, and have now, None where none has moved.

        Whoever keeps slots has to say so of those that moved.  A state whose marks have not been taken stays as it is.
        """
        self.native.settle()
        if not self.native.sparse:
            return None
        moved = self.native.compact()
        return moved if len(moved[0]) else None

    def clear(self) -> None:
        """Forgets all rows and gives their memory back."""
        self.native.clear()


class SortedRows:
    """The rows of a state in an order of columns (position, descending, NULLs first), kept as they come and go.

    A nested column is ordered by its parts.  Rows must be inserted after they are in the state, and erased before it is settled.
    """

    def __init__(self, state: MultiState, order: Sequence[tuple[int, bool, bool]]) -> None:
        self._flat = [(part, down, first) for position, down, first in order for part in state.parts(position)]
        self._state = state
        self.native = _native.SortedSlots(state.native, self._flat)

    def renew(self) -> None:
        """Rows of the settled state have moved to other slots."""
        self.native = _native.SortedSlots(self._state.native, self._flat)
        for slots in self._state.pieces(_PIECE_ROWS):
            self.native.insert(slots)

    def change(self, come: Slots, gone: Slots) -> None:
        """Puts rows in, takes rows out."""
        if len(gone):
            self.native.erase(gone)
        if len(come):
            self.native.insert(come)

    def first(self, copies: int) -> Slots:
        """The first rows, in order, that are visible so many times together; rows between them that are not, too."""
        return self.native.first(copies)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self.native.bytes


class Matches:
    """Rows of a state one chain after the other, in pieces; the state's rows must not change meanwhile."""

    def __init__(self, cursor: _native.MultiCursor) -> None:
        self._cursor = cursor

    def heads(self) -> Slots:
        """The first row of each chain, :data:`NO_SLOT` where there is none."""
        return self._cursor.heads()

    def pieces(self, rows: int) -> Iterator[tuple[Slots, Slots]]:
        """For each match the position of its key among those asked for, and its slot."""
        while True:
            lanes, slots = self._cursor.next(rows)
            if len(slots):
                yield lanes, slots
            if len(slots) < rows:
                return


def consolidated(batch: Batch) -> Batch:
    """The changes of a batch with equal rows summed up and those of weight 0 left out; never with a selection."""
    weights = batch.weights
    if batch.rows == 1 and weights is not None:
        row = np.zeros(1, np.uint32) if batch.selection is None else batch.selection
        return _taken(batch, row if weights[row[0]] else row[:0], None)
    state = MultiState([column.type for column in batch.columns])
    changes = state.apply(batch.columns, batch.length, batch.selection, weights)
    return _taken(batch, changes.rows, changes.after)


def _taken(batch: Batch, rows: Slots, weights: Numbers | None) -> Batch:
    if weights is None and batch.weights is not None:
        weights = batch.weights[rows]
    return Batch(take_columns(batch.columns, rows), len(rows), None, weights, batch.event_time)
