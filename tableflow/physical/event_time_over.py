"""Functions with OVER in the order of event time: each row comes out once, with final values, when time has passed it.

Rows wait until the watermark has passed them, or the end of their frames; then they are computed with what is kept of the rows before
them, in the order of time and then of their other columns.  Their own watermark follows them: with frames that reach behind
a row it is held back to the first row that still waits.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, concat_steps, is_nested, take_rows_steps
from tableflow.columnar.kernels.packed_rows import pack_rows, rows_in, unpack_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.sorting import Key, sort_indices_steps
from tableflow.columnar.keys import encode
from tableflow.errors import InternalError
from tableflow.expressions.nodes import WindowCall
from tableflow.physical.node import UnaryNode, dealt_by, positions
from tableflow.physical.over_frames import Reach, reach
from tableflow.physical.over_history import OverHistory, latest
from tableflow.physical.over_partitions import PartitionKeys
from tableflow.physical.over_running import RunningOver
from tableflow.physical.properties import OrderingKey
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.physical.steps import pausing
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.serialization import serializable
from tableflow.types import BYTES, Field, tick_of

_DAY = 86_400_000_000
_HOLD = 50_000
_LEAST_READ = 32_768
_READ_PER_ROW = 16
"""Where frames are long, rows that time has passed gather for so many microseconds, unless they are worth it before: as long as more rows
than the least, and than so many for each of them, would be read to compute them.
"""

_PIECE_ROWS = 131_072
"""Rows that are computed at once, so that a task stays responsive whatever time has passed."""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimeOver(UnaryNode):
    """Each call's value for each row; ``fields`` are columns of the input, then ``results``, as in a WindowAggregate.

    The first key of ``order`` is the input's event time, ascending; rows are only added, in any order, and rows of a partition are in
    one task.  Every call has a :func:`~tableflow.physical.over_frames.reach`.  A row that comes behind the watermark is
    late, and counted; with ``behind`` it is when the watermark is so many microseconds after its time (-1: has reached it).  Rows without a time come last.  ``ttl``: what is kept of a partition to which nothing is added is forgotten after so many microseconds.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
    behind: int = 0
    ttl: int = 0

    @property
    def waits_beyond(self) -> bool:
        """Whether rows wait for rows behind them."""
        return any((found := reach(call)) is not None and found.until is not None for call in self.calls)


