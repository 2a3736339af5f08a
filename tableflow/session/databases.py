"""The databases that this process has open: connections to one directory share one."""

from __future__ import annotations

import threading
from pathlib import Path

from tableflow.config import Settings
from tableflow.errors import ConnectorError
from tableflow.storage.database import Database
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.memory_disk import MemoryDisk


class SharedDatabase:
    """One user's hold on a database; the last to let go closes it.  ``writable`` is what this user may do."""

    def __init__(self, database: Database, key: tuple[str, bool] | None, *, writable: bool) -> None:
        self.database = database
        self.writable = writable
        self._key = key
        self._open = True

    def close(self) -> None:
        """Lets go; again it does nothing."""
        with _lock:
            if not self._open:
                return
            self._open = False
            if self._key is not None:
                database, users = _shared[self._key]
                if users > 1:
                    _shared[self._key] = (database, users - 1)
                    return
                del _shared[self._key]
            self.database.close()


_lock = threading.Lock()
_shared: dict[tuple[str, bool], tuple[Database, int]] = {}


def open_database(path: str | Path | None, settings: Settings, *, read_only: bool = False) -> SharedDatabase:
    """The database in a directory, made if it is empty or missing; without a path a new one in memory.

    A reader in the process that writes sees what the writer sees.  :class:`~tableflow.errors.ConnectorError` and
    :class:`~tableflow.errors.CatalogError` as :meth:`Database.open`.
    """
    if path is None:
        return SharedDatabase(Database.open(MemoryDisk(), settings=settings), None, writable=not read_only)
    if not str(path) or "\0" in str(path):
        raise ConnectorError(
            f"{str(path)!r} is no path of a database", hint="name a folder; leave the path out for a database in memory"
        )
    folder = Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConnectorError(f"database {str(path)!r} is a file", hint="a database is a directory")
    if not read_only:
        _make(folder)
    real = str(folder.resolve())
    with _lock:
        if read_only and (real, True) in _shared:
            return _join((real, True), writable=False)
        key = (real, not read_only)
        if key not in _shared:
            _shared[key] = (Database.open(LocalDisk(real), writable=not read_only, settings=settings), 0)
        return _join(key, writable=not read_only)


def _make(folder: Path) -> None:
    """The folder with those above it, unless something there is no folder, which the database says itself."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return
    except OSError as error:
        raise ConnectorError(
            f"database {str(folder)!r} cannot be made",
            detail=f"its folder could not be made: {error.strerror}",
            hint="choose a folder in which you may write",
        ) from error


def _join(key: tuple[str, bool], *, writable: bool) -> SharedDatabase:
    database, users = _shared[key]
    _shared[key] = (database, users + 1)
    return SharedDatabase(database, key, writable=writable)
