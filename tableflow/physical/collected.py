"""Aggregates over whole groups: what they compute of the rows of many groups at once.

The rows of a group stand side by side, in the order that the aggregate asks for; group i has ``counts[i]`` rows.  A group
without rows gives NULL, or 0 where rows are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.keys import encode
from tableflow.columnar.representation import canonical, widen
from tableflow.errors import DataError
from tableflow.expressions.operand import Operand, build, numbers
from tableflow.records import dataclass
from tableflow.types import BYTES, DOUBLE, SqlType

_ROWS_PER_STEP = 65_536
Array: TypeAlias = npt.NDArray[Any]
SortItem: TypeAlias = tuple[int, bool, bool]
"""Position of an argument, whether it descends, whether NULLs come first."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Arguments of the rows of consecutive groups, and the literals among the call's arguments."""

    columns: Sequence[Column]
    counts: Array
    parameters: Sequence[Any]
    type: SqlType

    @property
    def starts(self) -> Array:
        """Where each group begins."""
        starts: Array = np.cumsum(self.counts) - self.counts
        return starts

    @property
    def filled(self) -> Array:
        """Numbers of the groups that have rows."""
        return np.flatnonzero(self.counts)


Steps: TypeAlias = Generator[None, None, Column]
Kernel: TypeAlias = Callable[[Segments], Column | Steps]
"""What takes long for a group of millions of rows pauses in between."""


@dataclass(frozen=True, slots=True)
class Collected:
    """An aggregate's kernel, the order in which it wants a group's rows, and whether it sees rows with a NULL.

    ``arguments`` of a call are values, those behind them literals (None: all are values).
    """

    kernel: Kernel
    order: tuple[SortItem, ...] = ()
    keeps_nulls: bool = False
    arguments: int | None = None


def _picked(of: Segments, rows: Array, nulls: Array) -> Column:
    """The first argument's values at these rows, NULL for some groups."""
    column = of.columns[0]
    if len(column) == 0:
        return Column(of.type, pa.nulls(len(rows), canonical(of.type)))
    return take(column, np.where(nulls, -1, rows).astype(np.int64), nullable=True)


def _first(of: Segments) -> Column:
    return _picked(of, of.starts, of.counts == 0)


def _last(of: Segments) -> Column:
    return _picked(of, of.starts + of.counts - 1, of.counts == 0)


def _lists(of: Segments) -> pa.ListArray:
    ends = np.append(0, np.cumsum(of.counts))
    if ends[-1] > np.iinfo(np.int32).max:
        raise DataError("an array of more than 2147483647 values", hint="group by more, or filter")
    offsets = pa.array(ends.astype(np.int32), mask=np.append(of.counts == 0, [False]))
    return pa.ListArray.from_arrays(offsets, widen(of.columns[0]).array)


def _array(of: Segments) -> Column:
    return Column(of.type, _lists(of).cast(canonical(of.type)))


def _joined(of: Segments) -> Column:
    return Column(of.type, pc.binary_join(_lists(of), str(of.parameters[0])))


def _quantile_disc(of: Segments) -> Column:
    place = np.maximum(np.ceil(of.counts * float(of.parameters[0])).astype(np.int64) - 1, 0)
    return _picked(of, of.starts + place, of.counts == 0)


def _doubles(of: Segments, argument: int = 0) -> Array:
    column = of.columns[argument]
    return numbers(Operand(column.type, column.array)).astype(np.float64)


def _made(of: Segments, values: Array, valid: Array) -> Column:
    """Values of the groups that have rows as a column over all groups."""
    all_values = np.zeros(len(of.counts), values.dtype)
    all_valid = np.zeros(len(of.counts), np.bool_)
    all_values[of.filled], all_valid[of.filled] = values, valid
    return Column(of.type, build(of.type, all_values, all_valid).array)


def _quantile_cont(of: Segments) -> Column:
    return _interpolated(of, float(of.parameters[0]))


def _median(of: Segments) -> Column:
    return _interpolated(of, 0.5)