class EventTimeOverOperator(Operator):
    """One task's part of an :class:`EventTimeOver`."""

    def __init__(self, node: EventTimeOver) -> None:
        fields = node.input.fields
        where = positions(fields)
        self._fields = fields
        self._kept = [where[f.id] for f in node.fields[: len(node.fields) - len(node.results)]]
        self._time = where[node.order[0].column]
        self._partitions = PartitionKeys(node.input, node.partition)
        self._dealt = dealt_by(node.input, [f.id for f in fields])
        self._waiting = RowsInOrder(node.input, node.order, in_time=True, behind=node.behind)
        self._behind = node.behind
        self.time_unit = tick_of(fields[self._time].type)
        self._ahead: Batch | None = None
        self._passed: list[Batch] = []
        self._held: int | None = None  # the watermark that has passed these rows, and has not been told
        chosen: list[Key] = [(where[key.column], key.descending, key.nulls_first) for key in node.order]
        taken = {position for position, _, _ in chosen}
        self._order: list[Key] = [*chosen, *((i, False, False) for i in range(len(fields)) if i not in taken)]
        reaches = [_known(call) for call in node.calls]
        self._until = [found.until for found in reaches if found.until is not None]
        ttl = node.ttl if node.partition else 0
        running = [i for i, found in enumerate(reaches) if found.running]
        framed = [i for i, found in enumerate(reaches) if not found.running]
        self._placed = [*running, *framed]
        self._running: RunningOver | None = None
        self._history: OverHistory | None = None
        if running:
            calls = [node.calls[i] for i in running]
            self._running = RunningOver(fields, self._partitions, node.order, calls, ttl)
        if framed:
            told = [(node.results[i], node.calls[i], reaches[i]) for i in framed]
            self._history = OverHistory(fields, self._partitions, node.order, told, max(node.behind, 0), ttl)
        self._states = [kept for kept in (self._running, self._history) if kept is not None]

    @property
    def delays_watermarks(self) -> bool:
        """Rows may come out behind the watermark that has passed them."""
        return self._history is not None

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("rows")
        self._reservation.rows = self._held_rows
        for kept in self._states:
            kept.begin(context)

    def _held_rows(self) -> int:
        ahead = self._ahead
        waiting = self._waiting.count + (0 if ahead is None else ahead.length)
        return waiting + sum(batch.length for batch in tuple(self._passed)) + sum(kept.rows for kept in self._states)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Rows wait; those behind the watermark are late."""
        if batch.weights is not None:
            raise InternalError("changes arrive where rows are only added")
        if batch.rows:
            late = self._waiting.add(batch)
            if late:
                self._context.count("late_rows", late)
            self._account()
        return None

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """The rows that are final now come out, or gather."""
        self._passed += self._waiting.passed(watermark.time)
        if watermark.time != END_OF_TIME and self._gathers():
            if self._held is None:
                self._context.set_timer(self._context.now() + _HOLD)
            self._held = watermark.time
            return None
        return self._advance(watermark.time)

    def _gathers(self) -> bool:
        """Whether it is better to wait for more rows."""
        if self._history is None:
            return False
        due = sum(batch.length for batch in self._passed)
        ahead = 0 if self._ahead is None else self._ahead.length
        return self._history.reads(due) + ahead > max(_LEAST_READ, _READ_PER_ROW * due) and due + ahead > 0

    def _release(self) -> Emission | None:
        """What has gathered comes out."""
        return None if self._held is None else self._advance(self._held)

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """All that time has passed belongs to the epoch."""
        return self._release()

    def on_idle(self) -> Emission | None:
        """Nothing gathers while nothing comes."""
        return self._release()

    def _advance(self, time: int) -> Emission:
        self._held = None
        passed, self._passed = self._passed, []
        if passed or self._ahead is not None:
            time = yield from self._compute_due(passed, time)
        for kept in self._states:
            kept.advance(time)
        self._account()
        if self.delays_watermarks:
            yield Watermark(time)

    def _compute_due(self, passed: list[Batch], time: int) -> Generator[Batch | Suspend | Watermark, None, int]:
        """Gives the rows that are final; the time that no row which comes later is before."""
        rows = yield from pausing(concat_steps([*passed] if self._ahead is None else [self._ahead, *passed]))
        self._account(2 * rows.nbytes)
        order = yield from pausing(self._in_order(rows))
        rows = yield from pausing(take_rows_steps(rows, order))
        count, out = self._due(rows, time)
        for first, size, seen, until in self._pieces(rows, count, out):
            piece = rows.slice(first, seen)
            results = yield from self._compute(piece, size, until)
            self._account(2 * rows.nbytes)
            for start in range(0, size, self._context.batch_rows):
                part = min(self._context.batch_rows, size - start)
                columns = [piece.columns[i].slice(start, part) for i in self._kept]
                yield Batch([*columns, *(column.slice(start, part) for column in results)], part)
        self._ahead = rows.slice(count, rows.length - count) if count < rows.length else None
        return out

    def _pieces(self, rows: Batch, count: int, out: int) -> Iterator[tuple[int, int, int, int]]:
        """The first ``count`` rows in pieces that do not part rows of one time: the first row, how many, how many are looked at from there,
        and the time of the row behind the piece (``out`` at last).
        """
        if count <= _PIECE_ROWS:
            yield from [(0, count, rows.length, out)] if count else []
            return
        times = self._waiting.times(rows)
        first = 0
        while first < count:
            last = min(first + _PIECE_ROWS, count)
            end = min(int(np.searchsorted(times, times[last - 1], side="right")), count)
            seen = end
            if self._until:
                reached = int(latest(self._until, rows.slice(first, end - first), self._fields).max())
                seen = max(
                    end, int(np.searchsorted(times, min(reached, END_OF_TIME - _DAY) + self._behind, side="right"))
                )
            until = min(self._time_of(rows, end), END_OF_TIME - 1) if end < count else out
            yield first, end - first, seen - first, until
            first = end

    def _in_order(self, rows: Batch) -> Generator[None, None, np.ndarray]:
        """Where the rows are in the order of time, and of all that they have."""
        columns = [Column(BYTES, encode(column)) if is_nested(column) else column for column in rows.columns]
        return (yield from sort_indices_steps(Batch(columns, rows.length), self._order))

    def _due(self, rows: Batch, time: int) -> tuple[int, int]:
        """How many rows, from the first on, are final now; and the time that no row that is not yet out is before."""
        if time == END_OF_TIME or not self._until:
            return rows.length, time
        waiting = np.flatnonzero(latest(self._until, rows, self._fields) >= time - self._behind)
        if not len(waiting):
            return rows.length, time
        count = int(waiting[0])
        return count, self._time_of(rows, count)

    def _time_of(self, rows: Batch, row: int) -> int:
        """A watermark that neither a row nor any that comes behind it is before."""
        return int(self._waiting.times(rows.slice(row, 1))[0]) - max(self._behind, 0)

    def _compute(self, rows: Batch, count: int, time: int) -> Generator[Suspend, None, list[Column]]:
        """A column for each call, in their order, for the first ``count`` rows."""
        made: list[Column] = []
        partitions = self._partitions.of(rows)
        if self._running is not None:
            due = rows if count == rows.length else rows.slice(0, count)
            of = partitions if count == rows.length else self._partitions.of(due)
            made += yield from self._running.compute(due, of, time, self._context)
        if self._history is not None:
            made += yield from self._history.compute(rows, count, partitions, time, self._context)
        by_call = sorted(zip(self._placed, made, strict=True), key=lambda pair: pair[0])
        return [column for _, column in by_call]

    def _account(self, more: int = 0) -> None:
        ahead = sum(batch.nbytes for batch in self._passed) + (0 if self._ahead is None else self._ahead.nbytes)
        self._reservation.resize(sum(kept.held for kept in self._states) + ahead + self._waiting.bytes + more)

    def on_timer(self, time: int) -> Emission | None:
        """What has not changed for long is forgotten; what has gathered comes out."""
        for kept in self._states:
            kept.forget_old()
        self._account()
        return self._release()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Rows that wait, and what is kept of those that do not."""
        held = b"" if self._held is None else struct.pack("<q", self._held)
        beyond = [rows_in(keys, rows, self._dealt) for rows in ([self._ahead] if self._ahead else [], self._passed)]
        states = [kept.snapshot(keys) for kept in self._states]
        return join_parts([self._waiting.snapshot(keys), *map(pack_rows, beyond), held, *states])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back.  What has gathered comes out at an epoch, so that rows of several tasks have not."""
        waiting, ahead, passed, held, *kept = across(parts)
        if any(held):
            self._held = least([time for time in held if time])
            self._context.set_timer(self._context.now() + _HOLD)
        self._waiting.restore(waiting)
        types = [f.type for f in self._fields]
        reaching = [rows for part in ahead if (rows := unpack_rows(part, types)) is not None]
        self._ahead = concat(reaching) if reaching else None
        self._passed = [rows for part in passed if (rows := unpack_rows(part, types)) is not None]
        for each, saved in zip(self._states, kept, strict=True):
            each.restore(saved)
        self._account()

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_reservation"):
            self._reservation.release()


def _known(call: WindowCall) -> Reach:
    found = reach(call)
    if found is None:
        raise InternalError(f"{call.function} over rows that time does not end")
    return found
