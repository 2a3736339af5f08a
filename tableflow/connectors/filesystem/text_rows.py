"""Rows of a block of text: natively decoded where it is plain, with pieces between them that were read by slower means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.text import CsvRecords, JsonLines
from tableflow.columnar.representation import canonical, widen
from tableflow.connectors.filesystem.text_block import split_records
from tableflow.connectors.storage import column_from_arrow, fitted, represent
from tableflow.records import dataclass

Decoded = tuple[list[Column], int]


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of some rows."""

    columns: list[Column]
    length: int

    def slices(self, first: int, batch_rows: int) -> Iterator[Rows]:
        """The rows from ``first`` on, at most ``batch_rows`` at a time."""
        while first < self.length:
            length = min(batch_rows, self.length - first)
            whole = length == self.length
            yield self if whole else Rows([column.slice(first, length) for column in self.columns], length)
            first += length


def represented(decoded: Decoded, representation: str) -> Rows:
    """What was decoded natively, in a representation."""
    return Rows([represent(column, representation) for column in decoded[0]], decoded[1])


def rows_of(arrays: Sequence[pa.Array], types: Sequence[t.SqlType], length: int, representation: str) -> Rows:
    """Arrays of the types' canonical storage, in a representation; their times may be finer than their types."""
    return Rows(
        [column_from_arrow(fitted(array, of), of, of, representation) for array, of in zip(arrays, types, strict=True)],
        length,
    )


def joined(pieces: Sequence[Rows], types: Sequence[t.SqlType], representation: str) -> Rows:
    """The rows of all pieces, one after another."""
    if len(pieces) == 1:
        return pieces[0]
    arrays = [
        pa.concat_arrays([widen(piece.columns[i]).array for piece in pieces]) if pieces else pa.nulls(0, canonical(of))
        for i, of in enumerate(types)
    ]
    return rows_of(arrays, types, sum(piece.length for piece in pieces), representation)


def native_pieces(
    native: JsonLines | CsvRecords, data: bytes | memoryview, first: Callable[[bytes, int], int]
) -> Iterator[tuple[int, int, Decoded | None]]:
    """Ranges of a block with what was decoded of them; None for what others must read.

    ``first`` tells how many bytes the first records of a text have.  Each time twice as many of them are left to others, so that
    text in which nothing is plain is not tried record by record.
    """
    at, count = 0, 1
    while True:
        stopped = native.decode(data, at)
        decoded = native.take()
        if decoded[1]:
            yield at, stopped, decoded
        if stopped == len(data):
            return
        at = stopped + first(bytes(data[stopped:]), count)
        yield stopped, at, None
        count *= 2


def first_lines(data: bytes, count: int) -> int:
    """Bytes of the first lines."""
    return first_records(data, count, None)


def first_records(data: bytes, count: int, quote: bytes | None) -> int:
    """Bytes of the first records, whose line ends may be quoted."""
    return sum(map(len, islice(split_records(data, quote), count)))
