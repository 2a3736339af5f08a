"""Equality joins of two changelogs.

What has come out is at any time the join of what has come in: the product of counts for pairs, and for rows of a side whose
partners matter (outer, semi, anti joins, marks) the count of the row as long as its partners say so.  A partner is one that is
visible, that is with a count above zero; counts below zero are kept until they are made good.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import field

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.multi_state import Slots
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import DataError, InternalError, Span
from tableflow.expressions.nodes import Expression
from tableflow.physical.changelog_pairs import PARTNER, PairRules, halves, partner_codes
from tableflow.physical.changelog_side import Arrival, ChangelogSide
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import BinaryNode
from tableflow.physical.pair_condition import domains_of
from tableflow.physical.retention import Retention
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.records import dataclass
from tableflow.runtime.events import START_OF_TIME, Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogJoin(BinaryNode):
    """Pairs of rows whose key expressions are pairwise equal and for which ``residual`` is TRUE; never a BUILD_ kind.

    Keys, ``null_safe``, ``null_aware`` and ``mark`` mean what they mean in :class:`~tableflow.physical.hash_join.HashJoin`; without
    keys every row is compared with every other.  Both inputs are hash-exchanged on the keys (where the answer has three values
    on the null-safe ones), or there is one task.
    ``fields``: columns of the left, then of the right for INNER, LEFT, RIGHT, FULL, SINGLE; columns of the left for SEMI, ANTI, and
    then the mark for MARK; any of them may be left out when unused (order kept).
    ``left_appends``, ``right_appends``: the input has no weights.  INNER over two of them gives no weights either, and so does
    SEMI.  All other outputs are retract streams.
    A second match of SINGLE is an error only if it stands when an epoch passes, or at the end.
    ``left_retention``, ``right_retention``: rows of the input that are no longer of use are forgotten (interval and window joins).
    Only for inputs that take no row back which is older than that; late rows are dropped and counted as ``late_rows``.
    ``left_ttl``, ``right_ttl``: rows that do not change are forgotten after so many microseconds; what has come out stays.
    """

    kind: HashJoinKind
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    residual: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    left_appends: bool = False
    right_appends: bool = False
    left_retention: Retention | None = None
    right_retention: Retention | None = None
    left_ttl: int = 0
    right_ttl: int = 0
    span: Span | None = field(default=None, compare=False)

    @property
    def kept_for_ever(self) -> tuple[str, ...]:
        """The sides whose rows have no end, are never taken back and never forgotten: state that grows without bound."""
        sides = (
            ("left", self.left, self.left_appends, self.left_retention, self.left_ttl),
            ("right", self.right, self.right_appends, self.right_retention, self.right_ttl),
        )
        return tuple(
            [
                name
                for name, side, appends, retention, ttl in sides
                if appends and retention is None and not ttl and not side.facts.properties.bounded
            ]
        )


COUNTS_PARTNERS = {
    HashJoinKind.INNER: (False, False),
    HashJoinKind.LEFT: (True, False),
    HashJoinKind.RIGHT: (False, True),
    HashJoinKind.FULL: (True, True),
    HashJoinKind.SEMI: (True, False),
    HashJoinKind.ANTI: (True, False),
    HashJoinKind.MARK: (True, False),
    HashJoinKind.SINGLE: (True, False),
}
"""Whether what comes out for a row of the left, of the right, depends on how many partners it has."""

_PIECE_ROWS = 8192
_PAIR_ROWS = 16_384


class ChangelogJoinOperator(Operator):
    """One task's part of a :class:`ChangelogJoin`.

    A batch enters its own side's state, then meets the other side's: each row whose count has changed is paired with the rows
    there.  Numbers of partners are brought up to date pair by pair; what follows from them comes out when all pairs are done.
    """

    def __init__(self, node: ChangelogJoin) -> None:
        if node.kind not in COUNTS_PARTNERS:
            raise InternalError(f"a {node.kind.value} join of changelogs")
        self._node = node
        keys = (node.left_keys, node.right_keys)
        self._rules = rules = PairRules(node.kind, keys, node.null_safe, node.residual, null_aware=node.null_aware)
        timed = (node.left_retention, node.right_retention)
        kept = rules.read | {f.id for f in node.fields} | {each.column for each in timed if each is not None}
        self._sides = (
            ChangelogSide(
                node.left, kept, rules.left_keys, rules.null_safe, appends=node.left_appends, ttl=node.left_ttl
            ),
            ChangelogSide(
                node.right,
                kept,
                rules.right_keys,
                rules.null_safe,
                appends=node.right_appends,
                ttl=node.right_ttl,
            ),
        )
        rules.resolve((self._sides[0].fields, self._sides[1].fields), node.fields, node.mark)
        for side, child, retention in zip(self._sides, node.inputs, timed, strict=True):
            if retention is not None:
                side.expire(retention, child.fields)
        self.time_unit = max((each.unit for each in timed if each is not None), default=1)
        self._counts_partners = COUNTS_PARTNERS[node.kind]
        only_appends = {HashJoinKind.INNER, HashJoinKind.SEMI}
        self._appends = node.left_appends and node.right_appends and node.kind in only_appends
        self._suspects: list[Slots] = []
        self._ended: set[int] = set()
        self._time = START_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._rules.prepare(context.settings, domains_of(self._node.left, self._node.right))
        for side, name in zip(self._sides, ("left rows", "right rows"), strict=True):
            side.open(context, name)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What changes because of these rows."""
        timely = self._sides[port].timely(batch)
        if timely.rows < batch.rows:
            self._context.count("late_rows", batch.rows - timely.rows)
        return self._changes(timely, port) if timely.rows else None

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Rows of both sides that are no longer of use are forgotten."""
        self._time = watermark.time
        for side in self._sides:
            side.advance(watermark.time)
        return None

    def _changes(self, batch: Batch, port: int) -> Emission:
        self._sides[port].begin(batch)
        for piece in batch.pieces(min(_PIECE_ROWS, self._context.batch_rows)):
            yield from self._sides[port].room(piece)
            for made in self._meet(piece, port):
                if made is None:
                    yield Suspend(READY)
                elif made.rows:
                    yield Batch(made.columns, made.length, made.selection) if self._appends else made
        self._sides[port].end()

    def _meet(self, piece: Batch, port: int) -> Iterator[Batch | None]:
        """What comes out for a piece; None where nothing does for a while."""
        side, other = self._sides[port], self._sides[1 - port]
        arrival = side.arrive(piece)
        rows = min(self._context.batch_rows, self._rules.most_at_once(_PAIR_ROWS))
        for lanes, slots in other.partners(side, arrival).pieces(rows):
            pairs = self._rules.pairs(port, arrival, lanes, other, slots)
            chosen, unknown = self._rules.judged(pairs)
            if any(self._counts_partners):
                for picked, unit in ((chosen, PARTNER), (unknown, 1)):
                    if unit == PARTNER or picked is not None:
                        at = (lanes, slots) if picked is None else (lanes[picked], slots[picked])
                        self._count_partners(port, arrival, *at, unit)
            if not self._rules.emits_pairs:
                yield None
                continue
            weights = None if self._appends else arrival.changes.deltas[lanes] * other.state.counts(slots)
            yield Batch(self._rules.output(pairs), pairs.length, chosen, weights)
        if self._counts_partners[port]:
            yield from self._arrived(port, arrival)
        if self._counts_partners[1 - port]:
            yield from self._touched(1 - port)
        side.settle()

    def _count_partners(self, port: int, arrival: Arrival, lanes: Slots, slots: Slots, unit: int) -> None:
        """Both sides' rows have won or lost partners; a row counts as often as it is visible."""
        changes, other = arrival.changes, self._sides[1 - port].state
        if self._counts_partners[1 - port]:
            by = np.maximum(changes.after, 0) - np.maximum(changes.before, 0)
            other.add_marks(slots, by[lanes] * unit)
        if self._counts_partners[port]:
            fresh = np.flatnonzero(changes.before[lanes] == 0)
            visible = np.maximum(other.counts(slots[fresh]), 0)
            self._sides[port].state.add_marks(changes.slots[lanes[fresh]], visible * unit)

    def _arrived(self, port: int, arrival: Arrival) -> Iterator[Batch]:
        """What comes out for the rows that have arrived, by the partners they have."""
        state, changes = self._sides[port].state, arrival.changes
        state.take_marked()
        marks = state.marks(changes.slots)
        self._suspect(changes.slots[marks >= 2 * PARTNER])
        rows = np.concatenate((changes.rows, changes.unmatchable))
        weights = np.concatenate((changes.deltas, arrival.weights(changes.unmatchable)))
        codes = np.concatenate((partner_codes(marks), np.zeros(len(changes.unmatchable), np.int8)))
        kept = np.flatnonzero(self._rules.keeps(codes))
        if len(kept):
            columns = take_columns([arrival.columns[i] for i in self._rules.alone[port]], rows[kept])
            yield self._rules.lone(port, columns, weights[kept], codes[kept])

    def _touched(self, port: int) -> Iterator[Batch | None]:
        """What comes out for rows that have other partners than before."""
        side, keeps = self._sides[port], self._rules.keeps
        for slots, before in halves(*side.state.take_marked(), self._context.batch_rows):
            marks = side.state.marks(slots)
            self._suspect(slots[marks >= 2 * PARTNER])
            old, new = partner_codes(before), partner_codes(marks)
            lost, won = np.flatnonzero((old != new) & keeps(old)), np.flatnonzero((old != new) & keeps(new))
            rows = np.concatenate((slots[lost], slots[won]))
            if not len(rows):
                yield None
                continue
            weights = side.state.counts(rows)
            weights[: len(lost)] *= -1
            columns = side.columns(self._rules.alone[port], rows)
            made = self._rules.lone(port, columns, weights, np.concatenate((old[lost], new[won])))
            yield from made.pieces(self._context.batch_rows)

    def _suspect(self, slots: Slots) -> None:
        if self._node.kind is HashJoinKind.SINGLE and len(slots):
            self._suspects.append(slots)
            self._sides[0].moves = False  # they are slots

    def _refuse_second(self) -> None:
        """Fails if a left row that is there has two partners now."""
        state = self._sides[0].state
        for suspects in self._suspects:
            slots = suspects[state.live(suspects)]
            if np.any((state.marks(slots) >= 2 * PARTNER) & (state.counts(slots) > 0)):
                raise DataError(
                    "scalar subquery returned more than one row",
                    hint="aggregate its rows, or add LIMIT 1",
                    span=self._node.span,
                )
        if self._suspects:
            self._suspects.clear()
            self._sides[0].moves = True
            self._sides[0].settle()

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """A second match of SINGLE that stands now is an error."""
        self._refuse_second()
        return None

    def on_end(self, port: int) -> Emission | None:
        """So is one that stands when both inputs have ended; before that it may still go."""
        self._ended.add(port)
        if len(self._ended) == 2:
            self._refuse_second()
        return None

    def on_timer(self, time: int) -> Emission | None:
        """What has not changed for long is forgotten."""
        for side in self._sides:
            side.forget_old()
        return None

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Both sides' rows, with the numbers of their partners, and the watermark."""
        return join_parts([struct.pack("<q", self._time), *(side.snapshot(keys) for side in self._sides)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts the rows back; time has come as far as for the least of all."""
        times, *rows = across(parts)
        self._time = least(times)
        for side, saved in zip(self._sides, rows, strict=True):
            side.restore(saved)
            side.move(self._time)
        for slots in self._sides[0].state.pieces(_PAIR_ROWS):
            self._suspect(slots[self._sides[0].state.marks(slots) >= 2 * PARTNER])

    def close(self) -> None:
        """Gives the memory back."""
        for side in self._sides:
            side.close()
