"""When keyed state changed last, so that what has not changed for long can be forgotten (``table.exec.state.ttl``).

Invariants: nothing is forgotten before its time is over, in processing time, and at most a quarter of that time later; when
it is forgotten depends on nothing but times, so an operator that is rebuilt from a snapshot forgets the same things as one that is not.
What has come out stays: a row of a forgotten key begins anew.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow.columnar.kernels.multi_state import MultiState, Numbers, Slots
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

    def times(self, count: int) -> bytes:
        """The times of the first numbers, for a snapshot."""
        known = self._times[:count]
        return np.concatenate((known, np.full(count - len(known), _NEVER))).tobytes() if self.ttl else b""

    def put_times(self, saved: bytes) -> None:
        """What :meth:`times` gave."""
        self._times = np.frombuffer(saved, np.int64).copy()
        if np.any(self._times != _NEVER):
            self._look_again()

    def forget_rows(self, state: MultiState) -> None:
        """Forgets the rows of a settled state that are too old."""
        slots = self.old()
        slots = slots[state.live(slots)] if len(slots) else slots
        if len(slots):
            state.remove(slots)
            self._context.count("expired_rows", len(slots))

    def save_rows(self, state: MultiState) -> bytes:
        """The rows of a settled state, with their times."""
        if not self.ttl:
            return save_rows(state)
        order = [np.zeros(0, np.int64), *[self._times[slots] for slots in state.pieces(_PIECE_ROWS)]]
        return join_parts([save_rows(state), np.concatenate(order).tobytes()])

    def load_rows(self, state: MultiState, saved: bytes) -> None:
        """Puts rows and times back into an empty state."""
        if not self.ttl:
            load_rows(state, saved)
            return
        rows, times = split_parts(saved)
        slots: Slots = load_rows(state, rows)
        if len(slots):
            self._put(slots, np.frombuffer(times, np.int64))


class AgedState:
    """Rows of a state that go when nothing has been added beside them for long: what owners of such have in common."""

    def __init__(self, state: MultiState, ttl: int) -> None:
        self._state = state
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
