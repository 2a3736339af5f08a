"""Feeds an operator events without a runtime, and collects what it says, row by row.

With ``rebuild`` the operator is thrown away after every event: a new one, opened afresh, is restored from its snapshot, given in
three parts by ranges of keys.  Whoever keeps more between calls than declared state, or does not make one of three, gives another answer then.

    harness = EventHarness(lambda: build(node), node.input.fields)
    harness.rows([(1, 10), (2, 20)], weights=[1, -1])
    harness.watermark(100)
    harness.epoch()
    harness.end()
    assert harness.changes() == Counter({(1,): 1})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.representation import canonical
from tableflow.config import Settings
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, EndOfInput, Epoch, Idle, Watermark
from tableflow.runtime.operator import Operator, Suspend
from tableflow.types import Field
from tests.kernels.columns import rows_of

Row = tuple[Any, ...]


class Reservation:
    """Counts; refuses beyond a limit."""

    def __init__(self) -> None:
        self.bytes = 0
        self.most = 0
        self.rows: Callable[[], int] | None = None

    def resize(self, bytes: int) -> None:
        self.bytes = bytes
        self.most = max(self.most, bytes)

    def release(self) -> None:
        self.bytes = 0


class WritingSink:
    """A sink writer that remembers rows."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.rows: list[Row] = []
        self.prepared = self.closed = False
        self.room: Any = None
        self.epochs: list[int] = []

    def write(self, batch: Batch) -> None:
        self.rows.extend(rows_of(batch))

    def publish(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def prepare(self) -> Any:
        self.prepared = True
        return len(self.rows)

    def abort(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class HarnessContext:
    """The operator's world: a clock that the test moves, timers, counters, reservations, sinks."""

    task_index = 0
    parallelism = 1
    began = 0

    def __init__(self, batch_rows: int = 65_536, settings: Settings | None = None) -> None:
        self.batch_rows = batch_rows
        self.settings = settings or Settings()
        self.time = 0
        self.timers: set[int] = set()
        self.counted: Counter[str] = Counter()
        self.reservations: dict[str, Reservation] = {}
        self.sinks: list[WritingSink] = []
        self.outside: Any = None
        """What answers as the lookup table."""
        self.awaited: list[Any] = []

    def reserve(self, name: str, bytes: int = 0) -> Reservation:
        self.reservations.setdefault(name, Reservation()).resize(bytes)
        return self.reservations[name]

    def waits(self, what: str | None) -> None:
        """Nobody looks."""

    def count(self, counter: str, by: int = 1) -> None:
        self.counted[counter] += by

    def now(self) -> int:
        return self.time

    def set_timer(self, time: int) -> None:
        self.timers.add(time)

    def sink(self, spec: Any) -> WritingSink:
        self.sinks.append(WritingSink(spec))
        return self.sinks[-1]

    def lookup(self, spec: Any) -> Any:
        return self.outside

    def notify(self, wake: Any) -> None:
        self.awaited.append(wake)

    def publication(self, key: str) -> Any:
        raise AssertionError("operators under test publish nothing")

    @property
    def state_bytes(self) -> int:
        """Bytes held by all reservations."""
        return sum(reservation.bytes for reservation in self.reservations.values())

    @property
    def state_rows(self) -> int:
        """Rows and groups in all reservations that can tell them."""
        return sum(reservation.rows() for reservation in self.reservations.values() if reservation.rows is not None)


class EventHarness:
    """One operator and everything it has said; see the module."""

    def __init__(
        self,
        make: Callable[[], Operator],
        *inputs: Sequence[Field],
        rebuild: bool = False,
        batch_rows: int = 65_536,
        settings: Settings | None = None,
        outside: Any = None,
    ) -> None:
        """``outside`` answers as the lookup table, when :meth:`answer` is called or an operator waits for it."""
        self._make = make
        self._inputs = inputs
        self._rebuild = rebuild
        self.context = HarnessContext(batch_rows, settings)
        self.context.outside = outside
        self.said: list[Batch | Watermark | Epoch | Idle | EndOfInput] = []
        """Batches and control events in the order they left."""
        self._time = START_OF_TIME
        self._epoch = 0
        self.operator = make()
        self.operator.open(self.context)

    def batch(self, batch: Batch, port: int = 0) -> None:
        """One batch arrives."""
        self._take(self.operator.process(batch, port))
        self._renew()

    def rows(self, rows: Sequence[Row], port: int = 0, weights: Sequence[int] | None = None) -> None:
        """One batch of these rows arrives."""
        self.batch(batch_of(self._inputs[port], rows, weights), port)

    def watermark(self, time: int) -> None:
        """Event time advances (to no later time: nothing happens, as in a task)."""
        if time <= self._time:
            return
        self._time = time
        watermark = Watermark(time).rounded_down(self.operator.time_unit)
        self._take(self.operator.on_watermark(watermark))
        if not (self.operator.generates_watermarks or self.operator.delays_watermarks):
            self.said.append(watermark)
        self._renew()

    def epoch(self, number: int | None = None, time: int = START_OF_TIME) -> None:
        """An epoch is aligned, which was made at this ``time``."""
        self._epoch = self._epoch + 1 if number is None else number
        event = Epoch(self._epoch, time=time)
        self._take(self.operator.on_epoch(event))
        self.said.append(event)
        self._renew()

    def clock(self, time: int) -> None:
        """Processing time advances; timers that have come fire in order."""
        while due := [timer for timer in self.context.timers if timer <= time]:
            first = min(due)
            self.context.timers.discard(first)
            self.context.time = max(self.context.time, first)
            self._take(self.operator.on_timer(first))
            self._renew()
        self.context.time = time

    def answer(self) -> None:
        """The outside table answers one question; the operator is told of what is ready."""
        self.context.outside.answer()
        ready = [wake for wake in self.context.awaited if wake.ready]
        self.context.awaited = [wake for wake in self.context.awaited if not wake.ready]
        for _ in ready:
            self._take(self.operator.on_ready())
        self._renew()

    def idle(self) -> None:
        """The input is idle."""
        self._take(self.operator.on_idle())
        self.said.append(Idle())
        self._renew()

    def end(self, *ports: int) -> None:
        """These ports (all, unless named) end; with all of them the output does."""
        if not ports or len(ports) == len(self._inputs):
            self.watermark(END_OF_TIME)
        for port in ports or range(len(self._inputs)):
            self._take(self.operator.on_end(port))
        self.said.append(EndOfInput())

    def close(self) -> None:
        """Closes the operator; everything it reserved is given back."""
        self.operator.close()
        assert self.context.state_bytes == 0

    @property
    def batches(self) -> list[Batch]:
        """The batches it gave."""
        return [item for item in self.said if isinstance(item, Batch)]

    @property
    def emitted(self) -> list[Row]:
        """Rows in order, the weight last."""
        return [row for batch in self.batches for row in rows_of(batch)]

    def changes(self) -> Counter[Row]:
        """The sum of all changes: rows whose weights do not cancel out."""
        return summed(self.emitted)

    def take(self) -> list[Row]:
        """Rows (weight last) emitted since the last call; control events are forgotten as well."""
        rows = self.emitted
        self.said.clear()
        return rows

    def _take(self, emission: Iterator[Any] | None) -> None:
        for item in emission or ():
            if isinstance(item, Suspend):
                while not item.wake.ready and self.context.outside is not None:
                    self.context.outside.answer()
                assert item.wake.ready, "nobody will wake the operator"
                continue
            if isinstance(item, Watermark):
                assert self.operator.generates_watermarks or self.operator.delays_watermarks
            else:
                assert item.rows <= self.context.batch_rows
            self.said.append(item)

    def _renew(self) -> None:
        if not self._rebuild:
            return
        parts = in_three(self.operator)
        self.operator.close()
        self.operator = self._make()
        self.operator.open(self.context)
        self.operator.restore(parts)


def in_three(operator: Operator) -> list[bytes]:
    """An operator's state in three parts, of ranges of different sizes."""
    parts = [operator.snapshot(KeyRange(*cut)) for cut in pairwise((0, (1 << 32) // 5, (1 << 33) // 3, 1 << 32))]
    assert all(isinstance(part, bytes) for part in parts)
    return parts


def batch_of(fields: Sequence[Field], rows: Sequence[Row], weights: Sequence[int] | None = None) -> Batch:
    """A batch of rows, whose values are what Arrow takes for the types (times of day and moments as integers too)."""
    columns = []
    for i, field in enumerate(fields):
        columns.append(Column(field.type, pa.array([row[i] for row in rows], canonical(field.type))))
    return Batch(columns, len(rows), None, None if weights is None else np.array(weights, np.int64))


def summed(rows: Sequence[Row]) -> Counter[Row]:
    """Rows with their weights added up (the weight is each row's last value); what cancels out is left out."""
    total: Counter[Row] = Counter()
    for *row, weight in rows:
        total[tuple(row)] += weight
    return Counter({row: weight for row, weight in total.items() if weight})
