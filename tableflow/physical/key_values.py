"""What values the keys of a hash-join build have: their bounds, and all of them while they are few.

Invariant: every value of a row that was added lies between the bounds, and is listed unless there are too many.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.columnar.kernels.number_set import MOST_SPAN
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.expressions.operand import Operand, numbers
from tableflow.runtime.narrowing import MOST_IN_CONJUNCT
from tableflow.runtime.source import KeyList

MOST_NUMBERS = 1 << 22
_MANY_NUMBERS = 1 << 20
_FEW_ROWS = 4_096
"""Rows that are worth looking for a few different texts: keys of a build mostly differ."""


def can_be_described(of: t.SqlType) -> bool:
    """Whether two values of the type are equal just if their storage values are, which are ordered as the values."""
    match of:
        case t.IntegerType() | t.DecimalType() | t.DateType() | t.TimestampType():
            return True
        case t.StringType(fixed=fixed):
            return not fixed
        case _:
            return False


class KeyValues(ABC):
    """The values of one key, as storage values; NULLs are not among them."""

    def __init__(self, of: t.SqlType) -> None:
        self.type = of
        self.minimum: Any = None
        self.maximum: Any = None

    @abstractmethod
    def add(self, column: Column, selection: Selection | None) -> None:
        """The selected rows of a column (all without a selection)."""

    @abstractmethod
    def listed(self, most: int) -> Sequence[Any] | None:
        """All values, ascending, each once; None if they are more than so many."""

    @abstractmethod
    def include(self, other: KeyValues) -> None:
        """The values of another task's rows."""

    @property
    def bytes(self) -> int:
        """Bytes held, but for what is small."""
        return 0

    def _widen(self, minimum: Any, maximum: Any) -> None:
        self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
        self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)

    def conjuncts(self, column: ColumnRef, most: int = MOST_IN_CONJUNCT) -> tuple[Expression, ...]:
        """What holds for a column that equals one of the values, of which at most so many are listed; FALSE if there are none."""
        if self.minimum is None:
            return (Literal(t.BOOLEAN, value=False),)
        low, high = Literal(self.type, self.minimum), Literal(self.type, self.maximum)
        if self.minimum == self.maximum:
            return (Call(t.BOOLEAN, "eq", (column, low)),)
        between = (Call(t.BOOLEAN, "ge", (column, low)), Call(t.BOOLEAN, "le", (column, high)))
        listed = self.listed(min(most, MOST_IN_CONJUNCT))
        if listed is None:
            return between
        return (*between, Call(t.BOOLEAN, "in", (column, *[Literal(self.type, value) for value in listed])))

    def key_list(self, column: ColumnRef) -> KeyList | None:
        """All values, if they are numbers and not too many."""
        return None


class NumberKeys(KeyValues):
    """Values that are stored as integers."""

    def __init__(self, of: t.SqlType) -> None:
        super().__init__(of)
        self._parts: list[npt.NDArray[np.int64]] | None = []
        self._count = 0
        self._ordered: npt.NDArray[np.int64] | None = None

    @property
    def bytes(self) -> int:
        """See the base."""
        return 8 * self._count if self._parts else 0

    def add(self, column: Column, selection: Selection | None) -> None:
        """See the base."""
        of = Operand(self.type, column.array if selection is None else take(column, selection).array)
        values = numbers(of)
        if of.valid is not None:
            values = values[of.valid]
        if not len(values):
            return
        self._widen(int(values.min()), int(values.max()))
        self._collect(None if values.dtype == object else [values], len(values))

    def _collect(self, parts: list[npt.NDArray[np.int64]] | None, count: int) -> None:
        self._count += count
        self._ordered = None
        if parts is None or self._parts is None or self._count > MOST_NUMBERS or self._is_scattered:
            self._parts = None
        else:
            self._parts += parts

    @property
    def _is_scattered(self) -> bool:
        """Whether they are many that no bit map would hold: to look them up would take longer than to join their rows."""
        return self._count > _MANY_NUMBERS and self.maximum - self.minimum >= MOST_SPAN

    def include(self, other: KeyValues) -> None:
        """See the base."""
        assert isinstance(other, NumberKeys)
        if other.minimum is not None:
            self._widen(other.minimum, other.maximum)
            self._collect(other._parts, other._count)

    def _distinct(self) -> npt.NDArray[np.int64] | None:
        if not self._parts:
            return None
        if self._ordered is None:
            values = np.sort(np.concatenate(self._parts))  # numpy's unique() hashes, which takes far longer
            first = np.concatenate([[True], values[1:] != values[:-1]])
            self._ordered = values[first]
        return self._ordered

    def listed(self, most: int) -> Sequence[Any] | None:
        """See the base."""
        found = self._distinct()
        return None if found is None or len(found) > most else found.tolist()

    def key_list(self, column: ColumnRef) -> KeyList | None:
        """See the base."""
        found = self._distinct()
        return None if found is None else KeyList(column, found)


class TextKeys(KeyValues):
    """Texts: compared one by one, so that only a handful is listed."""

    def __init__(self, of: t.SqlType) -> None:
        super().__init__(of)
        self._texts: set[str] | None = set()

    def add(self, column: Column, selection: Selection | None) -> None:
        """See the base."""
        if pa.types.is_dictionary(column.array.type) and self._texts is None:
            column, selection = Column(self.type, column.array.dictionary), None  # what no row has only widens bounds
        array = column.array if selection is None else take(column, selection).array
        if pa.types.is_dictionary(array.type):
            array = pc.unique(array).dictionary_decode()
        if self._texts is not None:
            self._texts = None if len(array) > _FEW_ROWS else self._texts | set(pc.unique(array).to_pylist()) - {None}
            if self._texts is not None and len(self._texts) > MOST_IN_CONJUNCT:
                self._texts = None
        bounds = pc.min_max(array)
        if bounds["min"].is_valid:
            self._widen(bounds["min"].as_py(), bounds["max"].as_py())

    def include(self, other: KeyValues) -> None:
        """See the base."""
        assert isinstance(other, TextKeys)
        if other.minimum is not None:
            self._widen(other.minimum, other.maximum)
        both = None if self._texts is None or other._texts is None else self._texts | other._texts
        self._texts = both if both is not None and len(both) <= MOST_IN_CONJUNCT else None

    def listed(self, most: int) -> Sequence[Any] | None:
        """See the base."""
        return None if self._texts is None or len(self._texts) > most else sorted(self._texts)


def key_values(of: t.SqlType) -> KeyValues:
    """Nothing yet of a key of this type, which can be described."""
    return TextKeys(of) if isinstance(of, t.StringType) else NumberKeys(of)


def united(parts: Sequence[KeyValues]) -> KeyValues:
    """The values of all tasks."""
    result = key_values(parts[0].type)
    for part in parts:
        result.include(part)
    return result
