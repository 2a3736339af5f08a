"""A managed table that a running job keeps: each epoch's changes become one version.

Rows that are taken back are found by value: the sink remembers which row ids each of its rows has.  Invariant: a version holds
all changes up to an epoch and none after it; an epoch without changes makes no version.  Commits run in a thread of the sink,
because they wait for the disk and for other writers, and a task must not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tableflow.catalog.change import NoteRead
from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_columns
from tableflow.columnar.kernels.multi_state import MultiState, consolidated
from tableflow.connectors.connector import OpenContext
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.sink import BufferingWriter
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.transaction import Transaction
from tableflow.types import SqlType

if TYPE_CHECKING:
    from concurrent.futures import Future

KIND = "managed-epochs"
Ids = npt.NDArray[np.int64]


Rows: TypeAlias = tuple[tuple[str, int], ...]
"""How many rows sources have given, by name."""

_LEAST_SLOTS = 1024
_HELD_ROWS = 1 << 17
"""Held changes are summed up when they are more than this, and twice as many as were left the last time."""


@dataclass(slots=True)
class KeptTable:
    """What a sink's key stands for.  ``appends``: no row is ever taken back.

    ``replaces``: the job began again; the first version replaces all rows, and comes with the first epoch from ``passed`` on, or
    with the end of all input.  ``read`` tells how far sources have read, which the catalog remembers with each version.
    """

    database: Database
    table: int
    name: str
    appends: bool
    replaces: bool = False
    cancelled: Callable[[], bool] = lambda: False
    passed: int | None = None
    read: Callable[[], Rows] | None = None

    def note(self) -> None:
        """Has the catalog remember how far sources have read."""
        if self.read is not None:
            with self.database.transaction([self.table], cancelled=self.cancelled) as transaction:
                transaction.change_catalog(NoteRead(self.table, self.read()))
                transaction.commit(ChangeKind.ALTER)


class RowIds:
    """The row ids of rows that are there, by value."""

    def __init__(self, types: Sequence[SqlType]) -> None:
        self._state = MultiState(types)
        self._first = np.full(_LEAST_SLOTS, -1, np.int64)
        self._others: dict[int, list[int]] = {}
        """Ids of rows that are there more than once, but for one each."""

    @property
    def rows(self) -> int:
        """Different rows."""
        return self._state.rows

    @property
    def bytes(self) -> int:
        """Bytes held; an id that is one of several of a row is a Python object with its place in a list."""
        return self._state.bytes + self._first.nbytes + 48 * sum(map(len, self._others.values()))

    def apply(self, batch: Batch, first_id: int) -> tuple[Batch | None, Ids]:
        """Rows to add, whose ids will begin with ``first_id``, and the ids of those to remove; each row of a batch once."""
        changes = self._state.apply(batch.columns, batch.length, None, batch.weights)
        before, after = np.maximum(changes.before, 0), np.maximum(changes.after, 0)
        slots = changes.slots.astype(np.int64)
        self._make_room(int(slots.max(initial=0)))
        simple = (before <= 1) & (after <= 1)
        gone = slots[simple & (before > after)]
        removed = [self._first[gone]]
        self._first[gone] = -1
        new = np.maximum(after - before, 0)
        starts = first_id + np.cumsum(new) - new
        come = simple & (after > before)
        self._first[slots[come]] = starts[come]
        for i in np.flatnonzero(~simple):
            removed.append(self._change_many(int(slots[i]), int(before[i]), int(after[i]), int(starts[i])))
        self._give_back()
        rows = np.repeat(changes.rows.astype(np.int64), new)
        added = Batch(take_columns(batch.columns, rows), len(rows)) if len(rows) else None
        return added, np.sort(np.concatenate(removed))

    def _change_many(self, slot: int, before: int, after: int, first_id: int) -> Ids:
        held = self._others.pop(slot, [])
        if self._first[slot] >= 0:
            held.append(int(self._first[slot]))
        if len(held) != before:
            raise InternalError("a kept table has lost count of a row")
        removed = [held.pop() for _ in range(before - after)]
        held += range(first_id, first_id + after - before)
        self._first[slot] = held.pop() if held else -1
        if held:
            self._others[slot] = held
        return np.array(removed, np.int64)

    def _give_back(self) -> None:
        """The memory of rows of which most have gone."""
        before = self._state.slots
        moved = self._state.compact()
        if self._state.slots >= before:
            return
        if moved is not None:
            old, new = moved
            self._first[new] = self._first[old]
            self._first[old] = -1
            places = dict(zip(old.tolist(), new.tolist(), strict=True))
            self._others = {places.get(slot, slot): held for slot, held in self._others.items()}
        self._first = self._first[: max(_LEAST_SLOTS, self._state.slots)].copy()

    def _make_room(self, slot: int) -> None:
        if slot >= len(self._first):
            more = np.full(max(slot + 1, 2 * len(self._first)) - len(self._first), -1, np.int64)
            self._first = np.concatenate([self._first, more])


class Publication:
    """A commit that is under way; implements :class:`~tableflow.runtime.sink.Publishing`."""

    def __init__(self, future: Future[None]) -> None:
        self._future = future

    @property
    def ready(self) -> bool:
        """Whether it is over."""
        return self._future.done()

    def subscribe(self, callback: Any) -> None:
        """Calls ``callback`` when it is over."""
        self._future.add_done_callback(lambda _: callback())

    def result(self) -> None:
        """Raises what went wrong."""
        self._future.result()


class EpochSink(BufferingWriter):
    """The writer of the one task that keeps a table; its operator accounts for what it holds (:attr:`held`)."""

    def __init__(self, kept: KeptTable) -> None:
        self._kept = kept
        self._waiting: list[Batch] = []
        self._bytes = 0
        """Of the rows that wait."""
        self._left = 0
        """How many rows were left when they were summed up last."""
        self._several = False
        """Whether they are of more than one epoch."""
        self._rows: RowIds | None = None
        from concurrent.futures import ThreadPoolExecutor  # for who keeps a table

        self._committer = ThreadPoolExecutor(1, "tableflow-epochs")
        self._stopped = threading.Event()

    def write(self, batch: Batch) -> None:
        """Changes: the table's columns in order, with weights."""
        self._waiting.append(compact(batch))
        self._bytes += self._waiting[-1].nbytes

    @property
    def held(self) -> int:
        """Bytes of the rows that wait, and of the row ids by value, which are to grow by as much."""
        if self._kept.appends:
            return self._bytes
        return 2 * self._bytes + (0 if self._rows is None else self._rows.bytes)

    @property
    def rows(self) -> int:
        """Rows that wait, and rows of the table whose ids are known."""
        waiting = sum(batch.length for batch in tuple(self._waiting))
        return waiting + (0 if self._rows is None else self._rows.rows)

    @property
    def catching_up(self) -> bool:
        """Whether rows wait until the job has passed where it was before."""
        return self._kept.replaces

    def give_back(self) -> None:
        """Sums up what waits."""
        if len(self._waiting) > 1 and not self._kept.appends:
            self._sum_up()

    def publish(self, epoch: int) -> Publication | None:
        """Commits what came since the last epoch; None while the table keeps what it showed before."""
        passed = self._kept.passed
        if self._kept.replaces and epoch >= 0 and (passed is None or epoch < passed):
            self._hold()
            return None
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        several, self._several = self._several, False
        if several and waiting and not self._kept.appends:
            waiting = [consolidated(concat(waiting))]  # a row may have come and gone
        return Publication(self._committer.submit(self._commit, waiting))

    def _hold(self) -> None:
        """Keeps the changes for a later epoch."""
        self._several = True
        rows = sum(batch.length for batch in self._waiting)
        if not self._kept.appends and rows > max(_HELD_ROWS, 2 * self._left):
            self._sum_up()

    def _sum_up(self) -> None:
        self._waiting = [consolidated(concat(self._waiting))]
        self._left, self._bytes = self._waiting[0].length, self._waiting[0].nbytes

    def prepare(self) -> None:
        """Everything was published before."""

    def abort(self) -> None:
        """What was not published is given up."""
        self._stopped.set()

    def close(self) -> None:
        """Waits for a commit that is under way."""
        self._stopped.set()
        self._committer.shutdown(wait=True, cancel_futures=True)

    def _commit(self, waiting: list[Batch]) -> None:
        kept = self._kept
        if not waiting and not kept.replaces:
            return

        def cancelled() -> bool:
            return self._stopped.is_set() or kept.cancelled()

        with kept.database.transaction([kept.table], cancelled=cancelled) as transaction:
            if kept.replaces:
                transaction.truncate(kept.table)
            if waiting and waiting[0].length:
                self._stage(transaction, concat(waiting))
            if kept.read is not None:
                transaction.change_catalog(NoteRead(kept.table, kept.read()))
            transaction.commit(ChangeKind.STREAM)
        kept.replaces = False

    def _stage(self, transaction: Transaction, batch: Batch) -> None:
        kept = self._kept
        if kept.appends:
            if batch.weights is not None and (batch.weights < 0).any():
                raise InternalError(f"a row of table {kept.name!r} is taken back, which only ever grows")
            added, removed = batch, np.empty(0, np.int64)
            if batch.weights is not None:
                rows = np.repeat(np.arange(batch.length), batch.weights)
                added = Batch(take_columns(batch.columns, rows), len(rows))
        else:
            if self._rows is None:
                self._rows = RowIds([column.type for column in batch.columns])
            found, removed = self._rows.apply(batch, transaction.state.table(kept.table).end)
            added = found if found is not None else Batch((), 0)
        if len(removed):
            transaction.delete(kept.table, removed)
        if added.length:
            writer = transaction.writer(kept.table)
            writer.write(added.columns, added.length)
            writer.finish()


def open_sink(options: Any, context: OpenContext) -> EpochSink:
    """The writer of a spec's options."""
    return EpochSink(context.objects.get(options["object"]))
