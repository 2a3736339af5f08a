"""NOT NULL and CHECK of the rows that a statement writes, and which of several rows with one key is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take
from tableflow.errors import IntegrityError, Span
from tableflow.expressions.literals import storage_values
from tableflow.expressions.operand import Operand
from tableflow.expressions.text import literal_text
from tableflow.types import StringType

_SHOWN_CHARACTERS = 60
_KEY_BYTES = 120
"""What Python needs for a remembered key, roughly."""


class RowConstraints:
    """``required`` are positions among the table's ``columns``; ``checks`` are names and positions in the input."""

    def __init__(
        self,
        table: str,
        columns: Sequence[str],
        required: Sequence[int],
        checks: Sequence[tuple[str, int]],
        span: Span | None = None,
    ) -> None:
        self._table = table
        self._columns = columns
        self._required = required
        self._checks = checks
        self._span = span

    def check(
        self,
        values: Sequence[Column],
        input: Sequence[Column],
        first: int | None = None,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Raises :class:`IntegrityError` for the first row that may not be.

        ``first`` is how many rows came before (None: nobody knows), ``rows`` are the rows' numbers after it.
        """
        for position in self._required:
            column = values[position]
            if not (column.array.null_count if is_nested(column) else column.vector.null_count):
                continue
            row = int(np.flatnonzero(column.array.is_null().to_numpy(zero_copy_only=False))[0])
            self._refuse(f"column {self._columns[position]!r} may not be NULL", values, row, first, rows)
        for name, where in self._checks:
            column = input[where]
            holds = column.array.fill_null(True) if column.vector.null_count else column.array  # noqa: FBT003 - unknown is fine
            if holds.false_count:
                row = int(np.flatnonzero(~holds.to_numpy(zero_copy_only=False))[0])
                self._refuse(f"check {name!r} does not hold", values, row, first, rows)

    def _refuse(
        self,
        what: str,
        values: Sequence[Column],
        row: int,
        first: int | None,
        rows: npt.NDArray[np.int64] | None,
    ) -> NoReturn:
        number = row if rows is None else int(rows[row])
        which = "a row" if first is None else f"row {first + number + 1:,}"
        shown = describe_row(self._columns, [take(value, np.array([row])) for value in values])
        raise IntegrityError(
            f"table {self._table!r}: {what}",
            detail=f"{which} has {shown}; nothing was written",
            span=self._span,
        )


def describe_row(names: Sequence[str], values: Sequence[Column]) -> str:
    """``a = 1, b = 'x'`` of columns with one row; long values are cut."""
    return ", ".join(f"{name} = {_shown(value)}" for name, value in zip(names, values, strict=True))


def _shown(value: Column) -> str:
    text = literal_text(storage_values(Operand(value.type, value.array))[0], value.type)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


class FirstOfKey:
    """Which rows are the first with their keys; a NULL in a key makes it equal to none."""

    def __init__(self, keys: Sequence[Sequence[int]]) -> None:
        self._keys = keys
        self._seen: list[set[tuple[Any, ...]]] = [set() for _ in keys]

    @property
    def bytes(self) -> int:
        """Memory that the remembered keys need, about."""
        return sum(map(len, self._seen)) * _KEY_BYTES

    def rows(self, values: Sequence[Column], length: int) -> npt.NDArray[np.int64]:
        """Numbers of the rows that are kept, ascending; they are remembered."""
        many = [list(zip(*(_comparable(values[i]) for i in key), strict=True)) for key in self._keys]
        kept = []
        for row in range(length):
            keys = [rows[row] for rows in many]
            if any(key in seen for key, seen in zip(keys, self._seen, strict=True)):
                continue
            kept.append(row)
            for key, seen in zip(keys, self._seen, strict=True):
                if None not in key:
                    seen.add(key)
        return np.array(kept, np.int64)


def _comparable(column: Column) -> list[Any]:
    """Storage values that are equal in Python if they are in SQL."""
    values = storage_values(Operand(column.type, column.array))
    if isinstance(column.type, StringType) and column.type.fixed:
        return [value if value is None else value.rstrip(" ") for value in values]
    if values and any(isinstance(value, float) for value in values):
        return ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in values]
    return values
