"""Lines of text that come over a connection into columns, format by format.

Whole blocks are decoded natively or by Arrow's parsers; where one does not accept a block, its lines are read one by one, so that the line at
fault is named, or with ``ignore-parse-errors`` left out.
"""

from __future__ import annotations

import json as std_json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import ColumnDefinition
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.text import CsvRecords, JsonLines, is_utf8
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.csv_block import Dialect, parse_text
from tableflow.connectors.filesystem.csv_rows import native_decoder
from tableflow.connectors.filesystem.json_row import RowDecoder
from tableflow.connectors.storage import NATURAL, column_from_arrow, fitted, null_count
from tableflow.errors import ConnectorError
from tableflow.records import dataclass
from tableflow.serialization import serializable

FORMATS = ("csv", "json", "raw")


@serializable
@dataclass(frozen=True, slots=True)
class LineFormat:
    """A format and the columns that lines have; ``wanted`` are positions of those that are read."""

    name: str
    columns: tuple[ColumnDefinition, ...]
    wanted: tuple[int, ...]
    delimiter: str = ","
    null: str = ""
    lenient: bool = False


class LineParser:
    """Parses whole lines; ``origin`` is what errors call the connection."""

    def __init__(self, format: LineFormat, origin: str) -> None:
        self._format = format
        self._origin = origin
        self._columns = [format.columns[i] for i in format.wanted]
        self._lines = 0
        self._dialect = Dialect(format.delimiter, '"', format.null, "false", lenient=format.lenient)
        self._decoder = RowDecoder([(c.name, c.type) for c in self._columns], lenient=format.lenient, complete=False)
        self._native = self._decoder_of(format)
        self._parse = {"csv": self._csv, "json": self._json, "raw": self._raw}[format.name]

    def _decoder_of(self, format: LineFormat) -> JsonLines | CsvRecords | None:
        match format.name:
            case "json":
                return JsonLines.of([(column.name, column.type) for column in self._columns])
            case "csv":
                types = [column.type for column in self._columns]
                return native_decoder(self._dialect, len(format.columns), format.wanted, types)
            case _:
                return None

    def batch(self, data: bytes) -> Batch:
        """The rows of whole lines."""
        columns, rows = self._native_batch(data) or self._arrow_batch(data)
        self._lines += data.count(b"\n")
        for found, column in zip(columns, self._columns, strict=True):
            if not column.nullable and null_count(found):
                raise ConnectorError(f"{self._origin} gave a NULL in column {column.name!r}, which is NOT NULL")
        return Batch(columns, rows)

    def _native_batch(self, data: bytes) -> tuple[list[Column], int] | None:
        """What the native decoder makes of the lines; None if it does not take all of them."""
        if self._native is None or not is_utf8(data):
            return None
        stopped = self._native.decode(data, 0)
        found = self._native.take()
        return found if stopped == len(data) else None

    def _arrow_batch(self, data: bytes) -> tuple[list[Column], int]:
        try:
            arrays, rows = self._parse(data)
        except (pa.ArrowInvalid, ValueError) as error:
            arrays, rows = self._one_by_one(data, error)
        columns = [
            column_from_arrow(fitted(array, column.type), column.type, column.type, NATURAL)
            for array, column in zip(arrays, self._columns, strict=True)
        ]
        return columns, rows

    def _one_by_one(self, data: bytes, first: Exception) -> tuple[list[pa.Array], int]:
        parts: list[list[pa.Array]] = []
        total = 0
        for number, line in enumerate(data.splitlines(keepends=True), self._lines + 1):
            if not line.strip():
                continue
            try:
                arrays, rows = self._parse(line)
            except (pa.ArrowInvalid, ValueError) as error:
                if self._format.lenient:
                    continue
                shown = line[:200].decode(errors="replace").rstrip("\r\n")
                text = " ".join(str(error).split()).removeprefix("CSV parse error: ")
                raise ConnectorError(
                    f"line {number} of {self._origin} could not be read",
                    detail=f"{text[:300]}; the line is {shown!r}",
                    hint="'ignore-parse-errors' = 'true' leaves such lines out",
                ) from None
            parts.append(arrays)
            total += rows
        if not parts and not self._format.lenient:
            raise ConnectorError(f"lines of {self._origin} could not be read", detail=str(first)[:300])
        targets = [canonical(column.type) for column in self._columns]
        return [
            pa.concat_arrays([part[i] for part in parts]) if parts else pa.nulls(0, of) for i, of in enumerate(targets)
        ], total

    def _csv(self, data: bytes) -> tuple[list[pa.Array], int]:
        names = [f"f{i}" for i in range(len(self._format.columns))]
        chosen = [(names[i], self._format.columns[i].type) for i in self._format.wanted]
        types = {name: canonical(of) for name, of in chosen} or {names[0]: pa.string()}
        table = parse_text(data, self._dialect, names, types)
        return [table.column(name).combine_chunks() for name, _ in chosen], table.num_rows

    def _json(self, data: bytes) -> tuple[list[pa.Array], int]:
        rows = [
            self._decoder.decode(std_json.loads(line, parse_float=Decimal))
            for line in data.split(b"\n")
            if line.strip()
        ]
        return self._arrays(rows), len(rows)

    def _raw(self, data: bytes) -> tuple[list[pa.Array], int]:
        lines = data.decode().removesuffix("\n").split("\n")
        texts = [line.removesuffix("\r") for line in lines]
        return self._arrays([[text] * len(self._columns) for text in texts]), len(texts)

    def _arrays(self, rows: Sequence[Sequence[Any]]) -> list[pa.Array]:
        return [pa.array([row[i] for row in rows], canonical(c.type)) for i, c in enumerate(self._columns)]
