"""The socket connector: lines that a TCP server sends, as rows; the table ends when the server closes the connection.

Nothing that was sent can be read again.  Bytes are taken from the connection only as rows are wanted, so a slow query slows the server
down.  Lines end with a line feed; what stands behind the last one when the connection closes is a line as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket as sockets
import sys
import termios
import time
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.filesystem.declared_columns import check_columns, check_formats
from tableflow.connectors.lines import FORMATS, LineFormat, LineParser
from tableflow.connectors.option import ColumnError, Option, OptionError, boolean, character, choice, text
from tableflow.connectors.reading import ListAssigner
from tableflow.errors import CatalogError, ConnectorError
from tableflow.records import dataclass
from tableflow.runtime.source import Done, Split
from tableflow.serialization import serializable
from tableflow.types import STRING

KIND = "socket"
_CONNECT_SECONDS = 3.0
_PATIENCE_MILLISECONDS = 100
_CHUNK_BYTES = 64 << 10
_LONGEST_LINE = 16 << 20


def _port(value: str) -> int:
    number = int(value) if value.strip().isdigit() else 0
    if not 0 < number < 65_536:
        raise ValueError("a number from 1 to 65535 is expected")
    return number


_HOST = "the server that rows come from"
OPTIONS = (
    Option("hostname", "text", text, _HOST, default="localhost"),
    Option("port", "integer", _port, "its TCP port", required=True),
    Option(
        "format", "text", choice(*FORMATS), "what a line is: csv, json (one object), raw (the text of one STRING column)",
        default="csv",
    ),
    Option("csv.field-delimiter", "character", character, "what separates fields", default=","),
    Option("csv.null-literal", "text", text, "the unquoted text that is NULL", default=""),
    Option("ignore-parse-errors", "boolean", boolean, "lines that do not parse are left out", default=False,
           aliases=("csv.ignore-parse-errors", "json.ignore-parse-errors")),
)  # fmt: skip


@serializable
@dataclass(frozen=True, slots=True)
class SocketScan:
    """Where to connect to, and what the lines are."""

    host: str
    port: int
    format: LineFormat


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection that waits for its reader, and since when."""

    connection: sockets.socket
    since: float


_opened: dict[tuple[str, int], _Opened] = {}
"""By host and port: what was opened to see whether a scan could begin.  One reader takes it, at once or never."""


def _close(opened: _Opened | None) -> None:
    if opened is not None:
        opened.connection.close()


def _connected(host: str, port: int) -> sockets.socket:
    """The connection that waits for a reader, or a new one."""
    opened = _opened.pop((host, port), None)
    if opened is not None and time.monotonic() - opened.since < _CONNECT_SECONDS:
        return opened.connection
    _close(opened)
    return sockets.create_connection((host, port), _CONNECT_SECONDS)


def _unconnected(host: str, port: int, error: OSError) -> ConnectorError:
    """The error of a server that is not there."""
    return ConnectorError(
        f"socket {host}:{port} could not be connected to",
        detail="it did not answer" if isinstance(error, TimeoutError) else error.strerror or str(error),
        hint=f"a server has to listen there before its rows are asked for (nc -lk {port} is one); the table's options 'hostname' and"
        " 'port' say where",
    )


def _check_columns(definition: TableDefinition, format: str) -> None:
    """Raises for columns that lines of a format do not have."""
    if format != "raw":
        check_columns(definition.columns, format)
        check_formats(definition, format, FORMATS)
        return
    wrong = next((column for column in definition.columns if column.type != STRING), None)
    if wrong is not None or len(definition.columns) > 1:
        wrong = wrong or definition.columns[1]
        raise ColumnError(
            f"column {wrong.name!r} has no place in format 'raw'"
            if wrong.type == STRING
            else f"column {wrong.name!r} is {wrong.type}",
            column=wrong.name,
            detail="a table of format 'raw' has one column of type STRING, the line; others are computed from it",
            hint="'format' = 'csv' or 'json' takes lines apart",
        )
    check_formats(definition, format, FORMATS)


class SocketTable(ProjectedTable):
    """The provider of a declared table."""

    bounded = False
    replayable = False

    def __init__(self, definition: TableDefinition, options: dict[str, Any]) -> None:
        if not definition.columns:
            raise CatalogError(f"table {definition.name!r} declares no columns", hint="lines do not tell them")
        if not options["hostname"].strip():
            raise OptionError("a server has a name or an address", option="hostname", value=True, hint=_HOST)
        _check_columns(definition, options["format"])
        self.schema = TableSchema(definition.columns, (definition.primary_key,) if definition.primary_key else ())
        self._options = options

    def assure(self) -> None:
        """See :func:`~tableflow.catalog.provider.assure`: a server that takes a connection may take no second one, so it is kept."""
        host, port = self._options["hostname"], self._options["port"]
        try:
            opened = sockets.create_connection((host, port), _CONNECT_SECONDS)
        except OSError as error:
            raise _unconnected(host, port, error) from error
        _close(_opened.pop((host, port), None))
        _opened[host, port] = _Opened(opened, time.monotonic())

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        given = self._options
        places = {column.name: i for i, column in enumerate(self.schema.columns)}
        lines = LineFormat(
            given["format"],
            self.schema.columns,
            tuple(places[name] for name in accepted.request.columns),
            given["csv.field-delimiter"],
            given["csv.null-literal"],
            given["ignore-parse-errors"],
        )
        return KIND, SocketScan(given["hostname"], given["port"], lines)


