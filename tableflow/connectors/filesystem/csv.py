"""The CSV format: delimited text with optional quotes, parsed by pyarrow in blocks of whole records.

Columns are found by the header when there is one, else by position.  NULL is the unquoted null literal (by default
the empty text; ``""`` in quotes is an empty string).  A block that does not parse is cut in halves until the records at
fault are known: they are named by file and line, or with ``csv.ignore-parse-errors`` read as far as they can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv

from tableflow import types as t
from tableflow.columnar.representation import canonical, from_arrow_type
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import (
    BLOCK_BYTES,
    content_start,
    last_record_end,
    line_of,
    read_blocks,
    record_starts,
    split_records,
)
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import CatalogError, ConnectorError
from tableflow.runtime.source import Split

SPLIT_BYTES = 64 << 20
_NESTED = (t.ArrayType, t.MapType, t.RowType, t.IntervalType)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How text is cut into fields."""

    delimiter: str
    quote: str | None
    null: str
    header: str
    lenient: bool

    @property
    def quote_byte(self) -> bytes | None:
        """The quote character as it is in a file."""
        return None if self.quote is None else self.quote.encode()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the records of one file begin, how many fields they have, and the header's names."""

    start: int
    fields: int
    header: tuple[str, ...] | None


def dialect_of(options: Mapping[str, Any], path: str) -> Dialect:
    """The dialect that options mean; a ``.tsv`` file is delimited by tabs unless they say otherwise."""
    delimiter = options.get("csv.field-delimiter") or ","
    if Path(path).suffix.lower() == ".tsv" and delimiter == ",":
        delimiter = "\t"
    quote = None if options.get("csv.disable-quote-character") else options.get("csv.quote-character") or '"'
    null = options.get("csv.null-literal") or ""
    header = options.get("csv.header") or "auto"
    return Dialect(delimiter, quote, null, header, bool(options.get("csv.ignore-parse-errors")))


class CsvFormat(Format):
    """See the module."""

    name = "csv"
    suffixes = ("csv", "tsv")

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Types from the first four megabytes of the first file; the other files must have the same header."""
        dialect = dialect_of(options, files[0].path)
        layout = read_layout(files[0], dialect, None)
        if layout.fields == 0:
            raise ConnectorError(f"file {files[0].path!r} is empty", hint="declare the table's columns")
        columns = _infer_columns(files[0], dialect, layout)
        for file in files[1:]:
            other = read_layout(file, dialect_of(options, file.path), columns)
            if other.fields:
                _positions(file, other, columns, columns)
        return columns

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Any atomic type can be declared."""
        for column in columns:
            if isinstance(column.type, _NESTED):
                raise CatalogError(
                    f"column {column.name!r} cannot be {column.type}", detail="the CSV format has no such values"
                )
        return columns

    def splits(self, scan: FileScan) -> Iterator[Split]:
        """Ranges of about 64 MB of each file."""
        options = dict(scan.options)
        for number, file in enumerate(scan.files):
            dialect = dialect_of(options, file.path)
            layout = read_layout(file, dialect, scan.columns)
            starts = list(record_starts(file, layout.start, SPLIT_BYTES, dialect.quote_byte))
            for start, end in zip(starts, [*starts[1:], file.size], strict=True):
                if start < end:
                    yield Split(f"{file.path}+{start}", [number, start, end])

    def read(self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str) -> Iterator[Chunk]:
        """Rows of one range; the resume token is (offset of the block, rows of it delivered)."""
        number, start, end = split.definition
        file = scan.files[number]
        file.check()
        dialect = dialect_of(dict(scan.options), file.path)
        layout = read_layout(file, dialect, scan.columns)
        columns = scan.read_columns
        positions = _positions(file, layout, scan.columns, columns)
        parser = BlockParser(file, dialect, layout, positions, [canonical(column.type) for column in columns])
        at, skip = (start, 0) if offset is None else offset
        for block in read_blocks(file, at, end, dialect.quote_byte):
            table = parser.parse(block.offset, block.data)
            done, skip = skip, 0
            for batch in table.slice(done).to_batches(max_chunksize=batch_rows):
                done += batch.num_rows
                arrays = [
                    column_from_arrow(array, column.type, column.type, representation)
                    for array, column in zip(batch.columns, columns, strict=False)
                ]
                yield Chunk(arrays, batch.num_rows, [block.offset, done])


