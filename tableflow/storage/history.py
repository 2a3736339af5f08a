"""The retained versions of a table: for each its number, time, kind, end of row ids, rows and description.

Immutable to whoever holds one, and adding a version is cheap: histories of one line share a list, of which each sees
as much as it is long.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

from tableflow.records import dataclass
from tableflow.storage.description import ChangeKind, TableDescription, VersionFacts


@dataclass(frozen=True, slots=True)
class Version:
    """One version: rows with ids below ``end`` that no version up to ``number`` deleted; ``time`` in us since 1970 (UTC)."""

    number: int
    time: int
    kind: ChangeKind
    end: int
    inserted: int
    deleted: int
    rows: int
    description: TableDescription

    @property
    def facts(self) -> VersionFacts:
        """The line of SHOW VERSIONS."""
        columns = tuple(column.name for column in self.description.columns)
        return VersionFacts(
            self.number, self.time, self.kind, self.inserted, self.deleted, self.rows, columns
        )  # fmt: skip


class History(Sequence[Version]):
    """Versions with numbers that count up by one; the last one is the newest."""

    __slots__ = ("_length", "_versions")

    def __init__(self, versions: list[Version], length: int | None = None) -> None:
        self._versions = versions
        self._length = len(versions) if length is None else length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Version:  # type: ignore[override]
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._versions[index]

    def __iter__(self) -> Iterator[Version]:
        for index in range(self._length):
            yield self._versions[index]

    def adding(self, version: Version) -> History:
        """With one more; the list is shared unless another line went on from here before."""
        if len(self._versions) == self._length:
            self._versions.append(version)
            return History(self._versions, self._length + 1)
        return History([*self._versions[: self._length], version])

    @property
    def last(self) -> Version:
        """The newest."""
        return self._versions[self._length - 1]

    def find(self, number: int) -> Version | None:
        """The version of this number, if it is retained."""
        index = number - self._versions[0].number
        return self._versions[index] if 0 <= index < self._length else None

    def at_time(self, time: int) -> Version | None:
        """The version that was newest at a time (several at one time: the last of them)."""
        index = bisect_right(self._versions, time, 0, self._length, key=attrgetter("time"))
        return self._versions[index - 1] if index else None

    def retained(self, oldest_time: int, most: int) -> History:
        """Without versions that nobody may ask for any more.

        Kept are those that were newest at ``oldest_time`` or came later, at most ``most`` of them, and the newest always.
        """
        seen = bisect_right(self._versions, oldest_time, 0, self._length, key=attrgetter("time"))
        start = max(seen - 1, self._length - most, 0)
        start = min(start, self._length - 1)
        return self if start == 0 else History(self._versions[start : self._length])
