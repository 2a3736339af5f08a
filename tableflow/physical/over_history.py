"""The rows that OVER has given out and still reads: those that frames of rows to come begin with.

Invariant: rows are numbered in the order in which they came out, and of each partition the last ones are kept, as far as
some call reaches.  What is read but not kept is the partition's beginning.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat_steps, take_columns, take_rows_steps
from tableflow.columnar.kernels.multi_state import Slots
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.kernels.windows import key_changes
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import Expression, WindowCall, column_ids
from tableflow.physical.assign_watermarks import keeps_order, storage_times, units_per_microsecond, within_time
from tableflow.physical.assign_windows import time_column
from tableflow.physical.node import positions
from tableflow.physical.over_computed import PARTITION, ComputedOver
from tableflow.physical.over_frames import Reach
from tableflow.physical.over_partitions import Numbers, PartitionKeys, Partitions, by_partition, rows_of
from tableflow.physical.properties import OrderingKey
from tableflow.physical.state_age import AgedState
from tableflow.physical.steps import pausing
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME
from tableflow.runtime.operator import OperatorContext, Suspend
from tableflow.types import BIGINT, Field

_SMALL = 65_536
_CALENDAR = 2 * 86_400_000_000
"""Microseconds by which a later row's frame may begin earlier: months end on several days, and clocks are changed."""