class BlockParser:
    """Parses blocks of one file into a table of some of its fields."""

    def __init__(
        self,
        file: FileVersion,
        dialect: Dialect,
        layout: Layout,
        positions: Sequence[int],
        types: Sequence[pa.DataType],
    ) -> None:
        self._file = file
        self._dialect = dialect
        self._names = [f"f{i}" for i in range(layout.fields)]
        # With no column wanted the first field is read as text, so that rows are counted.
        chosen = list(zip(positions, types, strict=True)) or [(0, pa.string())]
        self._chosen = list(dict(chosen))
        self._order = [self._chosen.index(position) for position, _ in chosen]
        self._types = dict(chosen)

    def parse(self, offset: int, data: bytes) -> pa.Table:
        """The rows of a block of whole records."""
        try:
            table = self._table(data, self._types)
        except pa.ArrowInvalid:
            records = list(split_records(data, self._dialect.quote_byte))
            table = pa.concat_tables(self._halves(offset, records))
        return table.select(self._order)

    def _table(self, data: bytes, types: Mapping[int, pa.DataType]) -> pa.Table:
        return _parse(data, self._dialect, self._names, {self._names[i]: of for i, of in types.items()})

    def _halves(self, offset: int, records: Sequence[bytes]) -> list[pa.Table]:
        try:
            return [self._table(b"".join(records), self._types)]
        except pa.ArrowInvalid as error:
            if len(records) == 1:
                return self._single(offset, records[0], error)
        middle = len(records) // 2
        left, right = records[:middle], records[middle:]
        return [*self._halves(offset, left), *self._halves(offset + sum(map(len, left)), right)]

    def _single(self, offset: int, record: bytes, error: pa.ArrowInvalid) -> list[pa.Table]:
        if not self._dialect.lenient:
            raise self._error(offset, record, error)
        columns: list[pa.Array] = []
        for position, of in self._types.items():
            try:
                columns.append(self._table(record, {position: of}).column(0).combine_chunks())
            except pa.ArrowInvalid:
                columns.append(pa.nulls(1, of))
        names = [self._names[i] for i in self._types]
        empty = pa.table([pa.nulls(0, of) for of in self._types.values()], names)
        try:
            self._table(record, {0: pa.binary()})
        except pa.ArrowInvalid:
            return [empty]  # its number of fields is wrong: the record is skipped
        return [pa.table(columns, names)]

    def _error(self, offset: int, record: bytes, error: pa.ArrowInvalid) -> ConnectorError:
        text = " ".join(str(error).split())
        for prefix in ("CSV parse error: Row #1: ", "CSV parse error: "):
            text = text.removeprefix(prefix)
        if text.startswith("In CSV column #"):
            text = text.split(": ", 2)[-1].removeprefix("CSV conversion error ")
        shown = record[:200].decode(errors="replace").rstrip("\r\n")
        return ConnectorError(
            f"file {self._file.path!r}, line {line_of(self._file, offset)}, could not be read",
            detail=f"{text}; the line is {shown!r}",
            hint="'csv.ignore-parse-errors' = 'true' reads such fields as NULL",
        )


def _parse(data: bytes, dialect: Dialect, names: Sequence[str], types: Mapping[str, pa.DataType] | None) -> pa.Table:
    """One call of pyarrow over a whole block; with ``types`` only those columns, else all, inferred."""
    return pc_csv.read_csv(
        pa.BufferReader(data),
        read_options=pc_csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(data) + 1),
        parse_options=pc_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=dialect.quote is not None,
            newlines_in_values=dialect.quote is not None,
            ignore_empty_lines=len(names) != 1,
        ),
        convert_options=pc_csv.ConvertOptions(
            column_types=dict(types or {}),
            include_columns=list(types or {}),
            null_values=[dialect.null],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true", "True", "TRUE", "1"],
            false_values=["false", "False", "FALSE", "0"],
        ),
    )


