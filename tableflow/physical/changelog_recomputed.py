"""Aggregates that need all rows of a group together, over a changelog: touched groups are computed again.

Whoever collects rows and gives them together pays for each group once (``recomputed_rows`` of EXPLAIN ANALYZE counts what that was).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.expressions.nodes import AggregateCall, column_ids
from tableflow.physical.collect_aggregate import CollectAggregate, CollectAggregateOperator
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.partition_rows import PartitionRows
from tableflow.physical.recomputation import SIDE, difference, sided
from tableflow.runtime.operator import Operator, OperatorContext, Suspend
from tableflow.types import Field


class RecomputedGroups:
    """The rows of the groups of one task by ``keys``; without keys there is one group, which is always visible."""

    def __init__(
        self,
        keys: Sequence[Field],
        results: Sequence[Field],
        calls: tuple[AggregateCall, ...],
        leaf: PhysicalNode,
        ttl: int = 0,
        closes: int | None = None,
    ) -> None:
        """``ttl``, ``closes``: see :class:`~tableflow.physical.changelog_groups.ChangingGroups`."""
        self._closes = closes
        read = frozenset[int]().union(*(column_ids(call) for call in calls))
        self._global = not keys
        self._rows = PartitionRows(leaf, read, [key.id for key in keys], ttl=ttl)
        self.fields = self._rows.fields
        """The columns of the rows that are kept."""
        grouped = (SIDE, *keys)
        self._inner = CollectAggregate(
            fields=(*grouped, *results), input=Input(fields=(*self._rows.fields, SIDE)), keys=grouped, calls=calls
        )
        self._alone = CollectAggregate(
            fields=tuple(results), input=Input(fields=self._rows.fields), keys=(), calls=calls
        )
        self._kept = range(1, len(self._inner.fields))

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._rows.open(context)
        self._empty = self._result_of_nothing() if self._global else None

    def _result_of_nothing(self) -> Batch:
        operator = CollectAggregateOperator(self._alone)
        operator.open(self._context)
        made = [item for item in operator.on_end(0) or () if isinstance(item, Batch)]
        operator.close()
        return made[0]

    def kept(self, batch: Batch) -> Batch:
        """A batch's columns :attr:`fields`."""
        return self._rows.kept(batch)

    def change(self, parts: Iterable[Batch], begin: Batch | None) -> Iterator[Batch | Suspend]:
        """Takes rows with the columns :attr:`fields`; the old rows of the groups that they change with -1, the new ones with +1.

        What is said to ``begin`` with is summed up with that.
        """
        for part in parts:
            yield from self._rows.take(part)
        for touched in self._rows.touched():
            made = yield from difference(sided(touched), self._operator, self._context, 0, self._kept)
            if self._empty is not None:
                was, now = bool(touched.before.any()), bool(touched.after.any())
                made = self._with_empty(made, int(was) - int(now))
            if begin is not None:
                made, begin = begin if made is None else consolidated(concat([begin, made])), None
            if made is not None and made.length:
                yield made
        if begin is not None:
            yield begin
        self._rows.settle()

    def _with_empty(self, made: Batch | None, weight: int) -> Batch | None:
        """The only group says something also when it has no rows."""
        assert self._empty is not None
        if weight == 0:
            return made
        empty = Batch(self._empty.columns, 1, None, np.full(1, weight, np.int64))
        return empty if made is None else consolidated(concat([made, empty]))

    def _operator(self) -> Operator:
        return CollectAggregateOperator(self._inner)

    def current(self) -> Batch:
        """The row of the only group, without keys, while it has no rows."""
        assert self._empty is not None
        return Batch(self._empty.columns, 1, None, np.ones(1, np.int64))

    def touch(self, rows: Batch) -> None:
        """The groups of these rows, which wait, are not old."""
        self._rows.touch(rows)

    def forget_old(self) -> None:
        """Forgets groups that have not changed for long; when a timer has come."""
        self._rows.forget_old()

    def forget_below(self, bound: int) -> None:
        """Forgets the groups whose key is below ``bound``."""
        if self._closes is not None:
            self._rows.forget_below(self._closes, bound)

    def snapshot(self, keys: KeyRange) -> bytes:
        """The rows of a range of keys."""
        return self._rows.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._rows.restore(parts)

    def close(self) -> None:
        """Gives the memory back."""
        self._rows.close()
