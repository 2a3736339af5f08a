"""One version of a table: what readers see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.catalog.provider import TableStatistics
from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.columnar.representation import canonical
from tableflow.records import dataclass
from tableflow.storage.description import StoredColumn, TableDescription
from tableflow.storage.equality import equal_rows
from tableflow.storage.evolution import initial_column
from tableflow.storage.history import Version
from tableflow.storage.key_index import Hashes, Probes, key_hashes
from tableflow.storage.key_lookup import union
from tableflow.storage.memory_segment import MemorySegment, bounds_of
from tableflow.storage.segment import Ids, Pairs, Segment
from tableflow.storage.table_statistics import table_statistics
from tableflow.storage.zones import Zone
from tableflow.types import BIGINT

if TYPE_CHECKING:
    from tableflow.storage.table_state import TableState

ZoneOf = Callable[[int], Zone | None]
"""Bounds of a column, by id, in the part that is asked about."""
MayMatch = Callable[[ZoneOf, int], bool]
"""Whether a part with these bounds and so many rows may hold a row that is wanted."""
CHUNK_ROWS = 65_536
ABSENT_ROW = -1


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is read at once: a chunk of the file that is segment ``start``, or the memory segments ``[start, stop)``."""

    start: int
    stop: int
    index: int
    rows: int
    bytes: int


class TableView:
    """A table as of one version; made by :meth:`TableState.at`, without reading anything."""

    __slots__ = ("state", "version")

    def __init__(self, state: TableState, version: Version) -> None:
        self.state = state
        self.version = version

    @property
    def description(self) -> TableDescription:
        """Columns, keys and checks of this version."""
        return self.version.description

    @property
    def rows(self) -> int:
        """Rows of this version, exactly."""
        return self.version.rows

    def statistics(self) -> TableStatistics:
        """Exact rows; bounds and estimates of columns, by name; reads side files but no rows."""
        segments = [segment for _, segment in self._numbered()]
        return table_statistics(segments, self.description.columns, self.rows)

    def chunks(self, ids: Sequence[int | None], may_match: MayMatch | None = None) -> list[Chunk]:
        """What a scan of these columns reads (None: the row id): chunks that may hold a visible row that matches.

        ``may_match`` is asked about whole segments first, then about their chunks.  Rows in memory are read together.
        """
        wanted = self._stored(ids)
        found: list[Chunk] = []
        for number, segment in self._numbered():
            if isinstance(segment, MemorySegment):
                _add_memory(found, number, segment, wanted)
            elif may_match is None or may_match(self._zones(segment, None), segment.rows):
                for index, rows in enumerate(segment.chunks):
                    if may_match is None or may_match(self._zones(segment, index), rows):
                        size = segment.chunk_bytes(index, wanted)
                        found.append(Chunk(number, number + 1, index, rows, size))
        return found

    def read(self, chunk: Chunk, ids: Sequence[int | None]) -> tuple[list[Column], int, Selection | None]:
        """Columns (None: the row id), how many rows they have, and the visible ones (None: all)."""
        stored = self._stored(ids)
        parts = self.state.segments[chunk.start : chunk.stop]
        row_ids = np.concatenate([part.row_ids(max(chunk.index, 0)) for part in parts])
        if len(parts) == 1:
            columns = parts[0].read(max(chunk.index, 0), stored)
        else:
            columns = _together([Batch(part.read(0, stored), part.rows) for part in parts])
        given = iter(columns)
        all_columns = [row_id_column(row_ids) if each is None else next(given) for each in ids]
        return all_columns, len(row_ids), self._visible(row_ids)

    def batches(self, ids: Sequence[int | None]) -> Iterator[Batch]:
        """All visible rows, chunk by chunk."""
        for chunk in self.chunks(ids):
            columns, rows, selection = self.read(chunk, ids)
            yield Batch(columns, rows, selection)

    def find(self, key: tuple[int, ...], columns: Sequence[Column]) -> Ids:
        """For each key (values of these columns, by id) the visible row that has it, -1 if none or if a part is NULL.

        Should several rows have it (the key is not enforced), the newest.
        """
        found = np.full(len(columns[0]), ABSENT_ROW, np.int64)
        numbers, rows = self.candidates(key, columns)
        if len(rows):
            there = self.visible(rows)
            numbers, rows = numbers[there], rows[there]
        if len(rows):
            probes = take_columns(columns, numbers)
            held = self.stored_rows(rows, self._stored(key))
            same = equal_rows(probes, held)
            order = np.argsort(rows[same], kind="stable")
            found[numbers[same][order]] = rows[same][order]
        return found

    def candidates(
        self,
        key: tuple[int, ...],
        columns: Sequence[Column],
        hashed: tuple[Hashes, npt.NDArray[np.uint32]] | None = None,
    ) -> Pairs:
        """Pairs (number of the key, row id) of rows whose key has the same hash, visible or not.

        ``hashed`` are the hashes of the keys without NULL, and which they are of.
        """
        hashes, numbers = key_hashes(columns, len(columns[0])) if hashed is None else hashed
        stored = self._stored(key)
        limits = ordered = None
        parts: list[Pairs] = []
        memory: list[MemorySegment] = []
        for _, segment in self._numbered():
            if isinstance(segment, MemorySegment):
                memory.append(segment)
                continue
            if limits is None:
                limits = KeyBounds(key, columns)
            if limits.may_be_in(self._zones(segment, None)):
                if ordered is None:
                    ordered = Probes(hashes)
                parts.append(segment.find(stored, ordered))
        if memory:
            parts.append(self._find_in_memory(stored, hashes, memory))
        probes, rows = parts[0] if len(parts) == 1 else union(parts)
        return (probes if len(numbers) == len(columns[0]) else numbers[probes].astype(np.int64)), rows

    def fetch(self, row_ids: Ids, ids: Sequence[int | None]) -> list[Column]:
        """Columns of these rows, in this order; :class:`LookupError` if a row is not there, visible or not."""
        stored = self._stored(ids)
        given = iter(self.stored_rows(row_ids, stored)) if stored else iter(())
        return [row_id_column(row_ids) if each is None else next(given) for each in ids]

    def visible(self, row_ids: Ids) -> npt.NDArray[np.bool_]:
        """Which of these rows this version sees."""
        versions = self.state.deletes.versions_of(row_ids)
        return (row_ids < self.version.end) & (versions > self.version.number) & (row_ids >= 0)

    def stored_rows(self, row_ids: Ids, columns: Sequence[StoredColumn]) -> list[Column]:
        """Stored columns of these rows, whatever versions see them."""
        order = None
        if len(row_ids) > 1 and bool((np.diff(row_ids) < 0).any()):
            order = np.argsort(row_ids, kind="stable")
            row_ids = row_ids[order]
        batches = []
        done = 0
        for segment in self.state.segments:
            start, stop = np.searchsorted(row_ids, (segment.first, segment.end))
            if start == stop:
                continue
            positions = segment.positions(row_ids[start:stop])
            if bool((positions < 0).any()):
                break
            batches.append(Batch(segment.take(positions, columns), int(stop - start)))
            done += int(stop - start)
        if done != len(row_ids):
            raise LookupError("a row id that is asked for is not in the table")
        if not batches:
            return [initial_column(column, 0) for column in columns]
        taken = _together(batches)
        if order is None:
            return taken
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return take_columns(taken, back)

    def _numbered(self) -> Iterator[tuple[int, Segment]]:
        """The segments that may hold rows of this version, with their places in the state."""
        cut = self.state.deletes.truncated(self.version.number)
        for number, segment in enumerate(self.state.segments):
            if segment.first >= self.version.end:
                return
            if segment.end > cut:
                yield number, segment

    def _visible(self, row_ids: Ids) -> Selection | None:
        if not len(row_ids):
            return None
        first, last = int(row_ids[0]), int(row_ids[-1])
        hidden = self.state.deletes.hidden(first, last + 1, self.version.number)
        contiguous = last - first + 1 == len(row_ids)
        if not len(hidden) and last < self.version.end:
            return None
        seen = row_ids < self.version.end
        if contiguous:
            seen[hidden - first] = False
        else:
            at = np.searchsorted(row_ids, hidden)
            there = row_ids[np.minimum(at, len(row_ids) - 1)] == hidden
            seen[at[there]] = False
        return np.flatnonzero(seen).astype(np.uint32)

    def _stored(self, ids: Sequence[int | None]) -> list[StoredColumn]:
        return [self.description.column(each) for each in ids if each is not None]

    def _zones(self, segment: Segment, chunk: int | None) -> ZoneOf:
        return lambda column: segment.zone(chunk, self.description.column(column))

    def _find_in_memory(
        self, key: list[StoredColumn], hashes: npt.NDArray[np.uint64], memory: list[MemorySegment]
    ) -> Pairs:
        """By the shared index where it serves, else by looking."""
        state = self.state
        every = state.memory_segments()
        end = self.version.end
        if end == state.end:
            found = state.keys.find(key, hashes, every, end, state.deletes)
            if found is not None:
                return found
        probes = Probes(hashes)
        return union([segment.find(key, probes) for segment in memory])


