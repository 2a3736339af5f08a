"""Each left row with the right row that was the newest at the left row's time.

Left rows wait until the watermark has passed their time: then all versions that are not newer have come.  Of each key's versions only
those are kept that some left row may still want: the newest one that the watermark has passed, and all after it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take_columns, weights_of
from tableflow.columnar.kernels.multi_state import NO_SLOT, Numbers, Slots
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.sorting import Key, sort_indices
from tableflow.columnar.keys import encode
from tableflow.errors import InternalError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.changelog_side import ChangelogSide
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.join_pairs import null_columns
from tableflow.physical.node import BinaryNode, positions
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable
from tableflow.types import BYTES, INT, TIMESTAMP, DateType, IntegerType, TimestampType, tick_of

_PIECE_ROWS = 8192


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedJoin(BinaryNode):
    """INNER or LEFT: left rows with the right row of equal keys whose ``versions`` is the greatest not after ``time``.

    ``time`` is a timestamp of the left, ``versions`` one of the right, both of them event time; with ``strict`` the version is
    before the time.  With ``following`` it is the least one not before (or after) the time.  ``at_end``: the columns are no event
    time (whole numbers and dates will do), all rows wait for the end; so they must with ``following``.  Of versions of one time the one that is greatest in its other columns, in order, counts.  Both inputs are
    hash-exchanged on the keys, or in one task.  ``fields``: columns of the left, then of the right.  The output has weights only
    where the left input does; a version that is late, or taken back, changes nothing that has come out.  ``ttl``: a version is forgotten
    so many microseconds after it has come, as if it had never been.
    """

    kind: HashJoinKind
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    time: int
    versions: int
    strict: bool = False
    following: bool = False
    at_end: bool = False
    left_appends: bool = False
    ttl: int = 0


class VersionedJoinOperator(Operator):
    """One task's part of a :class:`VersionedJoin`."""

    def __init__(self, node: VersionedJoin) -> None:
        if node.kind not in {HashJoinKind.INNER, HashJoinKind.LEFT} or (node.following and not node.at_end):
            raise InternalError(f"a {node.kind.value} join of versions")
        self._node = node
        left, right = (frozenset(f.id for f in child.fields) for child in node.inputs)
        given = {f.id for f in node.fields}
        time = ColumnRef(TIMESTAMP, node.time, "time")
        versions = ColumnRef(TIMESTAMP, node.versions, "versions")
        self._left = ChangelogSide(
            node.left,
            frozenset(given & left) | {time.id},
            node.left_keys,
            node.null_safe,
            appends=node.left_appends,
        )
        self._right = ChangelogSide(node.right, right, node.right_keys, node.null_safe, appends=False, ttl=node.ttl)
        self._time_at = positions(self._left.fields)[time.id]
        self._version_at = positions(self._right.fields)[versions.id]
        self._units = [_unit(self._left, self._time_at), _unit(self._right, self._version_at)]
        self.time_unit = max(
            tick_of(self._left.fields[self._time_at].type), tick_of(self._right.fields[self._version_at].type)
        )
        arriving = positions(node.left.fields), positions(node.right.fields)
        self._arriving = arriving[0][time.id], arriving[1][versions.id]
        self._time = START_OF_TIME
        self._ended: set[int] = set()
        self._credit = 0

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._left.open(context, "waiting rows")
        self._right.open(context, "versions")

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Keeps the rows; left ones that can never match come out at once, late ones are dropped and counted."""
        return self._take(batch, port) if batch.rows else None

    def _take(self, batch: Batch, port: int) -> Emission:
        side = (self._left, self._right)[port]
        side.begin(batch)
        for piece in batch.pieces(min(_PIECE_ROWS, self._context.batch_rows)):
            timed, timeless = self._by_time(piece, port)
            if timed.rows:
                yield from side.room(timed)
                arrival = side.arrive(timed)
                side.settle()
                alone = arrival.changes.unmatchable
                columns = take_columns(arrival.columns[: len(side.fields)], alone)
                timeless = [Batch(columns, len(alone), None, arrival.weights(alone)), *timeless]
            self._credit += piece.rows
            for rows in timeless:
                if rows.rows and port == 0 and self._node.kind is HashJoinKind.LEFT:
                    yield self._joined(rows.columns, None, weights_of(rows))
        side.end()

    def _by_time(self, piece: Batch, port: int) -> tuple[Batch, list[Batch]]:
        """Rows that are in time, and those that have none; the left's late ones are neither."""
        numbers = np.arange(piece.length, dtype=np.uint32) if piece.selection is None else piece.selection
        array = take_columns([piece.columns[self._arriving[port]]], numbers)[0].array
        missing = array.is_null().to_numpy(zero_copy_only=False)
        late = np.zeros(len(numbers), np.bool_)
        if port == 0 and self._time > START_OF_TIME:
            times = array.cast(pa.int64()).fill_null(END_OF_TIME).to_numpy(zero_copy_only=False)
            late = (times < _scaled(self._time, self._units[0])) & ~missing
            self._context.count("late_rows", int(late.sum()))
        where = positions((self._node.left, self._node.right)[port].fields)
        kept = [where[f.id] for f in (self._left, self._right)[port].fields]
        chosen = numbers[missing]
        weights = None if piece.weights is None else piece.weights[chosen]
        timeless = Batch(take_columns([piece.columns[i] for i in kept], chosen), len(chosen), None, weights)
        return piece.with_selection(numbers[~(missing | late)]), [timeless]

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Left rows whose time has passed come out."""
        return None if self._node.at_end else self._advance(watermark.time)

    def on_timer(self, time: int) -> Emission | None:
        """Versions that came long ago are forgotten, also the newest of a key."""
        self._right.forget_old()
        return None

    def on_end(self, port: int) -> Emission | None:
        """After both inputs everything has come."""
        self._ended.add(port)
        return self._advance(END_OF_TIME) if len(self._ended) == 2 else None

    def _advance(self, time: int) -> Emission:
        self._time = time
        state = self._left.state
        ready = state.below(self._time_at, _scaled(time, self._units[0]))
        if time == END_OF_TIME:
            ready = np.concatenate([ready[:0], *state.pieces(_PIECE_ROWS)])
        for start in range(0, len(ready), self._context.batch_rows):
            slots = ready[start : start + self._context.batch_rows]
            yield from self._match(slots)
            state.remove(slots)
            yield Suspend(READY)
        self._left.settle()
        self._forget()

    def _match(self, slots: Slots) -> Iterator[Batch]:
        """Left rows beside their versions."""
        side = self._left
        columns = side.columns(range(len(side.state.types)), slots)
        weights = side.state.counts(slots)
        found = self._versions_for(columns, len(slots))
        kept = np.flatnonzero((weights != 0) & ((found != NO_SLOT) | (self._node.kind is HashJoinKind.LEFT)))
        if len(kept):
            yield self._joined(take_columns(columns[: len(side.fields)], kept), found[kept], weights[kept])

    def _versions_for(self, columns: list[Column], rows: int) -> Slots:
        """The slot of each row's version; both sides in one order, each left row sees the last right row before it."""
        right = self._right.state
        matches = right.probe([columns[i] for i in self._left.keys], rows)
        heads = matches.heads()
        known, key_of = np.unique(heads[heads != NO_SLOT], return_inverse=True)
        result = np.full(rows, NO_SLOT, np.uint32)
        if not len(known):
            return result
        lanes, slots = _all(right.chains(known.astype(np.uint32)).pieces(_PIECE_ROWS * 8))
        visible = right.counts(slots) > 0
        lanes, slots = lanes[visible], slots[visible]
        slots, keys_of = self._in_order(slots, lanes)
        versions = _times(right.columns([self._version_at], slots)[0])
        places = np.flatnonzero(heads != NO_SLOT)
        times = _times(columns[self._time_at])[places]
        scale = max(self._units)
        merged = np.concatenate((versions * (scale // self._units[1]), times * (scale // self._units[0])))
        merged = -merged if self._node.following else merged
        keys = np.concatenate((keys_of, key_of.astype(np.int64)))
        # At equal times versions come first, unless they must be before.
        right_rank = 1 if self._node.strict else 0
        ranks = np.concatenate((np.full(len(slots), right_rank), np.full(len(places), 1 - right_rank)))
        order = np.lexsort((ranks, merged, keys))
        number = np.where(order < len(slots), order, -1)
        last = np.maximum.accumulate(number)
        asked = order >= len(slots)
        versions_at, rows_at = last[asked], order[asked] - len(slots)
        good = versions_at >= 0
        good[good] = keys_of[versions_at[good]] == key_of[rows_at[good]]
        result[places[rows_at[good]]] = slots[versions_at[good]]
        return result

    def _in_order(self, slots: Slots, keys: Slots) -> tuple[Slots, Numbers]:
        """Versions by key, time, then their other columns."""
        right = self._right
        columns = right.columns(range(len(right.fields)), slots)
        compared = [Column(INT, pa.array(keys.astype(np.int32))), columns[self._version_at]]
        compared += [
            Column(BYTES, encode(column)) if is_nested(column) else column
            for i, column in enumerate(columns)
            if i != self._version_at
        ]
        directions: list[Key] = [(i, i == 1 and self._node.following, False) for i in range(len(compared))]
        order = sort_indices(Batch(compared, len(slots)), directions)
        return slots[order], keys[order].astype(np.int64)

    def _joined(self, columns: list[Column] | tuple[Column, ...], found: Slots | None, weights: Numbers) -> Batch:
        """Left rows with their versions or NULLs."""
        left = {f.id: column for f, column in zip(self._left.fields, columns, strict=True)}
        wanted = [f for f in self._node.fields if f.id not in left]
        where = positions(self._right.fields)
        if found is None:
            right = null_columns(wanted, len(weights))
        else:
            right = self._right.state.columns([where[f.id] for f in wanted], found, nullable=True)
        left |= {f.id: column for f, column in zip(wanted, right, strict=True)}
        made = [left[f.id] for f in self._node.fields]
        return Batch(made, len(weights), None, None if self._node.left_appends else weights)

    def _forget(self) -> None:
        """Versions that no left row can want any more, when there has been enough to make looking worth it."""
        state = self._right.state
        if self._time == END_OF_TIME or not state.rows:
            return
        self._credit += state.slots // 64
        if state.slots > _PIECE_ROWS and 4 * self._credit < state.slots:
            return
        self._credit = 0
        bound = _scaled(self._time, self._units[1])
        old = state.below(self._version_at, bound)
        if not len(old):
            return
        lanes, slots = _all(state.chains(old).pieces(_PIECE_ROWS * 8))
        versions = _times(state.columns([self._version_at], slots)[0])
        passed = (versions < bound) & (state.counts(slots) > 0)
        newest = np.full(int(lanes.max()) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, lanes[passed], versions[passed])
        gone = slots[passed & (versions < newest[lanes])]
        self._right.forget(gone)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Waiting rows, versions, and the watermark."""
        return join_parts([struct.pack("<q", self._time), self._left.snapshot(keys), self._right.snapshot(keys)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back; time has come as far as for the least of all."""
        times, left, right = across(parts)
        self._time = least(times)
        self._left.restore(left)
        self._right.restore(right)

    def close(self) -> None:
        """Gives the memory back."""
        self._left.close()
        self._right.close()


def _all(pieces: Iterator[tuple[Slots, Slots]]) -> tuple[Slots, Slots]:
    found = list(pieces)
    return np.concatenate([lanes for lanes, _ in found]), np.concatenate([slots for _, slots in found])


def _unit(side: ChangelogSide, at: int) -> int:
    """How many units of a timestamp's numbers are a microsecond."""
    of = side.fields[at].type
    if not isinstance(of, (TimestampType, DateType, IntegerType)):
        raise InternalError("versions are told apart by a time or a whole number")
    return 1000 if isinstance(of, TimestampType) and of.precision > 6 else 1


def _scaled(time: int, unit: int) -> int:
    return min(max(time * unit, START_OF_TIME), END_OF_TIME)


def _times(column: Column) -> Numbers:
    """A timestamp column's numbers; it has no NULL."""
    array = column.array.cast(pa.int32()) if pa.types.is_date32(column.array.type) else column.array
    numbers: Numbers = array.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers
