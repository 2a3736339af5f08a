"""A managed table as of its newest version, with all that older retained versions need; immutable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from tableflow.columnar.batch import Batch
from tableflow.errors import CatalogError, ConnectorError
from tableflow.records import dataclass, replace
from tableflow.storage.changes import changes, net_changes
from tableflow.storage.deletes import Deletes
from tableflow.storage.description import ChangeKind, TableDescription, VersionFacts
from tableflow.storage.disk import Disk
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.history import History, Version
from tableflow.storage.key_lookup import MemoryKeys
from tableflow.storage.memory_segment import MemorySegment, appended
from tableflow.storage.record import TableChange
from tableflow.storage.segment import Ids, Segment
from tableflow.storage.table_view import TableView


class Anchor:
    """Lives as long as any state of a table is held."""


@dataclass(frozen=True, slots=True)
class TableState:
    """Segments in order of row id, deletes, history; see ``docs/storage.md``."""

    id: int
    disk: Disk
    segments: tuple[Segment, ...]
    deletes: Deletes
    history: History
    keys: MemoryKeys
    anchor: Anchor = field(default_factory=Anchor, compare=False)

    @property
    def version(self) -> int:
        """The newest version."""
        return self.history.last.number

    @property
    def end(self) -> int:
        """The next row id."""
        return self.history.last.end

    @property
    def description(self) -> TableDescription:
        """What the table is now."""
        return self.history.last.description

    def at(self, version: int | None = None) -> TableView:
        """The table as a version has it; :class:`~tableflow.errors.CatalogError` if it is not retained."""
        return TableView(self, self.history.last if version is None else self.retained(version))

    def at_time(self, time: int) -> TableView:
        """The table as it was at a time (microseconds since 1970, UTC)."""
        found = self.history.at_time(time)
        if found is None:
            raise CatalogError(
                "the table has no version that old",
                detail=self._kept(),
                hint="SHOW VERSIONS lists the versions; storage.retention says how long they are kept",
            )
        return TableView(self, found)

    def changes(self, after: int, last: int, ids: Sequence[int | None]) -> Iterator[tuple[Batch, Ids]]:
        """What the versions after ``after``, up to ``last``, changed; see :func:`~tableflow.storage.changes.changes`."""
        return changes(self, after, last, ids)

    def net_changes(self, after: int, last: int, ids: Sequence[int | None]) -> Iterator[Batch]:
        """See :func:`~tableflow.storage.changes.net_changes`."""
        return net_changes(self, after, last, ids)

    def versions(self) -> list[VersionFacts]:
        """All retained versions, the oldest first."""
        return [version.facts for version in self.history]

    def retained(self, number: int) -> Version:
        """A version; :class:`~tableflow.errors.CatalogError` if it is not retained."""
        found = self.history.find(number)
        if found is None:
            raise CatalogError(
                f"the table has no version {number}",
                detail=self._kept(),
                hint="SHOW VERSIONS lists the versions; storage.retention says how long they are kept",
            )
        return found

    def _kept(self) -> str:
        oldest = self.history[0].number
        if oldest == self.version:
            return f"only version {oldest} is kept"
        return f"versions {oldest} to {self.version} are kept"

    def memory_segments(self) -> Sequence[MemorySegment]:
        """The segments that are only in the log."""
        return [segment for segment in self.segments if isinstance(segment, MemorySegment)]

    def applying(self, change: TableChange, time: int) -> TableState:
        """The state after a commit; a change that is in the state already changes nothing."""
        last = self.history.last
        if change.version <= last.number:
            return self
        if change.version != last.number + 1 or change.first != last.end:
            raise ConnectorError(
                f"the log of the database does not fit table {self.id}",
                detail=f"it goes on with version {change.version}, row {change.first}; the table is at version "
                f"{last.number}, row {last.end}",
                hint="restore the database from a copy",
            )
        segments, end = _with_rows(self.segments, change, self.disk)
        deletes = self.deletes
        gone = len(change.deleted)
        if change.truncated:
            gone = last.rows
            deletes = deletes.truncating(last.end, change.version)
        deletes = deletes.deleting(change.deleted, change.version)
        added = end - change.first
        version = Version(
            change.version, max(time, last.time), change.kind, end, added, gone, last.rows + added - gone,
            change.description or last.description,
        )  # fmt: skip
        history = self.history.adding(version)
        return TableState(self.id, self.disk, segments, deletes, history, self.keys, self.anchor)

    def fresh(self) -> TableState:
        """The same with caches of its own: others may have learned from commits that failed."""
        first = next((s.first for s in self.segments if isinstance(s, MemorySegment)), self.end)
        return replace(self, keys=MemoryKeys(first), history=History(list(self.history)))


def created(change: TableChange, time: int, disk: Disk) -> TableState:
    """The state of a table whose first version this is."""
    assert change.description is not None
    segments, end = _with_rows((), change, disk)
    version = Version(change.version, time, ChangeKind.CREATE, end, end, 0, end, change.description)
    return TableState(change.table, disk, segments, Deletes(), History([version]), MemoryKeys(0))


def _with_rows(segments: tuple[Segment, ...], change: TableChange, disk: Disk) -> tuple[tuple[Segment, ...], int]:
    end = change.first
    if change.rows is not None and change.rows.rows:
        segments = appended(segments, change.rows)
        end = change.rows.end
    for file in change.files:
        segments = (*segments, FileSegment(disk, file, end))
        end += file.rows
    return segments, end