def _interpolated(of: Segments, fraction: float) -> Column:
    values, filled = _doubles(of), of.filled
    place = (of.counts[filled] - 1) * fraction
    low = np.floor(place).astype(np.int64)
    starts = of.starts[filled]
    below, above = values[starts + low], values[starts + np.ceil(place).astype(np.int64)]
    with np.errstate(invalid="ignore", over="ignore"):
        between = np.where(below == above, below, below + (above - below) * (place - low))
    return _made(of, between, np.ones(len(filled), np.bool_))


def _mode(of: Segments) -> Steps:
    """Rows are in order, so equal values are neighbours."""
    rows = len(of.columns[0])
    groups = np.repeat(np.arange(len(of.counts), dtype=np.int32), of.counts)
    best = np.zeros(len(of.counts), np.int64)
    if rows:
        yield
        changes = _changes(of.columns[0])
        yield
        begins = np.flatnonzero(np.append(True, changes | (groups[1:] != groups[:-1])))
        yield
        lengths, whose = np.diff(np.append(begins, rows)), groups[begins]
        yield
        # The longest run of a group wins, of several the first.
        first = np.flatnonzero(np.append(True, whose[1:] != whose[:-1]))
        yield
        longest = np.repeat(np.maximum.reduceat(lengths, first), np.diff(np.append(first, len(whose))))
        yield
        winners = np.flatnonzero(lengths == longest)
        yield
        winners = winners[np.append(True, whose[winners][1:] != whose[winners][:-1])]
        best[whose[winners]] = begins[winners]
        yield
    return _picked(of, best, of.counts == 0)


def _changes(column: Column) -> npt.NDArray[np.bool_]:
    """Of each value but the first, none of them NULL, whether it differs from the one before it."""
    array = widen(comparable(column)).array
    before, after = array.slice(0, len(array) - 1), array.slice(1)
    changes: npt.NDArray[np.bool_] = pc.not_equal(before, after).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(array.type):
        changes = changes & ~pc.and_(pc.is_nan(before), pc.is_nan(after)).to_numpy(zero_copy_only=False)
    return changes


def _reduced(operation: Any) -> Kernel:
    def kernel(of: Segments) -> Column:
        column = of.columns[0]
        values = numbers(Operand(column.type, column.array))
        if of.type == DOUBLE:
            values = values.astype(np.float64)
        found = operation.reduceat(values, of.starts[of.filled]) if len(values) else values
        return _made(of, found, np.ones(len(of.filled), np.bool_))

    return kernel


def _centred(of: Segments, values: Array) -> tuple[Array, Array]:
    """Means of the groups that have rows, and each value's distance from its group's."""
    counts = of.counts[of.filled]
    if len(values) == 0:
        return values, values
    starts = of.starts[of.filled]
    means = np.add.reduceat(values, starts) / counts
    apart = values - np.repeat(means, counts)
    # Once more: the first means are off by their rounding.
    means = means + np.add.reduceat(apart, starts) / counts
    return means, values - np.repeat(means, counts)


