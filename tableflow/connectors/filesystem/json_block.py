"""Blocks of JSON lines into columns: natively, and line by line what is not plain.

The native decoder stops in front of a line in which a value does not fit its type as it stands, or which is no JSON.  That line is read by
:mod:`json_row`, which is more tolerant (numbers as text, text as numbers) and says what is wrong; behind it, and behind more lines each
time, the native decoder goes on.  Where a line is no object by itself the whole block is tried with pyarrow, which takes
objects that go over several lines.
"""

from __future__ import annotations

import json as std_json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.kernels.text import JsonLines
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.json_row import EPOCH_DAY, RowDecoder
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of
from tableflow.connectors.filesystem.text_rows import Rows, first_lines, joined, native_pieces, represented, rows_of
from tableflow.errors import ConnectorError


class JsonParser:
    """Parses blocks of lines of one file into rows of some columns, in a representation."""

    def __init__(
        self, file: FileVersion, columns: Sequence[FileColumn], options: Mapping[str, Any], representation: str
    ) -> None:
        self._file = file
        self._representation = representation
        self._lenient = bool(options.get("json.ignore-parse-errors"))
        complete = bool(options.get("json.fail-on-missing-field"))
        self._types = [column.type for column in columns]
        fields = [(column.key[0], column.type) for column in columns]
        self._decoder = RowDecoder(fields, lenient=self._lenient, complete=complete)
        self._native = JsonLines.of(fields, complete=complete)
        parsed = [_parsed_type(of) for of in self._types]
        names = [name for name, _ in fields]
        fast = None not in parsed and not complete and len(set(names)) == len(names)
        inner = [pa.field(name, of) for name, of in zip(names, parsed, strict=True)] if fast and names else []
        self._schema = pa.schema(inner) if inner else None

    def parse(self, offset: int, data: bytes | memoryview) -> Rows:
        """The rows of a block of whole lines, which are UTF-8."""
        if self._native is None:
            data = bytes(data)
            found = self._parse_whole(data)
            return self._decode(offset, data)[0] if found is None else found
        pieces: list[Rows] = []
        whole_tried = False
        for begin, end, decoded in native_pieces(self._native, data, first_lines):
            if decoded is not None:
                pieces.append(represented(decoded, self._representation))
                continue
            try:
                rows, skipped = self._decode(offset + begin, bytes(data[begin:end]))
            except ConnectorError:
                found = self._parse_whole(bytes(data))
                if found is None:
                    raise
                return found
            if skipped and not whole_tried:
                whole_tried = True
                found = self._parse_whole(bytes(data))
                if found is not None:
                    return found
            pieces.append(rows)
        return joined(pieces, self._types, self._representation)

    def _parse_whole(self, data: bytes) -> Rows | None:
        """What pyarrow makes of the block; None if it does not accept it."""
        if self._schema is None or not data.strip():
            return None
        try:
            table = pa_json.read_json(
                pa.BufferReader(data),
                read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=pa_json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore"),
            )
            columns = [
                _cast(table.column(field.name), canonical(of)).combine_chunks()
                for field, of in zip(self._schema, self._types, strict=True)
            ]
        except pa.ArrowInvalid:
            return None
        return rows_of(columns, self._types, table.num_rows, self._representation)

    def _decode(self, offset: int, data: bytes) -> tuple[Rows, bool]:
        """Line by line; whether lines were left out."""
        rows: list[list[Any]] = []
        position, skipped = 0, False
        for line in data.split(b"\n"):
            if line.strip():
                try:
                    rows.append(self._decoder.decode(loads(line)))
                except ValueError as error:
                    if not self._lenient:
                        raise self._error(line_of(self._file, offset + position), line, error) from None
                    skipped = True
            position += len(line) + 1
        return self._table(rows), skipped

    def parse_array(self, start: int) -> Rows:
        """The rows of a file that is one array of objects."""
        with open(self._file.path, "rb") as opened:  # noqa: PTH123
            opened.seek(start)
            data = opened.read()
        try:
            objects = loads(data)
        except ValueError as error:
            raise ConnectorError(f"file {self._file.path!r} is not valid JSON", detail=str(error)) from None
        rows: list[list[Any]] = []
        for number, item in enumerate(objects):
            try:
                rows.append(self._decoder.decode(item))
            except ValueError as error:
                if not self._lenient:
                    raise ConnectorError(
                        f"file {self._file.path!r}, element {number + 1}, could not be read", detail=str(error)
                    ) from None
        return self._table(rows)

    def _table(self, rows: Sequence[Sequence[Any]]) -> Rows:
        arrays = [pa.array([row[i] for row in rows], canonical(of)) for i, of in enumerate(self._types)]
        return rows_of(arrays, self._types, len(rows), self._representation)

    def _error(self, number: int, line: bytes, error: ValueError) -> ConnectorError:
        shown = line[:200].decode(errors="replace").rstrip("\r")
        return ConnectorError(
            f"file {self._file.path!r}, line {number}, could not be read",
            detail=f"{error}; the line is {shown!r}",
            hint="option ignore_errors ('json.ignore-parse-errors' in WITH) reads such fields as NULL and skips such lines",
        )


def loads(text: bytes) -> Any:
    """A JSON value, numbers with a point as Decimal; ValueError if it is none or nested too deeply for Python."""
    try:
        return std_json.loads(text, parse_float=Decimal)
    except RecursionError:
        raise ValueError("values are nested too deeply") from None


def _cast(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if column.type == target:
        return column
    if pa.types.is_time(target):
        dated = pc.binary_join_element_wise(pa.scalar(EPOCH_DAY), column, pa.scalar(""))
        column = dated.cast(pa.timestamp(target.unit))
    return column.cast(target)


def _parsed_type(of: t.SqlType) -> pa.DataType | None:
    """What pyarrow's parser makes of a type, to be cast; None if only the slow decoder can."""
    match of:
        case t.DateType() | t.TimeType():
            return pa.string()
        case t.JsonType() | t.MapType() | t.NullType() | t.BytesType():
            return None
        case t.ArrayType(element=element):
            inner = _parsed_type(element)
            return None if inner is None or inner != canonical(element) else pa.list_(inner)
        case t.RowType(fields=fields):
            inners = [_parsed_type(field.type) for field in fields]
            if any(inner != canonical(field.type) for inner, field in zip(inners, fields, strict=True)):
                return None
            return canonical(of)
        case _:
            return canonical(of)
