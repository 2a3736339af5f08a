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


def net_changes(state: TableState, after: int, last: int, ids: Sequence[int | None]) -> Iterator[Batch]:
    """As :func:`changes`, without rows that came and went between: never more than both versions have rows."""
    start = state.retained(after).end
    view = state.at(last)
    gone, _ = state.deletes.between(after, last, view.version.end)
    known = int(np.searchsorted(gone, start))
    for batch, _ in _inserted(view, start, ids, gone[known:]):
        yield batch
    yield from _taken_back(view, gone[:known], ids)


def changes_since(before: TableView, now: TableView, ids: Sequence[int | None]) -> Iterator[Batch]:
    """As :func:`net_changes`, for a version of which ``now`` may not know anything any more, so that all rows are looked at."""
    start = before.version.end
    for batch, _ in _inserted(now, start, ids, now.state.deletes.hidden(start, now.version.end, now.version.number)):
        yield batch
    for chunk in before.chunks(ids):
        columns, rows, selection = before.read(chunk, [*ids, None])
        row_ids = np.asarray(columns[-1].array, np.int64)
        seen = np.arange(rows, dtype=np.uint32) if selection is None else selection
        there = now.visible(row_ids[seen]) & _present(now.state, row_ids[seen])
        left = seen[~there]
        if len(left):
            yield Batch(columns[:-1], rows, left, np.full(rows, -1, np.int64))


def _taken_back(view: TableView, gone: Ids, ids: Sequence[int | None]) -> Iterator[Batch]:
    for at in range(0, len(gone), BATCH_ROWS):
        rows = gone[at : at + BATCH_ROWS]
        rows = rows[_present(view.state, rows)]
        if len(rows):
            yield Batch(view.fetch(rows, ids), len(rows), None, np.full(len(rows), -1, np.int64))


def _inserted(
    view: TableView, start: int, ids: Sequence[int | None], gone: Ids | None = None
) -> Iterator[tuple[Batch, Ids]]:
    """Rows with ids from ``start`` on, without those that are ``gone``, ascending."""
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
            wanted = np.arange(low, high, dtype=np.int64)
            if gone is not None and len(gone):
                at = np.minimum(np.searchsorted(gone, row_ids[low:high]), len(gone) - 1)
                wanted = wanted[gone[at] != row_ids[low:high]]
                if not len(wanted):
                    continue
            columns = segment.read(chunk, stored)
            if len(wanted) != len(row_ids):
                columns = take_columns(columns, wanted) if columns else []
                row_ids = row_ids[wanted]
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
