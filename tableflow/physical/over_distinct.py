"""Values that have come in a partition so far: DISTINCT over all rows so far counts a row when it is the first with its value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take, take_columns
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.multi_state import MultiState
from tableflow.columnar.keys import encode
from tableflow.physical.over_partitions import PartitionKeys, Partitions, first_rows, rows_of
from tableflow.physical.state_age import AgedState
from tableflow.types import BIGINT, BYTES, SqlType


class DistinctValues(AgedState):
    """The values of one argument by partition; those of one to which nothing has been added for long are forgotten."""

    def __init__(self, keys: PartitionKeys, of: SqlType, ttl: int) -> None:
        places = range(len(keys.types))
        super().__init__(MultiState([*keys.types, of], places, [True] * len(places)), ttl, keys.dealt)
        self._ages = bool(ttl)

    def take(self, values: Column, partitions: Partitions) -> npt.NDArray[np.bool_]:
        """Whether each row, in order, is the first of its partition with its value; takes the values."""
        compared = Column(BYTES, encode(values)) if is_nested(values) else values
        table = GroupTable([BIGINT, compared.type], [])
        numbers = table.number([Column(BIGINT, pa.array(partitions.numbers)), compared], [], len(values))
        rows = first_rows(numbers)
        keys = take_columns(partitions.keys, partitions.numbers[rows])
        changes = self._state.apply([*keys, take(values, rows)], len(rows))
        found = np.zeros(len(values), np.bool_)
        found[rows[changes.rows[changes.before == 0]]] = True
        self._age.compact(self._state)
        if self._ages:
            self._age.touch(rows_of(self._state, partitions)[1])
        return found

    def clear(self) -> None:
        """Forgets everything."""
        self._state.clear()
