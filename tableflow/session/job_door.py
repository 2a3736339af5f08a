r"""The way in to the jobs of a database from other processes: a socket in a temporary folder of the process that holds the lease.

It is made with the first job and removed when the database is closed.  Only the user whose process it is may connect (the folder has mode 0700), and the
lease says where it is, so that nobody asks at one that a process has left behind that was killed.  It is not in the database's folder: programs that
copy one take everything in it for a file.  Each asker has a thread: who waits does not hold up others.

::

    asked --> at work --the statement is through--> answered
                 \---the asker has gone---> interrupted, no answer
                 \---the database is closed---> interrupted, an error says so
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
import threading
import time
from pathlib import Path

from tableflow.errors import ConnectorError, SerializationError, TableFlowError
from tableflow.session.guard import guarded
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.job_messages import (
    BEAT_SECONDS,
    JSON,
    LONGEST_REQUEST,
    WORKING,
    Answer,
    Request,
    frame,
    read_frame,
)
from tableflow.session.job_statements import JobStatements
from tableflow.storage.database import Database
from tableflow.storage.lease import Holder, Lease

SOCKET = "jobs.socket"
_PATIENCE_SECONDS = 10.0
"""How long an asker may take to send its question, and to take its answer."""
_ASKERS = 64
_PREFIX = "tableflow-"


class JobDoor:
    """Open from when it is made to :meth:`close`; :class:`OSError` if there can be no socket."""

    def __init__(self, database: Database, keeper: JobKeeper, lease: Lease) -> None:
        self._database = database
        self._keeper = keeper
        self._lease = lease
        self._closing = threading.Event()
        self._askers: set[threading.Thread] = set()
        self._places = threading.BoundedSemaphore(_ASKERS)
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        try:
            self._listening, self._path, self._own = _listen(database.disk.place, lease)
        except BaseException:
            self._wake.close()
            self._woken.close()
            raise
        self._thread = threading.Thread(target=self._accept, name="tableflow-job-door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Takes no more questions, and ends those at work."""
        self._closing.set()
        with contextlib.suppress(TableFlowError, OSError):
            self._lease.announce("")
        _remove(self._path, self._own)
        self._wake.close()
        self._thread.join(_PATIENCE_SECONDS)
        limit = time.monotonic() + _PATIENCE_SECONDS
        with self._lock:
            left = list(self._askers)
        for thread in left:
            thread.join(max(0.0, limit - time.monotonic()))

    def _accept(self) -> None:
        with self._listening, self._woken:
            poll = select.poll()
            for one in (self._listening, self._woken):
                poll.register(one, select.POLLIN)
            while not self._closing.is_set():
                poll.poll()
                if self._closing.is_set():
                    return
                try:
                    connection, _ = self._listening.accept()
                except OSError:  # the asker has gone, or there are too many files: others come
                    self._closing.wait(0.05)
                    continue
                if not self._places.acquire(blocking=False):
                    _refuse(connection)
                    continue
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="tableflow-job-asker", daemon=True
                )
                with self._lock:
                    self._askers.add(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_PATIENCE_SECONDS)
                try:
                    kind, data = read_frame(lambda size: _exactly(connection, size), LONGEST_REQUEST)
                    if kind != JSON:
                        raise SerializationError("a question about jobs begins with another frame")
                    answer = self._answer(Request.from_bytes(data), connection)
                except SerializationError as error:
                    answer = Answer(error)
                if answer is not None:
                    connection.sendall(answer.to_frames())
        finally:
            with self._lock:
                self._askers.discard(threading.current_thread())
            self._places.release()

    def _answer(self, request: Request, connection: socket.socket) -> Answer | None:
        """Carries a statement out; None if nobody wants to know any more."""
        told = set(request.told)
        with _Asker(connection, self._closing) as asker:
            statements = JobStatements(self._keeper, request.schema, asker.interrupted, told)
            try:
                outcome = guarded("", lambda: statements.carry_out(request.statement, self._database))
            except TableFlowError as error:
                if asker.gone.is_set():
                    return None
                return Answer(_closed(self._database) if self._closing.is_set() else error, frozenset(told))
        return None if asker.gone.is_set() else Answer(outcome, frozenset(told))


class _Asker:
    """Tells who asks that the statement is at work, and notices when they go."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self.gone = threading.Event()
        self._connection = connection
        self._closing = closing
        self._done, self._told = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="tableflow-job-asker-watch", daemon=True)

    def interrupted(self) -> bool:
        """Whether the statement is to stop waiting."""
        return self.gone.is_set() or self._closing.is_set()

    def __enter__(self) -> _Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.close()
        self._thread.join()

    def _watch(self) -> None:
        with self._told:
            poll = select.poll()
            for one in (self._connection, self._told):
                poll.register(one, select.POLLIN)
            while True:
                ready = {descriptor for descriptor, _ in poll.poll(BEAT_SECONDS * 1000)}
                if self._told.fileno() in ready:
                    return
                if ready:  # an asker says one thing only: it has gone
                    self.gone.set()
                    return
                try:
                    self._connection.sendall(frame(WORKING))
                except OSError:
                    self.gone.set()
                    return


def _refuse(connection: socket.socket) -> None:
    error = ConnectorError(
        f"process {os.getpid()} carries out {_ASKERS} statements about jobs already", hint="try again"
    )
    with connection, contextlib.suppress(OSError):
        connection.settimeout(BEAT_SECONDS)
        connection.sendall(Answer(error).to_frames())


def _closed(database: Database) -> TableFlowError:
    return ConnectorError(
        f"process {os.getpid()} has closed database {database.disk.place!r} while the statement was at work",
        hint="its jobs go on when a process opens the database for writing",
    )


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise ConnectionError("the asker has gone")
        found += more
    return found


def _listen(folder: str, lease: Lease) -> tuple[socket.socket, Path, Path]:
    """A socket that listens and whose place the lease tells, its path, and the folder that was made for it."""
    _remove_left(folder, lease.before)
    failed: OSError | None = None
    for place in _places():
        own: Path | None = None
        try:
            own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            return _bound(own / SOCKET, lease), own / SOCKET, own
        except OSError as error:  # no such folder, one that may not be written to, or too long a path
            failed = failed or error
            if own is not None:
                _remove(own / SOCKET, own)
    assert failed is not None
    raise failed


def _places() -> list[str]:
    """Where temporary folders may be, the best place first: that of a service, which others see, the usual one, that of a login."""
    service = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return [place for place in (service, tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp") if place]


def _bound(path: Path, lease: Lease) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(0o600)  # before it listens: nobody can connect until then
        listening.listen(_ASKERS)
        lease.announce(str(path))
    except BaseException:
        listening.close()
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return listening


def _remove_left(folder: str, before: Holder | None) -> None:
    """What a process that was killed has left; one that runs may be that of which this database is a copy.

    Older versions left it in the database's folder.
    """
    with contextlib.suppress(OSError):
        if (Path(folder) / SOCKET).is_socket():
            (Path(folder) / SOCKET).unlink()
    if before is not None and before.gone:
        path = Path(before.address)
        if path.is_absolute() and path.name == SOCKET and path.parent.name.startswith(_PREFIX):
            _remove(path, path.parent)


def _remove(path: Path, own: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        own.rmdir()