class KeyBounds:
    """The least and greatest value of each column of some keys, for zone maps."""

    def __init__(self, key: tuple[int, ...], columns: Sequence[Column]) -> None:
        self._bounds = [(number, *bounds_of(column)) for number, column in zip(key, columns, strict=True)]

    def may_be_in(self, zone_of: ZoneOf) -> bool:
        """Whether a part with these zones can hold one of the keys."""
        for column, low, high in self._bounds:
            zone = zone_of(column)
            if zone is None or low is None:
                continue
            if (zone.maximum is not None and low > zone.maximum) or (zone.minimum is not None and high < zone.minimum):
                return False
        return True


def _add_memory(found: list[Chunk], number: int, segment: MemorySegment, columns: Sequence[StoredColumn]) -> None:
    rows, size = segment.rows, segment.chunk_bytes(0, columns)
    if found and found[-1].index == -1 and found[-1].stop == number and found[-1].rows + rows <= CHUNK_ROWS:
        before = found.pop()
        found.append(Chunk(before.start, number + 1, -1, before.rows + rows, before.bytes + size))
    else:
        found.append(Chunk(number, number + 1, -1, rows, size))


def _together(batches: Sequence[Batch]) -> list[Column]:
    return list(batches[0].columns) if len(batches) == 1 or not batches[0].columns else list(concat(batches).columns)


def row_id_column(row_ids: Ids) -> Column:
    """Row ids as a BIGINT column."""
    return Column(BIGINT, pa.array(row_ids, canonical(BIGINT)))
