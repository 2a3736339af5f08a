"""Reading rows of one row group, at most a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_column import ArrowColumns, NativeColumn
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import convert, represent
from tableflow.errors import ConnectorError


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
    reader = GroupReader(footer, group, places, start + done, batch_rows)
    try:
        while done < count:
            rows = min(batch_rows, count - done)
            read = reader.read(rows)
            done += rows
            yield Chunk(
                [
                    _declared(footer, column, place, declared, representation)
                    for column, place, declared in zip(read, places, columns, strict=True)
                ],
                rows,
                done,
            )
    finally:
        reader.close()


class GroupReader:
    """All wanted columns of a row group: each natively where possible, the others together through pyarrow."""

    def __init__(self, footer: Footer, group: int, places: Sequence[FooterColumn], start: int, batch_rows: int) -> None:
        self._fd = os.open(footer.file.path, os.O_RDONLY)
        self._native: dict[int, NativeColumn] = {}
        self._arrow: ArrowColumns | None = None
        self._others: list[int] = []
        try:
            for i, place in enumerate(places):
                plan = footer.plan(group, place)
                if plan is None:
                    self._others.append(i)
                else:
                    self._native[i] = NativeColumn(footer, group, place, plan, self._fd, start, batch_rows)
            if self._others:
                self._arrow = ArrowColumns(footer, group, [places[i] for i in self._others], start, batch_rows)
        except BaseException:
            self.close()
            raise

    def read(self, rows: int) -> list[Column]:
        """The next rows, in the order of the places."""
        found = {i: column.read(rows) for i, column in self._native.items()}
        if self._arrow is not None:
            found.update(zip(self._others, self._arrow.read(rows), strict=True))
        return [found[i] for i in range(len(found))]

    def close(self) -> None:
        """Closes all files; further calls do nothing."""
        for column in self._native.values():
            column.close()
        if self._arrow is not None:
            self._arrow.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _bare_rows(count: int, done: int, batch_rows: int) -> Iterator[Chunk]:
    """Rows without columns, as COUNT(*) reads them: the footer knows how many."""
    while done < count:
        rows = min(batch_rows, count - done)
        done += rows
        yield Chunk([], rows, done)


def _declared(footer: Footer, column: Column, place: FooterColumn, declared: FileColumn, representation: str) -> Column:
    try:
        if place.type != declared.type:
            column = convert(column, declared.type)
        return represent(column, representation)
    except (pa.ArrowException, ValueError) as error:
        raise ConnectorError(
            f"column {place.name!r} of file {footer.file.path!r} could not be read as {declared.type}",
            detail=" ".join(str(error).split())[:300],
        ) from error
