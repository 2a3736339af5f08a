"""Equality joins by hash table: left is the probe side, right the build side.

The table is read-only while it is probed: sealed by the build side's stage and shared, or sealed by the task itself from its
build input.  Matches are emitted a piece at a time, so that a key with millions of them costs no more memory than one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import field

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.joining import JoinProbe
from tableflow.errors import InternalError, Span
from tableflow.expressions.nodes import Expression, column_ids
from tableflow.physical.join_build import BuildRows, BuildSealer, BuildSide, BuildSpec
from tableflow.physical.join_emission import (
    Matching,
    ThreeValued,
    condition_truths,
    emit_inner,
    emit_marks,
    emit_outer,
    keeping,
    mark_column,
    matched_lanes,
)
from tableflow.physical.join_marks import BuildMarks
from tableflow.physical.join_pairs import Mask, PairColumns, pieces
from tableflow.physical.node import BinaryNode, positions
from tableflow.physical.pair_condition import domains_of
from tableflow.physical.row_values import Aligned, RowValues
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.publication import Publication
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable


@serializable
class HashJoinKind(enum.Enum):
    """What is kept; probe is the left input, build the right one.

    The BUILD_ forms keep rows of the *build* side (marks on the build side decide), e.g. ``A SEMI JOIN B`` with the table
    built on the small A and probed with B is BUILD_SEMI with left = B, right = A.
    """

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    MARK = "mark"
    SINGLE = "single"
    BUILD_SEMI = "build semi"
    BUILD_ANTI = "build anti"


BUILD_MARKING = frozenset({HashJoinKind.RIGHT, HashJoinKind.FULL, HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI})
"""Kinds that need to know, after all probing, which build rows have found a partner."""


@serializable
class JoinDistribution(enum.Enum):
    """How build rows meet probe rows.

    PUBLISHED: the build side's stage seals one shared table, probe rows stay where they are (``publication`` names it).
    BROADCAST: each task gets every build row and has its own table.  PARTITIONED: both sides are hash-exchanged on the keys.
    """

    PUBLISHED = "published"
    BROADCAST = "broadcast"
    PARTITIONED = "partitioned"


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashJoin(BinaryNode):
    """Rows whose key expressions are pairwise equal and for which ``residual`` is TRUE.

    ``left_keys[i] = right_keys[i]`` have equal types; ``null_safe[i]``: NULL matches NULL (IS NOT DISTINCT FROM).
    MARK is three-valued, and so is ANTI with ``null_aware`` (NOT IN): at most one key pair is then not null-safe, it is the
    comparison, and the others are the correlation; without such a pair ``residual`` is the comparison, else there is none.
    ``mark`` is the id of the added BOOLEAN field.  ``described`` are the keys of which a published build tells the values.
    ``fields``: probe columns then build columns for INNER, LEFT, RIGHT, FULL, SINGLE; probe columns for SEMI, ANTI; probe
    columns then the mark for MARK; build columns for BUILD_*; any of them may be left out when unused (order kept).
    """

    kind: HashJoinKind
    distribution: JoinDistribution
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    residual: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    publication: str = ""
    described: tuple[int, ...] = ()
    span: Span | None = field(default=None, compare=False)

    @property
    def prefers_port(self) -> bool:
        """Whether one input is read to its end before another: where each task builds its own table."""
        return self.distribution is not JoinDistribution.PUBLISHED


_KEEPS_PROBE = frozenset({HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.MARK})
_KEEPS_BUILD = frozenset({HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI})
_NEEDS_MATCH = frozenset({HashJoinKind.INNER, HashJoinKind.SEMI})


class HashJoinOperator(Operator):
    """Probes with port 0; without a publication port 1 is the build side, which is read first."""

    def __init__(self, node: HashJoin) -> None:
        self._node = node
        self._published = node.distribution is JoinDistribution.PUBLISHED
        probe, build = node.left.fields, node.right.fields
        if not self._published:
            read = {f.id for f in node.fields}.union(*(column_ids(e) for e in node.residual))
            build = tuple(f for f in build if f.id in read)
        three_valued = node.null_aware or node.kind is HashJoinKind.MARK
        self._spec = BuildSpec(node.right_keys, node.null_safe, node.right.fields, build, three_valued)
        self._keys = RowValues(node.left_keys, probe)
        gathered = () if node.kind in _KEEPS_PROBE | _KEEPS_BUILD else node.fields
        self._pairs = PairColumns(probe, build, gathered, node.residual)
        self._build_output = PairColumns(probe, build, node.fields, ()) if node.kind in BUILD_MARKING else None
        where = positions(probe)
        self._probe_output = [where.get(f.id, -1) for f in node.fields]
        self._build: BuildSide | None = None
        self._marks: BuildMarks | None = None
        self._check()

    def _check(self) -> None:
        node = self._node
        if node.kind in BUILD_MARKING and node.distribution is JoinDistribution.BROADCAST:
            raise InternalError(f"a {node.kind.value} join over a broadcast build")
        if self._spec.comparison is not None and node.residual:
            raise InternalError("a three-valued join with a comparison of keys and a residual condition")

    def open(self, context: OperatorContext) -> None:
        """Waits for its build side."""
        self._context = context
        self._pairs.prepare(context.settings, domains_of(self._node.left, self._node.right))
        self._marking = context.reserve("marks")
        if not self._published:
            self._rows: BuildRows | None = BuildRows(self._spec)
            self._collected = context.reserve("build rows")
            self._sealed = context.reserve("join table")

    def preferred_port(self) -> int | None:
        """The build side, until it has ended."""
        return 1 if not self._published and self._build is None else None

    @property
    def finished(self) -> bool:
        """Whether no probe row can find a partner, and the kind needs one."""
        return self._node.kind in _NEEDS_MATCH and self._build is not None and self._build.table.entries == 0

    @property
    def contributes(self) -> bool:
        """Build rows are given back when all tasks have said which ones they matched."""
        return self._published and self._node.kind in BUILD_MARKING

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Collects a batch of the build side, or emits what a probe batch gives."""
        if port == 1:
            assert self._rows is not None
            self._collected.resize(self._rows.bytes_after(batch))
            self._rows.add(batch)
            self._collected.resize(self._rows.bytes)
            return None
        return self._probe_with(batch) if batch.rows else None

    def on_end(self, port: int) -> Emission | None:
        """Seals the task's own table, or gives back build rows by their marks."""
        if port == 1:
            return self._seal()
        return self._give_back() if self._node.kind in BUILD_MARKING else None

    def close(self) -> None:
        """Gives memory back."""
        self._build = self._marks = None
        if not self._published and hasattr(self, "_collected"):
            self._rows = None
            self._collected.release()
            self._sealed.release()
        if hasattr(self, "_marking"):
            self._marking.release()

    def _seal(self) -> Emission:
        sealer = BuildSealer(self._spec, self._sealed)
        assert self._rows is not None
        parts = sealer.plan([self._rows])
        self._rows = None
        for part in range(parts):
            for _ in sealer.seal(part) or ():
                yield Suspend(READY)
            yield Suspend(READY)
        self._use(sealer.finish())
        self._collected.release()

    def _use(self, build: BuildSide) -> None:
        self._build = build
        most = self._pairs.most_at_once(self._context.batch_rows)
        self._matching = Matching(JoinProbe(build.table), build, self._pairs, most)
        self._three_valued = ThreeValued(self._spec, build)
        if self._node.kind in BUILD_MARKING:
            self._marks = BuildMarks(build.rows, self._marking)

    def _ready(self) -> Iterator[Suspend]:
        if self._build is None:
            publication: Publication[BuildRows, BuildSide] = self._context.publication(self._node.publication)
            while not publication.sealed.ready:
                yield Suspend(publication.sealed)
            self._use(publication.handle())

    def _probe_with(self, batch: Batch) -> Emission:
        yield from self._ready()
        keys = self._keys.aligned(batch)
        self._matching.probe.start(*keys)
        node = self._node
        match node.kind:
            case HashJoinKind.INNER | HashJoinKind.RIGHT:
                yield from emit_inner(self._matching, batch, self._marks)
            case HashJoinKind.LEFT | HashJoinKind.FULL | HashJoinKind.SINGLE:
                single = node.kind is HashJoinKind.SINGLE
                yield from emit_outer(self._matching, batch, self._marks, single=single, span=node.span)
            case HashJoinKind.BUILD_SEMI | HashJoinKind.BUILD_ANTI:
                assert self._marks is not None
                yield from emit_marks(self._matching, batch, self._marks)
            case HashJoinKind.SEMI | HashJoinKind.ANTI | HashJoinKind.MARK:
                yield from self._decide(batch, keys)

    def _decide(self, batch: Batch, keys: Aligned) -> Emission:
        """SEMI, ANTI, MARK: what becomes of each probe row."""
        unknown: Mask = np.zeros(batch.rows, np.bool_)
        true = unknown
        if self._spec.three_valued and self._spec.comparison is None and self._pairs.filters:
            for answer in condition_truths(self._matching, batch):
                if isinstance(answer, Suspend):
                    yield answer
                else:
                    true, unknown = answer
        else:
            for found in matched_lanes(self._matching, batch):
                if isinstance(found, Suspend):
                    yield found
                else:
                    true = found
            if self._spec.three_valued:
                unknown = self._three_valued.of_keys(keys, true)
        if self._node.kind is HashJoinKind.MARK:
            marked = mark_column(batch, true, unknown)
            yield batch.with_columns([marked if i < 0 else batch.columns[i] for i in self._probe_output])
            return
        kept = true if self._node.kind is HashJoinKind.SEMI else ~true & ~unknown
        if kept.any():
            yield keeping(batch, kept).project(self._probe_output)

    def _give_back(self) -> Emission:
        yield from self._ready()
        assert self._build is not None
        assert self._marks is not None
        given = self._build_output
        assert given is not None
        if self._published:
            yield from self._marks.combined(self._context, self._node.publication)
        marked = self._node.kind is HashJoinKind.BUILD_SEMI
        rows = self._marks.rows(self._context, marked=marked, shared=self._published)
        for piece in pieces(rows, self._context.batch_rows):
            yield given.output(given.without_probe(self._build.columns, piece))
