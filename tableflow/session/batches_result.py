"""Results that are there as record batches: what RETURNING gives, once the statement is committed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pyarrow as pa

from tableflow.session.outcome import OperatorTime, ResultColumn


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
