"""Small jobs around one physical operator, run by the real runtime: simulated under a seed, or on threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.physical.node import Input
from tableflow.runtime.operator import Operator
from tableflow.runtime.scheduler import WorkerPool
from tableflow.types import Field, SqlType
from tests.kernels.columns import rows_of
from tests.runtime.simple import Batches, Plan

Rows = list[tuple[Any, ...]]


def fields(*types: SqlType) -> tuple[Field, ...]:
    """Columns with ids from 10, so that an id is never taken for a position."""
    return tuple(Field(10 + i, f"c{i}", of) for i, of in enumerate(types))


def leaf(*types: SqlType) -> Input:
    """An input of these columns."""
    return Input(fields=fields(*types))


def collect(plan: Plan, result: int, seed: int | None = 0, **settings: Any) -> list[Batch]:
    """The batches of a job's result; its memory is given back."""
    pool = WorkerPool(2) if seed is None else None
    texts = settings if seed is None else {**settings, "seed": seed}
    job = plan.job(result, pool, **texts)
    made = []
    try:
        job.start()
        while (batch := job.next_batch(timeout=20)) is not None:
            made.append(batch)
    finally:
        job.close()
        if pool is not None:
            pool.close()
    assert job.memory.used == 0
    return made


def through(operator: Operator, batches: Sequence[Batch], seed: int | None = 0, **settings: Any) -> Rows:
    """The rows that one task of the operator makes of these batches."""
    plan = Plan()
    result = plan.stage(lambda: operator, source=Batches(list(batches)))
    return [row for batch in collect(plan, result, seed, **settings) for row in rows_of(batch)]
