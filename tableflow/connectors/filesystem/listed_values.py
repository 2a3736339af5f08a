"""Lists of values that a column stored as integers may have: the keys of a finished build, or an IN list of literals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow import types as t
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.number_set import NumberSet
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal

_FEW_VALUES = 1024
_STORED_AS_INTEGERS = (t.IntegerType, t.DecimalType, t.DateType, t.TimestampType)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


class ListedValues:
    """Storage values, ascending and each once."""

    def __init__(self, values: npt.NDArray[np.int64]) -> None:
        self._numbers = NumberSet(values)

    @property
    def quick(self) -> bool:
        """Whether a value is found faster than it would be decoded with its row."""
        return self._numbers.mapped or len(self._numbers.values) <= _FEW_VALUES

    def within(self, low: int | None, high: int | None) -> tuple[int, int]:
        """The bounds of the list, within others."""
        first, last = self._numbers.first, self._numbers.last
        return first if low is None else max(first, low), last if high is None else min(last, high)

    def between(self, low: int, high: int) -> int:
        """How many of the list lie between bounds that are in."""
        numbers = self._numbers
        values = numbers.values
        if low <= numbers.first and numbers.last <= high:
            return len(values)
        low, high = max(low, _LEAST), min(high, _MOST)
        if low > high:
            return 0
        return int(values.searchsorted(high, side="right")) - int(values.searchsorted(low))

    def mapped(self, low: int | None, high: int | None) -> tuple[int, int, npt.NDArray[np.uint64], int] | None:
        """The bounds of the list within others, and a bit for each number from the last of these on; None without such a map."""
        bits = self._numbers.bits
        return None if bits is None else (*self.within(low, high), bits, self._numbers.first)

    def rows(self, column: Column, low: int | None, high: int | None) -> Selection:
        """The rows of a column stored as integers of at most 64 bits whose value is listed and between bounds."""
        return self._numbers.rows(column, *self.within(low, high))


def listed_values(predicate: Expression) -> ListedValues | None:
    """What a list of literals of the column's own type accepts; None for other conjuncts."""
    match predicate:
        case Call(function="in", args=(ColumnRef(type=of), *items)) if isinstance(of, _STORED_AS_INTEGERS):
            values = {item.value for item in items if isinstance(item, Literal) and item.value is not None}
            alike = all(isinstance(item, Literal) and _alike(item.type, of) for item in items)
            fits = all(_LEAST <= value <= _MOST for value in values)
            return ListedValues(np.array(sorted(values), np.int64)) if values and alike and fits else None
        case _:
            return None


def _alike(of: t.SqlType, column: t.SqlType) -> bool:
    return of == column or (isinstance(of, t.IntegerType) and isinstance(column, t.IntegerType))
