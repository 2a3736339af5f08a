"""Asks the process that holds a database's lease about its jobs.

Invariant: every question ends, with an answer or an error that names the process: one that works on the answer says so every second, and one from
which nothing has come for :data:`SILENCE_SECONDS` is taken to hang.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from tableflow.errors import CancelledError, ConnectorError, SerializationError, TableFlowError
from tableflow.session.job_messages import JSON, ROWS, WORKING, Answer, Request, frame, read_frame, statement_name
from tableflow.session.job_statements import JobStatement
from tableflow.session.outcome import Outcome
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error
from tableflow.storage.lease import Holder, Life, last_holder

SILENCE_SECONDS = 10.0
_BEGIN_SECONDS = 3.0
"""How long a process may take from having the lease to having begun its jobs, before it is said that it cannot be asked."""
_SLICE_SECONDS = 0.05


class UnaskedError(ConnectorError):
    """Jobs run in a process that cannot be asked."""

    def __init__(self, holder: Holder, why: str) -> None:
        super().__init__(
            f"process {holder.pid} writes to the database, and cannot be asked about its jobs",
            detail=why,
            hint="run the statement there, or as its user on its machine",
        )


class JobAsker:
    """Asks for one session; ``interrupted``: whether its statement is to end."""

    def __init__(self, disk: Disk, clock: Callable[[], int], interrupted: Callable[[], bool]) -> None:
        self._disk = disk
        self._clock = clock
        self._interrupted = interrupted
        self._told: dict[str, frozenset[int]] = {}
        """Failed jobs that FLUSH has told of, by the token of the lease under which they ran."""

    def last_holder(self) -> tuple[Life, Holder | None]:
        """See :func:`~tableflow.storage.lease.last_holder`."""
        try:
            return last_holder(self._disk, self._clock())
        except OSError as error:
            raise disk_error(self._disk, error, "look who writes to it") from error

    def ask(
        self, statement: JobStatement, schema: str, *, expected: bool = True, patience: float | None = None
    ) -> Outcome | None:
        """What the statement gives where the jobs run, or its error there; None where no process has the lease.

        None also where one has it that has no job, and none is ``expected``.  :class:`UnaskedError` if it cannot be asked.  ``patience``:
        after how many seconds of silence it is taken to hang.
        """
        patience = SILENCE_SECONDS if patience is None else patience
        found = self._connected(expected=expected, patience=patience)
        if found is None:
            return None
        connection, holder = found
        with connection:
            try:
                told = self._told.get(holder.token, frozenset())
                connection.sendall(frame(JSON, Request(statement, schema, told).to_bytes()))
                answer = self._answer(connection, holder, patience)
            except TimeoutError:
                raise self._silent(holder) from None
            except OSError:
                raise self._gone(holder, statement) from None
        self._told = {holder.token: answer.told}
        if isinstance(answer.outcome, TableFlowError):
            raise answer.outcome
        return answer.outcome

    def _connected(self, *, expected: bool, patience: float) -> tuple[socket.socket, Holder] | None:
        """A connection to who has the lease; it may be about to open or to close the database."""
        begun = time.monotonic()
        begin, silent = begun + min(_BEGIN_SECONDS, patience), begun + patience
        while True:
            life, holder = self.last_holder()
            if life is not Life.WRITING or holder is None:
                return None
            if not holder.address and not expected:
                return None
            if not holder.near:
                raise UnaskedError(holder, f"it runs on {holder.host}, and jobs answer on their own machine only")
            if holder.address:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    connection.settimeout(_SLICE_SECONDS)
                    connection.connect(str(Path(self._disk.place) / holder.address))
                except PermissionError:
                    connection.close()
                    raise UnaskedError(holder, "its socket lets only the user in who has started it") from None
                except (BlockingIOError, TimeoutError):  # as many wait at the door as can
                    connection.close()
                    if time.monotonic() > silent:
                        raise self._silent(holder) from None
                    begin = time.monotonic() + min(_BEGIN_SECONDS, patience)
                except OSError:
                    connection.close()
                else:
                    self._check_user(connection, holder)
                    return connection, holder
            if time.monotonic() > begin:
                why = (
                    f"its socket {holder.address!r} is not to be seen here"
                    if holder.address
                    else "it has begun no job, or could not make a socket"
                )
                raise UnaskedError(holder, why)
            self._check_interrupted()
            time.sleep(_SLICE_SECONDS / 2)

    def _check_user(self, connection: socket.socket, holder: Holder) -> None:
        """Another user may have made the folder anew after it was cleaned away; he is told nothing."""
        if holder.user is None or not hasattr(socket, "SO_PEERCRED"):
            return
        _, user, _ = struct.unpack("iii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user != holder.user:
            connection.close()
            raise UnaskedError(holder, f"at its socket {holder.address!r} another user answers")

    def _answer(self, connection: socket.socket, holder: Holder, patience: float) -> Answer:
        last = time.monotonic()

        def receive(size: int) -> bytes:
            nonlocal last
            found = bytearray()
            while len(found) < size:
                self._check_interrupted()
                try:
                    more = connection.recv(min(size - len(found), 1 << 20))
                except TimeoutError:
                    if time.monotonic() - last > patience:
                        raise
                    continue
                if not more:
                    raise ConnectionError("the other side has gone")
                last = time.monotonic()
                found += more
            return bytes(found)

        def rows() -> bytes:
            kind, data = read_frame(receive)
            if kind != ROWS:
                raise SerializationError("an answer about jobs has other frames than it says")
            return data

        kind, head = read_frame(receive)
        while kind == WORKING:
            kind, head = read_frame(receive)
        if kind != JSON:
            raise SerializationError(f"process {holder.pid} has begun its answer with another frame")
        return Answer.from_bytes(head, rows)

    def _check_interrupted(self) -> None:
        if self._interrupted():
            raise CancelledError("the statement was cancelled")

    def _silent(self, holder: Holder) -> ConnectorError:
        return ConnectorError(
            f"process {holder.pid}, which has the jobs of database {self._disk.place!r}, does not answer",
            detail=f"nothing has come from it for {SILENCE_SECONDS:.0f} seconds: it was stopped, or hangs",
            hint=f"look at process {holder.pid}; if it is killed, the jobs begin again when the database is opened for writing",
        )

    def _gone(self, holder: Holder, statement: JobStatement) -> ConnectorError:
        return ConnectorError(
            f"process {holder.pid}, which had the jobs of database {self._disk.place!r}, has ended before it answered",
            detail=f"whether {statement_name(statement)} was carried out is not known",
            hint="SHOW JOBS says what is recorded of the jobs; they begin again when the database is opened for writing",
        )
