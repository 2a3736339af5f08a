"""Which rows are deleted, and since which version: immutable, and cheap to add to.

Pairs (row id, version) lie in layers, each in order of row id; neighbours of one size class are merged.  A row is deleted
once, so its version is in one layer.  A truncation ``(end, version)`` deletes what is left of the rows below ``end``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max
"""The version that deletes a row which is there."""


class DeleteLayer:
    """Pairs in order of row id; those of a file are read when they are first needed."""

    __slots__ = ("__weakref__", "_load", "_newest", "_pairs", "file", "rows")

    def __init__(
        self, rows: int, pairs: tuple[Ids, Ids] | None = None, load: Callable[[], tuple[Ids, Ids]] | None = None,
        file: object = None,
    ) -> None:  # fmt: skip
        self.rows = rows
        self.file = file
        self._pairs = pairs
        self._load = load
        self._newest = 0

    @property
    def pairs(self) -> tuple[Ids, Ids]:
        """Row ids, ascending, and their versions; may raise :class:`~tableflow.errors.ConnectorError`."""
        if self._pairs is None:
            assert self._load is not None
            self._pairs = self._load()
        return self._pairs

    @property
    def newest(self) -> int:
        """The last version that deleted one of its rows."""
        if not self._newest:
            self._newest = int(self.pairs[1].max(initial=1))
        return self._newest


class Deletes:
    """The deletes of a table; see the module."""

    __slots__ = ("layers", "truncations")

    def __init__(self, layers: Sequence[DeleteLayer] = (), truncations: Sequence[tuple[int, int]] = ()) -> None:
        self.layers = tuple(layers)
        self.truncations = tuple(truncations)

    def deleting(self, ids: Ids, version: int) -> Deletes:
        """With these rows deleted by a version; ``ids`` ascend."""
        if not len(ids):
            return self
        added = DeleteLayer(len(ids), (ids, np.full(len(ids), version, np.int64)))
        layers = [*self.layers, added]
        while len(layers) > 1 and layers[-2].file is None and layers[-2].rows < 2 * layers[-1].rows:
            layers[-2:] = [merged(layers[-2:])]
        return Deletes(layers, self.truncations)

    def truncating(self, end: int, version: int) -> Deletes:
        """With all rows below ``end`` deleted by a version, unless they were before."""
        return Deletes(self.layers, (*self.truncations, (end, version)))

    def truncated(self, version: int) -> int:
        """The row id below which a version has truncated everything."""
        return max((end for end, by in self.truncations if by <= version), default=0)

    def hidden(self, first: int, end: int, version: int) -> Ids:
        """The rows in ``[first, end)`` that a version does not see because they are deleted, ascending."""
        found = [ids[versions <= version] for ids, versions in self._within(first, end)]
        cut = min(self.truncated(version), end)
        if cut > first:
            found = [ids[ids >= cut] for ids in found]
            found.append(np.arange(first, cut, dtype=np.int64))
        found = [ids for ids in found if len(ids)]
        if not found:
            return np.zeros(0, np.int64)
        return found[0] if len(found) == 1 else np.sort(np.concatenate(found))

    def between(self, after: int, last: int, end: int) -> tuple[Ids, Ids]:
        """Pairs with ``after < version <= last``, in order of row id, truncations of rows below ``end`` included.

        Rows that a truncation names may have gaps: ids that no row has any more.
        """
        if not any(after < by <= last for _, by in self.truncations):
            # What is asked for most is the newest version: old layers, which may be large, have nothing of it.
            ids, versions = merged_pairs(self._within(0, end, after))
            chosen = (versions > after) & (versions <= last)
            return ids[chosen], versions[chosen]
        ids, versions = merged_pairs(self._within(0, end))
        for below, by in self.truncations:
            # Rows that an earlier version deleted keep that version; the truncation takes the others.
            start = max((other for other, before in self.truncations if before < by), default=0)
            rows = np.setdiff1d(np.arange(start, below, dtype=np.int64), ids[versions < by], assume_unique=True)
            kept = ~np.isin(ids, rows, assume_unique=True)
            ids = np.concatenate([ids[kept], rows])
            versions = np.concatenate([versions[kept], np.full(len(rows), by, np.int64)])
        chosen = (versions > after) & (versions <= last)
        ids, versions = ids[chosen], versions[chosen]
        order = np.argsort(ids, kind="stable")
        return ids[order], versions[order]

    def versions_of(self, ids: Ids) -> Ids:
        """For each row the version that deleted it, or :data:`NEVER`."""
        found = np.full(len(ids), NEVER, np.int64)
        for layer in self.layers:
            held, versions = layer.pairs
            at = np.searchsorted(held, ids)
            at[at == len(held)] = 0
            hit = held[at] == ids
            if hit.any():
                found[hit] = versions[at[hit]]
        for end, version in self.truncations:
            found = np.where((ids < end) & (found > version), version, found)
        return found

    def _within(self, first: int, end: int, after: int = 0) -> Iterable[tuple[Ids, Ids]]:
        for layer in self.layers:
            if layer.newest <= after:
                continue
            ids, versions = layer.pairs
            if ids[-1] < first or ids[0] >= end:
                continue
            start, stop = np.searchsorted(ids, (first, end))
            if start < stop:
                yield ids[start:stop], versions[start:stop]


def merged_pairs(parts: Iterable[tuple[Ids, Ids]]) -> tuple[Ids, Ids]:
    """All pairs in order of row id."""
    found = list(parts)
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ids = np.concatenate([part[0] for part in found])
    versions = np.concatenate([part[1] for part in found])
    order = np.argsort(ids, kind="stable")
    return ids[order], versions[order]


def merged(layers: Sequence[DeleteLayer]) -> DeleteLayer:
    """Several layers as one, in memory."""
    pairs = merged_pairs(layer.pairs for layer in layers)
    return DeleteLayer(len(pairs[0]), pairs)
