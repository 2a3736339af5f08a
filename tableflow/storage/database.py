"""A database: states for readers, transactions for writers; one per folder and process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from tableflow.config import (
    COMMIT_DELAY,
    STORAGE_FOLD_BYTES,
    STORAGE_FOLD_COMMITS,
    STORAGE_INLINE_BYTES,
    STORAGE_INLINE_ROWS,
    STORAGE_REMOVAL_DELAY,
    STORAGE_RETAINED_VERSIONS,
    STORAGE_RETENTION,
    Settings,
)
from tableflow.errors import ConnectorError
from tableflow.storage.announcement import Announcer
from tableflow.storage.committer import Committer
from tableflow.storage.data_file import FileOptions
from tableflow.storage.database_state import DatabaseState
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error, read_only
from tableflow.storage.folding import Folder, FoldPolicy
from tableflow.storage.follower import Follower
from tableflow.storage.garbage import Garbage
from tableflow.storage.identity import is_database, raise_format, write_identity
from tableflow.storage.lease import Lease
from tableflow.storage.log import LogWriter
from tableflow.storage.maintenance import Maintenance
from tableflow.storage.root import Root, write_root
from tableflow.storage.transaction import Transaction
from tableflow.storage.write_queue import CATALOG, WriteQueues


def now() -> int:
    """Microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


def random_token() -> str:
    """A name that nobody else has."""
    return os.urandom(6).hex()


