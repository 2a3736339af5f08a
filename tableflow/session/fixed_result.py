"""Results that are there at once: what RETURNING gives when the statement is committed, and SHOW, DESCRIBE, EXPLAIN."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tableflow.columnar.representation import declared
from tableflow.session.outcome import OperatorTime, ResultColumn
from tableflow.types import STRING, SqlType


class BatchesResult:
    """Batches that were collected before."""

    changes = False
    endless = False
    stays = False

    def __init__(
        self,
        columns: Sequence[ResultColumn],
        schema: pa.Schema,
        batches: Sequence[pa.RecordBatch],
        times: Sequence[OperatorTime] = (),
    ) -> None:
        self.columns = columns
        self.schema = schema
        self._batches = deque(batches)
        self._times = times

    def next_batch(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """The next of them."""
        return self._batches.popleft() if self._batches else None

    def cancel(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """Lets the rows go."""
        self._batches.clear()

    def times(self) -> Sequence[OperatorTime]:
        """Where the statement's time went."""
        return self._times


class FixedResult(BatchesResult):
    """Rows of text, or (``types``) of other values."""

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        types: Sequence[SqlType] | None = None,
        zone: str = "UTC",
    ) -> None:
        kinds = types or [STRING] * len(names)
        arrow = [declared(kind, zone) for kind in kinds]
        schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, arrow, strict=True)])
        arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(arrow)]
        batches = [pa.RecordBatch.from_arrays(arrays, schema=schema)] if rows else []
        columns = [ResultColumn(name, kind) for name, kind in zip(names, kinds, strict=True)]
        super().__init__(columns, schema, batches)

    @classmethod
    def of(cls, columns: Mapping[str, SqlType], rows: Sequence[Sequence[Any]]) -> FixedResult:
        """Rows under columns whose types are known."""
        return cls(list(columns), rows, list(columns.values()))
