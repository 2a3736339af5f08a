"""The databases that this process has open: connections to one directory share one."""

from __future__ import annotations

import threading
from pathlib import Path

from tableflow.config import Settings
from tableflow.errors import ConnectorError
from tableflow.session.job_keeper import Door, JobKeeper
from tableflow.storage.database import Database
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.memory_disk import MemoryDisk


class SharedDatabase:
    """One user's hold on a database; the last to let go closes it.  ``writable`` is what this user may do."""

    def __init__(
        self, database: Database, key: tuple[str, bool] | None, keeper: JobKeeper, *, writable: bool, first: bool
    ) -> None:
        self.database = database
        self.keeper = keeper
        """The jobs of the database."""
        self.first = first
        """Whether nobody in this process had it open before."""
        self.writable = writable
        self._key = key
        self._open = True

    @property
    def durable(self) -> bool:
        """Whether it outlives its users."""
        return self._key is not None

    @property
    def apart(self) -> bool:
        """Whether it is only read in this process, so that its jobs, if there are any, run in another one."""
        return self._key is not None and not self._key[1]

    def close(self) -> None:
        """Lets go; again it does nothing."""
        with _lock:
            if not self._open:
                return
            self._open = False
            if self._key is not None:
                database, keeper, users = _shared[self._key]
                if users > 1:
                    _shared[self._key] = (database, keeper, users - 1)
                    return
                del _shared[self._key]
            self.keeper.close()
            self.database.close()


_FIRST_APART = 1_000_001
"""The first job of a process that only reads: its numbers are none of those of the process that writes."""
_lock = threading.Lock()
_shared: dict[tuple[str, bool], tuple[Database, JobKeeper, int]] = {}


def open_database(path: str | Path | None, settings: Settings, *, read_only: bool = False) -> SharedDatabase:
    """The database in a directory, made if it is empty or missing; without a path a new one in memory.

    A reader in the process that writes sees what the writer sees.  :class:`~tableflow.errors.ConnectorError` and
    :class:`~tableflow.errors.CatalogError` as :meth:`Database.open`.
    """
    if path is None:
        database = Database.open(MemoryDisk(), settings=settings)
        return SharedDatabase(database, None, JobKeeper(), writable=not read_only, first=True)
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
            opened = Database.open(LocalDisk(real), writable=not read_only, settings=settings)
            keeper = JobKeeper(_FIRST_APART) if read_only else JobKeeper(door=lambda keeper: _open_door(opened, keeper))
            _shared[key] = (opened, keeper, 0)
        return _join(key, writable=not read_only)


def _open_door(database: Database, keeper: JobKeeper) -> Door:
    """Loaded with the first job."""
    from tableflow.session.job_door import JobDoor

    assert database.lease is not None
    return JobDoor(database, keeper, database.lease)


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
    database, keeper, users = _shared[key]
    _shared[key] = (database, keeper, users + 1)
    return SharedDatabase(database, key, keeper, writable=writable, first=users == 0)
