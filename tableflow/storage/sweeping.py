"""What a process that stopped left behind: files that nothing names.

Files were listed before the state that says what is named was taken, and names of this process are left out, so nothing
that is about to be named is taken for garbage.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.errors import ConnectorError
from tableflow.storage.database_state import DatabaseState
from tableflow.storage.delete_file import DeleteFile
from tableflow.storage.disk import Disk
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.log import FOLDER, log_name
from tableflow.storage.table_state import TableState

TABLES = "tables"


def table_files(state: TableState) -> set[str]:
    """The files of a table's rows and deletes."""
    found: set[str] = set()
    for segment in state.segments:
        if isinstance(segment, FileSegment):
            found.update(segment.file.names)
    found.update(layer.file.name for layer in state.deletes.layers if isinstance(layer.file, DeleteFile))
    return found


def unnamed_files(
    listed: Iterable[str], state: DatabaseState, manifests: dict[int, str], first_log: int, token: str
) -> list[str]:
    """Those of ``listed`` that neither state nor root name; of a table that cannot be read none is given."""
    named: dict[int, set[str] | None] = {}
    found = []
    oldest = log_name(first_log)
    for name in listed:
        folder, _, file = name.rpartition("/")
        if folder == FOLDER:
            if name < oldest:
                found.append(name)
            continue
        table = int(folder.rpartition("/")[2]) if folder.rpartition("/")[2].isdigit() else None
        if table is None or (token and token in file):
            continue
        if table not in named:
            named[table] = _named(state, manifests, table)
        kept = named[table]
        if kept is not None and name not in kept:
            found.append(name)
    return found


def _named(state: DatabaseState, manifests: dict[int, str], table: int) -> set[str] | None:
    kept = {manifests[table]} if table in manifests else set()
    if table not in state.tables:
        return kept
    try:
        return kept | table_files(state.tables[table].get())
    except ConnectorError:
        return None


def listing(disk: Disk) -> list[str]:
    """All files of the log and of tables."""
    return [*disk.names(FOLDER), *(name for folder in disk.folders(TABLES) for name in disk.names(folder))]
