"""The CSV format: columns are found by the header when there is one, else by position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from tableflow.connectors.filesystem.csv_block import Dialect, dialect_of
from tableflow.connectors.filesystem.csv_delimiter import other_delimiter
from tableflow.connectors.filesystem.csv_layout import Layout, infer_columns, read_layout
from tableflow.connectors.filesystem.csv_rows import CsvParser
from tableflow.connectors.filesystem.declared_columns import check_columns
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Reading
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import read_blocks, record_starts
from tableflow.connectors.reading import Chunk
from tableflow.errors import ConnectorError
from tableflow.runtime.source import Split

SPLIT_BYTES = 16 << 20


class CsvFormat(Format):
    """See the module."""

    name = "csv"
    follows = True

    def first_record(self, scan: FileScan, file: FileVersion) -> int:
        """Behind the header, if there is one."""
        return read_layout(file, dialect_of(dict(scan.options), file.path), scan.columns).start

    def quote(self, scan: FileScan, file: FileVersion) -> bytes | None:
        """As the options say."""
        return dialect_of(dict(scan.options), file.path).quote_byte

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Types from the first four megabytes of the first file; the other files must have the same header."""
        dialect = dialect_of(options, files[0].path)
        layout = read_layout(files[0], dialect, None)
        if layout.fields == 0:
            raise ConnectorError(f"file {files[0].path!r} is empty", hint="declare the table's columns")
        columns = infer_columns(files[0], dialect, layout)
        for file in files[1:]:
            other = read_layout(file, dialect_of(options, file.path), columns)
            if other.fields:
                _positions(file, other, columns, columns, dialect)
        return columns

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Any atomic type can be declared."""
        check_columns(columns, self.name)
        for file in files if options.get("csv.columns-by", "name") != "name" else ():
            dialect = dialect_of(options, file.path)
            _positions(file, read_layout(file, dialect, columns), columns, columns, dialect)
        return columns

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """Ranges of about 16 MB of each file."""
        options = dict(scan.options)
        for number, file in enumerate(scan.files):
            dialect = dialect_of(options, file.path)
            layout = read_layout(file, dialect, scan.columns)
            starts = record_starts(file, layout.start, SPLIT_BYTES, dialect.quote_byte)
            for start, end in pairwise(chain(starts, [file.size])):
                if start < end:
                    yield Split(f"{file.path}+{start}", [number, start, end])

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Rows of one range; the resume token is (offset of the block, rows of it delivered)."""
        number, start, end = split.definition
        file = scan.files[number]
        file.check()
        dialect = dialect_of(dict(scan.options), file.path)
        layout = read_layout(file, dialect, scan.columns)
        columns = scan.read_columns
        positions = _positions(file, layout, scan.columns, columns, dialect)
        parser = CsvParser(file, dialect, layout.fields, positions, columns, representation)
        at, skip = (start, 0) if offset is None else offset
        for block in read_blocks(file, at, end, dialect.quote_byte):
            rows = parser.parse(block.offset, block.view)
            done, skip = skip, 0
            for part in rows.slices(done, batch_rows):
                done += part.length
                yield Chunk(part.columns, part.length, [block.offset, done])


def _positions(
    file: FileVersion, layout: Layout, columns: Sequence[FileColumn], wanted: Sequence[FileColumn], dialect: Dialect
) -> list[int]:
    """Which field of a record each wanted column is."""
    if layout.header is None:
        return _by_place(file, layout, columns, wanted, dialect)
    by_key: dict[tuple[str, int], int] = {}
    by_folded: dict[str, int] = {}
    for i, cell in enumerate(layout.header):
        by_folded.setdefault(cell.strip().lower(), i)
        by_key[cell, sum(cell == other for other in layout.header[:i])] = i
    places = [by_key.get(column.key, by_folded.get(column.key[0].lower())) for column in columns]
    if dialect.columns_by == "position" or (dialect.columns_by == "either" and None in places):
        _refuse_moved(file, layout.header, columns, places, dialect)
        return _by_place(file, layout, columns, wanted, dialect)
    found = {column.name: place for column, place in zip(columns, places, strict=True)}
    for column in wanted:
        if found[column.name] is None:
            raise ConnectorError(
                f"file {file.path!r} has no column {column.key[0]!r}",
                detail=f"its header is {', '.join(layout.header)[:300]}",
                hint=_delimiter_hint(file, layout, dialect)
                or "'csv.columns-by' = 'position' takes columns by position, whatever the header calls them",
            )
    return [place for column in wanted if (place := found[column.name]) is not None]


def _by_place(
    file: FileVersion, layout: Layout, columns: Sequence[FileColumn], wanted: Sequence[FileColumn], dialect: Dialect
) -> list[int]:
    if layout.fields != len(columns):
        header = layout.header
        raise ConnectorError(
            f"file {file.path!r} has {layout.fields} column{'' if layout.fields == 1 else 's'}, not {len(columns)}",
            detail="it has no header that names them, so they are taken by position"
            if header is None
            else f"its header is {', '.join(header)[:200]}; {', '.join(c.name for c in columns)[:200]} are wanted",
            hint=_delimiter_hint(file, layout, dialect)
            or (
                "check 'csv.field-delimiter', or set 'csv.header' = 'true' to take them by name"
                if dialect.columns_by == "name"
                else "list the columns that the file has: COPY t (a, b) FROM ..."
            ),
        )
    numbers = {column.name: i for i, column in enumerate(columns)}
    return [numbers[column.name] for column in wanted]


def _delimiter_hint(file: FileVersion, layout: Layout, dialect: Dialect) -> str | None:
    """A word about the delimiter, where it seems to be another one."""
    other = other_delimiter(file, dialect.quote_byte, dialect.delimiter) if layout.fields == 1 else None
    if other is None:
        return None
    return f"it looks as if {other!r} separated its fields: option delimiter ('csv.field-delimiter' in WITH) says so"


def _refuse_moved(
    file: FileVersion,
    header: Sequence[str],
    columns: Sequence[FileColumn],
    places: Sequence[int | None],
    dialect: Dialect,
) -> None:
    """Some names of the table at other places: by position values would go into each other's columns."""
    if dialect.columns_by == "position" or len(header) != len(columns):
        return
    for i, (column, place) in enumerate(zip(columns, places, strict=True)):
        if place is not None and place != i:
            missing = next(c.name for c, found in zip(columns, places, strict=True) if found is None)
            raise ConnectorError(
                f"file {file.path!r} has column {column.name!r} at another place and no column {missing!r}",
                detail=f"its header is {', '.join(header)[:300]}",
                hint="list the table's columns in the order of the file: COPY t (b, a) FROM ...",
            )
