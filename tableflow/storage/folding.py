"""From the log into files: a new manifest for every table that changed, a new root, a new log.

::

    new log, named by the old one's last record -> files and manifests of a pinned state -> root -> states of this process

The root is the one step that counts: stopped before it, the database is as it was, with its logs to be read;
after it only garbage is left over.  Commits go on meanwhile, in the new log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial

from tableflow.config import duration
from tableflow.errors import ConnectorError
from tableflow.records import dataclass, replace
from tableflow.storage.committer import Committer
from tableflow.storage.data_file import FileOptions
from tableflow.storage.database_state import DatabaseState, TableCell
from tableflow.storage.delete_file import DeleteFile
from tableflow.storage.disk import Disk
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.garbage import Garbage
from tableflow.storage.log import log_name
from tableflow.storage.manifest import read_manifest, write_carried_manifest, write_manifest
from tableflow.storage.root import Root, write_root
from tableflow.storage.table_fold import fold_new, fold_table, rebase
from tableflow.storage.table_state import TableState


@dataclass(frozen=True, slots=True)
class FoldPolicy:
    """How files are made, and how much history stays: versions newer than ``retention`` us, at most ``versions``.

    A table's own option ``retention`` comes before the database's.
    """

    options: Callable[[TableState], FileOptions]
    retention: int
    versions: int

    def kept(self, table: TableState) -> int:
        """How long versions of a table stay, in microseconds."""
        own = dict(table.description.options).get("retention")
        return self.retention if own is None else duration(own)


class Folder:
    """Owns the root; one fold at a time, by its caller's care."""

    def __init__(
        self, disk: Disk, committer: Committer, root: Root, garbage: Garbage, policy: FoldPolicy,
        name: Callable[[int], str], clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self.root = root
        self._disk = disk
        self._committer = committer
        self._garbage = garbage
        self.policy = policy
        self._name = name
        self._clock = clock
        self._made: list[str] = []
        self._dropped: list[tuple[int, TableCell]] = []
        self.problems: dict[int, ConnectorError] = {}
        """What is damaged of tables, as far as the last fold met it; the others were folded."""

    def dropped(self, table: int, cell: TableCell) -> None:
        """Says that a table is gone, with what it was last; its files go after the next fold."""
        self._dropped.append((table, cell))

    def fold(self, everything: frozenset[int] = frozenset()) -> None:
        """Writes what changed; tables in ``everything`` are written into as few files as there can be.

        :class:`OSError` or :class:`~tableflow.errors.ConnectorError` if it cannot be done; nothing is lost then.
        """
        self.problems = {}
        old_log = self._committer.log.number
        state = self._committer.rotate()
        self._made = []
        cells: dict[int, TableCell] = {}
        manifests: dict[int, str] = {}
        problems: dict[int, ConnectorError] = {}
        try:
            for table, cell in state.tables.items():
                if cell.manifest is not None and table not in everything:
                    manifests[table] = cell.manifest
                    continue
                try:
                    cells[table] = self._fold_table(cell.get(), everything=table in everything)
                except ConnectorError as error:
                    problems[table] = error
                    cells[table] = self._around_damage(table, cell, error)
                manifests[table] = cells[table].manifest or ""
            self._committer.check_lease()
            self.problems = problems
        except BaseException:
            self._remove_made()
            raise
        old = self.root
        self.root = Root(state.sequence, self._committer.log.number, state.next_table, manifests, state.schemas)
        try:
            write_root(self._disk, self.root)
        except BaseException:
            self.root = old  # the other one may be in place or not: files of both stay
            raise
        before = {table: was for table in cells if (was := state.tables[table].loaded) is not None}
        self._committer.exclusively(lambda tip: _with_folded(tip, cells))
        self._discard(old, old_log, state, before, cells)

    def _new_name(self, table: int) -> str:
        self._made.append(self._name(table))
        return self._made[-1]

    def _fold_table(self, state: TableState, *, everything: bool) -> TableCell:
        history = state.history.retained(self._clock() - self.policy.kept(state), self.policy.versions)
        name = partial(self._new_name, state.id)
        return self._described(fold_table(state, history, self.policy.options(state), name, everything=everything))

    def _described(self, folded: TableState) -> TableCell:
        manifest = self._manifest_name(folded.id, str(folded.version))
        write_manifest(self._disk, manifest, folded)
        self._disk.sync_folder(manifest.rpartition("/")[0])
        return TableCell(folded, manifest=manifest)

    def _manifest_name(self, table: int, version: str) -> str:
        folder, _, own = self._new_name(table).rpartition("/")
        return f"{folder}/manifest-{version}-{own}.json"

    def _around_damage(self, table: int, cell: TableCell, error: ConnectorError) -> TableCell:
        """A table of which a file cannot be read: what it has in the log goes on beside that file."""
        state = cell.loaded
        if state is not None:
            return self._described(
                fold_new(state, state.history, self.policy.options(state), partial(self._new_name, table))
            )
        if cell.manifest is not None:
            return cell
        unread = cell.unread()
        if unread is None:
            raise error
        before, payloads = unread
        manifest = self._manifest_name(table, "carried")
        write_carried_manifest(self._disk, manifest, before, payloads)
        self._disk.sync_folder(manifest.rpartition("/")[0])
        return TableCell(load=partial(self._read, manifest, table), manifest=manifest)

    def _read(self, manifest: str, table: int) -> TableState:
        return read_manifest(self._disk, manifest, table, partial(FileSegment, self._disk))

    def _remove_made(self) -> None:
        """Removes the files of a fold that failed; what cannot be removed is found when the database is opened again."""
        with contextlib.suppress(OSError):
            own = {made.rpartition("/")[2] for made in self._made}
            for folder in {made.rpartition("/")[0] for made in self._made}:
                for name in self._disk.names(folder):
                    stem = name.rpartition("/")[2].partition(".")[0]
                    if "-".join(stem.split("-")[-2:]) in own:
                        self._disk.remove(name)

    def _discard(
        self, old: Root, old_log: int, state: DatabaseState, before: Mapping[int, TableState],
        cells: Mapping[int, TableCell],
    ) -> None:  # fmt: skip
        self._garbage.add(log_name(number) for number in range(old.log, old_log + 1))
        while self._dropped and self._dropped[-1][0] not in state.tables:
            table, cell = self._dropped.pop()
            holders = [cell] if cell.loaded is None else [cell, cell.loaded.anchor]
            self._garbage.add(self._disk.names(f"tables/{table}"), holders)
        kept = set(self.root.manifests.values())
        self._garbage.add(
            name
            for table, name in old.manifests.items()
            if name not in kept and (table in before or table not in cells)
        )
        for table, was in before.items():
            now = cells[table].get()
            named = {segment.file.name for segment in now.segments if isinstance(segment, FileSegment)}
            for segment in was.segments:
                if isinstance(segment, FileSegment) and segment.file.name not in named:
                    self._garbage.add(segment.file.names, [segment])
            layers = {layer.file.name for layer in now.deletes.layers if isinstance(layer.file, DeleteFile)}
            for layer in was.deletes.layers:
                if isinstance(layer.file, DeleteFile) and layer.file.name not in layers:
                    self._garbage.add((layer.file.name,), [layer])


def _with_folded(tip: DatabaseState, cells: Mapping[int, TableCell]) -> DatabaseState:
    tables = dict(tip.tables)
    for table, cell in cells.items():
        if table in tables and cell.loaded is None:
            if tables[table].loaded is None:  # else it can be read by now
                tables[table] = cell
        elif table in tables:
            folded, now = cell.get(), tables[table].get()
            tables[table] = cell if now.version == folded.version else TableCell(rebase(folded, now))
    return replace(tip, tables=tables)
