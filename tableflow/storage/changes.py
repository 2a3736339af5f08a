"""What some versions of a table changed, as rows with weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import take_columns
from tableflow.errors import CatalogError
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Ids
from tableflow.storage.table_view import TableView, row_id_column

if TYPE_CHECKING:
    from tableflow.storage.table_state import TableState

BATCH_ROWS = 65_536


def changes(state: TableState, after: int, last: int, ids: Sequence[int | None]) -> Iterator[tuple[Batch, Ids]]:
    """Batches with weights, and the version of each row: +1 for rows that came, -1 for those that went.

    Version 0 stands for what was before the first one.  Columns (None: the row id) are those of version ``last``.  Deleted
    rows are there as long as the version before is retained.
    """
    until = state.retained(last)
    start = 0 if after == 0 and state.history[0].number == 1 else state.retained(after).end
    if after > last:
        raise CatalogError(
            f"version {after} came after version {last}", hint="changes go from an older to a newer version"
        )
    view = TableView(state, until)
    yield from _inserted(view, start, ids)
    gone, versions = state.deletes.between(after, last, until.end)
    for at in range(0, len(gone), BATCH_ROWS):
        rows = gone[at : at + BATCH_ROWS]
        there = _present(state, rows)
        rows = rows[there]
        if len(rows):
            batch = Batch(view.fetch(rows, ids), len(rows), None, np.full(len(rows), -1, np.int64))
            yield batch, versions[at : at + BATCH_ROWS][there]


def _inserted(view: TableView, start: int, ids: Sequence[int | None]) -> Iterator[tuple[Batch, Ids]]:
    history = view.state.history
    ends = np.array([version.end for version in history], np.int64)
    stored = [view.description.column(each) for each in ids if each is not None]
    for segment in view.state.segments:
        if segment.end <= start or segment.first >= view.version.end:
            continue
        for chunk in range(len(segment.chunks)) if not isinstance(segment, MemorySegment) else (0,):
            row_ids = segment.row_ids(chunk)
            low, high = np.searchsorted(row_ids, (start, view.version.end))
            if low == high:
                continue
            columns = segment.read(chunk, stored)
            if (low, high) != (0, len(row_ids)):
                columns = take_columns(columns, np.arange(low, high, dtype=np.int64)) if columns else []
                row_ids = row_ids[low:high]
            given = iter(columns)
            every = [row_id_column(row_ids) if each is None else next(given) for each in ids]
            versions = np.searchsorted(ends, row_ids, "right") + history[0].number
            yield Batch(every, len(row_ids), None, np.ones(len(row_ids), np.int64)), versions.astype(np.int64)


def _present(state: TableState, rows: Ids) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of these ids have rows: a truncation names a range that may have gaps."""
    there = np.zeros(len(rows), np.bool_)
    for segment in state.segments:
        start, stop = np.searchsorted(rows, (segment.first, segment.end))
        if start < stop:
            there[start:stop] |= segment.positions(rows[start:stop]) >= 0
    return there
