"""Which segments of a table are worth writing anew, and the writing.

A fold writes every row that is in memory to files.  Smaller files before them join in, and of neighbours that commits wrote as files
:data:`FEWEST` of about one size become one, so that sizes grow geometrically: a table has a few times as many files as its number of
rows has digits, and a row is written as often.  Files of which many rows no retained version sees are written again
without those.  Row ids stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tableflow.columnar.kernels.gather import take_columns
from tableflow.records import dataclass, replace
from tableflow.storage.data_file import DataFile, FileOptions
from tableflow.storage.description import StoredColumn, TableDescription
from tableflow.storage.disk import Disk
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.file_writer import DataFileWriter
from tableflow.storage.history import History
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Ids, Segment
from tableflow.storage.table_state import TableState

SMALLER = 2
"""A neighbour joins if it has at most so many times the rows of what is written."""
FEWEST = 4
"""Files that could join do so when there are so many."""
DEAD = 0.3
"""A file is written again when this part of its rows is of no use."""


@dataclass(frozen=True, slots=True)
class Part:
    """What deciding needs to know of a segment; ``fixed``: it must not be joined to the one before."""

    rows: int
    dead: int
    in_memory: bool
    fixed: bool = False


def choose(parts: Sequence[Part], file_rows: int) -> list[tuple[int, int]]:
    """The ranges ``[start, stop)`` of segments to be written anew, each as one file (or more, if it gets full)."""
    wanted = [part.in_memory or part.dead > DEAD * part.rows for part in parts]
    for start, stop in _alike(parts, file_rows):
        wanted[start:stop] = [True] * (stop - start)
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < len(parts):
        if not wanted[at]:
            at += 1
            continue
        start, stop = at, at + 1
        while stop < len(parts) and wanted[stop] and not parts[stop].fixed:
            stop += 1
        rows = sum(part.rows - part.dead for part in parts[start:stop])
        floor = ranges[-1][1] if ranges else 0
        while start > floor and not parts[start].fixed and _joins(parts[start - 1], rows, file_rows):
            start -= 1
            rows += parts[start].rows - parts[start].dead
        while stop < len(parts) and not parts[stop].fixed and _joins(parts[stop], rows, file_rows):
            rows += parts[stop].rows - parts[stop].dead
            stop += 1
        ranges.append((start, stop))
        at = stop
    return ranges


def _alike(parts: Sequence[Part], file_rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours, the newest first, of which each may join those behind it, and which are many enough."""
    stop = len(parts)
    while stop:
        start = stop - 1
        rows = parts[start].rows - parts[start].dead
        while start and not parts[start].fixed and _joins(parts[start - 1], rows, file_rows):
            start -= 1
            rows += parts[start].rows - parts[start].dead
        if stop - start >= FEWEST:
            yield start, stop
        stop = start


def _joins(part: Part, rows: int, file_rows: int) -> bool:
    return part.rows <= SMALLER * rows and part.rows + rows <= file_rows


@dataclass(frozen=True, slots=True)
class Compacted:
    """New segments, and the ranges of row ids in which rows that nobody sees are gone."""

    segments: tuple[Segment, ...]
    swept: tuple[tuple[int, int], ...]


def compact_segments(
    state: TableState, history: History, options: FileOptions, name: Callable[[], str], *, everything: bool = False
) -> Compacted:
    """Writes what is worth it; files are synced, the folder is not.  ``everything`` makes as few files as there can be."""
    oldest = history[0].number
    cut = state.deletes.truncated(oldest)
    kept = [segment for segment in state.segments if segment.end > cut]
    borders = _borders(history)
    parts = []
    for number, segment in enumerate(kept):
        dead = len(state.deletes.hidden(segment.first, segment.end, oldest))
        fixed = number > 0 and any(kept[number - 1].first < border <= segment.first for border in borders)
        in_memory = isinstance(segment, MemorySegment) or (everything and len(kept) > 1)
        parts.append(Part(segment.rows, min(dead, segment.rows) or (everything and dead > 0), in_memory, fixed))
    segments: list[Segment] = []
    swept = [(0, cut)] if cut else []
    at = 0
    for start, stop in choose(parts, options.file_rows):
        segments.extend(kept[at:start])
        rewriting = kept[start:stop]
        segments.extend(_rewrite(state, history, rewriting, options, name))
        swept.append((rewriting[0].first, rewriting[-1].end))
        at = stop
    segments.extend(kept[at:])
    return Compacted(tuple(segments), tuple(swept))


