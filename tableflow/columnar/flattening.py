"""Nested columns as flat ones, for state that keeps rows by value.

A ROW is a column that says whether it is there, then its members; what else is nested are the bytes of
:mod:`tableflow.columnar.keys`.  Equal values have equal parts, and the parts make the value again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.keys import decode, encode, has_key
from tableflow.columnar.representation import canonical, widen
from tableflow.errors import UnsupportedError
from tableflow.types import BOOLEAN, BYTES, RowType, SqlType, TypeFamily, family


def flat_types(of: SqlType) -> list[SqlType]:
    """Types of the columns that a column of this type becomes; itself when it is flat."""
    if family(of) is not TypeFamily.NESTED:
        return [of]
    if isinstance(of, RowType):
        return [BOOLEAN, *(part for field in of.fields for part in flat_types(field.type))]
    if not has_key(of):
        raise UnsupportedError(f"rows with a column of {of} cannot be kept", hint="leave the column out, or cast it")
    return [BYTES]


def flatten(column: Column) -> list[Column]:
    """The flat columns of a column."""
    if family(column.type) is not TypeFamily.NESTED:
        return [column]
    if not isinstance(column.type, RowType):
        return [Column(BYTES, encode(column))]
    array = column.array
    members = [Column(f.type, part) for f, part in zip(column.type.fields, array.flatten(), strict=True)]
    return [Column(BOOLEAN, array.is_valid()), *(part for member in members for part in flatten(member))]


def unflatten(types: Sequence[SqlType], parts: Sequence[Column]) -> list[Column]:
    """Columns of these types out of all their flat columns."""
    left = iter(parts)
    return [_made(of, left) for of in types]


def _made(of: SqlType, parts: Iterator[Column]) -> Column:
    if family(of) is not TypeFamily.NESTED:
        return next(parts)
    if not isinstance(of, RowType):
        return Column(of, decode(next(parts).array, of))
    there = next(parts).array.fill_null(fill_value=False).to_numpy(zero_copy_only=False).astype(np.bool_)
    arrow = canonical(of)
    members = [widen(_made(field.type, parts)).array for field in of.fields]
    if not members:
        return Column(of, pa.array([{} if present else None for present in there], arrow))
    return Column(of, pa.StructArray.from_arrays(members, fields=list(arrow), mask=pa.array(~there)))
