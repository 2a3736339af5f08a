"""Which rows may have a key: an index over the rows in memory, shared by the states of one line of versions.

It serves the newest state best.  An entry may lose rows that were deleted when a newer row of the same hash comes, so
a state that meets rows beyond its own end looks at the segments themselves; that is right for every state, since
a row which it sees was lost only to a row that it does not see.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tableflow.storage.deletes import NEVER, Deletes
from tableflow.storage.description import StoredColumn
from tableflow.storage.key_index import key_hashes
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Ids, Pairs

Hashes = npt.NDArray[np.uint64]


class MemoryKeys:
    """Row ids by the hash of a key, for every key that was asked for."""

    def __init__(self, first: int) -> None:
        """``first`` is the lowest row id in memory."""
        self._first = first
        self._lock = threading.Lock()
        self._indexed: dict[Any, int] = {}
        self._rows: dict[Any, dict[int, list[int]]] = {}

    def find(
        self, key: Sequence[StoredColumn], hashes: Hashes, segments: Sequence[MemorySegment], end: int, deletes: Deletes
    ) -> Pairs | None:
        """Pairs (number of the hash, row id), ids below ``end``; None if this index cannot tell for this state.

        ``segments`` are those in memory of a state that ends at ``end``.
        """
        name = tuple((column.id, column.type) for column in key)
        with self._lock:
            rows = self._rows.setdefault(name, {})
            done = self._indexed.get(name, self._first)
            if done < end:
                _extend(rows, key, segments, done, deletes)
                self._indexed[name] = end
            numbers: list[int] = []
            found: list[int] = []
            for number, wanted in enumerate(hashes.tolist()):
                held = rows.get(wanted)
                if held is None:
                    continue
                if held[-1] >= end:
                    return None
                numbers.extend([number] * len(held))
                found.extend(held)
        return np.array(numbers, np.int64), np.array(found, np.int64)


class StagedKeys(MemoryKeys):
    """For states inside a transaction that may come to nothing: their rows are in an index of their own, the others in ``base``.

    ``segments``, ``end`` and ``deletes`` are of the state that the transaction found.
    """

    def __init__(self, base: MemoryKeys, segments: Sequence[MemorySegment], end: int, deletes: Deletes) -> None:
        super().__init__(end)
        self._base = base
        self._found = (segments, end, deletes)

    def find(
        self, key: Sequence[StoredColumn], hashes: Hashes, segments: Sequence[MemorySegment], end: int, deletes: Deletes
    ) -> Pairs | None:
        """See :class:`MemoryKeys`."""
        older = self._base.find(key, hashes, *self._found)
        own = super().find(key, hashes, segments, end, deletes)
        return None if older is None or own is None else union([older, own])


def _extend(
    rows: dict[int, list[int]],
    key: Sequence[StoredColumn],
    segments: Sequence[MemorySegment],
    done: int,
    deletes: Deletes,
) -> None:
    """Adds the rows from id ``done`` on."""
    for segment in segments:
        if segment.end <= done:
            continue
        start = max(done - segment.first, 0)
        if start:
            columns = [column.slice(start, segment.rows - start) for column in segment.read(0, key)]
            hashes, positions = key_hashes(columns, segment.rows - start)
        else:
            hashes, positions = segment.key_hashes(key)
        base = segment.first + start
        for found, position in zip(hashes.tolist(), positions.tolist(), strict=True):
            held = rows.get(found)
            if held is None:
                rows[found] = [base + position]
            else:
                versions = deletes.versions_of(np.array(held, np.int64))
                there = [row for row, by in zip(held, versions.tolist(), strict=True) if by == NEVER]
                rows[found] = [*there, base + position]


def union(parts: Sequence[Pairs]) -> tuple[Ids, Ids]:
    """All pairs, in order of the number of the hash."""
    parts = [part for part in parts if len(part[0])]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    numbers = np.concatenate([part[0] for part in parts])
    rows = np.concatenate([part[1] for part in parts])
    order = np.argsort(numbers, kind="stable")
    return numbers[order], rows[order]