def read_layout(file: FileVersion, dialect: Dialect, columns: Sequence[FileColumn] | None) -> Layout:
    """The first record of a file decides; ``columns`` are the table's, None while they are being inferred."""
    start = content_start(file)
    block = next(read_blocks(file, start, min(file.size, start + BLOCK_BYTES), dialect.quote_byte), None)
    record = b"" if block is None else next(split_records(block.data, dialect.quote_byte), b"")
    if not record.strip():
        return Layout(file.size, len(columns or ()), None)
    cells = _cells(record, dialect)
    if dialect.header == "auto":
        is_header = _looks_like_header(cells) if columns is None else _names_all(cells, columns)
    else:
        is_header = dialect.header == "true"
    if is_header:
        return Layout(start + len(record), len(cells), tuple(cells))
    return Layout(start, len(cells), None)


def _cells(record: bytes, dialect: Dialect) -> list[str]:
    import csv

    line = record.decode(errors="replace").rstrip("\r\n")
    if dialect.quote is None:
        return line.split(dialect.delimiter)
    return next(csv.reader([line], delimiter=dialect.delimiter, quotechar=dialect.quote))


def _looks_like_header(cells: Sequence[str]) -> bool:
    data = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells).encode()
    names = [f"f{i}" for i in range(len(cells))]
    types = _parse(data, Dialect(",", '"', "", "false", lenient=False), names, None).schema.types
    return all(cell.strip() for cell in cells) and all(pa.types.is_string(of) for of in types)


def _names_all(cells: Sequence[str], columns: Sequence[FileColumn]) -> bool:
    folded = {cell.strip().lower() for cell in cells}
    return all(column.key[0].lower() in folded for column in columns)


def _positions(
    file: FileVersion, layout: Layout, columns: Sequence[FileColumn], wanted: Sequence[FileColumn]
) -> list[int]:
    """Which field of a record each wanted column is."""
    if layout.header is None:
        if layout.fields != len(columns):
            raise ConnectorError(
                f"file {file.path!r} has {layout.fields} columns, not {len(columns)}",
                detail="it has no header that names them, so they are taken by position",
                hint="check 'csv.field-delimiter', or set 'csv.header' = 'true' to take them by name",
            )
        numbers = {column.name: i for i, column in enumerate(columns)}
        return [numbers[column.name] for column in wanted]
    by_key: dict[tuple[str, int], int] = {}
    by_folded: dict[str, int] = {}
    for i, cell in enumerate(layout.header):
        by_folded.setdefault(cell.strip().lower(), i)
        by_key[cell, sum(cell == other for other in layout.header[:i])] = i
    found: list[int] = []
    for column in wanted:
        position = by_key.get(column.key, by_folded.get(column.key[0].lower()))
        if position is None:
            raise ConnectorError(
                f"file {file.path!r} has no column {column.key[0]!r}",
                detail=f"its header is {', '.join(layout.header)[:300]}",
                hint="'csv.header' = 'false' takes columns by position",
            )
        found.append(position)
    return found


def _infer_columns(file: FileVersion, dialect: Dialect, layout: Layout) -> tuple[FileColumn, ...]:
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(layout.start)
        sample = opened.read(BLOCK_BYTES)
    if layout.start + len(sample) < file.size:
        sample = sample[: last_record_end(sample, dialect.quote_byte)]
    names = layout.header or tuple(f"column{i}" for i in range(layout.fields))
    if not sample.strip():
        return tuple(FileColumn(name, t.STRING) for name in names)
    fields = [f"f{i}" for i in range(layout.fields)]
    try:
        types = _parse(sample, replace(dialect, lenient=False), fields, None).schema.types
    except pa.ArrowInvalid as error:
        if not dialect.lenient:
            BlockParser(file, dialect, layout, range(layout.fields), [pa.string()] * layout.fields).parse(
                layout.start, sample
            )  # raises with the line's number
            raise ConnectorError(f"file {file.path!r} could not be read", detail=str(error)) from error
        types = [pa.string()] * layout.fields
    return tuple(FileColumn(name, inferred_type(of)) for name, of in zip(names, types, strict=True))


def inferred_type(of: pa.DataType) -> t.SqlType:
    """What a type inferred from text means: times get the usual precision, nothing but NULLs is text."""
    found = from_arrow_type(of)
    match found:
        case t.NullType():
            return t.STRING
        case t.TimestampType(zoned=zoned):
            return t.TIMESTAMP_LTZ if zoned else t.TIMESTAMP
        case t.TimeType():
            return t.TIME
        case _:
            return found
