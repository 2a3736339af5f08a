"""What values the keys of a hash-join build have: their bounds, and all of them while they are few.

Invariant: every value of a row that was added lies between the bounds, and is listed unless there are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.expressions.operand import Operand

MOST_LISTED = 1_000
"""Longer lists would be looked through for longer than they save, and key indexes take no more either."""


_FEW_ENOUGH = 8 * MOST_LISTED
"""Rows that are worth looking for a few different values: keys of a build mostly differ."""


def can_be_described(of: t.SqlType) -> bool:
    """Whether two values of the type are equal just if their storage values are, which are ordered as the values."""
    match of:
        case t.IntegerType() | t.DecimalType() | t.DateType() | t.TimestampType():
            return True
        case t.StringType(fixed=fixed):
            return not fixed
        case _:
            return False


class KeyValues:
    """The values of one key, as storage values; NULLs are not among them."""

    def __init__(self, of: t.SqlType) -> None:
        self.type = of
        self.minimum: Any = None
        self.maximum: Any = None
        self.listed: set[Any] | None = set()

    def add(self, column: Column, selection: Selection | None) -> None:
        """The selected rows of a column (all without a selection)."""
        array = column.array
        coded = pa.types.is_dictionary(array.type)
        if (len(array) if selection is None else len(selection)) > _FEW_ENOUGH and not coded:
            self.listed = None
        if self.listed is not None:
            array = pc.unique(array if selection is None else take(column, selection).array)
            if coded:
                array = array.dictionary_decode()
            if len(array) <= MOST_LISTED:
                self._include(storage_values(Operand(self.type, array)))
                return
            self.listed = None
        elif coded:
            array = array.dictionary  # entries that no row has only widen the bounds
        elif selection is not None:
            array = take(column, selection).array
        bounds = pc.min_max(array)
        values = [bounds["min"].as_py(), bounds["max"].as_py()]
        if values[0] is not None:
            self._widen(storage_values(Operand(self.type, pa.array(values, array.type))))

    def _include(self, values: list[Any]) -> None:
        present = [value for value in values if value is not None]
        if present and self.listed is not None:
            self.listed.update(present)
            self._widen([min(present), max(present)])
            if len(self.listed) > MOST_LISTED:
                self.listed = None

    def _widen(self, bounds: list[Any]) -> None:
        self.minimum = bounds[0] if self.minimum is None else min(self.minimum, bounds[0])
        self.maximum = bounds[1] if self.maximum is None else max(self.maximum, bounds[1])

    def include(self, other: KeyValues) -> None:
        """The values of another task's rows."""
        if other.minimum is not None:
            self._widen([other.minimum, other.maximum])
        if self.listed is not None:
            self.listed = None if other.listed is None else self.listed | other.listed
            if self.listed is not None and len(self.listed) > MOST_LISTED:
                self.listed = None

    def conjuncts(self, column: ColumnRef) -> tuple[Expression, ...]:
        """What holds for a column that equals one of the values; FALSE if there are none."""
        if self.minimum is None:
            return (Literal(t.BOOLEAN, value=False),)
        low, high = Literal(self.type, self.minimum), Literal(self.type, self.maximum)
        if self.minimum == self.maximum:
            return (Call(t.BOOLEAN, "eq", (column, low)),)
        between = (Call(t.BOOLEAN, "ge", (column, low)), Call(t.BOOLEAN, "le", (column, high)))
        if self.listed is None:
            return between
        items = tuple(Literal(self.type, value) for value in sorted(self.listed))
        return (*between, Call(t.BOOLEAN, "in", (column, *items)))


def united(parts: Sequence[KeyValues]) -> KeyValues:
    """The values of all tasks."""
    result = KeyValues(parts[0].type)
    for part in parts:
        result.include(part)
    return result
