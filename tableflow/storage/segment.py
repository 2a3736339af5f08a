"""What a table's state asks of a segment: rows with ascending ids, in chunks, in memory or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from tableflow.columnar.column import Column
from tableflow.storage.description import StoredColumn
from tableflow.storage.key_index import Probes
from tableflow.storage.zones import Zone

if TYPE_CHECKING:
    from tableflow.storage.table_statistics import SegmentStatistics

Ids = npt.NDArray[np.int64]
Pairs = tuple[Ids, Ids]


class Segment(Protocol):
    """Immutable; its row ids lie in ``[first, end)``, and no other segment's do."""

    @property
    def first(self) -> int:
        """No row id is lower."""
        ...

    @property
    def end(self) -> int:
        """Every row id is lower."""
        ...

    @property
    def rows(self) -> int:
        """Rows that are there, deleted ones too."""
        ...

    @property
    def chunks(self) -> Sequence[int]:
        """The rows of each chunk."""
        ...

    def chunk_bytes(self, chunk: int, columns: Sequence[StoredColumn]) -> int:
        """About how much reading these columns costs."""
        ...

    def read(self, chunk: int, columns: Sequence[StoredColumn]) -> list[Column]:
        """Columns of a chunk, in the types that they have now; initial values for those that came later."""
        ...

    def row_ids(self, chunk: int) -> Ids:
        """The ids of a chunk's rows, ascending."""
        ...

    def zone(self, chunk: int | None, column: StoredColumn) -> Zone | None:
        """Bounds of a column's values in a chunk, or in all of it; None if nothing is known."""
        ...

    def statistics(self, column: StoredColumn) -> SegmentStatistics:
        """What is known of a column in all of it; cheap after the first call."""
        ...

    def take(self, positions: Ids, columns: Sequence[StoredColumn]) -> list[Column]:
        """Columns of the rows at these positions, which ascend."""
        ...

    def positions(self, row_ids: Ids) -> Ids:
        """Where these rows are; -1 if they are not here."""
        ...

    def find(self, key: Sequence[StoredColumn], hashes: Probes) -> Pairs:
        """Pairs (number of the hash, row id) of rows whose key may have that hash."""
        ...
