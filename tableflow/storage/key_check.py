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
from tableflow.records import dataclass
from tableflow.storage.deletes import NEVER
from tableflow.storage.description import KeyConstraint, StoredColumn
from tableflow.storage.equality import equal_rows
from tableflow.storage.key_index import Hashes, key_hashes
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Ids
from tableflow.storage.table_state import TableState
from tableflow.storage.table_view import TableView

Positions = npt.NDArray[np.uint32]


class DuplicateKeyError(IntegrityError):
    """A row that is added has the key of another one: ``twice`` says of another that is added, and comes before it.

    ``number`` counts (from 0) the ``rows`` that are added up to it; None if they are in no order.
    """

    def __init__(
        self, table: str, key: KeyConstraint, values: str, *, twice: bool, number: int | None, rows: int
    ) -> None:
        self.key, self.values, self.twice, self.number, self.rows = key.name, values, twice, number, rows
        kind = "primary key" if key.primary else "unique constraint"
        super().__init__(
            f"duplicate key in table {table!r}: {kind} {key.name!r}",
            detail=f"{values} {self.what}",
            hint="choose other values",
        )

    @property
    def what(self) -> str:
        """What is wrong with the row."""
        return "occurs twice" if self.twice else "is in the table already"


def check_keys(
    before: TableState | None, after: TableState, table: Callable[[], str], *, in_order: bool = False
) -> None:
    """Raises :class:`DuplicateKeyError` if the newest version of ``after`` breaks a key.

    Keys that ``before`` has already are checked for the rows that are new since, other keys for all rows.  ``in_order``: the
    ids of new rows are in the order of the statement.
    """
    kept = () if before is None else before.description.keys
    for key in after.description.keys:
        columns = [after.description.column(each) for each in key.columns]
        old = any(other.columns == key.columns for other in kept)
        first = before.end if before is not None and old else 0
        if after.end > first:
            found = _check(before if old else None, after, key, columns, first)
            if found is not None:
                new = after.end - (0 if before is None else before.end)
                number = found.row - (after.end - new) if in_order else None
                names = ", ".join(column.name for column in columns)
                shown = f"({names}) = ({', '.join(_text(value) for value in found.values)})"
                raise DuplicateKeyError(table(), key, shown, twice=found.twice, number=number, rows=new)


@dataclass(frozen=True, slots=True)
class _Found:
    """A row whose key another one has too: its values and its id."""

    values: Sequence[Column]
    row: int
    twice: bool


def _check(
    before: TableState | None, after: TableState, key: KeyConstraint, columns: Sequence[StoredColumn], first: int
) -> _Found | None:
    hashes: list[Hashes] = []
    rows: list[Ids] = []
    for part, row_ids, hashed in _added(after, columns, first):
        found, positions = key_hashes(part, len(row_ids)) if hashed is None else hashed
        if before is not None:
            held = _against_older(before.at(), after, key, columns, part, (found, positions))
            if held is not None:
                return _Found(take_columns(part, np.array([held])), int(row_ids[held]), twice=False)
        hashes.append(found)
        rows.append(row_ids if len(positions) == len(row_ids) else row_ids[positions])
    if len(hashes) > 1 or (hashes and len(hashes[0]) > 1):
        view = after.at()
        twice = _twice(view, columns, np.concatenate(hashes), np.concatenate(rows))
        if twice is not None:
            return _Found(view.stored_rows(np.array([twice]), columns), twice, twice=True)
    return None


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
    keys: list[Column], hashed: tuple[Hashes, Positions],
) -> int | None:  # fmt: skip
    """The first of these rows whose key a row has that was there before and is not deleted since; None if there is none."""
    numbers, rows = before.candidates(key.columns, keys, hashed)
    if len(rows):
        there = after.deletes.versions_of(rows) == NEVER
        numbers, rows = numbers[there], rows[there]
    if len(rows):
        held = before.stored_rows(rows, columns)
        same = equal_rows(take_columns(keys, numbers), held)
        if same.any():
            return int(numbers[same].min())
    return None


def _twice(view: TableView, columns: Sequence[StoredColumn], hashes: Hashes, rows: Ids) -> int | None:
    """The id of the first row whose key a row before it has too; None if there is none."""
    order = np.argsort(hashes, kind="stable")
    equal = hashes[order][1:] == hashes[order][:-1]
    if not equal.any():
        return None
    # Runs of equal hashes, each in the order of the rows; within a run every row is compared with the run's first: a run of
    # different values with one hash is so rare that all pairs of it may be looked at.
    starts = np.flatnonzero(np.concatenate([[True], ~equal]))
    run = np.repeat(np.arange(len(starts)), np.diff(np.concatenate([starts, [len(order)]])))
    sizes = np.bincount(run)
    inside = sizes[run] > 1
    others, heads = rows[order][inside], rows[order][starts[run[inside]]]
    different = others != heads
    others, heads = others[different], heads[different]
    same = equal_rows(view.stored_rows(others, columns), view.stored_rows(heads, columns))
    if same.any():
        return int(others[same].min())
    for number in np.unique(run[inside]).tolist():
        members = rows[order][run == number]
        for at in range(1, len(members)):
            rest = members[at + 1 :]
            if len(rest):
                one = np.full(len(rest), members[at])
                same = equal_rows(view.stored_rows(rest, columns), view.stored_rows(one, columns))
                if same.any():
                    return int(rest[same].min())
    return None


def _text(column: Column) -> str:
    """The first value as SQL writes it."""
    text = literal_text(storage_values(Operand(column.type, widen(column).array))[0], column.type)
    return text if len(text) <= 80 else text[:77] + "..."
