"""Results that are there at once: SHOW, DESCRIBE, EXPLAIN."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tableflow.session.outcome import OperatorTime, ResultColumn
from tableflow.types import STRING


class FixedResult:
    """Rows of text."""

    changes = False
    endless = False

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        self.columns: Sequence[ResultColumn] = [ResultColumn(name, STRING) for name in names]
        self.schema = pa.schema([pa.field(name, pa.string()) for name in names])
        arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(names))]
        self._batch: pa.RecordBatch | None = pa.RecordBatch.from_arrays(arrays, schema=self.schema) if rows else None

    def next_batch(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """All rows, once."""
        batch, self._batch = self._batch, None
        return batch

    def cancel(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to give back."""

    def times(self) -> Sequence[OperatorTime]:
        """Nothing ran."""
        return []
