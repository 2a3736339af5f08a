"""Whether the rows that a commit adds keep every enforced key unique.

Two rows conflict when the hashes of their keys are equal and so are the values; a NULL conflicts with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.representation import widen
from tableflow.errors import IntegrityError
from tableflow.expressions.literals import storage_values
from tableflow.expressions.operand import Operand
from tableflow.expressions.text import literal_text
from tableflow.storage.deletes import NEVER
from tableflow.storage.description import KeyConstraint, StoredColumn
from tableflow.storage.equality import equal_rows
from tableflow.storage.key_index import Hashes, key_hashes
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Ids
from tableflow.storage.table_state import TableState
from tableflow.storage.table_view import TableView

Positions = npt.NDArray[np.uint32]


def check_keys(before: TableState | None, after: TableState, table: Callable[[], str]) -> None:
    """Raises :class:`~tableflow.errors.IntegrityError` if the newest version of ``after`` breaks a key.

    Keys that ``before`` has already are checked for the rows that are new since, other keys for all rows.
    """
    kept = () if before is None else before.description.keys
    for key in after.description.keys:
        columns = [after.description.column(each) for each in key.columns]
        old = any(other.columns == key.columns for other in kept)
        first = before.end if before is not None and old else 0
        if after.end > first:
            _check(before if old else None, after, key, columns, first, table)


def _check(
    before: TableState | None, after: TableState, key: KeyConstraint, columns: Sequence[StoredColumn], first: int,
    table: Callable[[], str],
) -> None:  # fmt: skip
    hashes: list[Hashes] = []
    rows: list[Ids] = []
    for part, row_ids, hashed in _added(after, columns, first):
        found, positions = key_hashes(part, len(row_ids)) if hashed is None else hashed
        if before is not None:
            _against_older(before.at(), after, key, columns, part, (found, positions), table)
        hashes.append(found)
        rows.append(row_ids if len(positions) == len(row_ids) else row_ids[positions])
    if len(hashes) > 1 or (hashes and len(hashes[0]) > 1):
        view = after.at()
        twice = _twice(view, columns, np.concatenate(hashes), np.concatenate(rows))
        if twice is not None:
            raise _duplicate(key, columns, view.stored_rows(twice, columns), table, "occurs twice")


def _added(
    after: TableState, columns: Sequence[StoredColumn], first: int
) -> Iterator[tuple[list[Column], Ids, tuple[Hashes, Positions] | None]]:
    """The keys and ids of visible rows from ``first`` on, and the hashes of the keys where they are kept."""
    for segment in after.segments:
        if segment.end <= first:
            continue
        for chunk in range(len(segment.chunks)):
            row_ids = segment.row_ids(chunk)
            keys = segment.read(chunk, columns)
            if first == 0:
                kept = after.deletes.versions_of(row_ids) == NEVER
            elif segment.first >= first:
                yield keys, row_ids, segment.key_hashes(columns) if isinstance(segment, MemorySegment) else None
                continue
            else:
                kept = row_ids >= first
            if not kept.all():
                chosen = np.flatnonzero(kept)
                keys, row_ids = take_columns(keys, chosen), row_ids[chosen]
            if len(row_ids):
                yield keys, row_ids, None


def _against_older(
    before: TableView, after: TableState, key: KeyConstraint, columns: Sequence[StoredColumn],
    keys: list[Column], hashed: tuple[Hashes, Positions], table: Callable[[], str],
) -> None:  # fmt: skip
    """Rows that were there before and are not deleted since."""
    numbers, rows = before.candidates(key.columns, keys, hashed)
    if len(rows):
        there = after.deletes.versions_of(rows) == NEVER
        numbers, rows = numbers[there], rows[there]
    if len(rows):
        held = before.stored_rows(rows, columns)
        same = equal_rows(take_columns(keys, numbers), held)
        if same.any():
            number = numbers[same][:1]
            raise _duplicate(key, columns, take_columns(keys, number), table, "is in the table already")


def _twice(view: TableView, columns: Sequence[StoredColumn], hashes: Hashes, rows: Ids) -> Ids | None:
    """The id of a row whose key another one of these rows has too; None if there is none."""
    order = np.argsort(hashes, kind="stable")
    equal = hashes[order][1:] == hashes[order][:-1]
    if not equal.any():
        return None
    # Runs of equal hashes; within a run every row is compared with the run's first: a run of different values with
    # one hash is so rare that all pairs of it may be looked at.
    starts = np.flatnonzero(np.concatenate([[True], ~equal]))
    run = np.repeat(np.arange(len(starts)), np.diff(np.concatenate([starts, [len(order)]])))
    sizes = np.bincount(run)
    inside = sizes[run] > 1
    others, heads = rows[order][inside], rows[order][starts[run[inside]]]
    different = others != heads
    others, heads = others[different], heads[different]
    same = equal_rows(view.stored_rows(others, columns), view.stored_rows(heads, columns))
    if same.any():
        return np.asarray(others[same][:1])
    for number in np.unique(run[inside]).tolist():
        members = rows[order][run == number]
        for at in range(1, len(members)):
            rest = members[at + 1 :]
            if len(rest):
                one = np.full(len(rest), members[at])
                same = equal_rows(view.stored_rows(rest, columns), view.stored_rows(one, columns))
                if same.any():
                    return np.asarray(rest[same][:1])
    return None


def _duplicate(
    key: KeyConstraint, columns: Sequence[StoredColumn], values: Sequence[Column], table: Callable[[], str], what: str
) -> IntegrityError:
    kind = "primary key" if key.primary else "unique constraint"
    names = ", ".join(column.name for column in columns)
    shown = ", ".join(_text(value) for value in values)
    return IntegrityError(
        f"duplicate key in table {table()!r}: {kind} {key.name!r}",
        detail=f"({names}) = ({shown}) {what}",
        hint="choose other values",
    )


def _text(column: Column) -> str:
    """The first value as SQL writes it."""
    text = literal_text(storage_values(Operand(column.type, widen(column).array))[0], column.type)
    return text if len(text) <= 80 else text[:77] + "..."
