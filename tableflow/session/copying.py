"""COPY ... TO: a query's rows into one file, batch by batch.

The file is written under a temporary name beside its own and gets its name when it is complete: a reader never sees half
of it, and a statement that fails leaves what was there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from tableflow.connectors.option import Option, boolean, character, choice, read_options, text
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.session.outcome import Result

_COMPRESSIONS = ("none", "snappy", "zstd", "lz4", "gzip", "brotli")


def _rows(value: str) -> int:
    number = int(value.replace("_", ""))
    if number < 1:
        raise ValueError("a whole number of at least 1 is expected")
    return number


OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "parquet": (
        Option("compression", "text", choice(*_COMPRESSIONS), "how pages are compressed", default="zstd"),
        Option("row-group-rows", "integer", _rows, "rows of a row group", default=1 << 20, aliases=("row_group_size",)),
    ),
    "csv": (
        Option("header", "boolean", boolean, "whether the first line names the columns", default=True),
        Option("delimiter", "character", character, "what separates fields", default=","),
        Option("null", "text", text, "what NULL is written as; only the empty text is possible", default=""),
    ),
    "json": (),
    "arrow": (Option("compression", "text", choice("none", "lz4", "zstd"), "how buffers are compressed", default="none"),),
}  # fmt: skip
FORMATS = tuple(OPTIONS)


class BatchWriter(Protocol):
    """Takes record batches, then is finished."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        ...

    def finish(self) -> None:
        """Completes the file's content."""
        ...


def copy_to(result: Result, path: str, format: str, given: Mapping[str, str]) -> int:
    """Writes all rows; how many they were.  A part of the path that is missing is a :class:`ConnectorError`."""
    options = read_options(f"copy to {format}", OPTIONS[format], given)
    rows = 0
    with _replacing(path) as file:
        writer = _OPEN[format](file, result.schema, options)
        try:
            while (batch := result.next_batch()) is not None:
                writer.write(batch)
                rows += batch.num_rows
        except BaseException:
            with contextlib.suppress(OSError, pa.ArrowException):
                writer.finish()  # into a file that is thrown away: writers want to be closed before it is
            raise
        writer.finish()
    return rows


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[Any]:
    """A new file that takes the path's place when all went well."""
    wanted = Path(path).expanduser()
    temporary = wanted.with_name(f".{wanted.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(wanted)
    except TableFlowError:
        raise
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConnectorError(f"file {path!r} could not be written", detail=reason) from error
    finally:
        temporary.unlink(missing_ok=True)


class _Parquet:
    def __init__(self, file: Any, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        from pyarrow import parquet

        self._group = options["row-group-rows"]
        self._writer = parquet.ParquetWriter(file, schema, compression=options["compression"])
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= self._group:
            self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, schema=self._writer.schema)
        self._writer.write_table(table, row_group_size=self._group)
        self._waiting, self._rows = [], 0

    def finish(self) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()


class _Csv:
    def __init__(self, file: Any, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        from pyarrow import csv

        if options["null"]:
            raise ConnectorError("NULL is written as the empty field", hint="leave the option 'null' out")
        nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
        if nested is not None:
            raise ConnectorError(f"column {nested.name!r} is nested, which CSV cannot hold", hint="use json or parquet")
        write = csv.WriteOptions(include_header=options["header"], delimiter=options["delimiter"])
        self._schema = pa.schema([pa.field(f.name, _csv_type(f.type)) for f in schema])
        self._writer = csv.CSVWriter(file, self._schema, write_options=write)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch.cast(self._schema))

    def finish(self) -> None:
        self._writer.close()


def _csv_type(of: pa.DataType) -> pa.DataType:
    """What pyarrow's writer can spell."""
    return pa.string() if pa.types.is_decimal(of) or pa.types.is_interval(of) else of


class _Json:
    def __init__(self, file: Any, schema: pa.Schema, _options: Mapping[str, Any]) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        from tableflow.session.value_text import json_lines

        self._file.write(json_lines(batch).encode())

    def finish(self) -> None:
        return None


class _Arrow:
    def __init__(self, file: Any, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        compression = None if options["compression"] == "none" else options["compression"]
        self._writer = pa.ipc.new_file(file, schema, options=pa.ipc.IpcWriteOptions(compression=compression))

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def finish(self) -> None:
        self._writer.close()


_OPEN: Mapping[str, Callable[[Any, pa.Schema, Mapping[str, Any]], BatchWriter]] = {
    "parquet": _Parquet,
    "csv": _Csv,
    "json": _Json,
    "arrow": _Arrow,
}
