"""Rows that a program gives, checked against the columns of their table and made into batches.

Invariant: a value comes in as it is or not at all.  What its column would cut, round or leave out (a fraction of an INT, a text
longer than its VARCHAR, a field that nobody declared) is an error that names the row, the column, the value and its type;
only digits below the precision of a time are left out, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import canonical, declared, from_arrow, from_arrow_type
from tableflow.connectors.python_values import fractional, loses, shown, wanted, zoned
from tableflow.connectors.storage import as_fine, fitted
from tableflow.connectors.text_check import check_text
from tableflow.errors import DataError
from tableflow.nearest import nearest

_NESTED = t.ArrayType | t.MapType | t.RowType
_COUNTED = t.IntegerType | t.DateType | t.TimeType | t.TimestampType
"""Types that are stored as whole numbers."""

_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)


class RowShape:
    """The columns that a scan wants of rows with these names and types; makes batches of them.

    ``required`` are the positions of columns that are NOT NULL; ``subject`` is whose rows they are, as errors name it.
    """

    def __init__(
        self,
        names: Sequence[str],
        types: Sequence[t.SqlType],
        wanted: Sequence[int],
        *,
        required: Sequence[int] = (),
        subject: str = "the stream",
    ) -> None:
        self.names = tuple(names)
        self._known = frozenset(names)
        self._types = tuple(types)
        self._wanted = tuple(wanted)
        self._required = frozenset(required)
        self.subject = subject
        self._storage = [declared(of) for of in types]

    def of_rows(self, rows: Sequence[Any], before: int = 0) -> Batch:
        """A batch of rows, each a sequence in the table's order or a mapping by name; ``before``: how many came earlier."""
        listed = [self._listed(row, before + number) for number, row in enumerate(rows, 1)]
        arrays = [self._column(i, [row[i] for row in listed], before) for i in self._wanted]
        return self._batch(arrays, len(listed), before)

    def of_arrow(self, data: pa.RecordBatch, before: int = 0) -> Batch:
        """A batch of Arrow data, column by name; columns that it does not have are NULL."""
        for name in data.schema.names:
            if name not in self._known:
                raise self._unknown(f"Arrow data of {self.subject}", name)
        arrays = []
        for i in self._wanted:
            found = data.schema.get_field_index(self.names[i])
            column = pa.nulls(data.num_rows, self._storage[i]) if found < 0 else data.column(found)
            check_text(column, self.names[i], self.subject, before)
            arrays.append(column if column.type == self._storage[i] else self._cast(i, column, before))
        return self._batch(arrays, data.num_rows, before)

    def _column(self, i: int, values: list[Any], before: int) -> pa.Array:
        of = self._types[i]
        try:
            array = pa.array(values, self._storage[i])
        except _UNFIT:
            array = None
        lossy = (isinstance(of, _COUNTED) and fractional(values)) or (
            isinstance(of, t.TimestampType) and not of.zoned and zoned(values)
        )
        if array is None or lossy or isinstance(of, _NESTED):
            for number, value in enumerate(values, before + 1):
                self._check(i, value, number)
        assert array is not None
        return array

    def _check(self, i: int, value: Any, number: int) -> None:
        """Raises if the value does not fit its column."""
        of = self._types[i]
        try:
            pa.array([value], self._storage[i])
        except _UNFIT as error:
            raise self._unfit(i, value, number, str(error)) from None
        if loses(value, of):
            raise self._unfit(i, value, number, None)

    def _unfit(self, i: int, value: Any, number: int, reason: str | None) -> DataError:
        of = self._types[i]
        hint = f"give {wanted(of)}"
        if isinstance(of, t.IntegerType) and isinstance(value, int) and not isinstance(value, bool):
            hint = f"{of} holds whole numbers from {-(2 ** (of.bits - 1))} to {2 ** (of.bits - 1) - 1}; declare a wider type"
        elif reason is None and isinstance(of, t.IntegerType):
            hint = "nothing is rounded here: round() it before, or declare the column DOUBLE or DECIMAL"
        elif isinstance(of, t.TimestampType) and reason is None:
            hint = f"{hint}: what its clock shows is not said; or declare the column TIMESTAMP_LTZ({of.precision})"
        elif isinstance(of, t.DecimalType) and not isinstance(value, str | bytes | float):
            hint = f"{of} holds {of.precision - of.scale} digits before and {of.scale} behind the point, and nothing is rounded here"
        return DataError(
            f"row {number} of {self.subject} has {shown(value)} in column {self.names[i]!r}, which is {of}",
            detail=reason and f"pyarrow says: {reason}" if isinstance(of, _NESTED) else None,
            hint=hint,
        )

    def _cast(self, i: int, column: pa.Array, before: int) -> pa.Array:
        target = canonical(as_fine(self._types[i], from_arrow_type(column.type)))
        if column.type == target:
            return column
        options = pc.CastOptions(target_type=target)
        try:
            return pc.cast(column, options=options)
        except _UNFIT as error:
            for number in range(len(column)):
                try:
                    pc.cast(column.slice(number, 1), options=options)
                except _UNFIT:
                    raise self._unfit(i, column[number].as_py(), before + number + 1, None) from None
            raise DataError(
                f"column {self.names[i]!r} of {self.subject} is {self._types[i]}, and {column.type} does not become that",
                detail=f"pyarrow says: {error}",
            ) from None

    def _batch(self, arrays: list[pa.Array], rows: int, before: int) -> Batch:
        fitting = []
        for i, array in zip(self._wanted, arrays, strict=True):
            if i in self._required and array.null_count:
                number = before + array.is_null().index(True).as_py() + 1
                raise DataError(
                    f"row {number} of {self.subject} has no value in column {self.names[i]!r}, which is {self._types[i]} NOT NULL",
                    hint="give a value, or declare the column without NOT NULL",
                )
            fitting.append(self._bounded(i, fitted(array, self._types[i]), before))
        return Batch([from_arrow(array, self._types[i]) for i, array in zip(self._wanted, fitting, strict=True)], rows)

    def _bounded(self, i: int, array: pa.Array, before: int) -> pa.Array:
        """Text and bytes within the length of their column; CHAR is filled up, as INSERT does."""
        of = self._types[i]
        if not isinstance(of, t.StringType | t.BytesType) or of.length is None:
            return array
        lengths = pc.utf8_length(array) if isinstance(of, t.StringType) else pc.binary_length(array)
        if (pc.max(lengths).as_py() or 0) > of.length:
            number = pc.greater(lengths, of.length).index(True).as_py()
            raise DataError(
                f"row {before + number + 1} of {self.subject} has {shown(array[number].as_py())} in column "
                f"{self.names[i]!r}, which is {of}",
                hint=f"it is {lengths[number].as_py()} long; cut it before, or declare a longer type",
            )
        return pc.utf8_rpad(array, of.length) if isinstance(of, t.StringType) and of.fixed else array

    def _listed(self, row: Any, number: int) -> Sequence[Any]:
        if isinstance(row, dict):
            if not row.keys() <= self._known:
                raise self._unknown(f"row {number} of {self.subject}", next(iter(row.keys() - self._known)))
            return [row.get(name) for name in self.names]
        if not isinstance(row, tuple | list):
            raise DataError(
                f"row {number} of {self.subject} is {shown(row)}, which is no row",
                detail=self._declared(),
                hint="give a tuple, a list or a dictionary for each row, also of one value: (5,)",
            )
        if len(row) != len(self.names):
            values = f"{len(row)} value{'' if len(row) == 1 else 's'}"
            raise DataError(
                f"row {number} of {self.subject} has {values} instead of {len(self.names)}",
                detail=f"the row is {str(row)[:200]}; {self._declared()}",
                hint="each item of the iterator is one row: give these one by one, or as Arrow data"
                if row and all(isinstance(item, tuple | list | dict) for item in row)
                else "give a value for each column, None where there is none",
            )
        return row

    def _unknown(self, whose: str, name: Any) -> DataError:
        meant = nearest(str(name), self.names)
        return DataError(
            f"{whose} has a column {name!r}, which was not declared",
            detail=self._declared(),
            hint=f"did you mean {meant!r}?" if meant else "declare it, or leave it out of the rows",
        )

    def _declared(self) -> str:
        columns = ", ".join(f"{name} {of}" for name, of in zip(self.names, self._types, strict=True))
        return f"its columns are {columns}"
