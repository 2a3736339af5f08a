"""Results that are there at once: SHOW, DESCRIBE, EXPLAIN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tableflow.columnar.representation import declared
from tableflow.session.outcome import OperatorTime, ResultColumn
from tableflow.types import STRING, SqlType


class FixedResult:
    """Rows of text, or (``types``) of other values."""

    changes = False
    endless = False
    stays = False

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        types: Sequence[SqlType] | None = None,
        zone: str = "UTC",
    ) -> None:
        kinds = types or [STRING] * len(names)
        self.columns: Sequence[ResultColumn] = [
            ResultColumn(name, kind) for name, kind in zip(names, kinds, strict=True)
        ]
        arrow = [declared(kind, zone) for kind in kinds]
        self.schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, arrow, strict=True)])
        arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(arrow)]
        self._batch: pa.RecordBatch | None = pa.RecordBatch.from_arrays(arrays, schema=self.schema) if rows else None

    @classmethod
    def of(cls, columns: Mapping[str, SqlType], rows: Sequence[Sequence[Any]]) -> FixedResult:
        """Rows under columns whose types are known."""
        return cls(list(columns), rows, list(columns.values()))

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
