"""Each row with the rows that an outside table has for its keys at the time when it is asked.

Rows wait for answers while more rows come; watermarks wait among them, so that none overtakes a row.  Before an epoch, before the
input is told to be idle, and at the end all answers have come and all rows have gone on.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.catalog.lookup import CachePolicy
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, Slots
from tableflow.columnar.kernels.packed_rows import pack_rows, unpack_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.config import LOOKUP_CAPACITY, LOOKUP_OUTPUT
from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression, column_ids
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.join_pairs import stored_rows
from tableflow.physical.lookup_cache import KeyedRows
from tableflow.physical.lookup_questions import Question, Questions
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.pair_condition import PairCondition, domains_of
from tableflow.physical.row_values import RowValues
from tableflow.physical.state_parts import join_parts, split_parts
from tableflow.records import dataclass
from tableflow.runtime.events import Epoch, Watermark
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.serialization import serializable
from tableflow.types import Field

_PIECE_ROWS = 8192


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class LookupJoin(UnaryNode):
    """INNER or LEFT: rows beside the rows that ``lookup`` has for them, where ``left_keys`` equal ``right_keys`` pairwise.

    Of the pairs those count that satisfy ``residual`` as well.  ``found`` are the columns of an answer, over which the right keys are.  The table is asked by the keys numbered ``asked``, at most
    ``batch_keys`` distinct ones at a time.  The input takes no row back.  ``fields``: columns of the input, then of ``found``.
    """

    kind: HashJoinKind
    table: str
    lookup: SourceSpec
    found: tuple[Field, ...]
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    asked: tuple[int, ...]
    batch_keys: int = 1000
    cache: CachePolicy | None = None
    residual: tuple[Expression, ...] = ()


class _Waiting:
    """Rows and what they wait for."""

    def __init__(self, rows: Batch, known: list[Batch], questions: list[Question]) -> None:
        self.rows = rows
        self.known = known
        self.questions = questions

    @property
    def ready(self) -> bool:
        """Whether all answers are there."""
        return all(question.rows is not None for question in self.questions)


class LookupJoinOperator(Operator):
    """One task's part of a :class:`LookupJoin`."""

    def __init__(self, node: LookupJoin) -> None:
        if node.kind not in {HashJoinKind.INNER, HashJoinKind.LEFT}:
            raise InternalError(f"a {node.kind.value} lookup join")
        self._node = node
        judged = frozenset[int]().union(*[column_ids(each) for each in node.residual])
        read = {f.id for f in node.fields}.union(judged, *[column_ids(key) for key in node.left_keys])
        self._kept = [i for i, f in enumerate(node.input.fields) if f.id in read]
        self._fields = tuple(node.input.fields[i] for i in self._kept)
        self._keys = RowValues(node.left_keys, self._fields)
        self._questions = Questions(
            node.found, [node.right_keys[i] for i in node.asked], node.batch_keys, node.cache
        )  # fmt: skip
        self._judged = tuple([f for f in (*self._fields, *node.found) if f.id in judged])
        self._condition = PairCondition(self._judged, node.residual)
        self._waiting: deque[_Waiting | Watermark] = deque()

    @property
    def delays_watermarks(self) -> bool:
        """They wait among the rows."""
        return True

    def open(self, context: OperatorContext) -> None:
        """Readies the outside table."""
        self._context = context
        self._ordered = context.settings.get(LOOKUP_OUTPUT) == "ordered"
        self._capacity = context.settings.get(LOOKUP_CAPACITY)
        self._reservation = context.reserve("waiting rows")
        self._reservation.rows = self._held_rows
        self._condition.prepare(context.settings, domains_of(self._node.input))
        self._questions.begin(context, context.lookup(self._node.lookup))

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Asks for the keys of the rows; gives the rows that need not wait."""
        if batch.weights is not None:
            raise InternalError("a lookup join of rows that may be taken back")
        return self._take(batch) if batch.rows else None

    def _take(self, batch: Batch) -> Emission:
        for piece in batch.project(self._kept).pieces(_PIECE_ROWS):
            self._wait(piece)
            yield from self._flush()
            while self._questions.open > self._capacity:
                yield self._suspended()
                yield from self._flush()

    def _wait(self, rows: Batch) -> None:
        columns, length, selection = self._keys.aligned(rows)
        known, questions = self._questions.ask([columns[i] for i in self._node.asked], length, selection)
        self._waiting.append(_Waiting(rows, known, questions))
        self._account()

    def _held_rows(self) -> int:
        """Rows that wait for answers, and what is known for them."""
        waiting = [each for each in tuple(self._waiting) if isinstance(each, _Waiting)]
        return sum(part.rows for each in waiting for part in (each.rows, *each.known))

    def _account(self) -> None:
        held = sum(
            sum(part.nbytes for part in (each.rows, *each.known))
            for each in self._waiting
            if isinstance(each, _Waiting)
        )
        self._reservation.resize(held)

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """It waits behind the rows that came before it."""
        self._waiting.append(watermark)
        return self._flush()

    def on_ready(self) -> Emission | None:
        """An answer has come."""
        return self._flush()

    def on_idle(self) -> Emission | None:
        """Waits for all answers."""
        return self._drain()

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """Waits for all answers."""
        return self._drain()

    def on_end(self, port: int) -> Emission | None:
        """Waits for all answers."""
        return self._drain()

    def _drain(self) -> Emission:
        yield from self._flush()
        while self._waiting:
            yield self._suspended()
            yield from self._flush()

    def _suspended(self) -> Suspend:
        """Until the next answer that the first of the waiting rows need."""
        for each in self._waiting:
            for question in each.questions if isinstance(each, _Waiting) else ():
                if question.rows is None:
                    return Suspend(question.call.answered)
        raise InternalError("rows of a lookup join wait for nothing")

    def _flush(self) -> Emission:
        """What can go on now: from the first on, or, if rows may overtake each other, all up to the next watermark."""
        self._questions.harvest()
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Watermark):
                self._waiting.popleft()
                yield first
                continue
            ready = first if first.ready else self._overtaking()
            if ready is None:
                break
            self._waiting.remove(ready)
            yield from self._joined(ready)
        self._account()

    def _overtaking(self) -> _Waiting | None:
        for each in () if self._ordered else self._waiting:
            if isinstance(each, Watermark):
                return None
            if each.ready:
                return each
        return None

    def _joined(self, of: _Waiting) -> Iterator[Batch]:
        """The rows, in order, beside theirs."""
        node = self._node
        rows = KeyedRows(node.found, node.right_keys)
        parts = [*of.known, *[question.rows for question in of.questions if question.rows is not None]]
        whole = concat(parts) if parts else None
        if whole is not None:
            rows.add(whole)
        columns, length, selection = self._keys.aligned(of.rows)
        matches = rows.state.probe(columns, length, selection)
        pieces = [self._accepted(of.rows, rows, *piece) for piece in matches.pieces(_PIECE_ROWS)]
        lanes = np.concatenate([np.zeros(0, np.uint32), *[piece[0] for piece in pieces]])
        slots = np.concatenate([np.zeros(0, np.uint32), *[piece[1] for piece in pieces]])
        unmatched = np.ones(len(matches.heads()), np.bool_)
        unmatched[lanes] = False
        alone = np.flatnonzero(unmatched)
        if node.kind is HashJoinKind.LEFT and len(alone):
            lanes = np.concatenate((lanes, alone.astype(np.uint32)))
            slots = np.concatenate((slots, np.full(len(alone), NO_SLOT, np.uint32)))
        order = np.lexsort((slots, lanes))
        for start in range(0, len(order), self._context.batch_rows):
            chosen = order[start : start + self._context.batch_rows]
            yield self._output(of.rows, rows, lanes[chosen], slots[chosen])

    def _accepted(self, given: Batch, rows: KeyedRows, lanes: Slots, slots: Slots) -> tuple[Slots, Slots]:
        """The pairs for which the rest of the condition is TRUE."""
        if not self._node.residual:
            return lanes, slots
        chosen = self._condition.selected(self._pairs(self._judged, given, rows, lanes, slots))
        return lanes[chosen], slots[chosen]

    def _output(self, given: Batch, rows: KeyedRows, lanes: Slots, slots: Slots) -> Batch:
        return self._pairs(self._node.fields, given, rows, lanes, slots)

    def _pairs(self, fields: tuple[Field, ...], given: Batch, rows: KeyedRows, lanes: Slots, slots: Slots) -> Batch:
        """These columns of rows beside those that were found for them."""
        where, found = positions(self._fields), positions(self._node.found)
        made: dict[int, Column] = {}
        left = [f.id for f in fields if f.id in where]
        columns = [given.columns[where[column]] for column in left]
        made |= dict(zip(left, take_columns(columns, stored_rows(given, lanes)), strict=True))
        right = [f.id for f in fields if f.id not in where]
        made |= dict(
            zip(right, rows.state.columns([found[column] for column in right], slots, nullable=True), strict=True)
        )
        return Batch([made[f.id] for f in fields], len(lanes))

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Rows and watermarks that wait, as at an epoch none do; they are no key's."""
        if not keys.first:
            return b""
        return join_parts([_saved(each) for each in self._waiting])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Asks again."""
        for part in [part for state in parts if state for part in split_parts(state)]:
            rows = unpack_rows(part[1:], [f.type for f in self._fields]) if part[:1] == b"r" else None
            if rows is None:
                self._waiting.append(Watermark(struct.unpack("<q", part[1:])[0]))
            else:
                self._wait(rows)

    def close(self) -> None:
        """Gives the memory back; the context closes the outside table."""
        self._waiting.clear()
        self._questions.close()
        if hasattr(self, "_reservation"):
            self._reservation.release()


def _saved(each: _Waiting | Watermark) -> bytes:
    if isinstance(each, Watermark):
        return b"w" + struct.pack("<q", each.time)
    return b"r" + pack_rows([each.rows])
