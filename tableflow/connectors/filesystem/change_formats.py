"""Formats of lines that say what each row does: ``changelog-json``, which is only written, and ``debezium-json``.

A line of the first is an array: the kind (``+I``, ``-U``, ``+U``, ``-D``), then the values.  One of the second is an object with
``before``, ``after`` and ``op``.  Debezium has updates as one message; what is written are two, as Flink does: the row that goes (``d``) and
the one that comes (``c``).  What is read of it are rows with weights: ``c`` and ``r`` add, ``d`` takes back, ``u`` does both.
"""

from __future__ import annotations

import json as std_json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.encoding import check_utf8
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Reading
from tableflow.connectors.filesystem.json import JsonFormat
from tableflow.connectors.filesystem.json_row import RowDecoder
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of, read_blocks
from tableflow.connectors.reading import Chunk
from tableflow.connectors.rows import Row, printable_rows
from tableflow.connectors.storage import column_from_arrow
from tableflow.connectors.value_text import json_text
from tableflow.errors import CatalogError, ConnectorError, UnsupportedError
from tableflow.runtime.source import Split

_WEIGHTS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "c": (("after", 1),),
    "r": (("after", 1),),
    "u": (("before", -1), ("after", 1)),
    "d": (("before", -1),),
}
_GOES = frozenset({"-U", "-D"})


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
        decoder = _Decoder(scan)
        at, skip = (start, 0) if offset is None else offset
        for block in read_blocks(file, at, end, None):
            check_utf8(file, block.offset, block.data)
            rows, weights = decoder.block(file, block.offset, block.data)
            done, skip = skip, 0
            while done < len(rows):
                part, signs = rows[done : done + batch_rows], weights[done : done + batch_rows]
                done += len(part)
                columns = [
                    column_from_arrow(
                        pa.array([row[i] for row in part], canonical(c.type)), c.type, c.type, representation
                    )
                    for i, c in enumerate(scan.read_columns)
                ]
                yield Chunk(columns, len(part), [block.offset, done], weights=np.array(signs, np.int64))


class _Decoder:
    """Lines of a block into rows and weights."""

    def __init__(self, scan: FileScan) -> None:
        options = dict(scan.options)
        self._lenient = bool(options.get("json.ignore-parse-errors"))
        self._rows = RowDecoder(
            [(column.key[0], column.type) for column in scan.read_columns],
            lenient=self._lenient,
            complete=bool(options.get("json.fail-on-missing-field")),
        )

    def block(self, file: FileVersion, offset: int, data: bytes) -> tuple[list[list[Any]], list[int]]:
        """All rows of the lines; a line that is wrong is an error that names it."""
        rows: list[list[Any]] = []
        weights: list[int] = []
        position = 0
        for line in data.split(b"\n"):
            if line.strip():
                try:
                    for row, weight in self._changes(std_json.loads(line, parse_float=Decimal)):
                        rows.append(row)
                        weights.append(weight)
                except ValueError as error:
                    if not self._lenient:
                        shown = line[:200].decode(errors="replace").rstrip("\r")
                        raise ConnectorError(
                            f"file {file.path!r}, line {line_of(file, offset + position)}, is no change",
                            detail=f"{error}; the line is {shown!r}",
                            hint="'json.ignore-parse-errors' = 'true' skips such lines",
                        ) from None
            position += len(line) + 1
        return rows, weights

    def _changes(self, message: Any) -> list[tuple[list[Any], int]]:
        if isinstance(message, dict) and isinstance(message.get("payload"), dict):
            message = message["payload"]  # as connectors write it with a schema
        if not isinstance(message, dict) or message.get("op") not in _WEIGHTS:
            raise ValueError("an object with 'op' c, r, u or d is expected")
        found = []
        for side, weight in _WEIGHTS[message["op"]]:
            if message.get(side) is None:
                raise ValueError(
                    f"a change of kind {message['op']!r} needs {side!r}"
                    + (": the database is to log whole rows (REPLICA IDENTITY FULL)" if side == "before" else "")
                )
            found.append((self._rows.decode(message[side]), weight))
        return found


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
    """A line for each row: what is gone before, what is there after."""

    def __init__(self, file: Any, schema: pa.Schema, _options: Mapping[str, Any]) -> None:
        self._file = file
        self._names = [std_json.dumps(name) for name in schema.names[1:]]

    def write(self, batch: pa.RecordBatch) -> None:
        """Rows with their kinds first."""
        self._file.write("".join(map(self._line, printable_rows(batch))).encode())

    def _line(self, row: Row) -> str:
        values = [f"{name}: {json_text(value)}" for name, value in zip(self._names, row[1:], strict=True)]
        inside = "{" + ", ".join(values) + "}"
        if row[0] in _GOES:
            return f'{{"before": {inside}, "after": null, "op": "d"}}\n'
        return f'{{"before": null, "after": {inside}, "op": "c"}}\n'

    def finish(self) -> None:
        """Nothing is held."""
