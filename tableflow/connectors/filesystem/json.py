"""The JSON format: one object per line, or one array of objects.

Lines are parsed by pyarrow in blocks, into the columns that are read and nothing else.  A block that pyarrow does not
accept, and types it has no parser for, are decoded line by line in :mod:`json_row`, which is more tolerant (numbers
as text, text as numbers) and names the line at fault.
"""

from __future__ import annotations

import json as std_json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from tableflow import types as t
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.csv_layout import inferred_type, whole_number_type
from tableflow.connectors.filesystem.encoding import check_utf8
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Reading
from tableflow.connectors.filesystem.json_row import EPOCH_DAY, RowDecoder
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import (
    BLOCK_BYTES,
    Block,
    content_start,
    last_record_end,
    line_of,
    read_blocks,
    record_starts,
)
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import CatalogError, ConnectorError
from tableflow.runtime.source import Split

SPLIT_BYTES = 64 << 20


class JsonFormat(Format):
    """See the module."""

    name = "json"
    follows = True

    def first_record(self, scan: FileScan, file: FileVersion) -> int:
        """Behind a byte order mark; one array of objects cannot grow."""
        if is_array(file):
            raise ConnectorError(
                f"file {file.path!r} is one array", hint="a file that is followed has one object per line"
            )
        return content_start(file)

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Names and types from the first four megabytes of the first file that has rows."""
        for file in files:
            sample = _sample(file)
            check_utf8(file, content_start(file), sample)
            if options.get("json.ignore-parse-errors"):
                sample = b"".join(line for line in sample.splitlines(keepends=True) if _is_object(line))
            if sample.strip():
                return _infer_columns(file, sample)
        raise ConnectorError(f"file {files[0].path!r} has no rows to infer columns from", hint="declare the columns")

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Every type but INTERVAL can be declared."""
        for column in columns:
            if isinstance(column.type, t.IntervalType):
                raise CatalogError(f"column {column.name!r} cannot be INTERVAL", detail="JSON has no such values")
        return columns

    def splits(self, scan: FileScan, counts: Counter[str]) -> Iterator[Split]:
        """Ranges of about 64 MB of each file; a file that is one array is one split."""
        for number, file in enumerate(scan.files):
            start = content_start(file)
            if start >= file.size:
                continue
            starts = [start] if is_array(file) else list(record_starts(file, start, SPLIT_BYTES, None))
            for one, end in zip(starts, [*starts[1:], file.size], strict=True):
                yield Split(f"{file.path}+{one}", [number, one, end])

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Rows of one range; the resume token is (offset of the block, rows of it delivered)."""
        number, start, end = split.definition
        file = scan.files[number]
        file.check()
        columns = scan.read_columns
        parser = JsonParser(file, columns, dict(scan.options))
        at, skip = (start, 0) if offset is None else offset
        if is_array(file):
            blocks = iter([(start, parser.parse_array(start))])
        else:
            blocks = ((b.offset, _parsed(file, parser, b)) for b in read_blocks(file, at, end, None))
        for block_offset, table in blocks:
            done, skip = skip, 0
            for batch in table.slice(done).to_batches(max_chunksize=batch_rows):
                done += batch.num_rows
                arrays = [
                    column_from_arrow(array, column.type, column.type, representation)
                    for array, column in zip(batch.columns, columns, strict=False)
                ]
                yield Chunk(arrays, batch.num_rows, [block_offset, done])


def _parsed(file: FileVersion, parser: JsonParser, block: Block) -> pa.Table:
    check_utf8(file, block.offset, block.data)
    return parser.parse(block.offset, block.data)


class JsonParser:
    """Parses blocks of lines of one file into a table of some columns (and one more if they are none)."""

    def __init__(self, file: FileVersion, columns: Sequence[FileColumn], options: Mapping[str, Any]) -> None:
        self._file = file
        self._lenient = bool(options.get("json.ignore-parse-errors"))
        self._decoder = RowDecoder(
            [(column.key[0], column.type) for column in columns],
            lenient=self._lenient,
            complete=bool(options.get("json.fail-on-missing-field")),
        )
        self._columns = columns
        self._targets = [canonical(column.type) for column in columns]
        parsed = [_parsed_type(column.type) for column in columns]
        names = [column.key[0] for column in columns]
        fast = None not in parsed and not options.get("json.fail-on-missing-field") and len(set(names)) == len(names)
        fields = [pa.field(name, of) for name, of in zip(names, parsed, strict=True)] if fast and names else []
        self._schema = pa.schema(fields) if fields else None

    def parse(self, offset: int, data: bytes) -> pa.Table:
        """The rows of a block of whole lines."""
        if self._schema is not None and data.strip():
            try:
                return self._parse_fast(data, self._schema)
            except pa.ArrowInvalid:
                pass  # the slow way reads more, or names the line
        return self._decode(offset, data)

    def _parse_fast(self, data: bytes, schema: pa.Schema) -> pa.Table:
        table = pa_json.read_json(
            pa.BufferReader(data),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        columns = [_cast(table.column(field.name), target) for field, target in zip(schema, self._targets, strict=True)]
        return pa.table(columns, names=[f"f{i}" for i in range(len(columns))])

    def _decode(self, offset: int, data: bytes) -> pa.Table:
        rows: list[list[Any]] = []
        position = 0
        for line in data.split(b"\n"):
            if line.strip():
                try:
                    row = self._decoder.decode(std_json.loads(line, parse_float=Decimal))
                    rows.append(row)
                except ValueError as error:
                    if not self._lenient:
                        raise self._error(line_of(self._file, offset + position), line, error) from None
            position += len(line) + 1
        return self._table(rows)

    def parse_array(self, start: int) -> pa.Table:
        """The rows of a file that is one array of objects."""
        with open(self._file.path, "rb") as opened:  # noqa: PTH123
            opened.seek(start)
            data = opened.read()
        try:
            objects = std_json.loads(data, parse_float=Decimal)
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

    def _table(self, rows: Sequence[Sequence[Any]]) -> pa.Table:
        if not self._targets:
            return pa.table([pa.nulls(len(rows))], names=["f0"])
        columns = [pa.array([row[i] for row in rows], of) for i, of in enumerate(self._targets)]
        return pa.table(columns, names=[f"f{i}" for i in range(len(columns))])

    def _error(self, number: int, line: bytes, error: ValueError) -> ConnectorError:
        shown = line[:200].decode(errors="replace").rstrip("\r")
        return ConnectorError(
            f"file {self._file.path!r}, line {number}, could not be read",
            detail=f"{error}; the line is {shown!r}",
            hint="option ignore_errors ('json.ignore-parse-errors' in WITH) reads such fields as NULL and skips such lines",
        )


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
        case t.JsonType() | t.MapType() | t.NullType():
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


def is_array(file: FileVersion) -> bool:
    """Whether a file's first character is an opening bracket."""
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(content_start(file))
        while data := opened.read(4096):
            if data.strip():
                return data.lstrip()[:1] == b"["
    return False


