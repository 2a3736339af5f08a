"""From records to durable, visible states; commits that wait at the same time share a sync.

::

    append (under the lock, in order) -> tip -> sync by one of those who wait -> announced -> published

The *tip* is the state after the last record that was appended; transactions begin from it.  The *published* one is after
the last record that was synced; readers see it.  So nothing is acknowledged, or seen by readers, before it is
durable, and a transaction whose tip fails to become durable fails with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping

from tableflow.catalog.change import CatalogChange
from tableflow.errors import InterfaceError, TableFlowError
from tableflow.storage.announcement import Announcer
from tableflow.storage.database_state import DatabaseState, TableCell
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error, failed, taken_back
from tableflow.storage.lease import Lease
from tableflow.storage.log import LogWriter
from tableflow.storage.table_fold import rebase


class Ticket:
    """What becomes of a commit: whether its record was appended, whether that is decided, and how it failed."""

    __slots__ = ("appended", "done", "error", "state", "tables")

    def __init__(self, tables: Collection[int]) -> None:
        self.tables = tables
        self.state: DatabaseState | None = None
        """The state after the record, once it is appended."""
        self.appended = False
        self.done = False
        self.error: TableFlowError | None = None

    @property
    def undecided(self) -> bool:
        """Whether the commit may still come to be, or has: what it names has to stay."""
        return self.appended and self.error is None


class Committer:
    """Owns the log's end; thread-safe."""

    def __init__(
        self, disk: Disk, log: LogWriter, state: DatabaseState, lease: Lease, announcer: Announcer, delay: float,
        records: int = 0,
    ) -> None:  # fmt: skip
        """``records`` are in the log already."""
        self.tip = state
        self.published = state
        self.generation = 0
        """How often commits were taken back."""
        self.log = log
        self.records = records
        """Commits in the log."""
        self.files = 0
        """Data files that commits of this process have named since the log was begun."""
        self._disk = disk
        self._lease = lease
        self._announcer = announcer
        self.delay = delay
        """Seconds for which a sync waits for others."""
        self._synced = log.position
        self._pending: list[Ticket] = []
        self._condition = threading.Condition()
        self._leader: object | None = None
        self._excluding = False
        self._broken: BaseException | None = None

    def begin(self) -> tuple[DatabaseState, int]:
        """The state that a transaction starts from, and the generation that it belongs to."""
        with self._condition:
            self._check()
            return self.tip, self.generation

    def append(
        self,
        ticket: Ticket,
        payload: bytes,
        tables: Mapping[int, TableCell],
        catalog: tuple[CatalogChange, ...],
        begun: tuple[DatabaseState, int],
        files: int = 0,
    ) -> None:
        """Writes a record behind all others; it counts after :meth:`wait`.

        ``tables`` went on from the state that :meth:`begin` gave; ``begun`` is what it gave.  ``files``: how many data files it names.
        """
        pinned, generation = begun
        with self._condition:
            while self._excluding:
                self._condition.wait()
            self._check()
            if generation != self.generation:
                raise taken_back(self._disk)
            self.check_lease()
            start, before = self.log.position, self.tip
            tables = {table: self._rebased(table, cell, pinned) for table, cell in tables.items()}
            state = before.after(before.sequence + 1, tables, catalog)
            try:
                self.log.append(state.sequence, payload, self.published.sequence)
                ticket.state = state
                self._pending.append(ticket)
                self.tip = state
                self.records += 1
                self.files += files
                ticket.appended = True
            except BaseException as error:
                self.tip = before
                self._pending = [other for other in self._pending if other is not ticket]
                self._cut(start)
                if isinstance(error, OSError):
                    raise disk_error(self._disk, error, "write a commit to its log") from error
                raise

    def wait(self, ticket: Ticket) -> None:
        """Returns when the record is durable and published; raises if it is not and never will be."""
        me = object()
        try:
            while True:
                with self._condition:
                    while not ticket.done and self._leader is not None:
                        self._condition.wait()
                    if ticket.done:
                        break
                    self._leader = me
                self._sync(self.delay)
        finally:
            if self._leader is me:  # interrupted: another one has to lead
                with self._condition:
                    self._leader = None
                    self._condition.notify_all()
        if ticket.error is not None:
            raise ticket.error

    def settle(self) -> None:
        """Waits until everything appended so far is durable and published; raises if it is not."""
        with self._condition:
            last = self._pending[-1] if self._pending else None
        if last is not None:
            self.wait(last)

    def rotate(self) -> DatabaseState:
        """Goes on in a new log; the state after the last record of the old one, which is durable and published.

        :class:`OSError` if that cannot be done; then commits go on in the old one.
        """
        log = LogWriter.create(self._disk, self.log.number + 1)

        def change(state: DatabaseState) -> DatabaseState:
            position = self.log.position
            try:
                self.log.link(state.sequence + 1)
            except BaseException:
                self._cut(position)
                raise
            self.log.close()
            self.log = log
            self.records = self.files = 0
            return state

        try:
            return self.exclusively(change)
        except BaseException:
            log.close()
            raise

    def close(self) -> None:
        """Takes no more commits."""
        with self._condition:
            if self._broken is None:
                self._broken = InterfaceError("the database was closed")
            self.log.close()
            self._announcer.close()

    def check_lease(self) -> None:
        """:class:`~tableflow.errors.ConnectorError` if another one may write by now."""
        if not self._lease.holds():
            raise self._lease.lost()

    def _check(self) -> None:
        if isinstance(self._broken, InterfaceError):
            raise self._broken
        if self._broken is not None:
            raise failed(self._disk, self._broken)

    def _rebased(self, table: int, cell: TableCell, pinned: DatabaseState) -> TableCell:
        """A table's new state on top of the tip's; files may have been written anew since the transaction began."""
        now = self.tip.tables.get(table)
        if now is None or now is pinned.tables.get(table):
            return cell
        return TableCell(rebase(now.get(), cell.get()))

    def exclusively(self, change: Callable[[DatabaseState], DatabaseState]) -> DatabaseState:
        """Replaces (and returns) the state while no commit is under way; what ``change`` raises is raised, and nothing changes."""
        with self._condition:
            while self._excluding:
                self._condition.wait()
            self._excluding = True
        try:
            self.settle()
            with self._condition:
                self._check()
                state = change(self.tip)
                self.tip = self.published = state
                self._synced = self.log.position
                return state
        finally:
            with self._condition:
                self._excluding = False
                self._condition.notify_all()

    def _sync(self, delay: float) -> None:
        """As the one that syncs for all who wait."""
        if delay:
            time.sleep(delay)
        with self._condition:
            covered, end, log = list(self._pending), self.log.position, self.log
        error: BaseException | None = None
        try:
            log.sync()
            if covered and covered[-1].state is not None:
                self._announcer.say(covered[-1].state.sequence)
        except BaseException as raised:  # noqa: BLE001 - whoever waits has to hear of it, whatever it is
            error = raised
        with self._condition:
            self._leader = None
            if error is None:
                self._finish(covered, end)
            else:
                self._take_back(error)
            self._condition.notify_all()
        if error is not None and not isinstance(error, OSError):
            raise error

    def _finish(self, covered: list[Ticket], end: int) -> None:
        self._synced = end
        if covered and covered[-1].state is not None:
            self.published = covered[-1].state
            del self._pending[: len(covered)]
            for ticket in covered:
                ticket.done = True

    def _take_back(self, error: BaseException) -> None:
        """Nothing that was not synced has happened."""
        lost, self._pending = self._pending, []
        self.generation += 1
        self._cut(self._synced)
        state = self.published
        touched = {table for ticket in lost for table in ticket.tables if table in state.tables}
        loaded = {table: state.tables[table].loaded for table in touched}
        cells = {number: TableCell(table.fresh()) for number, table in loaded.items() if table is not None}
        self.tip = self.published = state.after(state.sequence, cells, ())
        for ticket in lost:
            if isinstance(error, OSError):
                ticket.error = disk_error(self._disk, error, "sync a commit in its log")
            else:
                ticket.error = taken_back(self._disk)
            ticket.done = True

    def _cut(self, position: int) -> None:
        """Cuts the log; if that fails nothing may be written any more.  The caller has an error to raise already."""
        try:
            self.check_lease()  # else another one's records might be cut
            self.log.cut(position)
        except BaseException as error:  # noqa: BLE001 - see above
            self._broken = error
