r"""Writing a declared table: files that nobody sees before they are whole.

::

    open (.part-...inprogress) --large or old enough, or the end--> closed (still .inprogress) --epoch or commit--> part-...
                      \--abort--> deleted                                        \--abort--> deleted

Invariant: a name that readers see is given by a rename of a complete, synced file.  Of rows without end all files that were closed
get their names at an epoch, so what is seen is whole epochs; rows of a statement get theirs together, when it commits.  What a crash
leaves hidden the next writer of the directory removes (:mod:`~tableflow.connectors.filesystem.claim`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tableflow.catalog.written import SinkRequest
from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.filesystem.claim import HIDDEN, Claim, sweep
from tableflow.connectors.filesystem.file_writers import OPEN, BatchWriter
from tableflow.connectors.filesystem.partitions import directory_of
from tableflow.connectors.rows import printable_rows
from tableflow.connectors.sink_control import SinkControl
from tableflow.connectors.sink_rows import SinkRows
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.records import dataclass
from tableflow.runtime.write_behind import LAST, BlockingSink
from tableflow.serialization import serializable

_ENDINGS = {"changelog-json": "json", "debezium-json": "json"}
_SETTLING: dict[str, Claim] = {}
"""Claims of writers that have finished, by prefix, until their statement commits or does not."""


@serializable
@dataclass(frozen=True, slots=True)
class FileSinkSpec:
    """Where and how a table is written; ``kinds``: the format says what each row does."""

    path: str
    format: str
    rows: SinkRows
    kinds: bool
    endless: bool
    partitioned: tuple[str, ...]
    largest: int
    oldest: int
    options: tuple[tuple[str, Any], ...] = ()
    control: str | None = None

    @staticmethod
    def of(request: SinkRequest, **given: Any) -> FileSinkSpec:
        """The spec for a request."""
        return FileSinkSpec(rows=SinkRows.of(request), endless=request.endless, control=request.control, **given)


@dataclass(slots=True)
class _Part:
    """A file that is being written."""

    hidden: Path
    final: Path
    file: Any
    writer: BatchWriter
    began: float = field(default_factory=time.monotonic)
    waiting: int = 0
    """Bytes that the writer may not have put into the file yet."""
    size: int = 0

    def write(self, rows: pa.RecordBatch) -> None:
        """Adds rows and looks how large it has become."""
        self.writer.write(rows)
        size = self.file.tell()
        self.waiting = self.waiting + rows.nbytes if size == self.size else 0
        self.size = size

    def close(self) -> None:
        """The content is complete and on the disk."""
        self.writer.finish()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


def settled(kinds: pa.Array, directories: pa.Array) -> pa.Array:
    """What rows do in their directories: an update that moves a row to another one is an end here and a beginning there."""
    given, places = kinds.to_numpy(zero_copy_only=False), directories.to_numpy()
    together = (given[:-1] == "-U") & (given[1:] == "+U") & (places[:-1] == places[1:])
    moves = (given == "-U") | (given == "+U")
    moves[:-1] &= ~together
    moves[1:] &= ~together
    return pc.if_else(pa.array(moves), pc.if_else(pc.equal(kinds, "-U"), "-D", "+I"), kinds)


class FileSink(BlockingSink):
    """The files of one task."""

    def __init__(self, spec: FileSinkSpec, control: SinkControl | None, task: int) -> None:
        self._spec = spec
        self._control = control
        self._prefix = f"part-{uuid.uuid4().hex[:12]}-{task}"
        self._ending = _ENDINGS.get(spec.format, spec.format)
        self._number = 0
        self._open: dict[str, _Part] = {}
        self._closed: list[tuple[Path, Path]] = []
        self._claim: Claim | None = None
        self._swept = False

    def write(self, batch: Batch) -> None:
        """Rows to the files of their directories."""
        self._sweep()
        rows = self._spec.rows.with_kinds(batch) if self._spec.kinds else self._spec.rows.arrow(batch)
        if not rows.num_rows:
            return
        try:
            for directory, part in self._by_directory(rows):
                found = self._open.get(directory)
                if found is None:
                    found = self._open[directory] = self._begin(directory, part.schema)
                found.write(part)
                if found.size + found.waiting >= self._spec.largest:
                    self._close(directory)
        except (OSError, pa.ArrowException) as error:
            raise _failed(self._spec.path, error) from error

    def publish(self, epoch: int) -> None:
        """Files that are large or old enough are seen from now on; at the end all of them."""
        last = epoch == LAST or (self._control is not None and self._control.ending)
        limit = time.monotonic() - self._spec.oldest / 1e6
        self._sweep()
        try:
            for directory in [name for name, part in self._open.items() if last or part.began <= limit]:
                self._close(directory)
            if self._spec.endless:
                _reveal(self._closed)
                self._closed = []
        except (OSError, pa.ArrowException) as error:
            raise _failed(self._spec.path, error) from error

    def finish(self) -> list[Any]:
        """The prefix of hidden files, and those that a commit will rename."""
        if self._claim is not None and self._closed:
            _SETTLING[self._prefix], self._claim = self._claim, None
        return [self._prefix, [[str(hidden), str(final)] for hidden, final in self._closed]]

    def abort(self) -> None:
        """Deletes what nobody has seen."""
        for part in self._open.values():
            with contextlib.suppress(OSError, pa.ArrowException, TableFlowError):
                part.writer.finish()  # writers want to be closed before their file is
            part.file.close()
            part.hidden.unlink(missing_ok=True)
        for hidden, _ in self._closed:
            hidden.unlink(missing_ok=True)
        self._open.clear()
        self._closed = []

    def close(self) -> None:
        """Nobody needs to know any more that it writes."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def _sweep(self) -> None:
        """Once: what was left behind here."""
        if not self._swept:
            self._swept = True
            sweep(Path(self._spec.path))

    def _by_directory(self, rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The rows of each directory, without the columns that its name tells."""
        names = self._spec.partitioned
        if not names:
            yield "", rows
            return
        kept = [i for i, name in enumerate(rows.schema.names) if name not in names]
        keys = rows.select(list(names))
        texts = [directory_of(names, values) for values in printable_rows(keys)]
        codes = pa.array(texts).dictionary_encode()
        data = rows.select(kept)
        if self._spec.kinds:
            data = data.set_column(0, data.schema.field(0), settled(data.column(0), codes.indices))
        for code, directory in enumerate(codes.dictionary.to_pylist()):
            yield directory, data.filter(pc.equal(codes.indices, code))

    def _begin(self, directory: str, schema: pa.Schema) -> _Part:
        where = Path(self._spec.path, directory)
        where.mkdir(parents=True, exist_ok=True)
        if self._claim is None:
            self._claim = Claim(Path(self._spec.path), self._prefix)
        name = f"{self._prefix}-{self._number}.{self._ending}"
        self._number += 1
        hidden = where / f".{name}{HIDDEN}"
        file = hidden.open("wb")
        try:
            writer = OPEN[self._spec.format](file, schema, dict(self._spec.options))
        except BaseException:
            file.close()
            hidden.unlink(missing_ok=True)
            raise
        return _Part(hidden, where / name, file, writer)

    def _close(self, directory: str) -> None:
        part = self._open.pop(directory)
        self._closed.append((part.hidden, part.final))
        part.close()


def open_sink(spec: FileSinkSpec, context: OpenContext) -> FileSink:
    """The writer of one task."""
    control = None if spec.control is None else context.objects.get(spec.control)
    if spec.endless:
        _check_folder(spec.path)
    return FileSink(spec, control, context.task_index)


def _check_folder(path: str) -> None:
    """Makes the folder that a job will write into: that it cannot is said when the job begins, not when its first rows come."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _failed(path, error) from error


def settle_sink(spec: FileSinkSpec, tokens: Sequence[Any], commit: bool) -> None:
    """Gives all files of a statement their names, or deletes them."""
    told = [token for token in tokens if token]
    files = [(Path(hidden), Path(final)) for _, pairs in told for hidden, final in pairs]
    try:
        if not commit:
            for hidden, _ in files:
                hidden.unlink(missing_ok=True)
            return
        Path(spec.path).mkdir(parents=True, exist_ok=True)
        _reveal(files)
    except OSError as error:
        raise _failed(spec.path, error) from error
    finally:
        for prefix, _ in told:
            claim = _SETTLING.pop(prefix, None)
            if claim is not None:
                claim.release()


def _reveal(files: Sequence[tuple[Path, Path]]) -> None:
    for hidden, final in files:
        hidden.replace(final)


def _failed(path: str, error: BaseException) -> ConnectorError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:300]
    return ConnectorError(f"files in {path!r} could not be written", detail=reason)