class Database:
    """See the module; made by :meth:`open`, ended by :meth:`close`.  Thread-safe."""

    def __init__(
        self, disk: Disk, settings: Settings, clock: Callable[[], int], token: str, follower: Follower,
        lease: Lease | None, committer: Committer | None,
    ) -> None:  # fmt: skip
        self.disk = disk
        self.settings = settings
        self.clock = clock
        self.inline = _inline(settings)
        self.lease = lease
        self._token = token
        self._follower = follower
        self._committer = committer
        self._queues = WriteQueues()
        self._names = 0
        self._lock = threading.Lock()
        self._closed = False
        self._listeners: tuple[Callable[[], object], ...] = ()
        self._holders: tuple[Callable[[], object], ...] = ()
        self.maintenance = None if committer is None or lease is None else self._maintenance(committer, lease)

    @classmethod
    def open(
        cls,
        disk: Disk,
        *,
        writable: bool = True,
        settings: Settings | None = None,
        clock: Callable[[], int] = now,
        token: Callable[[], str] = random_token,
        background: bool = True,
    ) -> Database:
        """Opens a database, and makes it if it is to be written and the folder is empty or missing.

        Without ``background`` nothing happens but what is asked for: see :attr:`maintenance`.

        :class:`~tableflow.errors.CatalogError` for a folder that is something else,
        :class:`~tableflow.errors.ConnectorError` for one that has a writer, is damaged or cannot be read or written.
        """
        settings = settings or Settings()
        try:
            there = is_database(disk)
        except OSError as error:
            raise disk_error(disk, error, "read its folder") from error
        if not writable:
            if not there:
                raise ConnectorError(
                    f"database {disk.place!r} does not exist",
                    hint="connect without read_only (on the command line without --read-only) to make it",
                )
            follower = Follower(disk)
            follower.refresh()
            return cls(disk, settings, clock, "", follower, None, None)
        own = token()
        lease = Lease.acquire(disk, clock(), own)
        try:
            if not there:
                _create(disk)
            raise_format(disk)
            follower = Follower(disk, everything=True)
            state = follower.refresh()
            log = LogWriter.resume(disk, follower.log.number, follower.log.position)
            announcer = Announcer(disk, state.sequence)
            # What a process that was killed has left in the log is folded by one of those that follow.
            records = state.sequence - follower.root.sequence
            committer = Committer(disk, log, state, lease, announcer, settings.get(COMMIT_DELAY) / 1e6, records)
        except OSError as error:
            lease.release()
            raise disk_error(disk, error, "open it for writing") from error
        except BaseException:
            lease.release()
            raise
        database = cls(disk, settings, clock, own, follower, lease, committer)
        if background and database.maintenance is not None:
            database.maintenance.start()
        return database

    def _maintenance(self, committer: Committer, lease: Lease) -> Maintenance:
        due, policy, delay = self._pace()
        garbage = Garbage(self.disk, delay, self.clock)
        folder = Folder(self.disk, committer, self._follower.root, garbage, policy, self.new_name, self.clock)
        return Maintenance(self.disk, committer, folder, garbage, lease, self._token, self.clock, due, self._let_go)

    def _pace(self) -> tuple[tuple[int, int], FoldPolicy, int]:
        """When a fold is due, what it keeps, and how long garbage stays."""
        get = self.settings.get
        policy = FoldPolicy(
            lambda state: FileOptions.of(self.settings, state.description),
            get(STORAGE_RETENTION), get(STORAGE_RETAINED_VERSIONS),
        )  # fmt: skip
        delay = get(STORAGE_REMOVAL_DELAY) if self.disk.shared else 0
        return (get(STORAGE_FOLD_COMMITS), get(STORAGE_FOLD_BYTES)), policy, delay

    def configure(self, settings: Settings) -> None:
        """From now on the database works by these; one has them for all who use it in this process."""
        self.settings = settings
        self.inline = _inline(settings)
        if self._committer is not None:
            self._committer.delay = settings.get(COMMIT_DELAY) / 1e6
        if self.maintenance is not None:
            self.maintenance.configure(*self._pace())

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._committer is not None

    @property
    def committer(self) -> Committer:
        """What commits; :class:`~tableflow.errors.ConnectorError` if the database is open for reading only."""
        if self._committer is None:
            raise read_only(self.disk)
        return self._committer

    def state(self) -> DatabaseState:
        """The newest state that is durable; readers in other processes look into the files for it."""
        return self._follower.refresh() if self._committer is None else self._committer.published

    def transaction(
        self,
        tables: Sequence[int] = (),
        *,
        catalog: bool = False,
        timeout: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Transaction:
        """Waits until nobody else writes to these tables (and changes the catalog), and begins.

        See :meth:`~tableflow.storage.write_queue.WriteQueues.acquire` for how waiting ends early.
        """
        committer = self.committer
        if self.maintenance is not None:
            self.maintenance.make_room(cancelled)
        ids = sorted({*tables, CATALOG}) if catalog else sorted(set(tables))
        turn = self._queues.acquire(ids, timeout, cancelled)
        try:
            return Transaction(self, turn, *committer.begin())
        except BaseException:
            turn.release()
            raise

    def new_name(self, table: int) -> str:
        """A name (without extension) for a file of a table."""
        with self._lock:
            self._names += 1
            return f"tables/{table}/{self._token}-{self._names}"

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Calls ``listener`` after every commit of this process, on the committing thread; gives what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return end

    def on_fold(self, holder: Callable[[], object]) -> Callable[[], None]:
        """Calls ``holder`` after every fold, on any thread, so that it lets go of states whose files are to be removed; gives what ends that."""
        with self._lock:
            self._holders = (*self._holders, holder)

        def end() -> None:
            with self._lock:
                self._holders = tuple(one for one in self._holders if one is not holder)

        return end

    def _let_go(self) -> None:
        for holder in self._holders:
            holder()

    def committed(self) -> None:
        """Called after every commit."""
        for listener in self._listeners:
            listener()
        if self.maintenance is not None:
            self.maintenance.committed()

    def fold(self, tables: Iterable[int] = ()) -> None:
        """Writes the log into files now; those tables into as few files as there can be."""
        self._need_maintenance().fold(frozenset(tables))

    def collect(self) -> int:
        """Removes files that are due to be; how many that were."""
        return self._need_maintenance().collect()

    def _need_maintenance(self) -> Maintenance:
        if self.maintenance is None:
            raise read_only(self.disk)
        return self.maintenance

    def close(self) -> None:
        """Gives the lease back; states that readers hold stay good."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self.maintenance is not None:
            self.maintenance.stop()
        if self._committer is not None:
            self._committer.close()
        if self.lease is not None:
            self.lease.release()


def _inline(settings: Settings) -> tuple[int, int]:
    return settings.get(STORAGE_INLINE_ROWS), settings.get(STORAGE_INLINE_BYTES)


def _create(disk: Disk) -> None:
    """An empty database; what says that it is one comes last."""
    LogWriter.create(disk, 1).close()
    write_root(disk, Root())
    write_identity(disk)
