"""Answers of an outside table that are kept for later rows of the same key.

Invariants: a key is known with all of its rows or not at all; what is given is no older than the policy allows.  All of it can be
asked for again, so it is no part of a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.catalog.lookup import CachePolicy
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, Matches, MultiState, Numbers, Slots
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.row_values import RowValues
from tableflow.types import BIGINT, Field, SqlType

_PIECE_ROWS = 8192
_LEFT_BY_EVICTION = 0.75


class KeyedRows:
    """Rows of an outside table, by expressions over them."""

    def __init__(self, fields: tuple[Field, ...], keys: Sequence[Expression]) -> None:
        expressions: list[Expression] = [ColumnRef(f.type, f.id, f.name) for f in fields]
        where: list[int] = []
        for key in keys:
            if key not in expressions:
                expressions.append(key)
            where.append(expressions.index(key))
        self._values = RowValues(expressions, fields)
        self._where = where
        self._fields = len(fields)
        self.state = MultiState([e.type for e in expressions], where, [False] * len(where), counted=False)

    def add(self, rows: Batch) -> None:
        """Adds rows; those with a NULL in a key match nothing and are left out."""
        if rows.rows:
            self.state.apply(*self._values.aligned(rows))

    def keys_of(self, rows: Batch) -> tuple[list[Column], int]:
        """The keys of rows without a selection."""
        columns, length, _ = self._values.aligned(rows)
        return [columns[i] for i in self._where], length

    def batch(self, slots: Slots) -> Batch:
        """These rows."""
        return Batch(self.state.columns(range(self._fields), slots), len(slots))


def all_slots(matches: Matches) -> Slots:
    """The slots of all matches."""
    return _together([slots for _, slots in matches.pieces(_PIECE_ROWS)])


def _together(slots: Iterable[Slots]) -> Slots:
    return np.concatenate([np.zeros(0, np.uint32), *slots])


class LookupCache:
    """See the module."""

    def __init__(self, policy: CachePolicy, types: Sequence[SqlType], rows: KeyedRows) -> None:
        self._policy = policy
        self._count = len(types)
        self._written, self._used = self._count, self._count + 1
        self._known = MultiState([*types, BIGINT, BIGINT], range(self._count), [False] * self._count, counted=False)
        self._rows = rows
        self._next_look = 0

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self._known.bytes + self._rows.state.bytes

    @property
    def keys(self) -> int:
        """Keys that are known."""
        return self._known.rows

    @property
    def rows(self) -> int:
        """Rows of these keys."""
        return self._rows.state.rows

    def take(self, keys: Sequence[Column], count: int, now: int) -> tuple[npt.NDArray[np.bool_], Batch | None]:
        """Which of the distinct keys are known, and the rows of those."""
        heads = self._known.probe(keys, count).heads()
        known = heads != NO_SLOT
        slots = heads[known]
        if not len(slots):
            return known, None
        good = self._good(slots, now)
        if not good.all():
            self._forget(slots[~good])
            known[np.flatnonzero(known)[~good]] = False
        chosen = take_columns(keys, np.flatnonzero(known).astype(np.uint32))
        if self._policy.after_access is not None:
            self._touch(chosen, slots[good], now)
        found = np.sort(all_slots(self._rows.state.probe(chosen, int(known.sum()))))
        rows = self._rows.batch(found) if len(found) else None
        self._compact()
        return known, rows

    def put(self, keys: Sequence[Column], count: int, rows: Batch, now: int) -> None:
        """Remembers the rows of distinct keys; there are rows of no other keys."""
        self._clean(now)
        heads = self._known.probe(keys, count).heads()
        self._forget(heads[heads != NO_SLOT])
        self._rows.add(rows)
        if not self._policy.missing:
            there = np.flatnonzero(self._rows.state.probe(keys, count).heads() != NO_SLOT).astype(np.uint32)
            keys, count = take_columns(keys, there), len(there)
        self._know(keys, np.full(count, now), now)
        self._evict()
        self._compact()

    def _compact(self) -> None:
        """Gives the memory of keys back that have gone, with their rows; nobody keeps slots between calls."""
        self._known.compact()
        self._rows.state.compact()

    def _know(self, keys: Sequence[Column], written: Numbers, now: int) -> None:
        times = [Column(BIGINT, pa.array(written)), Column(BIGINT, pa.array(np.full(len(written), now)))]
        if len(written):
            self._known.apply([*keys, *times], len(written))

    def _touch(self, keys: Sequence[Column], slots: Slots, now: int) -> None:
        written = self._times(self._written, slots)
        self._known.remove(slots)
        self._know(keys, written, now)

    def _times(self, which: int, slots: Slots) -> Numbers:
        (column,) = self._known.columns([which], slots)
        times: Numbers = column.array.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return times

    def _good(self, slots: Slots, now: int) -> npt.NDArray[np.bool_]:
        good = np.ones(len(slots), np.bool_)
        for which, limit in ((self._written, self._policy.after_write), (self._used, self._policy.after_access)):
            if limit is not None:
                good &= self._times(which, slots) > now - limit
        return good

    def _clean(self, now: int) -> None:
        """Forgets what is too old, now and then."""
        limits = [limit for limit in (self._policy.after_write, self._policy.after_access) if limit is not None]
        if not limits or now < self._next_look:
            return
        self._next_look = now + min(limits) // 2
        slots = _together(self._known.pieces(_PIECE_ROWS))
        self._forget(slots[~self._good(slots, now)])

    def _evict(self) -> None:
        """Makes room: the keys that were answered, or used, the longest time ago go first."""
        most = self._policy.max_rows
        while most is not None and (held := max(self._known.rows, self._rows.state.rows)) > most:
            slots = _together(self._known.pieces(_PIECE_ROWS))
            times = self._times(self._used, slots)
            gone = max(1, int(len(slots) * (1 - _LEFT_BY_EVICTION * most / held)))
            self._forget(slots[np.argsort(times, kind="stable")[:gone]])

    def _forget(self, slots: Slots) -> None:
        if len(slots):
            keys = self._known.columns(range(self._count), slots)
            self._rows.state.remove(all_slots(self._rows.state.probe(keys, len(slots))))
            self._known.remove(slots)
