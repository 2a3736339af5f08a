"""Blocks of delimited records into columns: natively, and with pyarrow what is not plain (see :mod:`csv_block`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tableflow import types as t
from tableflow.columnar.kernels.text import CsvRecords, is_utf8
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.csv_block import BlockParser, Dialect
from tableflow.connectors.filesystem.encoding import UTF8
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_rows import Rows, first_records, joined, native_pieces, represented, rows_of


class CsvParser:
    """Parses blocks of one file into rows of some of its fields, in a representation."""

    def __init__(
        self,
        file: FileVersion,
        dialect: Dialect,
        fields: int,
        positions: Sequence[int],
        columns: Sequence[FileColumn],
        representation: str,
    ) -> None:
        types = [column.type for column in columns]
        self._types = types
        self._representation = representation
        self._first = partial(first_records, quote=dialect.quote_byte)
        self._arrow = BlockParser(file, dialect, fields, positions, [canonical(of) for of in types], columns)
        self._native = None if dialect.encoding != UTF8 else native_decoder(dialect, fields, positions, types)

    def parse(self, offset: int, data: bytes | memoryview) -> Rows:
        """The rows of a block of whole records."""
        if self._native is None or not is_utf8(data):
            return self._slow(offset, bytes(data))
        pieces = [
            self._slow(offset + begin, bytes(data[begin:end]))
            if decoded is None
            else represented(decoded, self._representation)
            for begin, end, decoded in native_pieces(self._native, data, self._first)
        ]
        return joined(pieces, self._types, self._representation)

    def _slow(self, offset: int, data: bytes) -> Rows:
        table = self._arrow.parse(offset, data)
        arrays = [column.combine_chunks() for column in table.columns[: len(self._types)]]
        return rows_of(arrays, self._types, table.num_rows, self._representation)


def native_decoder(
    dialect: Dialect, fields: int, positions: Sequence[int], types: Sequence[t.SqlType]
) -> CsvRecords | None:
    """The native decoder of a dialect in UTF-8, if there is one."""
    return CsvRecords.of(
        list(zip(positions, types, strict=True)),
        fields,
        delimiter=dialect.delimiter.encode(),
        quote=dialect.quote_byte or b"",
        null=dialect.null.encode(),
    )
