"""Joins whose conditions bound event time, of rows that stay: what comes out stays, too, and has an event time.

Pairs come out as soon as both rows are there.  A row without a partner, where that matters (outer and anti joins), waits until no partner
can come any more, and comes out then, once.  Everything that comes out has times that are behind the watermark by no more than
``delay``, so the watermark that is handed on is held back by that; and by what has not been looked for yet, since old rows are
looked for only now and then where there are many.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_columns
from tableflow.columnar.kernels.multi_state import Slots
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.changelog_join import COUNTS_PARTNERS, ChangelogJoin, ChangelogJoinOperator
from tableflow.physical.changelog_side import Arrival
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import positions
from tableflow.physical.state_parts import least
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TimedJoin(ChangelogJoin):
    """A join of two inputs that only add rows, which does the same: INNER, LEFT, RIGHT, FULL, SEMI, ANTI (not NULL-aware).

    A side whose rows come out without a partner has a retention.  ``delay``: microseconds by which watermarks are held back.
    """

    delay: int


def timed(of: ChangelogJoin, delay: int) -> TimedJoin:
    """The same join, whose output does not change."""
    return TimedJoin(**{each.name: getattr(of, each.name) for each in fields(of)}, delay=delay)


class TimedJoinOperator(ChangelogJoinOperator):
    """One task's part of a :class:`TimedJoin`."""

    def __init__(self, node: TimedJoin) -> None:
        super().__init__(node)
        self._appends = True
        self._delay = node.delay
        self._looked = START_OF_TIME
        counted = COUNTS_PARTNERS[node.kind]
        self._lone = (False, False) if node.kind is HashJoinKind.SEMI else counted
        self._arriving = []
        for side, child, alone in zip(self._sides, node.inputs, self._rules.alone, strict=True):
            where = positions(child.fields)
            self._arriving.append([where[side.fields[i].id] for i in alone])

    @property
    def delays_watermarks(self) -> bool:
        """Rows come out behind the watermark."""
        return True

    def process(self, batch: Batch, port: int) -> Emission:
        """The pairs of these rows; a row without a time matches nothing."""
        timeless = self._sides[port].timeless(batch)
        if timeless is None:
            yield from super().process(batch, port) or ()
            return
        without, batch = timeless
        if self._lone[port]:
            rows = compact(without)
            columns = [rows.columns[i] for i in self._arriving[port]]
            yield from self._alone(port, columns, rows.length).pieces(self._context.batch_rows)
        yield from super().process(batch, port) or ()

    def _alone(self, port: int, columns: list[Column], rows: int) -> Batch:
        made = self._rules.lone(port, columns, np.ones(rows, np.int64), np.zeros(rows, np.int8))
        return Batch(made.columns, made.length)

    def _arrived(self, port: int, arrival: Arrival) -> Iterator[Batch]:
        """Rows whose keys match nothing come out at once; whether others do is seen later."""
        if not self._lone[port]:
            yield from super()._arrived(port, arrival)
            return
        self._sides[port].state.take_marked()
        rows = arrival.changes.unmatchable
        if len(rows):
            columns = take_columns([arrival.columns[i] for i in self._rules.alone[port]], rows)
            yield self._alone(port, columns, len(rows))

    def _touched(self, port: int) -> Iterator[Batch | None]:
        """Rows that have partners now have them for ever."""
        if not self._lone[port]:
            yield from super()._touched(port)
            return
        self._sides[port].state.take_marked()
        yield None

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows that are of no more use come out if they have no partner, and are forgotten."""
        self._time = watermark.time
        return self._advance(at_once=watermark.time == END_OF_TIME)

    def on_idle(self) -> Emission | None:
        """Nobody shall wait for rows that can come out."""
        return self._advance(at_once=True) if self._looked < self._time else None

    def _advance(self, *, at_once: bool) -> Emission:
        everywhere = True
        for port, side in enumerate(self._sides):
            old = side.passed(self._time, at_once=at_once)
            if old is None:
                everywhere = False
                continue
            if self._lone[port]:
                yield from self._without_partner(port, old)
            side.forget(old)
        if everywhere:
            self._looked = self._time
        yield Watermark(self._held_back())

    def _held_back(self) -> int:
        if self._looked in {START_OF_TIME, END_OF_TIME}:
            return self._looked
        return max(self._looked - self._delay, START_OF_TIME)

    def _without_partner(self, port: int, old: Slots) -> Emission:
        side, size = self._sides[port], self._context.batch_rows
        for first in range(0, len(old), size):
            slots = old[first : first + size]
            lone = slots[side.state.marks(slots) == 0]
            if len(lone):
                yield self._alone(port, side.columns(self._rules.alone[port], lone), len(lone))
            else:
                yield Suspend(READY)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """How far old rows have been looked for, and what a join of changelogs keeps."""
        return struct.pack("<q", self._looked) + super().snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts everything back."""
        self._looked = least([part[:8] for part in parts])
        super().restore([part[8:] for part in parts])
