"""The columns of one row group, read side by side some rows at a time.

A column is decoded natively where :mod:`tableflow.columnar.kernels.parquet` covers it.  What that refuses on the way, be
it unsupported or damaged, pyarrow gets to read from the same row on, and its word is final.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tableflow import types as t
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.columnar.kernels.parquet import ChunkPlan, ParquetColumnReader, open_chunk
from tableflow.connectors.filesystem.page_cache import count_pages, page_cache
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_index import page_locations
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import ConnectorError

REFUSALS = (NotImplementedError, ValueError, IndexError, OSError)
"""What a native reader raises; from then on pyarrow reads."""
_JUMP_ROWS = 8192
"""Passing over fewer rows is cheaper than reading the index of the pages."""
_DICTIONARY_BYTES = 6
"""A string chunk with fewer uncompressed bytes per value than this surely kept its dictionary."""


class ArrowColumns:
    """Some columns of a row group through pyarrow, from a row on."""

    def __init__(self, footer: Footer, group: int, places: Sequence[FooterColumn], start: int, batch_rows: int) -> None:
        self._footer = footer
        self._group = group
        self._places = places
        self._skip = start
        names = list(dict.fromkeys(place.name for place in places))
        self._subject = f"row group {group}, column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
        dictionaries = [place.name for place in places if _is_dictionary(footer, group, place)]
        try:
            self._file = pq.ParquetFile(
                footer.file.path,
                metadata=footer.arrow,
                read_dictionary=dictionaries,
                memory_map=False,
                pre_buffer=False,
            )
            self._batches = self._file.iter_batches(
                batch_size=batch_rows, row_groups=[group], columns=names, use_threads=False
            )
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error
        self._rest: pa.RecordBatch | None = None
        self._positions: list[int] | None = None

    def read(self, rows: int) -> list[Column]:
        """The next rows of all columns, in the order of the places."""
        parts = list(self._parts(rows))
        if self._positions is None:
            self._positions = _positions(self._footer, self._places, parts[0].schema)
        columns: list[Column] = []
        for position, place in zip(self._positions, self._places, strict=True):
            arrays = [part.column(position) for part in parts]
            try:
                array = arrays[0] if len(arrays) == 1 else pa.chunked_array(arrays).combine_chunks()
                columns.append(column_from_arrow(array, place.type, place.type, "natural"))
            except (pa.ArrowException, ValueError) as error:
                raise self._damaged(error) from error
        return columns

    def skip(self, rows: int) -> None:
        """Passes rows over."""
        self._skip += rows

    def _parts(self, rows: int) -> Iterator[pa.RecordBatch]:
        while rows > 0:
            if self._rest is None or self._rest.num_rows == 0:
                self._rest = self._next()
            if self._skip:
                passed = min(self._skip, self._rest.num_rows)
                self._skip -= passed
                self._rest = self._rest.slice(passed)
                continue
            part = self._rest.slice(0, rows)
            self._rest = self._rest.slice(part.num_rows)
            rows -= part.num_rows
            yield part

    def _next(self) -> pa.RecordBatch:
        try:
            batch = next(self._batches, None)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error
        if batch is None:
            raise ConnectorError(
                f"file {self._footer.file.path!r} is damaged",
                detail=f"{self._subject}: fewer rows than its footer says",
            )
        return batch

    def _damaged(self, error: Exception) -> ConnectorError:
        text = " ".join(str(error).split())
        return ConnectorError(
            f"file {self._footer.file.path!r} is damaged or incomplete", detail=f"{self._subject}: {text[:300]}"
        )

    def close(self) -> None:
        """Closes the file."""
        self._batches = iter(())
        self._file.close()


class NativeColumn:
    """One column of a row group, decoded natively from a row on while that works.

    Every method that reads moves on by ``rows``; ``at`` are ascending places among them.
    """

    bounds_its_entries = False

    def __init__(
        self,
        footer: Footer,
        group: int,
        place: FooterColumn,
        plan: ChunkPlan,
        fd: int,
        batch_rows: int,
        counts: Counter[str],
    ) -> None:
        self._footer = footer
        self._group = group
        self._place = place
        self._position = 0
        self._batch_rows = batch_rows
        self._counts = counts
        self._other: ArrowColumns | None = None
        self._reader: ParquetColumnReader | None = None
        try:
            self._reader = open_chunk(fd, plan, page_cache())
            counts["native_chunks"] += 1
        except REFUSALS:
            self._reader = None

    @property
    def type(self) -> t.SqlType:
        """The type of the column in the file."""
        return self._place.type

    @property
    def reader(self) -> ParquetColumnReader | None:
        """What decodes it; None once that has given up."""
        return self._reader

    def passed(self, rows: int, *, gives_up: bool = False) -> None:
        """Its reader was made to read so many rows, or gave up when it was to read the next."""
        self._position += rows
        if gives_up:
            self._reader = None

    def seek(self, row: int) -> None:
        """Goes on at a row that is not before the current one."""
        passed = row - self._position
        if passed == 0:
            return
        if self._reader is not None:
            try:
                self._jump(self._reader, row)
            except REFUSALS:
                self._reader = None
        elif self._other is not None:
            self._other.skip(passed)
        self._position = row

    def _jump(self, reader: ParquetColumnReader, row: int) -> None:
        """By the offset index over whole pages, if there is one; the rest is passed over."""
        position = self._position
        if row - position >= _JUMP_ROWS:
            pages = page_locations(self._footer, self._group, self._place)
            page = 0 if pages is None else pages.page_of(row)
            if pages is not None and (first := pages.first_rows[page]) > position:
                reader.jump(pages.offsets[page], first, row - first)
                return
        reader.skip(row - position)

    def read(self, rows: int) -> Column:
        """The next rows."""
        if self._reader is not None:
            try:
                vector = self._reader.read(rows)
                self._position += rows
                return Column(self._place.type, vector=vector)
            except REFUSALS:
                self._reader = None
        return self._read_other(rows)

    def read_at(self, rows: int, at: Selection) -> Column:
        """Some of the next rows."""
        if self._reader is not None:
            try:
                vector = self._reader.read_at(rows, at)
                self._position += rows
                return Column(self._place.type, vector=vector)
            except REFUSALS:
                self._reader = None
        return take(self._read_other(rows), at)

    def read_matching(
        self, rows: int, at: Selection | None, accepted: npt.NDArray[np.uint8]
    ) -> tuple[Column, Selection | None, bool]:
        """Of some (None: all) of the next rows those that have an accepted entry of the dictionary, or none at all.

        The second is which of them these are, None for all; the third is whether every one of these has an accepted entry.
        """
        if self._reader is not None:
            try:
                vector, kept, exact = self._reader.read_matching(rows, at, accepted)
                self._position += rows
                return Column(self._place.type, vector=vector), kept, exact
            except REFUSALS:
                self._reader = None
        other = self._read_other(rows)
        return other if at is None else take(other, at), None, False

    def dictionary(self) -> Column | None:
        """The entries of the dictionary at the chunk's beginning; only before anything is read."""
        if self._reader is not None and self._position == 0:
            try:
                vector = self._reader.dictionary()
                return None if vector is None else Column(self._place.type, vector=vector)
            except REFUSALS:
                self._reader = None
        return None

    def _read_other(self, rows: int) -> Column:
        if self._other is None:
            self._counts["pyarrow_chunks"] += 1
            self._other = ArrowColumns(self._footer, self._group, [self._place], self._position, self._batch_rows)
        self._position += rows
        return self._other.read(rows)[0]

    def close(self) -> None:
        """Closes the files."""
        if self._reader is not None:
            count_pages(self._reader.pages, self._counts)
        self._reader = None
        if self._other is not None:
            self._other.close()


def _positions(footer: Footer, places: Sequence[FooterColumn], schema: pa.Schema) -> list[int]:
    """Positions in what pyarrow has read, which is all columns with one of the names."""
    found: list[int] = []
    for place in places:
        same_name = [column for column in footer.columns if column.name == place.name]
        occurrence = next(i for i, column in enumerate(same_name) if column == place)
        found.append(schema.get_all_field_indices(place.name)[occurrence])
    return found


def _is_dictionary(footer: Footer, group: int, place: FooterColumn) -> bool:
    """Whether pyarrow should keep the codes of a string column."""
    chunk = footer.chunk(group, place)
    if chunk is None or chunk.dictionary_offset is None or not isinstance(place.type, (t.StringType, t.JsonType)):
        return False
    if chunk.plain_pages is not None:
        return not chunk.plain_pages
    return chunk.uncompressed_size < _DICTIONARY_BYTES * chunk.num_values
