"""Writing to a managed table inside a transaction: each task has a writer; the session commits.

The token of a task holds the row ids it removes; rows it added are in the transaction already and count with its commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import OpenContext
from tableflow.records import dataclass
from tableflow.runtime.sink import BufferingWriter
from tableflow.storage.staging import StagedWriter
from tableflow.storage.transaction import Transaction

KIND = "managed"


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """What a sink's key stands for: a table inside a transaction."""

    transaction: Transaction
    table: int


class TableSink(BufferingWriter):
    """The writer of one task."""

    def __init__(self, transaction: Transaction, table: int) -> None:
        self._transaction = transaction
        self._table = table
        self._writer: StagedWriter | None = None
        self._removed: list[npt.NDArray[np.int64]] = []

    def write(self, batch: Batch) -> None:
        """Rows in the order of the table's columns; with weights of -1 their row ids alone."""
        if batch.weights is not None:
            self._removed.append(batch.columns[0].array.cast("int64").to_numpy(zero_copy_only=False))
            return
        if self._writer is None:
            self._writer = self._transaction.writer(self._table)
        self._writer.write(batch.columns, batch.length)

    @property
    def held(self) -> int:
        """Bytes of rows to be added that are in memory."""
        return 0 if self._writer is None else self._writer.held

    def give_back(self) -> None:
        """Writes the rows that are in memory to a file."""
        if self._writer is not None:
            self._writer.give_back()

    def prepare(self) -> npt.NDArray[np.int64]:
        """The row ids to remove; the added rows are handed over."""
        if self._writer is not None:
            self._writer.finish()
        return np.concatenate(self._removed) if self._removed else np.empty(0, np.int64)

    def abort(self) -> None:
        """Nothing: the transaction is given up as a whole."""

    def close(self) -> None:
        """Forgets what was collected."""
        self._removed = []
        self._writer = None


def open_sink(options: Any, context: OpenContext) -> TableSink:
    """The writer of a spec's options."""
    opened: OpenTransaction = context.objects.get(options["object"])
    return TableSink(opened.transaction, opened.table)


def removed_rows(tokens: Sequence[Any]) -> npt.NDArray[np.int64]:
    """All row ids that the tasks remove, ascending."""
    return np.sort(np.concatenate([np.asarray(token, np.int64) for token in tokens] or [np.empty(0, np.int64)]))
