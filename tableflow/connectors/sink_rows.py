"""Batches that a sink is given, as Arrow data or as rows of Python values with their kinds.

Invariant: a row that counts twice is there twice, and every row has its kind: ``+I`` where the query never takes one back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.catalog.provider import ColumnDefinition
from tableflow.catalog.written import KINDS_COLUMN, SinkRequest
from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, take_columns
from tableflow.columnar.representation import boundary, declared
from tableflow.connectors.rows import Row, printable_rows
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.serialization import serializable

ADDED = "+I"


@serializable
@dataclass(frozen=True, slots=True)
class SinkRows:
    """Columns of a table; ``changes``: batches have a column of kinds before them.  Instants are shown in ``zone``."""

    columns: tuple[ColumnDefinition, ...]
    changes: bool
    zone: str

    @staticmethod
    def of(request: SinkRequest) -> SinkRows:
        """What a writer will be given."""
        return SinkRows(request.columns, request.changes, request.zone)

    @property
    def schema(self) -> pa.Schema:
        """Of :meth:`arrow`: the table's columns."""
        return pa.schema([pa.field(c.name, declared(c.type, self.zone), c.nullable) for c in self.columns])

    def arrow(self, batch: Batch) -> pa.RecordBatch:
        """The rows without their kinds."""
        plain = _repeated(batch)
        columns = plain.columns[1:] if self.changes else plain.columns
        arrays = [boundary(column, zone=self.zone) for column in columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def kinds(self, batch: Batch) -> pa.Array:
        """What each row of :meth:`arrow` does."""
        plain = _repeated(batch)
        if self.changes:
            return boundary(plain.columns[0])
        return pa.array([ADDED]).take(pa.array(np.zeros(plain.length, np.int64)))

    def with_kinds(self, batch: Batch) -> pa.RecordBatch:
        """The rows behind a column of their kinds."""
        rows = self.arrow(batch)
        schema = pa.schema([pa.field(KINDS_COLUMN, pa.string(), nullable=False), *self.schema])
        return pa.RecordBatch.from_arrays([self.kinds(batch), *rows.columns], schema=schema)

    def rows(self, batch: Batch) -> Iterator[tuple[str, Row]]:
        """Kind and printable values of each row."""
        kinds: Sequence[str] = self.kinds(batch).to_pylist()
        return zip(kinds, printable_rows(self.arrow(batch)), strict=True)


def _repeated(batch: Batch) -> Batch:
    """The selected rows, each as often as it counts, without weights."""
    plain = compact(batch)
    if plain.weights is None:
        return plain
    if (plain.weights < 0).any():
        raise InternalError("a sink that takes rows with their kinds was given weights")
    rows = np.repeat(np.arange(plain.length, dtype=np.int64), plain.weights)
    return Batch(take_columns(plain.columns, rows), len(rows))
