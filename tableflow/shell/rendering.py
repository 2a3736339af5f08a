"""Results as people and programs read them: a table, CSV, or one JSON object a line.

Each renderer takes batches as they come and writes them out at once; only the table waits for its first rows, to know
how wide its columns are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, TextIO

import pyarrow as pa

from tableflow.connectors.naming import distinct_names
from tableflow.connectors.rows import printable_rows
from tableflow.connectors.value_text import json_lines, text_of

_SAMPLE_ROWS = 1_000
_WIDEST = 120
_TO_QUOTE = re.compile(r"[\",\n\r]")


class Renderer(Protocol):
    """Writes one result to a stream."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        ...

    def flush(self) -> None:
        """Shows all that was added, because more may not come for long."""
        ...

    def finish(self) -> None:
        """Ends the result."""
        ...


def json_names(schema: pa.Schema) -> list[str]:
    """The names that columns have in JSON: their own, unless two have the same."""
    names = list(schema.names)
    return names if len(set(names)) == len(names) else distinct_names(names)[0]


def open_renderer(kind: str, schema: pa.Schema, out: TextIO) -> Renderer:
    """The renderer called table, csv or json."""
    match kind:
        case "csv":
            return CsvRenderer(schema, out)
        case "json":
            return JsonRenderer(schema, out)
        case _:
            return TableRenderer(schema, out)


class TableRenderer:
    """Aligned columns: numbers to the right, the header above a rule, the row count below."""

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._names = [name.replace("\n", " ") for name in schema.names]
        self._right = [_is_number(kind) for kind in schema.types]
        self._out = out
        self._waiting: list[list[str]] = []
        self._widths: list[int] = []
        self._count = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows; the first ones are held until the widths are known."""
        for row in printable_rows(batch):
            self._count += 1
            cells = [text_of(value).replace("\n", "\\n") for value in row]
            if self._widths:
                self._line(cells)
            else:
                self._waiting.append(cells)
                if len(self._waiting) >= _SAMPLE_ROWS:
                    self._begin()

    def flush(self) -> None:
        """Takes the rows so far for a sample of the widths."""
        if not self._widths and self._waiting:
            self._begin()

    def finish(self) -> None:
        """Writes what is left and the count."""
        if not self._widths:
            self._begin()
        self._out.write(f"({self._count} row{'' if self._count == 1 else 's'})\n")

    def _begin(self) -> None:
        columns = zip(*self._waiting, strict=True) if self._waiting else [()] * len(self._names)
        longest = [max(map(len, cells), default=0) for cells in columns]
        self._widths = [
            max(len(name), min(width, _WIDEST), 1) for name, width in zip(self._names, longest, strict=True)
        ]
        self._line(self._names)
        self._out.write("-+-".join("-" * width for width in self._widths) + "\n")
        for cells in self._waiting:
            self._line(cells)
        self._waiting = []

    def _line(self, cells: Sequence[str]) -> None:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, self._widths, self._right, strict=True)
        )
        self._out.write(" | ".join(aligned).rstrip() + "\n")


class CsvRenderer:
    """RFC 4180 with a header; NULL is an empty field, an empty text is ``""``."""

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._out = out
        self._header = ",".join(map(_csv_field, schema.names)) + "\n"

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        lines = (
            ",".join(["" if value is None else _csv_field(text_of(value)) for value in row]) + "\n"
            for row in printable_rows(batch)
        )
        self._begin()
        self._out.write("".join(lines))

    def flush(self) -> None:
        """Every batch is shown at once."""

    def finish(self) -> None:
        """Writes the header of an empty result."""
        self._begin()

    def _begin(self) -> None:
        self._out.write(self._header)
        self._header = ""


def _csv_field(text: str) -> str:
    if text and not _TO_QUOTE.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


class JsonRenderer:
    """One JSON object a line; decimals as exact numbers, times and intervals as text, NaN and infinities as text.

    Columns of one name are told apart by a number behind it, since an object has each name once.
    """

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._out = out
        self._names = json_names(schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        self._out.write(json_lines(batch.rename_columns(self._names)))

    def flush(self) -> None:
        """Every batch is shown at once."""

    def finish(self) -> None:
        """Nothing is left."""


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
