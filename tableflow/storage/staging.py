"""Rows of a transaction that has not been committed: few in memory, many in files of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat
from tableflow.config import Settings
from tableflow.storage.data_file import DataFile, FileOptions
from tableflow.storage.description import TableDescription
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error
from tableflow.storage.file_writer import DataFileWriter
from tableflow.storage.memory_segment import MemorySegment


class StagedWriter:
    """The rows of one task; owned by it.

    Up to ``inline`` (rows, bytes) they stay in memory and go into the log, more are written to files.
    """

    def __init__(
        self, disk: Disk, name: Callable[[], str], description: TableDescription, settings: Settings,
        inline: tuple[int, int],
    ) -> None:  # fmt: skip
        self.batches: list[Batch] = []
        self.files: list[DataFile] = []
        self.rows = 0
        self._disk = disk
        self._name = name
        self._description = description
        self._settings = settings
        self._most_rows, self._most_bytes = inline
        self._bytes = 0
        self._file: DataFileWriter | None = None

    def write(self, columns: Sequence[Column], rows: int) -> None:
        """Adds rows: a column for each of the description, in its order; :class:`~tableflow.errors.ConnectorError`."""
        if not rows:
            return
        self.rows += rows
        batch = Batch(columns, rows)
        if self._file is None and not self.files:
            self._bytes += batch.nbytes
            self.batches.append(batch)
            if self.rows <= self._most_rows and self._bytes <= self._most_bytes:
                return
            self._move_to_file()
        else:
            try:
                self._to_file(batch)
            except OSError as error:
                raise disk_error(self._disk, error, "write rows of a table") from error

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._bytes if self._file is None else self._file.bytes

    def give_back(self) -> None:
        """Writes the rows that are in memory to a file of their own, and begins another when more come."""
        if self.batches:
            self._move_to_file()
        self.finish()

    def _move_to_file(self) -> None:
        held, self.batches, self._bytes = self.batches, [], 0
        try:
            for each in held:
                self._to_file(each)
        except OSError as error:
            raise disk_error(self._disk, error, "write rows of a table") from error

    def finish(self) -> None:
        """All rows have come; those in files are durable."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                self.files.append(file.finish())
            except OSError as error:
                raise disk_error(self._disk, error, "write rows of a table") from error

    def abort(self) -> None:
        """Removes what was written."""
        if self._file is not None:
            self._file.abort()
            self._file = None
        for file in self.files:
            for name in file.names:
                self._disk.remove(name)
        self.batches, self.files = [], []

    def _to_file(self, batch: Batch) -> None:
        if self._file is None:
            options = FileOptions.of(self._settings, self._description)
            self._file = DataFileWriter(self._disk, self._name(), self._description, options)
        self._file.write(batch.columns, batch.length)
        if self._file.full:
            self.finish()


def inline_rows(writers: Sequence[StagedWriter], first: int, ids: tuple[int, ...]) -> MemorySegment | None:
    """The rows that stayed in memory, as a segment that begins at row id ``first``."""
    batches = [batch for writer in writers for batch in writer.batches]
    if not batches:
        return None
    rows = sum(batch.length for batch in batches)
    columns = concat(batches).columns if len(batches) > 1 and ids else batches[0].columns
    return MemorySegment(first, ids, columns, rows)