class OverHistory(AgedState):
    """Calls with frames that begin, and the rows of ``fields`` that these still need."""

    def __init__(
        self,
        fields: tuple[Field, ...],
        keys: PartitionKeys,
        order: tuple[OrderingKey, ...],
        calls: Sequence[tuple[Field, WindowCall, Reach]],
        behind: int,
        ttl: int,
    ) -> None:
        """``behind``: by how many microseconds rows may be behind the watermark."""
        self._behind = behind
        read = frozenset[int]().union(*(column_ids(call) for _, call, _ in calls)) | {key.column for key in order}
        self._fields = tuple(f for f in fields if f.id in read)
        where, there = positions(fields), positions(self._fields)
        self._read = [where[f.id] for f in self._fields]
        self._order = [there[key.column] for key in order]
        self._time = there[order[0].column]
        self._keys = keys
        self._first = len(keys.types)
        super().__init__(keys.state([*(f.type for f in self._fields), BIGINT]), ttl, keys.dealt)
        self._number = 0
        reaches = [reach for _, _, reach in calls]
        self._everything = any(reach.everything for reach in reaches)
        self._rows = max(reach.rows for reach in reaches)
        self._groups = max(reach.groups for reach in reaches)
        self._since = [within_time(reach.since) for reach in reaches if reach.since is not None]
        fixed = all(keeps_order(reach.since, order[0].column) for reach in reaches if reach.since is not None)
        self._slack = 0 if fixed else _CALENDAR
        results = tuple(result for result, _, _ in calls)
        self._computed = ComputedOver((*self._fields, PARTITION), order, results, tuple(call for _, call, _ in calls))
        self._credit = 0
        self._bounded: tuple[int, int | None] = START_OF_TIME, None

    def compute(
        self, rows: Batch, count: int, partitions: Partitions, watermark: int, context: OperatorContext
    ) -> Generator[Suspend, None, list[Column]]:
        """A column for each call, for the first ``count`` rows; the others are only looked at.

        Rows are in order.  No row before ``watermark`` comes out after these.
        """
        lanes, slots = rows_of(self._state, partitions)
        stored = self._state.columns(range(self._first, self._first + len(self._fields) + 1), slots)
        order = np.argsort(stored[-1].array.to_numpy()) if len(slots) else np.zeros(0, np.int64)
        lanes, slots = lanes[order], slots[order]
        before = Batch(take_columns(stored[:-1], order), len(order))
        fresh = Batch([rows.columns[i] for i in self._read], rows.length)
        numbers = np.concatenate((lanes, partitions.numbers))
        arranged = by_partition(numbers)
        both = yield from pausing(concat_steps([before, fresh] if len(slots) else [fresh]))
        chunk = yield from pausing(take_rows_steps(both, arranged))
        of = numbers[arranged]
        chunk = chunk.with_columns([*chunk.columns, Column(BIGINT, pa.array(of))])
        made = yield from self._computed.of(chunk, context)
        mine = np.flatnonzero((arranged >= len(slots)) & (arranged < len(slots) + count))
        places = np.empty(count, np.int64)
        places[arranged[mine] - len(slots)] = mine
        results = take_columns(made, places)
        if watermark != END_OF_TIME:
            gone = np.flatnonzero(arranged < len(slots) + count)
            self._keep(chunk, gone, arranged[gone], of[gone], slots, partitions, self._bound(watermark))
        return results

    def _bound(self, watermark: int) -> int | None:
        """The least time, as it is stored, that frames of rows at the watermark and after it may begin with."""
        if not self._since or self._bounded[0] == watermark:
            return self._bounded[1]
        field = self._fields[self._time]
        unit = units_per_microsecond(field.type)
        now = max(min((watermark - self._behind) * unit, END_OF_TIME), START_OF_TIME)
        row = Batch([time_column(field.type, np.array([now]))], 1)
        found = project(self._since, row, {field.id: 0})
        known = not any(column.array.null_count for column in found)
        bound = min(int(storage_times(column)[0]) for column in found) if known else START_OF_TIME
        bound = max(bound - self._slack * unit, START_OF_TIME)
        self._bounded = watermark, bound
        return bound

    def _keep(
        self,
        chunk: Batch,
        rows: Numbers,
        sources: Numbers,
        of: Numbers,
        slots: Slots,
        partitions: Partitions,
        bound: int | None,
    ) -> None:
        """Of rows of the chunk that are out, by partition and in order, keeps what is still needed; ``sources``: the slot's
        place, or behind these that of a row that is out now.
        """
        stays = self._stays(chunk, rows, of, bound)
        old = sources < len(slots)
        kept = slots[sources[old & stays]]
        leaving = slots[sources[old & ~stays]]
        if len(leaving):
            self._state.remove(leaving)
        coming = np.flatnonzero(~old & stays)
        if len(coming):
            keys = take_columns(partitions.keys, of[coming])
            columns = take_columns(chunk.columns[: len(self._fields)], rows[coming])
            numbers = Column(BIGINT, pa.array(sources[coming] - len(slots) + self._number))
            changes = self._state.apply([*keys, *columns, numbers], len(coming))
            self._age.touch(changes.slots)
        self._age.touch(kept)
        self._number += len(rows) - int(old.sum())
        self._credit += 4 * len(coming)

    def _stays(self, chunk: Batch, rows: Numbers, of: Numbers, bound: int | None) -> npt.NDArray[np.bool_]:
        if self._everything:
            return np.ones(len(rows), np.bool_)
        begins = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        ends = np.repeat(np.append(begins[1:], len(of)), np.diff(np.append(begins, len(of))))
        stays = np.asarray(ends - np.arange(len(of)) <= self._rows)
        if self._groups:
            ordered = take_columns([chunk.columns[i] for i in self._order], rows)
            compared = Batch([Column(BIGINT, pa.array(of)), *ordered], len(rows))
            group = np.zeros(len(rows), np.int64)
            group[key_changes(compared, range(len(compared.columns)))] = 1
            group = np.cumsum(group)
            stays |= group[ends - 1] - group < self._groups
        if bound is not None:
            times = storage_times(take_columns([chunk.columns[self._time]], rows)[0])
            stays |= times >= bound
        return stays

    def _forget(self, bound: int | None) -> None:
        """Forgets rows of partitions that are silent, where time alone says so; not more often than pays."""
        if bound is None or self._everything or self._rows or self._groups or not self._state.rows:
            return
        self._credit += self._state.slots // 64
        if self._state.slots > _SMALL and self._credit < self._state.slots:
            return
        self._credit = 0
        old = self._state.below(self._first + self._time, bound)
        if len(old):
            self._state.remove(old)

    def advance(self, watermark: int) -> None:
        """No row before this watermark comes any more."""
        if watermark == END_OF_TIME:
            self._state.clear()
        else:
            self._forget(self._bound(watermark))
            self._age.compact(self._state)

    def reads(self, rows: int) -> int:
        """About how many rows are looked at to compute so many."""
        keys = self._state.keys
        return self._state.rows * min(rows, keys) // keys if keys else 0

    def snapshot(self, keys: KeyRange) -> bytes:
        """The rows, behind the number of the next one."""
        return struct.pack("<q", self._number) + super().snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back; a row that comes is behind those of all parts."""
        self._number = max([struct.unpack_from("<q", part)[0] for part in parts])
        super().restore([part[8:] for part in parts])


def latest(expressions: Sequence[Expression], rows: Batch, fields: tuple[Field, ...]) -> Numbers:
    """The last time, in microseconds, up to which each row's frames reach: the greatest of these expressions, rounded down."""
    found = project([within_time(e) for e in expressions], rows, positions(fields))
    times = [
        np.where(
            column.array.is_valid().to_numpy(zero_copy_only=False),
            storage_times(column) // units_per_microsecond(column.type),
            END_OF_TIME,
        )
        for column in found
    ]
    return np.asarray(np.maximum.reduce(times))
