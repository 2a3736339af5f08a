"""The Arrow format: IPC files (Feather) and streams, memory-mapped; splits are record batches of a file."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from tableflow.catalog.provider import ColumnStatistics, TableStatistics
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Reading
from tableflow.connectors.filesystem.matching import SelfDescribing, matched
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.reading import Chunk, read_error
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import ConnectorError, UnsupportedError
from tableflow.runtime.source import Split

_FILE_MAGIC = b"ARROW1"


class ArrowFormat(SelfDescribing):
    """See the module."""

    name = "arrow"

    def columns_of(self, file: FileVersion) -> Sequence[FileColumn]:
        """Those of its schema."""
        return file_columns(file)

    def statistics(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> TableStatistics:
        """Rows, where no stream has to be read for them."""
        counts = [_rows(file) for file in files]
        rows = None if None in counts else sum(count for count in counts if count is not None)
        return TableStatistics(rows, {column.name: ColumnStatistics() for column in columns})

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """One per record batch of a file; a stream is one split."""
        for number, file in enumerate(scan.files):
            if is_stream(file):
                yield Split(file.path, [number, None])
                continue
            with _open(file) as reader:
                batches = reader.num_record_batches
            for batch in range(batches):
                yield Split(f"{file.path}#{batch}", [number, batch])

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Slices of record batches; the resume token is the number of rows delivered."""
        number, batch = split.definition
        file = scan.files[number]
        file.check()
        columns = scan.read_columns
        positions = matched(file, file_columns(file), columns)
        skip, done = offset or 0, offset or 0
        with _open(file) as reader:
            batches = reader if batch is None else iter([reader.get_batch(batch)])
            for record_batch in batches:
                start = min(skip, record_batch.num_rows)
                skip -= start
                for first in range(start, record_batch.num_rows, batch_rows):
                    part = record_batch.slice(first, batch_rows)
                    done += part.num_rows
                    arrays = [
                        column_from_arrow(
                            part.column(i), from_arrow_type(_storage(part.column(i).type)), c.type, representation
                        )
                        for i, c in zip(positions, columns, strict=True)
                    ]
                    yield Chunk(arrays, part.num_rows, done)


@functools.lru_cache(maxsize=1024)
def _rows(file: FileVersion) -> int | None:
    """Rows of an IPC file, from its record batches' metadata and first column; None for a stream."""
    if is_stream(file):
        return None
    try:
        options = pa.ipc.IpcReadOptions(included_fields=[0])
        with pa.memory_map(file.path) as mapped, pa.ipc.open_file(mapped, options=options) as reader:
            return int(sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise read_error(f"file {file.path!r}", error) from None


def _storage(of: pa.DataType) -> pa.DataType:
    return of.storage_type if isinstance(of, pa.BaseExtensionType) else of


def is_stream(file: FileVersion) -> bool:
    """Whether it lacks the magic of an IPC file."""
    try:
        with open(file.path, "rb") as opened:  # noqa: PTH123
            return opened.read(len(_FILE_MAGIC)) != _FILE_MAGIC
    except OSError as error:
        raise read_error(f"file {file.path!r}", error) from None


def _open(file: FileVersion) -> Any:
    try:
        mapped = pa.memory_map(file.path)
        return pa.ipc.open_stream(mapped) if is_stream(file) else pa.ipc.open_file(mapped)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ConnectorError(
            f"file {file.path!r} is not an Arrow file, or damaged", detail=" ".join(str(error).split())[:300]
        ) from None


def file_columns(file: FileVersion) -> tuple[FileColumn, ...]:
    """The columns of a file's schema."""
    with _open(file) as reader:
        schema = reader.schema
    found: list[FileColumn] = []
    for field in schema:
        try:
            of = from_arrow_type(_storage(field.type))
        except UnsupportedError as error:
            raise ConnectorError(
                f"column {field.name!r} of file {file.path!r} cannot be read", detail=error.message
            ) from None
        occurrence = sum(field.name == other.name for other in found)
        found.append(FileColumn(field.name, of, field.nullable, field.name, occurrence))
    return tuple(found)
