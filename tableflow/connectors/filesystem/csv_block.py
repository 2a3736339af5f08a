"""Delimited text to tables, a block of whole records at a time.

NULL is the unquoted null literal (by default the empty text; ``""`` in quotes is an empty string).  A block that does
not parse is cut in halves until the records at fault are known: they are named by file and line, or with
``csv.ignore-parse-errors`` read as far as they can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv

from tableflow.connectors.filesystem.csv_quotes import check_quotes
from tableflow.connectors.filesystem.encoding import UTF8, decoded, to_utf8
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of, split_records
from tableflow.errors import ConnectorError
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How text is cut into fields."""

    delimiter: str
    quote: str | None
    null: str
    header: str
    lenient: bool
    encoding: str = UTF8
    columns_by: str = "name"
    """How a header's names find the table's columns: name, position or either."""
    sniffed: bool = False
    """Whether nobody said what the delimiter is."""

    @property
    def quote_byte(self) -> bytes | None:
        """The quote character as it is in a file."""
        return None if self.quote is None else self.quote.encode()


def dialect_of(options: Mapping[str, Any], path: str) -> Dialect:
    """The dialect that options mean; a ``.tsv`` file is delimited by tabs unless they say otherwise."""
    given = options.get("csv.field-delimiter")
    delimiter = given or ("\t" if Path(path).suffix.lower() == ".tsv" else ",")
    quote = None if options.get("csv.disable-quote-character") else options.get("csv.quote-character") or '"'
    null = options.get("csv.null-literal") or ""
    header = options.get("csv.header") or "auto"
    lenient = bool(options.get("csv.ignore-parse-errors"))
    encoding = options.get("csv.encoding") or UTF8
    by = options.get("csv.columns-by") or "name"
    return Dialect(delimiter, quote, null, header, lenient, encoding, by, sniffed=given is None)


class BlockParser:
    """Parses blocks of one file into a table of some of its fields."""

    def __init__(
        self,
        file: FileVersion,
        dialect: Dialect,
        fields: int,
        positions: Sequence[int],
        types: Sequence[pa.DataType],
        columns: Sequence[FileColumn] = (),
    ) -> None:
        """``columns`` are what the fields at ``positions`` become, for errors."""
        self._file = file
        self._dialect = dialect
        self._names = [f"f{i}" for i in range(fields)]
        # With no column wanted the first field is read as text, so that rows are counted.
        chosen = list(zip(positions, types, strict=True)) or [(0, pa.string())]
        self._chosen = list(dict(chosen))
        self._order = [self._chosen.index(position) for position, _ in chosen]
        self._types = dict(chosen)
        self._columns = dict(zip(positions, columns, strict=False))

    def parse(self, offset: int, data: bytes) -> pa.Table:
        """The rows of a block of whole records."""
        if not self._dialect.lenient:
            check_quotes(self._file, offset, data, self._dialect.delimiter.encode(), self._dialect.quote_byte)
        try:
            table = self._table(to_utf8(self._file, offset, data, self._dialect.encoding), self._types)
        except pa.ArrowInvalid:
            records = list(split_records(data, self._dialect.quote_byte))
            table = pa.concat_tables(self._halves(offset, records))
        return table.select(self._order)

    def _table(self, data: bytes, types: Mapping[int, pa.DataType]) -> pa.Table:
        return parse_text(data, self._dialect, self._names, {self._names[i]: of for i, of in types.items()})

    def _halves(self, offset: int, records: Sequence[bytes]) -> list[pa.Table]:
        try:
            data = to_utf8(self._file, offset, b"".join(records), self._dialect.encoding)
            return [self._table(data, self._types)]
        except pa.ArrowInvalid as error:
            if len(records) == 1:
                return self._single(offset, records[0], error)
        middle = len(records) // 2
        left, right = records[:middle], records[middle:]
        return [*self._halves(offset, left), *self._halves(offset + sum(map(len, left)), right)]

    def _single(self, offset: int, record: bytes, error: pa.ArrowInvalid) -> list[pa.Table]:
        if not self._dialect.lenient:
            raise self._error(offset, record, error)
        record = to_utf8(self._file, offset, record, self._dialect.encoding)
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
        if "invalid UTF8" in text:
            decoded(self._file, offset, record, UTF8)  # raises, with the byte's place
        text = self._misfit(record) or text
        shown = record[:200].decode(errors="replace").rstrip("\r\n")
        return ConnectorError(
            f"file {self._file.path!r}, line {line_of(self._file, offset)}, could not be read",
            detail=f"{text}; the line is {shown!r}",
            hint="option ignore_errors ('csv.ignore-parse-errors' in WITH) reads such fields as NULL",
        )

    def _misfit(self, record: bytes) -> str | None:
        """The column of a record whose value is not of its type, in words; None if it is not that."""
        record = to_utf8(self._file, 0, record, self._dialect.encoding)
        for position, column in self._columns.items():
            try:
                self._table(record, {position: self._types[position]})
            except pa.ArrowInvalid:
                try:
                    value = self._table(record, {position: pa.string()}).column(0)[0].as_py()
                except pa.ArrowInvalid:
                    return None  # the record is wrong as a whole
                return f"column {column.name!r} is {column.type}: invalid value {value!r}"
        return None


def parse_text(
    data: bytes, dialect: Dialect, names: Sequence[str], types: Mapping[str, pa.DataType] | None
) -> pa.Table:
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
