"""Pairs of a probe batch's rows and build rows: gathered into columns, filtered by a residual condition.

Lanes are positions among the batch's rows that count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.joining import Rows
from tableflow.columnar.representation import canonical
from tableflow.config import Settings
from tableflow.expressions.evaluation import project
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import Call, Expression, column_ids
from tableflow.physical.pair_condition import PairCondition
from tableflow.records import dataclass
from tableflow.types import BOOLEAN, Field

Mask = npt.NDArray[np.bool_]


def stored_rows(batch: Batch, lanes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Row numbers of lanes."""
    return lanes if batch.selection is None else batch.selection[lanes]


def null_columns(fields: Sequence[Field], rows: int) -> list[Column]:
    """Columns without a value."""
    return [Column(f.type, pa.nulls(rows, canonical(f.type))) for f in fields]


@dataclass(frozen=True, slots=True)
class Truths:
    """Three-valued answers for pairs."""

    true: Mask
    unknown: Mask


class PairColumns:
    """Which columns of either side pairs are made of: some for the output, some for the residual condition."""

    def __init__(
        self,
        probe: tuple[Field, ...],
        build: tuple[Field, ...],
        output: Sequence[Field],
        residual: tuple[Expression, ...],
    ) -> None:
        wanted = [f.id for f in output]
        read = frozenset[int]().union(*(column_ids(e) for e in residual))
        kept = read | set(wanted)
        self.probe = [i for i, f in enumerate(probe) if f.id in kept]
        self.build = [i for i, f in enumerate(build) if f.id in kept]
        self._fields = [*(probe[i] for i in self.probe), *(build[i] for i in self.build)]
        self._where = {f.id: i for i, f in enumerate(self._fields)}
        self._output = [self._where[number] for number in wanted]
        self._residual = residual
        self._condition = PairCondition(tuple(self._fields), residual)
        self._conjunction = residual[0] if len(residual) == 1 else Call(BOOLEAN, "and", residual)

    def prepare(self, settings: Settings, domains: Mapping[int, Domain]) -> None:
        """Readies the condition for one task."""
        self._condition.prepare(settings, domains)

    def most_at_once(self, batch_rows: int) -> int:
        """How many pairs may be made before somebody looks at cancellation."""
        return self._condition.most_at_once(batch_rows)

    @property
    def filters(self) -> bool:
        """Whether pairs have to satisfy a condition."""
        return bool(self._residual)

    def gather(
        self, batch: Batch, lanes: Rows, columns: Sequence[Column], rows: Rows, *, nullable: bool = False
    ) -> Batch:
        """The pairs as rows, with all columns; ``nullable``: a build row may be missing."""
        left = take_columns([batch.columns[i] for i in self.probe], stored_rows(batch, lanes))
        right = take_columns([columns[i] for i in self.build], rows, nullable)
        return Batch([*left, *right], len(lanes))

    def beside(self, batch: Batch, lanes: Rows, columns: Sequence[Column], rows: Rows) -> Batch:
        """As :meth:`gather` for lanes that occur once each: the batch's own columns stay where they are."""
        selection: Rows | None = None
        if len(lanes) < batch.length:  # else they are all rows, in order
            selection = stored_rows(batch, lanes)
            index = np.zeros(batch.length, np.uint32)
            index[selection] = rows
            rows = index
        right = take_columns([columns[i] for i in self.build], rows)
        return Batch([*(batch.columns[i] for i in self.probe), *right], batch.length, selection)

    def without_build(self, batch: Batch, lanes: Rows) -> Batch:
        """Lanes that have no partner: NULLs stand for it."""
        fields = self._fields[len(self.probe) :]
        left = take_columns([batch.columns[i] for i in self.probe], stored_rows(batch, lanes))
        return Batch([*left, *null_columns(fields, len(lanes))], len(lanes))

    def without_probe(self, columns: Sequence[Column], rows: npt.NDArray[Any]) -> Batch:
        """Build rows that have no partner."""
        fields = self._fields[: len(self.probe)]
        right = take_columns([columns[i] for i in self.build], rows)
        return Batch([*null_columns(fields, len(rows)), *right], len(rows))

    def satisfying(self, pairs: Batch) -> Batch:
        """The pairs for which the condition is TRUE, as a selection; the same batch if all are."""
        if not self._residual:
            return pairs
        kept = self._condition.selected(pairs)
        return pairs if len(kept) == pairs.rows else pairs.with_selection(kept)

    def truths(self, pairs: Batch) -> Truths:
        """The condition's value for each pair."""
        if not self._residual:
            return Truths(np.ones(pairs.rows, np.bool_), np.zeros(pairs.rows, np.bool_))
        array = project([self._conjunction], pairs, self._where)[0].array
        unknown = array.is_null().to_numpy(zero_copy_only=False)
        return Truths(array.fill_null(fill_value=False).to_numpy(zero_copy_only=False), unknown)

    def output(self, pairs: Batch) -> Batch:
        """The output columns."""
        return pairs.project(self._output)


def pieces(rows: npt.NDArray[Any], most: int) -> Iterator[npt.NDArray[Any]]:
    """The row numbers in pieces of at most ``most``."""
    for start in range(0, len(rows), most):
        yield rows[start : start + most]
