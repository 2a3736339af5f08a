"""When keyed state changed last, so that what has not changed for long can be forgotten (``table.exec.state.ttl``).

Invariants: nothing is forgotten before its time is over, in processing time, and at most a quarter of that time later; when
it is forgotten depends on nothing but times, so an operator that is rebuilt from a snapshot forgets the same things as one that is not.
What has come out stays: a row of a forgotten key begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.kernels.multi_state import MultiState, Numbers, Slots
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.physical.state_parts import join_parts, split_parts
from tableflow.physical.state_rows import load_rows, save_rows
from tableflow.runtime.operator import OperatorContext

_NEVER = np.iinfo(np.int64).max
_CHECKS = 4
"""How often in its time to live state is looked through."""

_PIECE_ROWS = 65_536


class StateAge:
    """Times by slot, or number of a group; with a ``ttl`` (microseconds) of 0 everything is kept and nothing is noted."""

    def __init__(self, ttl: int) -> None:
        self.ttl = ttl
        self._times: Numbers = np.zeros(0, np.int64)

    def begin(self, context: OperatorContext) -> None:
        """Before anything is touched."""
        self._context = context

    @property
    def held(self) -> int:
        """Bytes held."""
        return self._times.nbytes

    def touch(self, numbers: npt.NDArray[np.uint32]) -> None:
        """These change now."""
        if self.ttl and len(numbers):
            self._put(numbers, self._context.now())

    def _put(self, numbers: npt.NDArray[np.uint32], times: int | Numbers) -> None:
        needed = int(numbers.max()) + 1
        if needed > len(self._times):
            more = np.full(max(needed, 2 * len(self._times)) - len(self._times), _NEVER)
            self._times = np.concatenate((self._times, more))
        self._times[numbers] = times
        self._look_again()

    def _look_again(self) -> None:
        """At the next of moments that are the same for all tasks, whatever has happened before."""
        period = max(1, self.ttl // _CHECKS)
        self._context.set_timer((self._context.now() // period + 1) * period)

    def old(self) -> npt.NDArray[np.uint32]:
        """What has not changed for long, which is asked for when a timer has come; each once."""
        if not self.ttl:
            return np.zeros(0, np.uint32)
        found = np.flatnonzero(self._times <= self._context.now() - self.ttl).astype(np.uint32)
        self._times[found] = _NEVER
        if np.any(self._times != _NEVER):
            self._look_again()
        return found

    def keep(self, numbers: npt.NDArray[np.uint32]) -> None:
        """Only these are left, numbered anew in this order."""
        if self.ttl:
            self._times = self._times[numbers]

    def compact(self, state: MultiState) -> bool:
        """Gives memory of the rows back if most have gone, with their times; whether rows have moved to other slots."""
        before = state.slots
        moved = state.compact()
        if self.ttl and state.slots < before:
            if moved is not None:
                self._times[moved[1]] = self._times[moved[0]]
            self._times = self._times[: state.slots].copy()
        return moved is not None

    def times(self, numbers: npt.NDArray[np.uint32]) -> bytes:
        """The times of these, for a snapshot."""
        if not self.ttl:
            return b""
        times = np.full(len(numbers), _NEVER)
        known = numbers < len(self._times)
        times[known] = self._times[numbers[known]]
        return times.tobytes()

    def put_times(self, numbers: npt.NDArray[np.uint32], saved: bytes) -> None:
        """What :meth:`times` gave, for those that have these numbers now."""
        if self.ttl and len(numbers):
            self._put(numbers, np.frombuffer(saved, np.int64))

    def forget_rows(self, state: MultiState) -> None:
        """Forgets the rows of a settled state that are too old."""
        slots = self.old()
        slots = slots[state.live(slots)] if len(slots) else slots
        if len(slots):
            state.remove(slots)
            self._context.count("expired_rows", len(slots))

    def save_rows(self, state: MultiState, keys: KeyRange, dealt: Sequence[int]) -> bytes:
        """The rows of a settled state, of a range of keys, with their times."""
        rows = save_rows(state, keys, dealt)
        if not self.ttl:
            return rows
        return join_parts([rows, *[self.times(slots) for slots in state.pieces(_PIECE_ROWS, keys, dealt)]])

    def load_rows(self, state: MultiState, parts: Sequence[bytes]) -> None:
        """Puts rows and times of several parts back into an empty state."""
        if not self.ttl:
            load_rows(state, parts)
            return
        saved = [list(split_parts(part)) for part in parts if part]
        slots: Slots = load_rows(state, [rows for rows, *_ in saved])
        self.put_times(slots, b"".join([piece for _, *times in saved for piece in times]))


class AgedState:
    """Rows of a state that go when nothing has been added beside them for long: what owners of such have in common."""

    def __init__(self, state: MultiState, ttl: int, dealt: Sequence[int]) -> None:
        """``dealt``: the columns of the state by which rows are dealt to tasks."""
        self._state = state
        self._dealt = dealt
        self._age = StateAge(ttl)

    def begin(self, context: OperatorContext) -> None:
        """Before anything is kept."""
        self._age.begin(context)

    def forget_old(self) -> None:
        """Forgets what nothing has been added to for long; when a timer has come."""
        self._age.forget_rows(self._state)
        self._age.compact(self._state)

    @property
    def rows(self) -> int:
        """Rows that are kept."""
        return self._state.rows

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._state.bytes + self._age.held

    def snapshot(self, keys: KeyRange) -> bytes:
        """The rows of a range of keys."""
        return self._age.save_rows(self._state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._age.load_rows(self._state, parts)
