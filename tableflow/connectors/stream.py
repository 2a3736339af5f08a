"""A table over a stream of Arrow record batches that can be read once: what a program appends.

The key of the stream in the session's :class:`~tableflow.connectors.connector.ObjectStore` is all that a plan holds.  Batches
are pulled as tasks ask for more, so a stream larger than memory passes through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import Accepted, ColumnDefinition, ProjectedTable, TableSchema
from tableflow.columnar.representation import from_arrow_type
from tableflow.config import FORCE_REPRESENTATION
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.memory import storage_type
from tableflow.connectors.reading import Chunk, ChunkReader, read_error
from tableflow.connectors.storage import column_from_arrow
from tableflow.connectors.text_check import check_text
from tableflow.errors import InterfaceError, TableFlowError
from tableflow.runtime.source import Split

KIND = "stream"


class StreamTable(ProjectedTable):
    """A provider over a record batch reader, which one scan may read."""

    bounded = True

    def __init__(self, stream: pa.RecordBatchReader, objects: ObjectStore) -> None:
        self._schema = TableSchema(
            tuple(ColumnDefinition(f.name, from_arrow_type(storage_type(f.type)), f.nullable) for f in stream.schema)
        )
        self._objects = objects
        self._key = objects.add(_Stream(stream))

    @property
    def schema(self) -> TableSchema:
        """The columns of the stream."""
        return self._schema

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._schema.columns)}
        return KIND, {"object": self._key, "columns": [positions[name] for name in accepted.request.columns]}

    def close(self) -> None:
        """Lets the stream go."""
        self._objects.remove(self._key)


class _Stream:
    """Hands batches out one by one, to any thread."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.types = [from_arrow_type(storage_type(f.type)) for f in reader.schema]
        self.names = reader.schema.names
        self.required = [i for i, f in enumerate(reader.schema) if not f.nullable]
        self._reader = reader
        self._lock = threading.Lock()
        self._number = 0
        self._waiting: dict[int, pa.RecordBatch] = {}

    def next(self) -> int | None:
        """The number of the next batch, which waits to be taken."""
        with self._lock:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return None
            except TableFlowError:
                raise
            except Exception as error:
                raise read_error("the stream of record batches", error) from error
            self._number += 1
            self._waiting[self._number] = batch
            return self._number

    def take(self, number: int) -> pa.RecordBatch:
        """A batch that was handed out, once."""
        with self._lock:
            if number not in self._waiting:
                raise InterfaceError("a stream of record batches can be read once")
            return self._waiting.pop(number)


class StreamSource:
    """A split per batch."""

    bounded = True

    def __init__(self, stream: _Stream, columns: list[int], representation: str) -> None:
        self._stream = stream
        self._columns = columns
        self._representation = representation

    def assigner(self) -> StreamSource:
        """The source itself: a stream has one reader."""
        return self

    def next(self, task_index: int) -> Split | None:
        """The next batch of the stream."""
        number = self._stream.next()
        return None if number is None else Split(f"batch {number}", number)

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """Slices of the batch."""
        return ChunkReader(split.offset, lambda _: self._read(split.definition, batch_rows), "the stream")

    def _read(self, number: int, batch_rows: int) -> Iterator[Chunk]:
        batch = self._stream.take(number)
        types = self._stream.types
        for i in self._stream.required:
            if batch.column(i).null_count:
                raise pa.ArrowInvalid(f"column {self._stream.names[i]!r} is declared without NULL and has one")
        for i in self._columns:
            check_text(batch.column(i), self._stream.names[i], f"batch {number} of the data")
        for start in range(0, batch.num_rows, batch_rows):
            part = batch.slice(start, batch_rows)
            columns = [
                column_from_arrow(part.column(i), types[i], types[i], self._representation) for i in self._columns
            ]
            yield Chunk(columns, part.num_rows, start + part.num_rows)


def _open(options: Any, context: OpenContext) -> StreamSource:
    representation = context.settings.get(FORCE_REPRESENTATION)
    return StreamSource(context.objects.get(options["object"]), list(options["columns"]), representation)


CONNECTOR = Connector(KIND, "streams of Arrow record batches of this process", (), _open)
