"""The edge at which changes become rows for people: a final answer, or rows that say what they do.

Two nodes.  :class:`SettledResult` waits for the end and gives the rows that are left.  :class:`ChangelogResult` gives what each
epoch did, with a first column ``+I``, ``-U``, ``+U`` or ``-D``: an update is a row taken back and one put in its place under the
same key, next to each other.  Invariant: what has come out by the end of an epoch, summed up, is the answer for one prefix
of every input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns, take_rows
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import InternalError
from tableflow.physical.held_changes import HeldChanges, weights_of
from tableflow.physical.node import UnaryNode, positions
from tableflow.records import dataclass
from tableflow.runtime.events import Epoch
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable
from tableflow.types import STRING

KINDS = ("+I", "-U", "+U", "-D")
INSERT, UPDATE_BEFORE, UPDATE_AFTER, DELETE = range(4)
Numbers = npt.NDArray[np.int64]


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class SettledResult(UnaryNode):
    """The rows that are left when the input has ended."""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogResult(UnaryNode):
    """``fields`` are the column of kinds and some of the input's; ``key`` are ids whose values are unique together, None if unknown.

    What an epoch did is what it did to these columns: a row that differs elsewhere has not changed.

    ``upserts``: rows are put and removed by key, so what is replaced is not told, and a key comes once an epoch at most.
    """

    key: tuple[int, ...] | None
    upserts: bool = False


class SettledResultOperator(Operator):
    """Keeps the sum of all changes."""

    def __init__(self, node: SettledResult) -> None:
        self._types = [f.type for f in node.input.fields]

    def open(self, context: OperatorContext) -> None:
        """Reserves what is held."""
        self._context = context
        self._held = HeldChanges(self._types, context.reserve("changes"))

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Adds the changes."""
        self._held.add(batch)
        return None

    def on_end(self, port: int) -> Emission:
        """All rows that are left, as often as they count."""
        for part in self._held.parts(self._context.batch_rows):
            if (weights_of(part) < 0).any():
                raise InternalError("more rows were taken back than were given")
            yield from repeated(part, self._context.batch_rows)
        self._held.clear()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The changes so far."""
        return self._held.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._held.restore(parts)


class ChangelogResultOperator(Operator):
    """Keeps the sum of one epoch's changes."""

    def __init__(self, node: ChangelogResult) -> None:
        shown, there = node.fields[1:], positions(node.input.fields)
        where = positions(shown)
        self._shown = [there[f.id] for f in shown]
        self._types = [f.type for f in shown]
        self._key = None if node.key is None else [where[column] for column in node.key]
        self._upserts = node.upserts

    def open(self, context: OperatorContext) -> None:
        """Reserves what is held."""
        self._context = context
        self._held = HeldChanges(self._types, context.reserve("changes"))

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Adds the changes."""
        self._held.add(batch.project(self._shown))
        return None

    def on_epoch(self, epoch: Epoch) -> Emission:
        """What the epoch did."""
        return self._changes()

    def on_end(self, port: int) -> Emission:
        """What came after the last epoch."""
        return self._changes()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The changes of an epoch that has not ended; at its end nothing is held."""
        return self._held.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._held.restore(parts)

    def _changes(self) -> Emission:
        return named_changes(self._held, self._key, self._context.batch_rows, upserts=self._upserts)


def named_changes(held: HeldChanges, key: list[int] | None, rows: int, *, upserts: bool = False) -> Iterator[Batch]:
    """All changes that are held, with the column of kinds first, in batches of at most so many rows; then none is held."""
    parts = list(held.parts(rows))
    held.clear()
    if not parts:
        return
    batch = concat(parts)
    if upserts:
        batch.weights = np.sign(weights_of(batch))
    order, kinds = paired(batch, key, upserts=upserts)
    for start in range(0, len(order), rows):
        chosen, named = order[start : start + rows], kinds[start : start + rows]
        yield from _named(take_rows(batch, chosen), named, rows)


def _named(batch: Batch, kinds: Numbers, rows: int) -> Iterator[Batch]:
    counts = np.abs(weights_of(batch))
    if (counts > 1).any():
        kinds = np.repeat(kinds, counts)
    for part, start in _with_starts(repeated(batch, rows)):
        codes = pa.array(kinds[start : start + part.length], pa.int8())
        column = Column(STRING, pa.DictionaryArray.from_arrays(codes, pa.array(KINDS)))
        yield Batch([column, *part.columns], part.length)


def paired(batch: Batch, key: list[int] | None, *, upserts: bool = False) -> tuple[Numbers, Numbers]:
    """Row numbers in the order in which changes are shown, and the kind of each.

    Under a key what is taken back comes directly before what takes its place; without one it comes before all that is new.
    Of ``upserts`` only the last change of each key is shown.
    """
    adds = weights_of(batch) > 0
    kinds = np.where(adds, INSERT, DELETE)
    if key is None:
        return np.argsort(adds, kind="stable"), kinds[np.argsort(adds, kind="stable")]
    if key:
        table = GroupTable([batch.columns[i].type for i in key], [])
        groups = table.number([batch.columns[i] for i in key], [], batch.length).astype(np.int64)
    else:
        groups = np.zeros(batch.length, np.int64)
    order = np.lexsort((adds, groups))
    added = np.bincount(groups, weights=adds)
    both = (added[groups] > 0) & (added[groups] < np.bincount(groups)[groups])
    kinds = np.where(both, np.where(adds, UPDATE_AFTER, UPDATE_BEFORE), kinds)
    if upserts:
        order = order[np.append(np.diff(groups[order]) != 0, [True])]
    return order, kinds[order]


def repeated(batch: Batch, rows: int) -> Iterator[Batch]:
    """Each row as often as its weight's absolute value says, without weights, in batches of at most ``rows``."""
    counts = np.abs(weights_of(batch))
    if (counts == 1).all():
        yield Batch(batch.columns, batch.length)
        return
    ends = np.cumsum(counts)
    for first in range(0, int(ends[-1]), rows):
        numbers = np.arange(first, min(first + rows, int(ends[-1])), dtype=np.int64)
        chosen = np.searchsorted(ends, numbers, side="right")
        yield Batch(take_columns(batch.columns, chosen), len(chosen))


def _with_starts(parts: Iterator[Batch]) -> Iterator[tuple[Batch, int]]:
    start = 0
    for part in parts:
        yield part, start
        start += part.length
