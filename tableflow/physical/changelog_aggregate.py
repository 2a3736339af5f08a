"""Grouping over a changelog: what each batch changes of the groups' rows.

What has come out sums up to the groups' rows after what has come in.  Without keys there is one row from the start; it comes
out before the first epoch or with the first change, whichever is earlier.  What waits for the end of an epoch, for its time or for more rows are
changes of the groups' rows; where groups are computed again, it is what has come in, so that each is computed once for all of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.config import MINI_BATCH_SIZE
from tableflow.errors import InternalError
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.changelog_groups import ChangingGroups
from tableflow.physical.changelog_recomputed import RecomputedGroups
from tableflow.physical.collect_aggregate import is_collected
from tableflow.physical.held_changes import HeldChanges
from tableflow.physical.node import UnaryNode, dealt_by, positions
from tableflow.physical.partition_rows import PIECE_ROWS
from tableflow.physical.retention import Expiry, Retention, position_of
from tableflow.physical.row_firings import RowFirings
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogAggregate(UnaryNode):
    """Groups by ``keys`` (fields of the input, kept first in ``fields``), then one result per call; GROUP BY and DISTINCT.

    The output is a retract stream: of every group that a batch has touched the old row with -1 and the new one with +1, nothing
    when they are equal.  Equal keys are in one task; without keys there is exactly one row (and one task).  With ``per_epoch``
    the changes of an epoch are emitted together before it passes (mini-batch), or earlier when they are many.  ``retracting``: the input may carry weights;
    DISTINCT over an input that may not gives no weights either.  ``ttl``: groups in which nothing changes are forgotten after so many
    microseconds.  ``every``, ``every_of_time``: changes wait, in place of that, until so many microseconds of processing time, or of event
    time, are over; ``every_rows``: those of a group until it has had so many rows.  ``closes``: no rows of a group come, and it is
    forgotten, when one of its keys says so; those that do are late.  With ``final`` nothing comes out before, and then the group's only row.
    """

    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    retracting: bool = True
    per_epoch: bool = False
    ttl: int = 0
    every: int = 0
    every_of_time: int = 0
    every_rows: int = 0
    closes: Retention | None = None
    final: bool = False

    @property
    def waits(self) -> bool:
        """Whether changes wait for their time, or more rows."""
        return bool(self.every or self.every_of_time or self.every_rows)


class ChangelogAggregateOperator(Operator):
    """One task's part of a :class:`ChangelogAggregate`."""

    def __init__(self, node: ChangelogAggregate) -> None:
        self._node = node
        inputs = node.input.fields
        self._groups: ChangingGroups | RecomputedGroups
        self._recomputed: RecomputedGroups | None = None
        key = None if node.closes is None else node.closes.column
        if any(map(is_collected, node.calls)):
            self._groups = self._recomputed = RecomputedGroups(
                node.keys, node.fields[len(node.keys) :], node.calls, node.input, node.ttl, key
            )
        else:
            self._groups = ChangingGroups(
                node.keys, node.calls, node.input, retracting=node.retracting, ttl=node.ttl, closes=key
            )
        self._expiry: Expiry | None = None
        if node.closes is not None:
            at = position_of(inputs, node.closes.column)
            self._expiry = Expiry(node.closes, inputs[at].type, at, 0)
        self._begun = bool(node.keys)
        self._appends = bool(node.keys) and not node.calls and not node.retracting
        self._watermark = START_OF_TIME
        self._due = END_OF_TIME
        self._held: HeldChanges | None = None
        self._firings: RowFirings | None = None
        if node.every_rows:
            where = positions(inputs)
            keys = [f.id for f in node.keys]
            self._firings = RowFirings(
                [f.type for f in node.keys], [where[key] for key in keys], node.every_rows, dealt_by(node.input, keys)
            )

    def open(self, context: OperatorContext) -> None:
        """Starts without groups."""
        self._context = context
        self._groups.open(context)
        self._most_held = context.settings.get(MINI_BATCH_SIZE)
        if self._node.per_epoch or self._node.waits:
            fields = self._node.fields if self._recomputed is None else self._recomputed.fields
            where = positions(fields)
            keys = [where[key.id] for key in self._node.keys]
            dealt = dealt_by(self._node.input, [f.id for f in fields])
            self._held = HeldChanges([f.type for f in fields], context.reserve("changes"), keys, dealt)
        if self._firings is not None:
            self._counted = context.reserve("rows of groups", self._firings.held)
            self._counted.rows = lambda: 0  # the groups are counted already

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What changes in the groups of these rows."""
        if batch.weights is not None and not self._node.retracting:
            raise InternalError("changes arrive where rows are only added")
        if self._expiry is not None:
            timely = self._expiry.timely(batch)
            if timely.rows < batch.rows:
                self._context.count("late_rows", batch.rows - timely.rows)
                batch = timely
        if not batch.rows:
            return None
        return self._accumulate(batch) if self._node.final else self._changes(batch)

    def _accumulate(self, batch: Batch) -> Emission:
        groups = self._final_groups()
        for piece in batch.pieces(PIECE_ROWS):
            yield from groups.room(piece)
            groups.accumulate(piece)
            yield Suspend(READY)

    def _changes(self, batch: Batch) -> Emission:
        if self._recomputed is not None and self._held is None:
            yield from self._computed(self._recomputed, (self._recomputed.kept(batch),))
            return
        for piece in batch.pieces(PIECE_ROWS):
            if isinstance(self._groups, RecomputedGroups):
                made: Batch | None = self._groups.kept(piece)
            else:
                yield from self._groups.room(piece)
                made = self._begin()
                changed = self._groups.apply(piece)
                if changed is not None:
                    made = changed if made is None else consolidated(concat([made, changed]))
            if made is None:
                yield Suspend(READY)
            elif self._held is None:
                made = Batch(made.columns, made.length) if self._appends else made
                yield from made.pieces(self._context.batch_rows)
            else:
                self._context.count("held_changes", made.rows)
                self._hold(made)
                if self._held.rows >= self._most_held and not self._node.waits:
                    yield from self._release()
            if self._firings is not None:
                yield from self._fire(piece, self._firings)

    def _computed(self, groups: RecomputedGroups, rows: Iterable[Batch]) -> Emission:
        """What these rows change in their groups, each of which is computed once."""
        for item in groups.change(rows, self._begin()):
            if isinstance(item, Suspend):
                yield item
            else:
                yield from item.pieces(self._context.batch_rows)

    def _said(self, held: Iterable[Batch]) -> Emission:
        """What comes out for this part of what was held."""
        if self._recomputed is not None:
            yield from self._computed(self._recomputed, held)
            return
        for part in held:
            yield Batch(part.columns, part.length) if self._appends else part

    def _fire(self, piece: Batch, firings: RowFirings) -> Emission:
        """The changes of groups that have had their rows."""
        keys = firings.take(piece)
        self._counted.resize(firings.held)
        if keys is None or self._held is None:
            return
        if not keys:
            yield from self._release()
            return
        yield from self._said(self._held.take(keys, self._context.batch_rows))

    def _hold(self, changes: Batch) -> None:
        assert self._held is not None
        self._held.add(changes)
        self._ask_for_timer()

    def _ask_for_timer(self) -> None:
        if self._node.every and self._held is not None and (self._held.rows or not self._begun):
            # A moment that has come stays due until its timer has come as well.
            self._due = min(self._due, (self._context.now() // self._node.every + 1) * self._node.every)
            self._context.set_timer(self._due)

    def _begin(self) -> Batch | None:
        """The only row as it is before there are rows, if it has not come out."""
        if self._begun:
            return None
        self._begun = True
        return self._groups.current()

    def _release(self) -> Emission:
        if self._held is None:
            begin = self._begin()
            if begin is not None:
                yield begin
            return
        if self._recomputed is None:
            begin = self._begin()
            if begin is not None:
                self._held.add(begin)
        yield from self._said(self._held.parts(self._context.batch_rows))
        self._held.clear()
        if self._firings is not None:
            self._firings.clear()
            self._counted.resize(self._firings.held)

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """What has been held, and the only row if nothing has come."""
        if not self._node.waits:
            return self._release()
        if self._recomputed is not None:
            self._ask_for_timer()
            return None
        begin = self._begin()
        if begin is not None:
            self._hold(begin)
        return None

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Groups may be complete, or an interval of event time over; the first watermark says when time begins."""
        before, self._watermark = self._watermark, watermark.time
        if self._expiry is not None:
            bound = self._expiry.advance(watermark.time)
            if self._node.final:
                return self._given(self._final_groups().take_below(bound))
            if self._held is not None:
                return self._close(bound, self._held)
            self._groups.forget_below(bound)
        step = self._node.every_of_time
        begun = step and before > START_OF_TIME
        return self._release() if begun and watermark.time // step > before // step else None

    def _final_groups(self) -> ChangingGroups:
        """The groups, of which rows come out when they are complete alone."""
        assert isinstance(self._groups, ChangingGroups)
        return self._groups

    def _given(self, rows: Batch | None) -> Emission | None:
        return None if rows is None else rows.pieces(self._context.batch_rows)

    def _close(self, bound: int, held: HeldChanges) -> Emission:
        """What waits of groups that are complete: no rows come that it could wait for, and later it would be late."""
        assert self._node.closes is not None
        fields = self._node.fields if self._recomputed is None else self._recomputed.fields
        place = positions(fields)[self._node.closes.column]
        yield from self._said(held.take_below(place, bound, self._context.batch_rows))
        self._groups.forget_below(bound)
        if self._firings is not None:
            place = [key.id for key in self._node.keys].index(self._node.closes.column)
            self._firings.forget_below(place, bound)
            self._counted.resize(self._firings.held)

    def on_end(self, port: int) -> Emission | None:
        """The same at the end."""
        if self._node.final:
            return self._given(self._final_groups().take_all())
        return self._release()

    def on_timer(self, time: int) -> Emission | None:
        """What has not changed for long is forgotten; an interval of processing time may be over."""
        if self._recomputed is not None and self._held is not None and self._node.ttl:
            for rows in self._held.parts(self._context.batch_rows):
                self._recomputed.touch(rows)
        self._groups.forget_old()
        if self._context.now() < self._due:
            return None
        self._due = END_OF_TIME
        return self._release()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The groups; whether the only row has come out; the watermark; what is held, at an epoch only what waits for its time."""
        saved = self._groups.snapshot(keys)
        held = b"" if self._held is None else self._held.snapshot(keys)
        counted = b"" if self._firings is None else self._firings.snapshot(keys)
        return join_parts([struct.pack("<?q", self._begun, self._watermark), saved, held, counted])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts everything back; time has come as far as for the least of all."""
        heads, groups, held, counted = across(parts)
        self._begun = any(head[0] for head in heads)
        self._watermark = least([head[1:] for head in heads])
        self._groups.restore(groups)
        if self._expiry is not None and self._watermark > START_OF_TIME:
            self._expiry.advance(self._watermark)
        if self._held is not None:
            self._held.restore(held)
            self._ask_for_timer()
        if self._firings is not None:
            self._firings.restore(counted)
            self._counted.resize(self._firings.held)

    def close(self) -> None:
        """Gives the memory back."""
        self._groups.close()
        if self._held is not None:
            self._held.close()
        if hasattr(self, "_counted"):
            self._counted.release()
