"""Aggregates over all rows so far, cut in two: what was before some rows, and these rows.

Each call is computed over the rows at hand by the batch kernels.  What the rows before them came to stands in front of them as a
row of its own (values), or is added to what they come to (numbers); variances are merged from counts, means and squares
(Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.representation import widen
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import Expression, WindowCall
from tableflow.records import dataclass
from tableflow.types import BIGINT, DOUBLE, DecimalType, IntegerType, SqlType

Doubles = npt.NDArray[np.float64]
Made = Sequence[Column]
Finish = Callable[[Made, Made], tuple[Column, list[Column]]]
"""From what the rows at hand came to, and for each of them what those before its partition's rows did (NULL: none), to values and the state after each row."""

_SPREADS = frozenset({"stddev_samp", "stddev_pop", "var_samp", "var_pop"})


@dataclass(frozen=True, slots=True)
class Part:
    """One computation over the rows at hand.  ``leads``: its argument's value before these rows stands in front of them; it is the state
    column with this number.  ``counts``: what stands in front of the rows would be counted, too.
    """

    call: WindowCall
    leads: int | None = None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """How a call is computed: its parts, the types of its state, and what is made of them."""

    parts: tuple[Part, ...]
    state: tuple[SqlType, ...]
    finish: Finish


def carried(call: WindowCall) -> Carried:
    """How a call over all rows so far is computed."""
    match call.function:
        case "row_number" | "dense_rank":
            return Carried((Part(_part(call, call.function), counts=True),), (BIGINT,), _added)
        case "rank":
            parts = (Part(_part(call, "row_number"), counts=True), Part(_part(call, "rank"), counts=True))
            return Carried(parts, (BIGINT,), _ranked)
        case "count" | "count_if":
            return Carried((Part(_part(call, call.function, call.args), counts=not call.args),), (BIGINT,), _added)
        case "sum":
            return _of_value(call, cast(call.args[0], call.type))
        case "avg":
            total = _sum_type(call.args[0].type)
            summed = _part(call, "sum", (cast(call.args[0], total),), total)
            parts = (Part(summed, leads=0), Part(_part(call, "count", call.args)))
            return Carried(parts, (total, BIGINT), _averaged)
        case function if function in _SPREADS:
            of = (call.args[0],)
            calls = (
                _part(call, "count", of),
                _part(call, "avg", of, DOUBLE),
                _part(call, "var_pop", of, DOUBLE),
            )
            return Carried(tuple(map(Part, calls)), (BIGINT, DOUBLE, DOUBLE), _spread(function))
        case _:
            return _of_value(call, call.args[0])


def _part(call: WindowCall, function: str, args: tuple[Expression, ...] = (), of: SqlType = BIGINT) -> WindowCall:
    return WindowCall(of, function, args, call.frame, ignore_nulls=call.ignore_nulls, span=call.span)


def _of_value(call: WindowCall, value: Expression) -> Carried:
    """The value so far is one of the values."""
    return Carried((Part(_part(call, call.function, (value,), call.type), leads=0),), (call.type,), _as_it_is)


def _sum_type(of: SqlType) -> SqlType:
    match of:
        case IntegerType(bits=bits):
            return BIGINT if bits < 64 else DecimalType(38, 0)
        case DecimalType(scale=scale):
            return DecimalType(38, scale)
        case _:
            return DOUBLE


def _as_it_is(made: Made, _before: Made) -> tuple[Column, list[Column]]:
    return made[0], [made[0]]


def _added(made: Made, before: Made) -> tuple[Column, list[Column]]:
    total = _count(_integers(made[0]) + _integers(before[0]))
    return total, [total]


def _ranked(made: Made, before: Made) -> tuple[Column, list[Column]]:
    """Ranks count rows, whatever their ranks."""
    earlier = _integers(before[0])
    return _count(_integers(made[1]) + earlier), [_count(_integers(made[0]) + earlier)]


def _averaged(made: Made, before: Made) -> tuple[Column, list[Column]]:
    count = _integers(made[1]) + _integers(before[1])
    total = _doubles(made[0])
    values = np.divide(total, count, out=np.zeros(len(count)), where=count > 0)
    return _double(values, count > 0), [made[0], _count(count)]


def _spread(function: str) -> Finish:
    """Variance or deviation, of a sample or of all there are."""
    less, rooted = int(function.endswith("samp")), function.startswith("stddev")

    def finish(made: Made, before: Made) -> tuple[Column, list[Column]]:
        n, earlier = _integers(made[0]), _integers(before[0])
        mean, square = _doubles(made[1]), _doubles(made[2]) * n
        total = n + earlier
        share = np.divide(n, total, out=np.zeros(len(n)), where=total > 0)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.where((n > 0) & (earlier > 0), mean - _doubles(before[1]), 0.0)
            middle = np.where(earlier > 0, _doubles(before[1]) + apart * share, mean)
            middle = np.where(n > 0, middle, _doubles(before[1]))
            square = square + _doubles(before[2]) + apart * apart * share * earlier
            there = total > less
            values = np.divide(np.maximum(square, 0.0), total - less, out=np.zeros(len(n)), where=there)
            values = np.sqrt(values) if rooted else values
        return _double(values, there), [_count(total), _double(middle, total > 0), _double(square, total > 0)]

    return finish


def _integers(column: Column) -> npt.NDArray[np.int64]:
    """Whole numbers, 0 for NULL."""
    array = widen(column).array
    values: npt.NDArray[np.int64] = (array.fill_null(0) if array.null_count else array).to_numpy(zero_copy_only=False)
    return values


def _doubles(column: Column) -> Doubles:
    """Numbers as DOUBLE, 0 for NULL."""
    array = pc.cast(widen(column).array, pa.float64())
    values: Doubles = (array.fill_null(0.0) if array.null_count else array).to_numpy(zero_copy_only=False)
    return values


def _count(values: npt.NDArray[np.int64]) -> Column:
    return Column(BIGINT, pa.array(values))


def _double(values: Doubles, there: npt.NDArray[np.bool_]) -> Column:
    return Column(DOUBLE, pa.array(values, mask=None if there.all() else ~there))
