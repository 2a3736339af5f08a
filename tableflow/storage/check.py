"""Looks at every byte of a database that means something, and says what is wrong.

Needs no lease and changes nothing; a writer may go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tableflow.errors import IntegrityError, TableFlowError
from tableflow.records import dataclass
from tableflow.storage.database_state import DatabaseState
from tableflow.storage.delete_file import DeleteFile
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.follower import Follower
from tableflow.storage.identity import is_database
from tableflow.storage.key_check import check_keys
from tableflow.storage.log import log_name
from tableflow.storage.sweeping import listing, table_files, unnamed_files
from tableflow.storage.table_state import TableState


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at; what is wrong, each in one line; what is odd but harmless."""

    tables: int
    versions: int
    rows: int
    files: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def check_database(disk: Disk) -> Report:
    """Verifies everything that the newest state of a database names; raises nothing."""
    problems: list[str] = []
    remarks: list[str] = []
    tables = versions = rows = files = 0
    state: DatabaseState | None = None
    follower = Follower(disk)

    def attempt(what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except TableFlowError as error:
            named = "" if what in error.message else f"{what}: "
            problems.append(named + error.message + (f" ({error.detail})" if error.detail else ""))
        except OSError as error:
            problems.append(f"{what}: {disk_error(disk, error, 'read it').detail}")

    def identify() -> None:
        if not is_database(disk):
            problems.append(f"{disk.place}: there is no database")

    attempt(disk.place, identify)
    if not problems:
        try:
            state = follower.refresh()
        except TableFlowError as error:
            problems.append(f"root and log: {error.message}" + (f" ({error.detail})" if error.detail else ""))
    if state is None:
        return Report(0, 0, 0, 0, tuple(problems), ())
    for table in sorted(state.tables):
        name = state.name(table)
        found = _Table(disk, state, table)
        attempt(f"table {name!r}", found.check)
        problems.extend(f"table {name!r}: {problem}" for problem in found.problems)
        tables += 1
        versions += found.versions
        rows += found.rows
        files += found.files
    _remarks(disk, follower, state, remarks)
    return Report(tables, versions, rows, files, tuple(problems), tuple(remarks))


def _remarks(disk: Disk, follower: Follower, state: DatabaseState, remarks: list[str]) -> None:
    try:
        rest = disk.read(log_name(follower.log.number), follower.log.position)
        if rest.strip(b"\0"):
            remarks.append(
                "the log ends in a record that is not whole or not durable: it was not acknowledged; the next writer decides"
            )
        root = follower.root
        unnamed = unnamed_files(listing(disk), state, dict(root.manifests), root.log, "")
        if unnamed:
            remarks.append(f"{len(unnamed)} files that nothing names, to be removed by a writer")
    except OSError:
        return  # a writer goes on meanwhile


class _Table:
    """One table under inspection."""

    def __init__(self, disk: Disk, state: DatabaseState, table: int) -> None:
        self.problems: list[str] = []
        self.versions = self.rows = self.files = 0
        self._disk = disk
        self._state = state
        self._table = table

    def check(self) -> None:
        """Manifest, files, deletes, and what they say of each other."""
        table = self._state.table(self._table)
        self.versions = len(table.history)
        self.rows = table.at().rows
        self.files = len(table_files(table))
        self._segments(table)
        for layer in table.deletes.layers:
            ids, _ = layer.pairs
            if isinstance(layer.file, DeleteFile) and bool((np.diff(ids) <= 0).any()):
                self.problems.append(f"file {layer.file.name!r}: row ids are not in order")
        self._history(table)
        if not self.problems:
            try:
                check_keys(None, table, lambda: self._state.name(self._table))
            except IntegrityError as error:
                self.problems.append(f"{error.message}: {error.detail}")

    def _segments(self, table: TableState) -> None:
        end = 0
        for segment in table.segments:
            if isinstance(segment, FileSegment):
                segment.reader.verify()
            if segment.first < end or segment.end > table.end:
                self.problems.append(f"rows {segment.first} to {segment.end - 1} lie where others are")
            end = segment.end
            rows = 0
            for chunk in range(len(segment.chunks)):
                ids = segment.row_ids(chunk)
                rows += len(ids)
                if len(ids) and (ids[0] < segment.first or ids[-1] >= segment.end or bool((np.diff(ids) <= 0).any())):
                    self.problems.append(f"row ids from {segment.first} on are not in order")
            if rows != segment.rows:
                self.problems.append(f"{rows} rows from {segment.first} on instead of {segment.rows}")

    def _history(self, table: TableState) -> None:
        for version in _some(table):
            view = table.at(version)
            seen = sum(batch.rows for batch in view.batches([None]))
            if seen != view.rows:
                self.problems.append(f"version {version} has {seen} rows instead of {view.rows}")


def _some(table: TableState) -> Sequence[int]:
    """The oldest and the newest versions, and some in between."""
    numbers = [version.number for version in table.history]
    step = max(1, len(numbers) // 8)
    return sorted({*numbers[::step], numbers[0], numbers[-1]})
