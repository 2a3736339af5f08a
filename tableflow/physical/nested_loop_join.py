"""Joins on arbitrary conditions: every left row against every right row.

The left side streams; the right one is published.  Memory is constant, and there is a pause after every piece of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError, Span
from tableflow.expressions.nodes import Expression
from tableflow.physical.cross_pairs import CrossPairs
from tableflow.physical.hash_join import BUILD_MARKING, HashJoinKind
from tableflow.physical.join_emission import (
    condition_truths,
    emit_inner,
    emit_outer,
    keeping,
    mark_column,
    matched_lanes,
)
from tableflow.physical.join_marks import BuildMarks
from tableflow.physical.join_pairs import PairColumns
from tableflow.physical.materialize import PublishedRows
from tableflow.physical.node import BinaryNode, positions
from tableflow.physical.pair_condition import domains_of
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.publication import Publication
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class NestedLoopJoin(BinaryNode):
    """As :class:`~tableflow.physical.hash_join.HashJoin` without keys; the right side is published (or broadcast).

    The condition is the conjunction of ``conjuncts``; none is a cross product.  Kinds BUILD_* do not occur.
    """

    kind: HashJoinKind
    conjuncts: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    publication: str = ""
    span: Span | None = field(default=None, compare=False)


_NEEDS_MATCH = frozenset({HashJoinKind.INNER, HashJoinKind.SEMI, HashJoinKind.RIGHT})


class NestedLoopJoinOperator(Operator):
    """One task's left rows against all right rows."""

    def __init__(self, node: NestedLoopJoin) -> None:
        if node.kind in {HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI}:
            raise InternalError(f"a nested-loop join of kind {node.kind.value}")
        self._node = node
        keeps_left = node.kind in {HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.MARK}
        output = () if keeps_left else node.fields
        self._columns = PairColumns(node.left.fields, node.right.fields, output, node.conjuncts)
        where = positions(node.left.fields)
        self._left_output = [where.get(f.id, -1) for f in node.fields]
        self._pairs: CrossPairs | None = None
        self._marks: BuildMarks | None = None

    def open(self, context: OperatorContext) -> None:
        """Waits for its right side."""
        self._context = context
        self._columns.prepare(context.settings, domains_of(self._node.left, self._node.right))
        self._marking = context.reserve("marks")

    @property
    def finished(self) -> bool:
        """Whether there is no right row, and the kind needs one."""
        return self._node.kind in _NEEDS_MATCH and self._pairs is not None and self._pairs.rows == 0

    @property
    def contributes(self) -> bool:
        """Right rows are given back when all tasks have said which ones they matched."""
        return self._node.kind in BUILD_MARKING

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Emits what the left rows give."""
        return self._join(batch) if batch.rows else None

    def on_end(self, port: int) -> Emission | None:
        """RIGHT and FULL: right rows that no left row of any task has matched."""
        return self._give_back() if self._node.kind in BUILD_MARKING else None

    def close(self) -> None:
        """Lets the rows go."""
        self._pairs = self._marks = None
        if hasattr(self, "_marking"):
            self._marking.release()

    def _ready(self) -> Iterator[Suspend]:
        if self._pairs is not None:
            return
        publication: Publication[list[Batch], PublishedRows] = self._context.publication(self._node.publication)
        while not publication.sealed.ready:
            yield Suspend(publication.sealed)
        most = self._columns.most_at_once(self._context.batch_rows)
        self._pairs = CrossPairs(publication.handle().batches, self._columns, most)
        if self._node.kind in BUILD_MARKING:
            self._marks = BuildMarks(self._pairs.rows, self._marking)

    def _join(self, batch: Batch) -> Emission:
        yield from self._ready()
        assert self._pairs is not None
        node = self._node
        match node.kind:
            case HashJoinKind.INNER | HashJoinKind.RIGHT:
                yield from emit_inner(self._pairs, batch, self._marks)
            case HashJoinKind.LEFT | HashJoinKind.FULL | HashJoinKind.SINGLE:
                single = node.kind is HashJoinKind.SINGLE
                yield from emit_outer(self._pairs, batch, self._marks, single=single, span=node.span)
            case _:
                yield from self._decide(self._pairs, batch)

    def _decide(self, pairs: CrossPairs, batch: Batch) -> Emission:
        """SEMI, ANTI, MARK: what becomes of each left row."""
        kind = self._node.kind
        if kind is HashJoinKind.MARK or self._node.null_aware:
            for answer in condition_truths(pairs, batch):
                if isinstance(answer, Suspend):
                    yield answer
                    continue
                true, unknown = answer
                if kind is HashJoinKind.MARK:
                    marked = mark_column(batch, true, unknown)
                    yield batch.with_columns([marked if i < 0 else batch.columns[i] for i in self._left_output])
                elif not (true | unknown).all():
                    yield keeping(batch, ~true & ~unknown).project(self._left_output)
            return
        for found in matched_lanes(pairs, batch):
            if isinstance(found, Suspend):
                yield found
                continue
            kept = found if kind is HashJoinKind.SEMI else ~found
            if kept.any():
                yield keeping(batch, kept).project(self._left_output)

    def _give_back(self) -> Emission:
        yield from self._ready()
        assert self._pairs is not None
        assert self._marks is not None
        yield from self._marks.combined(self._context, self._node.publication)
        rows = self._marks.rows(self._context, marked=False, shared=True)
        for batch in self._pairs.without_left(rows):
            yield self._columns.output(batch)
