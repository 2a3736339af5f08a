"""Whether keys are the same, by value, whatever the representations of their columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.representation import widen
from tableflow.expressions.functions.comparison import compare
from tableflow.expressions.operand import Operand
from tableflow.types import IntervalType

Mask = npt.NDArray[np.bool_]


def equal_rows(left: Sequence[Column], right: Sequence[Column]) -> Mask:
    """For each row whether all columns are equal and none is NULL; -0.0 equals 0.0, and NaN itself."""
    same = np.ones(len(left[0]), np.bool_)
    for one, other in zip(left, right, strict=True):
        a, b = widen(one).array, widen(other).array
        if isinstance(one.type, IntervalType):
            both = pc.and_(a.is_valid(), b.is_valid()).to_numpy(zero_copy_only=False)
            same &= compare("eq", Operand(one.type, a), Operand(other.type, b)) & both
            continue
        equal = pc.fill_null(pc.equal(a, b), fill_value=False)
        if pa.types.is_floating(a.type):
            both = pc.and_(pc.is_nan(a), pc.is_nan(b))
            equal = pc.or_(equal, pc.fill_null(both, fill_value=False))
        same &= equal.to_numpy(zero_copy_only=False)
    return same
