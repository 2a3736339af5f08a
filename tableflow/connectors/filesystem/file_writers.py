"""Writers of files, one for each format that can be written: record batches in, bytes into an open file out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pyarrow as pa

from tableflow.connectors.filesystem.change_formats import ChangelogJsonWriter, DebeziumJsonWriter
from tableflow.connectors.value_text import json_lines, text_of
from tableflow.errors import ConnectorError


class BatchWriter(Protocol):
    """Takes record batches, then is finished."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        ...

    def finish(self) -> None:
        """Completes the file's content."""
        ...


class _Parquet:
    def __init__(self, file: Any, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        from pyarrow import parquet

        for field in schema:
            if pa.types.is_interval(field.type):
                raise ConnectorError(
                    f"column {field.name!r} is an INTERVAL, which Parquet cannot hold",
                    hint=f"write it as text: CAST({field.name} AS STRING)",
                )
        self._group = options["row_group_size"]
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
    """Texts in quotes, so that an empty one is told from NULL; other values as they are cast to text."""

    def __init__(self, file: Any, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
        if nested is not None:
            raise ConnectorError(f"column {nested.name!r} is nested, which CSV cannot hold", hint="use json or parquet")
        self._file, self._quote, self._delimiter, self._null = (
            file,
            options["quote"],
            options["delimiter"],
            options["null"],
        )
        if any(special in self._null for special in (self._quote, self._delimiter, "\n", "\r")):
            raise ConnectorError(f"NULL cannot be written as {self._null!r}: it looks like fields or quotes")
        self._marks = [
            pa.scalar(mark.encode(), pa.large_binary())
            for mark in (self._delimiter, self._quote, self._quote * 2, self._null, "", "\n")
        ]
        self._always = self._delimiter.isalnum() or self._delimiter in "+-.: "
        if options["header"]:
            names = pa.array([name.encode() for name in schema.names], pa.large_binary())
            file.write(self._delimiter.encode().join(self._quoted(names).to_pylist()) + b"\n")

    def write(self, batch: pa.RecordBatch) -> None:
        from pyarrow import compute

        if batch.num_rows == 0:
            return
        delimiter, _, _, null, nothing, newline = self._marks
        fields = [compute.fill_null(self._texts(column), null) for column in batch.columns]
        ended = compute.binary_join_element_wise(*fields, delimiter)
        ended = compute.binary_join_element_wise(ended, nothing, newline)
        size = compute.sum(compute.binary_length(ended)).as_py()
        self._file.write(ended.buffers()[2][:size])

    def _texts(self, column: pa.Array) -> pa.Array:
        """The values as bytes of text, quoted where they are texts (or nearly all characters are delimiters)."""
        kinds, of = pa.types, column.type
        if kinds.is_binary(of) or kinds.is_large_binary(of) or kinds.is_fixed_size_binary(of):
            return self._quoted(column.cast(pa.large_binary()))
        if kinds.is_interval(of):
            return self._quoted(pa.array([None if v is None else text_of(v).encode() for v in column.to_pylist()]))
        texts = column.cast(pa.large_string()).cast(pa.large_binary())
        is_text = kinds.is_string(of) or kinds.is_large_string(of) or kinds.is_string_view(of)
        return self._quoted(texts) if is_text or self._always else texts

    def _quoted(self, texts: pa.Array) -> pa.Array:
        from pyarrow import compute

        _, quote, doubled, _, nothing, _ = self._marks
        inside = compute.replace_substring(texts.cast(pa.large_binary()), quote.as_py(), doubled.as_py())
        return compute.binary_join_element_wise(quote, inside, quote, nothing)

    def finish(self) -> None:
        return None


class _Json:
    def __init__(self, file: Any, schema: pa.Schema, _options: Mapping[str, Any]) -> None:
        twice = next((name for i, name in enumerate(schema.names) if name in schema.names[:i]), None)
        if twice is not None:
            raise ConnectorError(
                f"two columns are called {twice!r}, and a JSON object has each name once",
                hint="give one of them another name with AS",
            )
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
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


OPEN: Mapping[str, Callable[[Any, pa.Schema, Mapping[str, Any]], BatchWriter]] = {
    "parquet": _Parquet,
    "csv": _Csv,
    "json": _Json,
    "arrow": _Arrow,
    "changelog-json": ChangelogJsonWriter,
    "debezium-json": DebeziumJsonWriter,
}
"""Opens a writer: an open file, the schema, the options of :data:`tableflow.connectors.filesystem.options.WRITTEN`."""
