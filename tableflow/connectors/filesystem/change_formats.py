"""Formats of lines that say what each row does: ``changelog-json``, which is only written, and ``debezium-json``.

A line of the first is an array: the kind (``+I``, ``-U``, ``+U``, ``-D``), then the values.  One of the second is an object with
``before``, ``after`` and ``op``.  A row that goes directly before its successor is one message with it (``u``), as Debezium has it; of others
one that goes is a ``d``, one that comes a ``c``.  What is read of it are rows with weights: ``c`` and ``r`` add, ``d`` takes back, ``u`` does both.
"""

from __future__ import annotations

import json as std_json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tableflow.connectors.filesystem.debezium import DebeziumParser
from tableflow.connectors.filesystem.encoding import check_utf8
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Reading
from tableflow.connectors.filesystem.json import JsonFormat
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import read_blocks
from tableflow.connectors.reading import Chunk
from tableflow.connectors.rows import Row, printable_rows
from tableflow.connectors.value_text import json_text
from tableflow.errors import CatalogError, UnsupportedError
from tableflow.runtime.source import Split


class ChangelogJsonFormat(JsonFormat):
    """Arrays of a kind and values."""

    name = "changelog-json"
    follows = False
    takes_changes = True

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Not read, so nothing is inferred."""
        raise CatalogError("a table of format 'changelog-json' declares its columns")

    def check_readable(self) -> None:
        """It is not."""
        raise UnsupportedError(
            "format 'changelog-json' is only written", hint="'debezium-json' is written and read, with the same changes"
        )


class DebeziumJsonFormat(JsonFormat):
    """Rows before and after each change."""

    name = "debezium-json"
    takes_changes = True
    gives_changes = True

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Rows that only come in changes tell no types for sure."""
        raise CatalogError("a table of format 'debezium-json' declares its columns")

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Rows with weights; the resume token is (offset of the block, rows of it delivered)."""
        number, start, end = split.definition
        file = scan.files[number]
        file.check()
        parser = DebeziumParser(file, scan.read_columns, dict(scan.options), representation)
        at, skip = (start, 0) if offset is None else offset
        for block in read_blocks(file, at, end, None):
            check_utf8(file, block.offset, block.view)
            rows, weights = parser.parse(block.offset, block.view)
            done, skip = skip, 0
            for part in rows.slices(done, batch_rows):
                signs = weights[done : done + part.length]
                done += part.length
                yield Chunk(part.columns, part.length, [block.offset, done], weights=signs)


def _message(before: str, after: str, op: str) -> str:
    return f'{{"before": {before}, "after": {after}, "op": "{op}"}}\n'


class ChangelogJsonWriter:
    """A line for each row: an array."""

    def __init__(self, file: Any, schema: pa.Schema, _options: Mapping[str, Any]) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        """Rows with their kinds first."""
        lines = ("[" + ", ".join(map(json_text, row)) + "]\n" for row in printable_rows(batch))
        self._file.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing is held."""


class DebeziumJsonWriter:
    """A line for each row, or for an update's two: what is gone before, what is there after."""

    def __init__(self, file: Any, schema: pa.Schema, _options: Mapping[str, Any]) -> None:
        self._file = file
        self._names = [std_json.dumps(name) for name in schema.names[1:]]

    def write(self, batch: pa.RecordBatch) -> None:
        """Rows with their kinds first."""
        self._file.write("".join(self._lines(printable_rows(batch))).encode())

    def _lines(self, rows: Iterable[Row]) -> Iterator[str]:
        before = "null"  # that of an update whose successor is next
        for row in rows:
            inside = self._object(row)
            if row[0] == "+U" and before != "null":
                yield _message(before, inside, "u")
                before = "null"
                continue
            if before != "null":
                yield _message(before, "null", "d")
                before = "null"
            if row[0] == "-U":
                before = inside
            else:
                yield _message(inside, "null", "d") if row[0] == "-D" else _message("null", inside, "c")
        if before != "null":
            yield _message(before, "null", "d")

    def _object(self, row: Row) -> str:
        values = [f"{name}: {json_text(value)}" for name, value in zip(self._names, row[1:], strict=True)]
        return "{" + ", ".join(values) + "}"

    def finish(self) -> None:
        """Nothing is held."""
