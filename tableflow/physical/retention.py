"""How long rows of a keyed state are of use, by event time."""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState, Numbers, Slots
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import Field, SqlType, TimestampType

NO_SLOTS: Slots = np.zeros(0, np.uint32)
_SMALL = 65_536
_CREDIT = 4
"""How many rows may be looked at for each that arrives, so that looking for old ones never costs more than keeping new ones."""


@serializable
@dataclass(frozen=True, slots=True)
class Retention:
    """A row is forgotten once its column ``column`` (a timestamp) is less than the watermark minus ``behind`` microseconds.

    Rows that arrive later than that are late.  An interval join's left row that matches right rows up to one minute after it has
    ``behind`` 60,000,000; a window's rows are of use until the watermark reaches the window's end, which is ``behind`` -1 of the end.
    Watermarks count as multiples of ``unit``, see :attr:`~tableflow.runtime.operator.Operator.time_unit`.
    """

    column: int
    behind: int
    unit: int = 1


class Expiry:
    """Applies a :class:`Retention` to a state, whose column it is at ``stored``, and to rows that arrive, at ``arriving``."""

    def __init__(self, retention: Retention, of: SqlType, arriving: int, stored: int) -> None:
        if not isinstance(of, TimestampType):
            raise InternalError("rows are kept by a timestamp")
        self._unit = 1000 if of.precision > 6 else 1
        self._behind, self._arriving, self._stored = retention.behind, arriving, stored
        self._bound: int | None = None
        self._credit = 0

    def advance(self, time: int) -> int:
        """The watermark; gives below which number of the column rows are of no use any more."""
        self._bound = min(max((time - self._behind) * self._unit, -(2**63)), 2**63 - 1)
        return self._bound

    def timely(self, batch: Batch) -> Batch:
        """The rows that are not late."""
        self._credit += batch.rows * _CREDIT
        if self._bound is None or not batch.rows:
            return batch
        values = timestamps(batch.columns[self._arriving], batch.selection)
        kept = np.flatnonzero(values >= self._bound)
        if len(kept) == batch.rows:
            return batch
        numbers = kept.astype(np.uint32) if batch.selection is None else batch.selection[kept]
        return batch.with_selection(numbers)

    def timeless(self, batch: Batch) -> tuple[Batch, Batch] | None:
        """The rows of a batch whose time is NULL, and the others; None if there are none of the first."""
        array = batch.columns[self._arriving].array
        if not array.null_count:
            return None
        missing: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
        own = np.arange(batch.length, dtype=np.uint32) if batch.selection is None else batch.selection
        missing = missing[own]
        return batch.with_selection(own[missing]), batch.with_selection(own[~missing])

    def expired(self, state: MultiState, *, at_once: bool = False) -> Slots | None:
        """Rows to be forgotten; None if it is too early to look again, unless ``at_once``."""
        self._credit += state.slots // 64
        if self._bound is None or not state.rows:
            return NO_SLOTS
        if state.slots > _SMALL and self._credit < state.slots and not at_once:
            return None
        self._credit = 0
        return state.below(self._stored, self._bound)


def timestamps(column: Column, selection: Selection | None) -> Numbers:
    """A timestamp column's numbers, of the selected rows; that of NULL, which is never late, is the greatest there is."""
    array = column.array.cast("int64") if selection is None else column.array.take(selection).cast("int64")
    if array.null_count:
        array = array.fill_null(2**63 - 1)
    return np.asarray(array.to_numpy(zero_copy_only=False))


def position_of(fields: tuple[Field, ...], column: int) -> int:
    """Where a column is."""
    return next(i for i, f in enumerate(fields) if f.id == column)
