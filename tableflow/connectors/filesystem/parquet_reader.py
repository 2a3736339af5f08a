"""Reading rows of one row group through pyarrow, at most a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow import types as t
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import ConnectorError

_DICTIONARY_BYTES = 6
"""A string chunk with fewer uncompressed bytes per value than this surely kept its dictionary."""


def read_rows(
    footer: Footer,
    columns: Sequence[FileColumn],
    places: Sequence[FooterColumn],
    group: int,
    start: int,
    count: int,
    done: int,
    batch_rows: int,
    representation: str,
) -> Iterator[Chunk]:
    """Rows ``[start + done, start + count)`` of a row group; the resume token is the number of rows delivered."""
    if not columns:
        yield from _bare_rows(count, done, batch_rows)
        return
    names = list(dict.fromkeys(place.name for place in places))
    dictionaries = [place.name for place in places if _is_dictionary(footer, group, place)]
    with pq.ParquetFile(
        footer.file.path, metadata=footer.metadata, read_dictionary=dictionaries, memory_map=True, pre_buffer=False
    ) as file:
        for batch in _batches(file, footer, group, names, start + done, start + count, batch_rows):
            positions = _positions(footer, places, batch.schema)
            try:
                arrays = [
                    column_from_arrow(batch.column(position), place.type, column.type, representation)
                    for position, place, column in zip(positions, places, columns, strict=True)
                ]
            except pa.ArrowException as error:
                raise _damaged(footer, group, error) from error
            done += batch.num_rows
            yield Chunk(arrays, batch.num_rows, done)


def _bare_rows(count: int, done: int, batch_rows: int) -> Iterator[Chunk]:
    """Rows without columns, as COUNT(*) reads them: the footer knows how many."""
    while done < count:
        rows = min(batch_rows, count - done)
        done += rows
        yield Chunk([], rows, done)


def _positions(footer: Footer, places: Sequence[FooterColumn], schema: pa.Schema) -> list[int]:
    """Positions in what pyarrow has read, which is all columns with one of the names."""
    found: list[int] = []
    for place in places:
        same_name = [column for column in footer.columns if column.name == place.name]
        occurrence = next(i for i, column in enumerate(same_name) if column == place)
        found.append(schema.get_all_field_indices(place.name)[occurrence])
    return found


def _batches(
    file: pq.ParquetFile, footer: Footer, group: int, names: list[str], start: int, end: int, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    position = 0
    batches = file.iter_batches(batch_size=batch_rows, row_groups=[group], columns=names, use_threads=False)
    while position < end:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged(footer, group, error) from error
        if batch is None:
            raise ConnectorError(
                f"file {footer.file.path!r} is damaged", detail=f"row group {group} has fewer rows than its footer says"
            )
        first, position = position, position + batch.num_rows
        if position > start:
            skip = max(0, start - first)
            yield batch.slice(skip, min(position, end) - first - skip)


def _is_dictionary(footer: Footer, group: int, place: FooterColumn) -> bool:
    if place.leaf is None or not isinstance(place.type, t.StringType | t.JsonType):
        return False
    chunk = footer.metadata.row_group(group).column(place.leaf)
    return bool(chunk.has_dictionary_page) and chunk.total_uncompressed_size < _DICTIONARY_BYTES * chunk.num_values


def _damaged(footer: Footer, group: int, error: Exception) -> ConnectorError:
    text = " ".join(str(error).split())
    return ConnectorError(
        f"file {footer.file.path!r} is damaged or incomplete", detail=f"row group {group}: {text[:300]}"
    )
