"""Sorted runs: rows collected into runs of bounded size, each sorted when it is full, merged when all have come.

Invariant: all memory is reserved before it is used, and runs are formed in steps, so a task stays responsive however large
its input is.  Rows with equal keys keep their order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, concat_steps
from tableflow.columnar.kernels.sorting import Key, SortedMerge, sort_batch_steps
from tableflow.physical.properties import OrderingKey
from tableflow.physical.steps import pausing
from tableflow.runtime.operator import Emission, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import Field

RUN_ROWS = 1 << 18
RUN_BYTES = 32 << 20
_TAIL_BATCHES = 128
_TAIL_BYTES = 4 << 20
_PUSHES = 16


def key_positions(keys: Sequence[OrderingKey], fields: tuple[Field, ...]) -> tuple[Key, ...]:
    """Keys by position in a batch with these fields."""
    at = {f.id: i for i, f in enumerate(fields)}
    return tuple((at[key.column], key.descending, key.nulls_first) for key in keys)


class BatchBuffer:
    """Batches in order of arrival, without selections; many small ones are put together as they come."""

    def __init__(self) -> None:
        self._whole: list[Batch] = []
        self._tail: list[Batch] = []
        self._tail_bytes = 0
        self.rows = 0
        self.bytes = 0

    def add(self, batch: Batch) -> None:
        """Keeps the selected rows."""
        batch = compact(batch)
        self._tail.append(batch)
        self._tail_bytes += batch.nbytes
        self.rows += batch.length
        self.bytes += batch.nbytes
        if len(self._tail) >= _TAIL_BATCHES or self._tail_bytes >= _TAIL_BYTES:
            self._whole.append(concat(self._tail))
            self._tail = []
            self._tail_bytes = 0

    def drain(self) -> list[Batch]:
        """What was kept, in order; the buffer is empty afterwards."""
        batches = [*self._whole, *self._tail]
        self._whole, self._tail, self._tail_bytes = [], [], 0
        self.rows = self.bytes = 0
        return batches


class SortedRuns:
    """Collects rows into sorted runs under a reservation; ``keep`` says which rows of a run are needed."""

    def __init__(
        self, keys: Sequence[Key], reservation: Reservation, keep: Callable[[Batch], Batch] | None = None
    ) -> None:
        self.keys = tuple(keys)
        self._keep = keep
        self.runs: list[Batch] = []
        self._reservation = reservation
        self._buffer = BatchBuffer()
        self._held = 0

    def add(self, batch: Batch) -> Generator[Suspend, None, None] | None:
        """Keeps the selected rows of a batch; when there are enough, gives what sorts a run of them.

        Nothing is added before that is finished.
        """
        if batch.rows == 0:
            return None
        # Forming a run holds its rows twice more: put together, and in order.
        self._reservation.resize(self._held + 3 * (self._buffer.bytes + batch.nbytes))
        self._buffer.add(batch)
        full = self._buffer.rows >= RUN_ROWS or self._buffer.bytes >= RUN_BYTES
        return self._form_run(self._buffer.drain()) if full else None

    def finish(self) -> Generator[Suspend, None, list[Batch]]:
        """All runs, the last rows included; nothing is added afterwards."""
        if self._buffer.rows:
            yield from self._form_run(self._buffer.drain())
        return self.runs

    def replace(self, runs: Sequence[Batch]) -> None:
        """These runs instead of those that there are."""
        self.runs[:] = runs
        self._held = sum(run.nbytes for run in runs)
        self._reservation.resize(self._held + 3 * self._buffer.bytes)

    def _form_run(self, batches: list[Batch]) -> Generator[Suspend, None, None]:
        rows = yield from pausing(concat_steps(batches))
        batches.clear()
        run = yield from pausing(sort_batch_steps(rows, self.keys))
        if self._keep is not None:
            run = self._keep(run)
        self.runs.append(run)
        self._held += run.nbytes
        self._reservation.resize(self._held)


def merged(runs: Sequence[Batch], keys: Sequence[Key], batch_rows: int, limit: int | None = None) -> Emission:
    """The rows of sorted runs as one sorted stream of batches; of equal keys the earlier run's come first."""
    merge = SortedMerge(len(runs), keys)
    for i, run in enumerate(runs):
        merge.push(i, run)
        merge.finish(i)
        if i % _PUSHES == _PUSHES - 1:  # each looks at all keys of a run
            yield Suspend(READY)
    left = limit
    while left is None or left > 0:
        batch = merge.next(batch_rows if left is None else min(batch_rows, left))
        if batch is None:
            return
        if left is not None:
            left -= batch.length
        yield batch
