"""Rows per second and core of OVER in streams: ``python -m benchmarks.over_in_time``.

Each operator is fed batches of rows that are a few out of order, and the watermark behind each; CPU time is measured.  The operator
that waits for time is compared with the one that gives rows at once and corrects them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.changelog_operators import OperatorWorld
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.nodes import (
    RUNNING,
    Call,
    ColumnRef,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    WindowCall,
)
from tableflow.physical.build import build_operator
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.node import Input
from tableflow.physical.properties import OrderingKey
from tableflow.runtime.events import Watermark
from tableflow.runtime.graph import OperatorSpec
from tableflow.types import BIGINT, INT, INTERVAL, TIMESTAMP, Field

ROWS = 200_000
KEYS = 1000
DISORDER = 500
K, T, V, R = Field(1, "k", INT), Field(2, "ts", TIMESTAMP), Field(3, "v", INT), Field(4, "r", BIGINT)


def _calls() -> Iterator[tuple[str, WindowCall]]:
    value, when = ColumnRef(INT, V.id, "v"), ColumnRef(TIMESTAMP, T.id, "ts")
    here = FrameBound(FrameSide.CURRENT_ROW)
    back = Call(TIMESTAMP, "subtract", (when, Literal(INTERVAL, (0, 0, 10_000))))
    yield "row_number()", WindowCall(BIGINT, "row_number")
    yield "sum, all so far", WindowCall(BIGINT, "sum", (value,), RUNNING)
    yield "count distinct, all so far", WindowCall(BIGINT, "count", (value,), RUNNING, distinct=True)
    yield "lag", WindowCall(INT, "lag", (value, Literal(INT, 1)))
    ten = Frame(FrameUnit.ROWS, FrameBound(FrameSide.PRECEDING, 10), here)
    yield "sum, 10 rows", WindowCall(BIGINT, "sum", (value,), ten)
    lately = Frame(FrameUnit.RANGE, FrameBound(FrameSide.PRECEDING, key=back), here)
    yield "max, 10 ms", WindowCall(INT, "max", (value,), lately)


def _batches(size: int) -> list[tuple[Batch, int]]:
    """Rows a microsecond apart, and the watermark behind each batch."""
    rng = np.random.default_rng(1)
    made = []
    for start in range(0, ROWS, size):
        times = np.arange(start, start + size) + rng.integers(0, DISORDER, size)
        columns = [
            Column(INT, pa.array(rng.integers(0, KEYS, size).astype(np.int32))),
            Column(TIMESTAMP, pa.array(times, pa.timestamp("us"))),
            Column(INT, pa.array(rng.integers(0, 1000, size).astype(np.int32))),
        ]
        made.append((Batch(columns, size), start + size))
    return made


def _rate(kind: type[EventTimeOver] | type[ChangelogOver], call: WindowCall, size: int) -> float:
    node = kind(
        fields=(K, T, V, Field(R.id, R.name, call.type)),
        input=Input(fields=(K, T, V)),
        partition=(K.id,),
        order=(OrderingKey(T.id),),
        results=(Field(R.id, R.name, call.type),),
        calls=(call,),
    )
    operator = build_operator(OperatorSpec("measured", node, "measured"))
    context: Any = OperatorWorld()
    operator.open(context)
    batches = _batches(size)
    begun, rows = time.process_time(), 0
    for batch, watermark in batches:
        for emission in (operator.process(batch, 0), operator.on_watermark(Watermark(watermark))):
            for _ in emission or ():
                pass
        rows += batch.length
        if time.process_time() - begun > 3:  # partitions grow: the correcting operator gets slower with every row
            break
    return rows / (time.process_time() - begun) / 1e6


def main() -> None:
    """Prints a table."""
    print(f"{'million rows/s':28} {'waiting, 8192':>14} {'1024 a batch':>14} {'correcting':>14} {'1024 a batch':>14}")
    for name, call in _calls():
        rates = [_rate(kind, call, size) for kind in (EventTimeOver, ChangelogOver) for size in (8192, 1024)]
        print(f"{name:28}", *(f"{rate:14.2f}" for rate in rates))


if __name__ == "__main__":
    main()