def _sums(of: Segments, values: Array) -> Array:
    found: Array = np.add.reduceat(values, of.starts[of.filled]) if len(values) else values
    return found


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows, means of y and x, and the sums of squares and products of their distances from the means, group by group."""

    n: Array
    mean_y: Array
    mean_x: Array
    yy: Array
    xx: Array
    xy: Array


def _pairs(formula: Callable[[_Pairs], Array], least: int = 1) -> Kernel:
    """NULL where the formula has no value: of too few rows, or without any variance."""

    def kernel(of: Segments) -> Column:
        with np.errstate(all="ignore"):
            (mean_y, y), (mean_x, x) = (_centred(of, _doubles(of, i)) for i in (0, 1))
            rows = of.counts[of.filled].astype(np.float64)
            found = formula(_Pairs(rows, mean_y, mean_x, *(_sums(of, product) for product in (y * y, x * x, x * y))))
        return _made(of, found, (rows >= least) & ~np.isnan(found))

    return kernel


@dataclass(frozen=True, slots=True)
class _Moments:
    """Rows and the second to fourth central moments, group by group."""

    n: Array
    m2: Array
    m3: Array
    m4: Array


def _moments(formula: Callable[[_Moments], Array], least: int) -> Kernel:

    def kernel(of: Segments) -> Column:
        with np.errstate(all="ignore"):
            _, apart = _centred(of, _doubles(of))
            rows = of.counts[of.filled].astype(np.float64)
            found = formula(_Moments(rows, *(_sums(of, apart**power) / rows for power in (2, 3, 4))))
        return _made(of, found, (rows >= least) & np.isfinite(found))

    return kernel


def _r2(p: _Pairs) -> Array:
    found: Array = np.where(p.xx == 0, np.nan, np.where(p.yy == 0, 1.0, p.xy * p.xy / (p.xx * p.yy)))
    return found


def _skewness(m: _Moments) -> Array:
    found: Array = np.sqrt(m.n * (m.n - 1)) / (m.n - 2) * m.m3 / m.m2**1.5
    return found


def _kurtosis(m: _Moments) -> Array:
    found: Array = (m.n - 1) * ((m.n + 1) * m.m4 / m.m2**2 - 3 * (m.n - 1)) / ((m.n - 2) * (m.n - 3))
    return found


def _count(of: Segments) -> Column:
    return Column(of.type, pa.array(of.counts.astype(np.int64)))


def numbered_steps(columns: Sequence[Column]) -> Generator[None, None, npt.NDArray[np.uint32]]:
    """Equal numbers for rows of equal values, with a pause after some thousands of them."""
    columns = [comparable(column) for column in columns]
    table = GroupTable([column.type for column in columns], [])
    rows, parts = len(columns[0]), []
    for start in range(0, rows, _ROWS_PER_STEP):
        count = min(_ROWS_PER_STEP, rows - start)
        parts.append(table.number([column.slice(start, count) for column in columns], [], count))
        yield
    return np.concatenate(parts) if parts else np.zeros(0, np.uint32)


def comparable(column: Column) -> Column:
    """The column, or the keys of nested values."""
    return Column(BYTES, encode(column)) if is_nested(column) else column


_BY_VALUE = ((0, False, False),)
KERNELS: Mapping[str, Collected] = {
    "array_agg": Collected(_array, keeps_nulls=True),
    "string_agg": Collected(_joined, arguments=1),
    "first": Collected(_first, keeps_nulls=True),
    "last": Collected(_last, keeps_nulls=True),
    "arg_min": Collected(_first, ((1, False, False), (0, False, False))),
    "arg_max": Collected(_first, ((1, True, False), (0, False, False))),
    "median": Collected(_median, _BY_VALUE),
    "quantile_cont": Collected(_quantile_cont, _BY_VALUE, arguments=1),
    "quantile_disc": Collected(_quantile_disc, _BY_VALUE, arguments=1),
    "mode": Collected(_mode, _BY_VALUE),
    "product": Collected(_reduced(np.multiply)),
    "bit_and": Collected(_reduced(np.bitwise_and)),
    "bit_or": Collected(_reduced(np.bitwise_or)),
    "bit_xor": Collected(_reduced(np.bitwise_xor)),
    "covar_pop": Collected(_pairs(lambda p: p.xy / p.n)),
    "covar_samp": Collected(_pairs(lambda p: p.xy / (p.n - 1), 2)),
    "corr": Collected(_pairs(lambda p: p.xy / (np.sqrt(p.xx) * np.sqrt(p.yy)))),
    "regr_count": Collected(_count),
    "regr_avgx": Collected(_pairs(lambda p: p.mean_x)),
    "regr_avgy": Collected(_pairs(lambda p: p.mean_y)),
    "regr_sxx": Collected(_pairs(lambda p: p.xx)),
    "regr_syy": Collected(_pairs(lambda p: p.yy)),
    "regr_sxy": Collected(_pairs(lambda p: p.xy)),
    "regr_slope": Collected(_pairs(lambda p: p.xy / p.xx)),
    "regr_intercept": Collected(_pairs(lambda p: p.mean_y - p.mean_x * (p.xy / p.xx))),
    "regr_r2": Collected(_pairs(_r2)),
    "skewness": Collected(_moments(_skewness, 3)),
    "kurtosis": Collected(_moments(_kurtosis, 4)),
    "kurtosis_pop": Collected(_moments(lambda m: m.m4 / m.m2**2 - 3, 2)),
}