def _sample(file: FileVersion) -> bytes:
    """Lines from the beginning of a file; an array is written as lines."""
    start = content_start(file)
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(start)
        if not is_array(file):
            data = opened.read(BLOCK_BYTES)
            return data if start + len(data) >= file.size else data[: last_record_end(data, None)]
        try:
            objects = std_json.load(opened)
        except ValueError as error:
            raise ConnectorError(f"file {file.path!r} is not valid JSON", detail=str(error)) from None
        return b"\n".join(std_json.dumps(one).encode() for one in objects[:10_000])


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(std_json.loads(line), dict)
    except ValueError:
        return False


def _infer_columns(file: FileVersion, sample: bytes) -> tuple[FileColumn, ...]:
    try:
        table = pa_json.read_json(
            pa.BufferReader(sample), pa_json.ReadOptions(use_threads=False, block_size=len(sample) + 1)
        )
    except pa.ArrowInvalid as error:
        if not is_array(file):
            JsonParser(file, (), {}).parse(content_start(file), sample)  # raises with the line's number
        text = " ".join(str(error).split()).removeprefix("JSON parse error: ")
        raise ConnectorError(
            f"columns of file {file.path!r} could not be inferred", detail=text, hint="declare the table's columns"
        ) from None
    types = {field.name: inferred_type(field.type) for field in table.schema}
    large = [name for name, of in types.items() if of == t.DOUBLE and _may_be_whole(table.column(name))]
    if large:
        rows = _objects(sample)
        for name in large:
            values = [row[name] for row in rows if row.get(name) is not None]
            if all(isinstance(value, int) for value in values):
                types[name] = whole_number_type(max(len(str(abs(value))) for value in values))
    return tuple(FileColumn(name, of) for name, of in types.items())


def _objects(sample: bytes) -> list[dict[str, Any]]:
    """The objects of a sample with their numbers as they are written; pyarrow has read them before."""
    decoder, text, at = std_json.JSONDecoder(parse_float=Decimal), sample.decode(), 0
    found: list[dict[str, Any]] = []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def _may_be_whole(column: pa.ChunkedArray) -> bool:
    """Whether numbers may be integers that are DOUBLE only because BIGINT does not hold them."""
    whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
    return bool(whole) and pc.max(pc.abs(column)).as_py() >= 2.0**63
