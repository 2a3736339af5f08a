"""Rows per second and core of operators over changelogs: ``python -m benchmarks.changelog_operators``.

Each operator is fed batches that are in memory already; CPU time is measured, so other work on the machine disturbs little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import Settings
from tableflow.expressions.nodes import AggregateCall, ColumnRef
from tableflow.physical.build import build_operator
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.properties import OrderingKey
from tableflow.runtime.graph import OperatorSpec
from tableflow.types import BIGINT, DecimalType, Field

ROWS = 400_000
K, V, L, W = (Field(i, name, BIGINT) for i, name in enumerate(("k", "v", "l", "w"), 1))


class OperatorWorld:
    """An operator's world without limits."""

    task_index, parallelism, batch_rows = 0, 1, 65_536
    settings = Settings()
    bytes = 0

    def reserve(self, name: str, bytes: int = 0) -> OperatorWorld:
        """It reserves for itself."""
        return self

    def resize(self, bytes: int) -> None:
        """Notes how much."""
        self.bytes = bytes

    def release(self) -> None:
        """Nothing is held."""
        self.bytes = 0

    def count(self, counter: str, by: int = 1) -> None:
        """Counts nothing."""


def _ref(field: Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)


def _batches(size: int, keys: int, *, weighted: bool) -> list[Batch]:
    rng = np.random.default_rng(1)
    made = []
    for start in range(0, ROWS // size * size, size):
        columns = [rng.integers(0, keys, size), rng.permutation(np.arange(start, start + size))]
        weights = np.ones(size, np.int64) if weighted else None
        made.append(Batch([Column(BIGINT, pa.array(values)) for values in columns], size, None, weights))
    return made


def _nodes() -> Iterator[tuple[str, PhysicalNode, int, bool]]:
    """What is measured: name, node, number of keys, whether rows carry weights."""
    left, right = Input(fields=(K, V)), Input(fields=(L, W))
    for kind, appends in ((HashJoinKind.INNER, True), (HashJoinKind.INNER, False), (HashJoinKind.LEFT, False)):
        join = ChangelogJoin(
            fields=(K, V, L, W),
            left=left,
            right=right,
            kind=kind,
            left_keys=(_ref(K),),
            right_keys=(_ref(L),),
            null_safe=(False,),
            left_appends=appends,
            right_appends=appends,
        )
        yield f"join {kind.value}", join, ROWS, not appends
    calls: dict[str, AggregateCall] = {
        "count": AggregateCall(BIGINT, "count"),
        "sum": AggregateCall(DecimalType(38, 0), "sum", (_ref(V),)),
        "max": AggregateCall(BIGINT, "max", (_ref(V),)),
    }
    for names in (["count"], ["count", "sum", "max"]):
        results = tuple(Field(20 + i, name, calls[name].type) for i, name in enumerate(names))
        for weighted in (False, True):
            grouping = ChangelogAggregate(
                fields=(K, *results),
                input=left,
                keys=(K,),
                calls=tuple(calls[name] for name in names),
                retracting=weighted,
            )
            yield f"group by, {' '.join(names)}", grouping, 200_000, weighted
    for partition, appends in (((K.id,), True), ((K.id,), False), ((), False)):
        top = ChangelogTopN(
            fields=(K, V),
            input=left,
            partition=partition,
            order=(OrderingKey(V.id, descending=True),),
            limit=10,
            appends=appends,
        )
        yield f"top 10{' by key' if partition else ''}", top, 20_000, not appends


def _rate(node: PhysicalNode, keys: int, size: int, *, weighted: bool) -> float:
    operator = build_operator(OperatorSpec("measured", node, "measured"))
    context: Any = OperatorWorld()
    operator.open(context)
    ports = len(node.inputs)
    batches = _batches(size, keys, weighted=weighted)
    start = time.process_time()
    for batch in batches:
        for port in range(ports):
            for _ in operator.process(batch, port) or ():
                pass
    return ports * len(batches) * size / (time.process_time() - start)


def main() -> None:
    """Prints a table."""
    print(f"{'operator':28} {'input':9} {'8192 a batch':>14} {'1024 a batch':>14}   million rows/s")
    for name, node, keys, weighted in _nodes():
        rates = [_rate(node, keys, size, weighted=weighted) / 1e6 for size in (8192, 1024)]
        print(f"{name:28} {'retract' if weighted else 'append':9} {rates[0]:14.2f} {rates[1]:14.2f}")


if __name__ == "__main__":
    main()