def _borders(history: History) -> list[int]:
    """Row ids at which the type of a column changed: what is on the two sides is not to be in one file.

    Rows after it may not fit the type that older retained versions read with.
    """
    found = []
    before = history[0]
    for version in history:
        if version.description is not before.description:
            types = {column.id: column.type for column in before.description.columns}
            if any(types.get(column.id, column.type) != column.type for column in version.description.columns):
                found.append(before.end)
        before = version
    return found


def _layout(history: History, first: int) -> TableDescription:
    """The columns that rows from ``first`` on need for all retained versions that see them.

    A column that changed its type has the one of the oldest of these versions; newer ones widen it when they read.
    """
    columns: dict[int, StoredColumn] = {}
    seen: set[int] = set()
    for version in history:
        if version.end > first and id(version.description) not in seen:
            seen.add(id(version.description))
            for column in version.description.columns:
                columns.setdefault(column.id, column)
    newest = history.last.description
    for column in newest.columns:
        columns.setdefault(column.id, column)
    keys = tuple(key for key in newest.keys if all(column in columns for column in key.columns))
    return replace(newest, columns=tuple(columns[number] for number in sorted(columns)), keys=keys)


def _rewrite(
    state: TableState, history: History, segments: Sequence[Segment], options: FileOptions, name: Callable[[], str]
) -> list[Segment]:
    oldest = history[0].number
    first, end = segments[0].first, segments[-1].end
    layout = _layout(history, first)
    hidden = state.deletes.hidden(first, end, oldest)
    whole = not len(hidden) and sum(segment.rows for segment in segments) == end - first
    made: list[tuple[DataFile, int]] = []
    writer: DataFileWriter | None = None
    begun = first
    try:
        for segment, chunk, row_ids, chosen in _chunks(segments, hidden):
            columns = segment.read(chunk, layout.columns)
            if chosen is not None:
                columns, row_ids = take_columns(columns, chosen) if columns else [], row_ids[chosen]
            if writer is None:
                writer, begun = DataFileWriter(state.disk, name(), layout, options, row_ids=not whole), int(row_ids[0])
            writer.write(columns, len(row_ids), None if whole else row_ids)
            if writer.full:
                made.append((writer.finish(), begun))
                writer = None
        if writer is not None:
            made.append((writer.finish(), begun))
    except BaseException:
        discard(state.disk, [file for file, _ in made], writer)
        raise
    return [FileSegment(state.disk, file, start) for file, start in made]


def _chunks(segments: Sequence[Segment], hidden: Ids) -> Iterator[tuple[Segment, int, Ids, Ids | None]]:
    """(segment, chunk, its row ids, the rows that stay (None: all)) of chunks of which rows stay."""
    for segment in segments:
        for chunk in range(len(segment.chunks)):
            row_ids = segment.row_ids(chunk)
            if not len(row_ids):
                continue
            start, stop = np.searchsorted(hidden, (row_ids[0], row_ids[-1] + 1))
            if start == stop:
                yield segment, chunk, row_ids, None
                continue
            chosen = np.flatnonzero(~np.isin(row_ids, hidden[start:stop], assume_unique=True))
            if len(chosen):
                yield segment, chunk, row_ids, chosen


def discard(disk: Disk, files: Sequence[DataFile], writer: DataFileWriter | None) -> None:
    """Removes files that will not be used; what cannot be removed is found when the database is opened again."""
    try:
        if writer is not None:
            writer.abort()
        for file in files:
            for each in file.names:
                disk.remove(each)
    except OSError:
        pass
