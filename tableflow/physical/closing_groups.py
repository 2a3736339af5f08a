"""Which groups time has closed: those of which, by one of their keys, no more rows come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.multi_state import Numbers
from tableflow.physical.retention import timestamps

_NEVER = 2**63 - 1


class ClosingGroups:
    """By number of a group, the key that tells; ``key`` is its position among the keys, None: none does, and nothing is noted."""

    def __init__(self, key: int | None) -> None:
        self._key = key
        self._values: Numbers = np.zeros(0, np.int64)
        self._groups = 0
        self._first = _NEVER

    @property
    def held(self) -> int:
        """Bytes held."""
        return self._values.nbytes

    def come(self, keys: Sequence[Column]) -> None:
        """New groups, the next in number, have these keys."""
        if self._key is None:
            return
        values = timestamps(keys[self._key], None)
        before, self._groups = self._groups, self._groups + len(values)
        if self._groups > len(self._values):
            more = np.empty(max(self._groups, 2 * len(self._values)) - before, np.int64)
            self._values = np.concatenate((self._values[:before], more))
        self._values[before : self._groups] = values
        self._first = min(self._first, int(values.min(initial=_NEVER)))

    def closed(self, bound: int) -> GroupNumbers:
        """The groups whose key is below this."""
        if self._first >= bound:
            return np.zeros(0, np.uint32)
        return np.flatnonzero(self._values[: self._groups] < bound).astype(np.uint32)

    def keep(self, groups: GroupNumbers) -> None:
        """Only these are left, numbered anew in this order."""
        if self._key is not None:
            self._values = self._values[groups]
            self._groups = len(groups)
            self._first = int(self._values.min(initial=_NEVER))
