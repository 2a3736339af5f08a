"""What a hash join emits for a probe batch, by kind.

Matching gives pairs of lanes and build rows a piece at a time; a residual condition keeps some of them; the kind decides what
becomes of pairs and of lanes without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.joining import NO_ROW, JoinProbe, Rows
from tableflow.errors import DataError, Span
from tableflow.physical.join_build import BuildSide, BuildSpec, nulls
from tableflow.physical.join_marks import BuildMarks
from tableflow.physical.join_pairs import Mask, PairColumns, pieces, stored_rows
from tableflow.physical.row_values import Aligned
from tableflow.runtime.operator import Emission, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BOOLEAN


class Candidates(Protocol):
    """Pairs of a probe batch that may match: all of equal keys, or all there are."""

    columns: PairColumns
    most: int

    @property
    def exact(self) -> bool:
        """Whether every pair matches and lanes without one are known beforehand: then it is a :class:`Matching`."""
        ...

    def candidates(
        self, batch: Batch, done: npt.NDArray[np.uint8] | None = None, marked: npt.NDArray[np.uint8] | None = None
    ) -> Iterator[tuple[Rows, Rows, Batch]]:
        """Lanes, build rows and their columns, a piece at a time.

        Lanes whose ``done`` has become 1 are left out, and build rows whose ``marked`` has may be.
        """
        ...


class Matching:
    """One batch being probed with; a cursor over its pairs of equal keys."""

    def __init__(self, probe: JoinProbe, build: BuildSide, pairs: PairColumns, most: int) -> None:
        self.probe = probe
        self.build = build
        self.columns = pairs
        self.most = most
        self.exact = not pairs.filters

    def pairs(
        self,
        *,
        outer: bool = False,
        done: npt.NDArray[np.uint8] | None = None,
        marked: npt.NDArray[np.uint8] | None = None,
    ) -> Iterator[tuple[Rows, Rows]]:
        """All pairs, in pieces."""
        while not self.probe.exhausted:
            lanes, rows = self.probe.pairs(self.most, outer=outer, done=done, marked=marked)
            if len(lanes):
                yield lanes, rows

    def gathered(self, batch: Batch, lanes: Rows, rows: Rows, *, nullable: bool = False) -> Batch:
        """The columns of pairs."""
        if self.build.table.unique and not nullable and 2 * len(lanes) > batch.length:
            return self.columns.beside(batch, lanes, self.build.columns, rows)
        return self.columns.gather(batch, lanes, self.build.columns, rows, nullable=nullable)

    def candidates(
        self, batch: Batch, done: npt.NDArray[np.uint8] | None = None, marked: npt.NDArray[np.uint8] | None = None
    ) -> Iterator[tuple[Rows, Rows, Batch]]:
        """See :class:`Candidates`."""
        for lanes, rows in self.pairs(done=done, marked=marked):
            yield lanes, rows, self.columns.gather(batch, lanes, self.build.columns, rows)


def survivors(
    of: Candidates,
    batch: Batch,
    done: npt.NDArray[np.uint8] | None = None,
    marked: npt.NDArray[np.uint8] | None = None,
) -> Iterator[tuple[Rows, Rows, Batch]]:
    """Pairs that satisfy the residual condition, and their columns (under a selection of the pairs)."""
    for lanes, rows, gathered in of.candidates(batch, done, marked):
        kept = of.columns.satisfying(gathered)
        if kept is not gathered and kept.selection is not None:
            which: npt.NDArray[Any] = kept.selection
            if gathered.selection is not None:
                which = np.searchsorted(gathered.selection, which)
            lanes, rows = lanes[which], rows[which]
        yield lanes, rows, kept


def emit_inner(matching: Candidates, batch: Batch, marks: BuildMarks | None) -> Emission:
    """INNER and RIGHT: the pairs."""
    if isinstance(matching, Matching) and matching.exact:
        for lanes, rows in matching.pairs():
            if marks is not None:
                marks.add(rows)
            yield matching.columns.output(matching.gathered(batch, lanes, rows))
        return
    for _, rows, kept in survivors(matching, batch):
        if marks is not None:
            marks.add(rows)
        yield matching.columns.output(kept) if kept.rows else Suspend(READY)


def emit_outer(
    matching: Candidates, batch: Batch, marks: BuildMarks | None, *, single: bool, span: Span | None
) -> Emission:
    """LEFT, FULL and SINGLE: the pairs, and lanes without one beside NULLs."""
    matched = np.zeros(batch.rows, np.uint8)
    if isinstance(matching, Matching) and matching.exact:
        for lanes, rows in matching.pairs(outer=True):
            if single:
                _refuse_second(matched, lanes, span)
            if marks is not None:
                marks.add(rows[rows != NO_ROW])
            nullable = bool((rows == NO_ROW).any())
            yield matching.columns.output(matching.gathered(batch, lanes, rows, nullable=nullable))
        return
    for lanes, rows, kept in survivors(matching, batch):
        if single:
            _refuse_second(matched, lanes, span)
        matched[lanes] = 1
        if marks is not None:
            marks.add(rows)
        yield matching.columns.output(kept) if kept.rows else Suspend(READY)
    for lanes in pieces(np.flatnonzero(matched == 0), matching.most):
        yield matching.columns.output(matching.columns.without_build(batch, lanes))


def _refuse_second(matched: npt.NDArray[np.uint8], lanes: Rows, span: Span | None) -> None:
    if matched[lanes].any() or (lanes[1:] == lanes[:-1]).any():
        raise DataError(
            "scalar subquery returned more than one row",
            hint="aggregate its rows, or add LIMIT 1",
            span=span,
        )
    matched[lanes] = 1


def matched_lanes(matching: Candidates, batch: Batch) -> Iterator[Suspend | Mask]:
    """Which lanes have a surviving pair: last of what is yielded; pauses before it."""
    matched = np.zeros(batch.rows, np.uint8)
    if isinstance(matching, Matching) and matching.exact:
        matched[matching.probe.lanes(matched=True)] = 1
    else:
        # Lanes are given up at their first pair that survives.
        for lanes, _, _ in survivors(matching, batch, matched):
            matched[lanes] = 1
            yield Suspend(READY)
    yield matched.view(np.bool_)


def emit_marks(matching: Candidates, batch: Batch, marks: BuildMarks) -> Emission:
    """BUILD_SEMI and BUILD_ANTI: nothing now; build rows of surviving pairs are marked, once.

    Where a key has many rows on both sides, nearly all of its pairs are never made.
    """
    if isinstance(matching, Matching) and matching.exact:
        for _, rows in matching.pairs(marked=marks.found):
            marks.add(rows)
            yield Suspend(READY)
        return
    for _, rows, _ in survivors(matching, batch, marked=marks.found):
        marks.add(rows)
        yield Suspend(READY)


class ThreeValued:
    """Answers of MARK and of NOT IN: TRUE, unknown or (neither) FALSE for each lane."""

    def __init__(self, spec: BuildSpec, build: BuildSide) -> None:
        self._spec = spec
        self._rows = build.rows
        self._missing = build.table.entries < build.rows
        self._correlated = None if build.correlated is None else JoinProbe(build.correlated)
        self._unknown = None if build.unknown is None else JoinProbe(build.unknown)

    def of_keys(self, keys: Aligned, true: Mask) -> Mask:
        """Unknown lanes where the comparison is a pair of keys, given those that are TRUE."""
        comparison = self._spec.comparison
        if comparison is None or self._rows == 0:
            return np.zeros(len(true), np.bool_)
        missing = nulls(keys.columns[comparison])
        if keys.selection is not None:
            missing = missing[keys.selection]
        if self._correlated is None or self._unknown is None:
            return ~true & (missing | self._missing)
        correlation = Aligned([keys.columns[i] for i in self._spec.correlation], keys.length, keys.selection)
        beside_any, beside_null = _found(self._correlated, correlation), _found(self._unknown, correlation)
        return ~true & np.where(missing, beside_any, beside_null)


def condition_truths(matching: Candidates, batch: Batch) -> Iterator[Suspend | tuple[Mask, Mask]]:
    """(TRUE, unknown) lanes where the residual condition is the comparison: last of what is yielded."""
    true, unknown = np.zeros(batch.rows, np.uint8), np.zeros(batch.rows, np.bool_)
    for lanes, _, gathered in matching.candidates(batch, true):
        truths = matching.columns.truths(gathered)
        true[lanes[truths.true]] = 1
        unknown[lanes[truths.unknown]] = True
        yield Suspend(READY)
    decided = true.view(np.bool_)
    yield decided, unknown & ~decided


def _found(probe: JoinProbe, keys: Aligned) -> Mask:
    probe.start(*keys)
    lanes = keys.length if keys.selection is None else len(keys.selection)
    found = np.zeros(lanes, np.bool_)
    found[probe.lanes(matched=True)] = True
    return found


def mark_column(batch: Batch, true: Mask, unknown: Mask) -> Column:
    """The answers as a BOOLEAN column over the batch's stored rows."""
    values, missing = true, unknown
    if batch.selection is not None:
        values, missing = np.zeros(batch.length, np.bool_), np.zeros(batch.length, np.bool_)
        values[batch.selection], missing[batch.selection] = true, unknown
    return Column(BOOLEAN, pa.array(values, mask=missing if missing.any() else None))


def keeping(batch: Batch, lanes: Mask) -> Batch:
    """The batch with these lanes only."""
    if lanes.all():
        return batch
    return batch.with_selection(stored_rows(batch, np.flatnonzero(lanes).astype(np.uint32)))
