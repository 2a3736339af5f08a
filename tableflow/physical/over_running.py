"""Functions with OVER of all rows so far: a row of state for each partition, which stands for all rows that have come out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take, take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, MultiState
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.kernels.windows import key_changes
from tableflow.expressions.nodes import ColumnRef, WindowCall
from tableflow.physical.node import positions
from tableflow.physical.over_carried import Carried, Part, carried
from tableflow.physical.over_computed import PARTITION, ComputedOver
from tableflow.physical.over_distinct import DistinctValues
from tableflow.physical.over_frames import tells_duplicates
from tableflow.physical.over_partitions import Numbers, PartitionKeys, Partitions, by_partition, rows_of
from tableflow.physical.properties import OrderingKey
from tableflow.physical.row_values import RowValues
from tableflow.physical.state_age import StateAge
from tableflow.physical.state_parts import across, join_parts
from tableflow.records import replace
from tableflow.runtime.events import END_OF_TIME
from tableflow.runtime.operator import OperatorContext, Suspend
from tableflow.types import BIGINT, Field

_PEERS = Field(-2, "peers", BIGINT, nullable=False)
_FIRST = -10


class RunningOver:
    """Calls over rows so far, each computed as :mod:`~tableflow.physical.over_carried` says."""

    def __init__(
        self,
        fields: tuple[Field, ...],
        keys: PartitionKeys,
        order: tuple[OrderingKey, ...],
        calls: Sequence[WindowCall],
        ttl: int,
    ) -> None:
        self._calls: list[Carried] = [carried(call) for call in calls]
        self._parts: list[Part] = [part for call in self._calls for part in call.parts]
        types = [of for call in self._calls for of in call.state]
        self._values = RowValues([arg for part in self._parts for arg in part.call.args], fields)
        self._leads = self._leading()
        self._distinct = {
            i: DistinctValues(keys, c.args[0].type, ttl) for i, c in enumerate(calls) if tells_duplicates(c)
        }
        self._told = RowValues([calls[i].args[0] for i in self._distinct], fields)
        self._owners = [i for i, call in enumerate(self._calls) for part in call.parts for _ in part.call.args]
        self._order = [positions(fields)[key.column] for key in order]
        self._first = len(keys.types)
        self._width = len(types)
        self._state: MultiState = keys.state(types)
        self._dealt = keys.dealt
        self._age = StateAge(ttl)
        self._computed = self._inner()

    def _leading(self) -> list[int | None]:
        """For each argument the column of state that stands in front of its values."""
        found: list[int | None] = []
        first = 0
        for call in self._calls:
            for part in call.parts:
                found += [None if part.leads is None else first + part.leads for _ in part.call.args]
            first += len(call.state)
        return found

    def _inner(self) -> ComputedOver:
        arguments: list[Field] = []
        calls: list[WindowCall] = []
        for part in self._parts:
            made = [Field(_FIRST - len(arguments) - i, "argument", a.type) for i, a in enumerate(part.call.args)]
            calls.append(replace(part.call, args=tuple([ColumnRef(f.type, f.id, f.name) for f in made])))
            arguments += made
        results = tuple([Field(_FIRST - len(arguments) - i, "value", call.type) for i, call in enumerate(calls)])
        return ComputedOver((PARTITION, _PEERS, *arguments), (OrderingKey(_PEERS.id),), results, tuple(calls))

    def compute(
        self, rows: Batch, partitions: Partitions, watermark: int, context: OperatorContext
    ) -> Generator[Suspend, None, list[Column]]:
        """A column for each call; rows are in order."""
        count, parts = rows.length, partitions.count
        lanes, slots = rows_of(self._state, partitions)
        where = np.full(parts, NO_SLOT, np.uint32)
        where[lanes] = slots
        before = self._state.columns(range(self._first, self._first + self._width), where, nullable=True)
        leading = lanes if any(lead is not None for lead in self._leads) else lanes[:0]
        of = np.concatenate((leading, partitions.numbers))
        arranged = by_partition(of)
        chunk = self._chunk(rows, self._arguments(rows, partitions), before, leading, of, arranged)
        made = yield from self._computed.of(chunk, context)
        own = np.flatnonzero(arranged >= len(leading))
        if len(leading):
            made = take_columns(made, own)
        order = arranged[own] - len(leading)
        numbers = partitions.numbers[order]
        if len(leading):
            led = np.zeros(parts, np.int64)
            led[leading] = 1
            made = self._without_leads(made, led[numbers])
        shown, after = self._finish(made, take_columns(before, numbers))
        ends = np.flatnonzero(np.append(numbers[1:] != numbers[:-1], True))
        if watermark != END_OF_TIME:
            self._state.remove(slots)
            keys = take_columns(partitions.keys, numbers[ends])
            changes = self._state.apply([*keys, *take_columns(after, ends)], len(ends))
            self._age.touch(changes.slots)
        back = np.empty(count, np.int64)
        back[order] = np.arange(count)
        return take_columns(shown, back)

    def begin(self, context: OperatorContext) -> None:
        """Before anything is kept."""
        self._age.begin(context)
        for kept in self._distinct.values():
            kept.begin(context)

    def forget_old(self) -> None:
        """Forgets partitions to which nothing has been added for long; when a timer has come."""
        self._age.forget_rows(self._state)
        self._age.compact(self._state)
        for kept in self._distinct.values():
            kept.forget_old()

    def advance(self, watermark: int) -> None:
        """No row before this watermark comes any more."""
        if watermark == END_OF_TIME:
            self._state.clear()
            for kept in self._distinct.values():
                kept.clear()
        else:
            self._age.compact(self._state)

    @property
    def rows(self) -> int:
        """Partitions, and values that DISTINCT has seen in them."""
        return self._state.rows + sum(kept.rows for kept in self._distinct.values())

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._state.bytes + self._age.held + sum(kept.held for kept in self._distinct.values())

    def snapshot(self, keys: KeyRange) -> bytes:
        """A row for each partition, and the values that have come."""
        values = [kept.snapshot(keys) for kept in self._distinct.values()]
        return join_parts([self._age.save_rows(self._state, keys, self._dealt), *values])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        own, *values = across(parts)
        self._age.load_rows(self._state, own)
        for kept, part in zip(self._distinct.values(), values, strict=True):
            kept.restore(part)

    def _arguments(self, rows: Batch, partitions: Partitions) -> list[Column]:
        """The arguments of all parts; of those that are DISTINCT only values that are new."""
        given, _ = self._values.mixed(rows)
        if not self._distinct:
            return given
        values, _ = self._told.mixed(rows)
        every = np.arange(rows.length)
        new = {
            i: np.where(kept.take(column, partitions), every, -1)
            for (i, kept), column in zip(self._distinct.items(), values, strict=True)
        }
        return [
            take(column, new[owner], nullable=True) if owner in new else column
            for column, owner in zip(given, self._owners, strict=True)
        ]

    def _chunk(
        self,
        rows: Batch,
        given: list[Column],
        before: list[Column],
        leading: Numbers,
        of: Numbers,
        arranged: Numbers,
    ) -> Batch:
        """The arguments by partition, in front of them what was before."""
        mine = arranged >= len(leading)
        order = arranged[mine] - len(leading)
        ordered = take_columns([rows.columns[i] for i in self._order], order)
        numbers = of[arranged]
        begins = np.zeros(len(order), np.int64)
        begins[
            key_changes(Batch([Column(BIGINT, pa.array(numbers[mine])), *ordered], len(order)), range(len(ordered) + 1))
        ] = 1
        peers = np.full(len(arranged), -1, np.int64)
        peers[mine] = np.cumsum(begins)
        columns = [Column(BIGINT, pa.array(numbers)), Column(BIGINT, pa.array(peers))]
        for column, lead in zip(given, self._leads, strict=True):
            if not len(leading):
                columns += take_columns([column], arranged)
            elif lead is None:
                columns += take_columns([column], np.where(mine, arranged - len(leading), -1), nullable=True)
            else:
                head = Batch(take_columns([before[lead]], leading), len(leading))
                columns += take_columns(concat([head, Batch([column], rows.length)]).columns, arranged)
        return Batch(columns, len(arranged))

    def _without_leads(self, made: list[Column], led: Numbers) -> list[Column]:
        """Numbers that have counted what stands in front of a partition's rows, without that."""
        return [
            Column(BIGINT, pa.array(column.array.to_numpy() - led)) if part.counts else column
            for column, part in zip(made, self._parts, strict=True)
        ]

    def _finish(self, made: list[Column], before: list[Column]) -> tuple[list[Column], list[Column]]:
        """Values, and the state after each row."""
        shown: list[Column] = []
        after: list[Column] = []
        ends = np.cumsum([0, *(len(call.parts) for call in self._calls)]).tolist()
        states = np.cumsum([0, *(len(call.state) for call in self._calls)]).tolist()
        for call, (begin, end), (first, last) in zip(self._calls, pairwise(ends), pairwise(states), strict=True):
            value, state = call.finish(made[begin:end], before[first:last])
            shown.append(value)
            after += state
        return shown, after