class SocketSource:
    """One split: the connection."""

    bounded = False

    def __init__(self, scan: SocketScan) -> None:
        self._scan = scan

    def assigner(self) -> ListAssigner:
        """The one connection."""
        return ListAssigner([Split(f"{self._scan.host}:{self._scan.port}", None)])

    def reader(self, split: Split, batch_rows: int) -> SocketReader:
        """A reader that connects when it is first asked."""
        return SocketReader(self._scan, batch_rows)


class SocketReader:
    """A :class:`~tableflow.runtime.source.BlockingReader` over a connection."""

    def __init__(self, scan: SocketScan, batch_rows: int) -> None:
        self._scan = scan
        self._origin = f"socket {scan.host}:{scan.port}"
        self._parser = LineParser(scan.format, self._origin)
        self._batch_rows = batch_rows
        self._connection: sockets.socket | None = None
        self._lines = b""
        """Whole lines that wait."""
        self._rest = b""
        """The beginning of a line."""
        self._ended = False
        self._given = self._received = 0
        self._woken, self._wakes = sockets.socketpair()
        self._woken.settimeout(0)
        self._wakes.settimeout(0)
        self._ready = select.poll()
        self._ready.register(self._woken, select.POLLIN)

    def read(self) -> Batch | Done | None:
        """The lines that are there; waits a moment if there are none."""
        while not self._lines:
            if self._ended:
                return Done()
            if not self._receive():
                return None
        parts = self._lines.split(b"\n", self._batch_rows)
        taken = self._lines
        if len(parts) > self._batch_rows and parts[-1]:
            taken = self._lines[: -len(parts[-1])]
        self._lines = self._lines[len(taken) :]
        self._given += len(taken)
        return self._parser.batch(taken)

    def _receive(self) -> bool:
        """Takes what has come; whether anything has."""
        try:
            if self._connection is None:
                self._connection = _connected(self._scan.host, self._scan.port)
                self._connection.settimeout(0)
                self._ready.register(self._connection, select.POLLIN)
            if not self._await():
                return False
            data = self._connection.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if self._connection is None:
                raise _unconnected(self._scan.host, self._scan.port, error) from error
            raise ConnectorError(f"{self._origin} broke off", detail=error.strerror or str(error)) from error
        self._received += len(data)
        whole = self._rest + data
        if not data:
            self._ended = True
            self._lines, self._rest = (whole + b"\n" if whole else b""), b""
            return True
        end = whole.rfind(b"\n") + 1
        self._lines, self._rest = whole[:end], whole[end:]
        if len(self._rest) > _LONGEST_LINE:
            raise ConnectorError(f"{self._origin} gave a line longer than {_LONGEST_LINE >> 20} MB")
        return True

    def _await(self) -> bool:
        """Whether something has come; returns at once when interrupted, also if that was before."""
        ready = {descriptor for descriptor, _ in self._ready.poll(_PATIENCE_MILLISECONDS)}
        if self._woken.fileno() in ready:
            ready.discard(self._woken.fileno())
            self._woken.recv(_CHUNK_BYTES)
        return bool(ready)

    def interrupt(self) -> None:
        """Makes a blocked :meth:`read` return."""
        with contextlib.suppress(OSError):  # it has been told often enough, or is closed
            self._wakes.send(b"!")

    def newest(self) -> int:
        """How many bytes have come to this machine."""
        if self._connection is None:
            return 0
        waiting = bytearray(4)
        fcntl.ioctl(self._connection, termios.FIONREAD, waiting)
        return self._received + int.from_bytes(waiting, sys.byteorder)

    def reached(self, position: int) -> bool:
        """Whether the lines that end within so many bytes have been read."""
        return self._received >= position and not self._lines

    def offset(self) -> Any:
        """Bytes so far; nobody can resume there."""
        return self._given

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._woken.close()
        self._wakes.close()


def _open(scan: Any, _context: OpenContext) -> SocketSource:
    return SocketSource(scan)


CONNECTOR = Connector(KIND, "lines that a TCP server sends", OPTIONS, _open, SocketTable)
