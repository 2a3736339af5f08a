"""The rows an expression is evaluated over: columns by id, under an optional selection, gathered on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.errors import InternalError
from tableflow.expressions.entries import Entries
from tableflow.expressions.operand import Operand

Rows = npt.NDArray[Any]


class Frame:
    """Rows of columns; narrowing a frame costs a gather for each column that is then used, and no more."""

    __slots__ = ("_columns", "_gathered", "_selection", "entries", "rows")

    def __init__(
        self,
        columns: Mapping[int, Column],
        length: int,
        selection: Rows | None = None,
        entries: Entries | None = None,
    ) -> None:
        self.entries = Entries() if entries is None else entries
        """What is known of dictionaries."""
        self._columns = columns
        self._selection = selection
        self._gathered: dict[int, Operand] = {}
        self.rows = length if selection is None else len(selection)

    def operand(self, id: int) -> Operand:
        """The column with this id, one value for each row of the frame."""
        found = self._gathered.get(id)
        if found is None:
            column = self._columns.get(id)
            if column is None:
                raise InternalError(f"column #{id} is not in the input")
            array = column.array
            if self._selection is not None:
                array = array.take(pa.array(self._selection))
            found = self._gathered[id] = Operand(column.type, array)
        return found

    def narrowed(self, rows: Rows) -> Frame:
        """Some of the frame's rows, by their numbers in it."""
        chosen = rows if self._selection is None else self._selection[rows]
        return Frame(self._columns, len(chosen), chosen, self.entries)


def scattered(values: Rows, rows: Rows, length: int) -> npt.NDArray[np.bool_]:
    """A mask over ``length`` rows from one over some of them."""
    mask = np.zeros(length, np.bool_)
    mask[rows] = values
    return mask
