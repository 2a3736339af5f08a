"""How the values of one column are made from row numbers: a plain description, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.representation import canonical
from tableflow.connectors.draws import Draws, Events
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.serialization import serializable

_NULL_SALT, _VALUE_SALT, _LENGTH_SALT, _CHILD_SALT = 0, 1, 2, 3
_SALTS = 4
_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_MOST_SALTS = 1 << 20


@serializable
@dataclass(frozen=True, slots=True)
class Random:
    """Uniform values.

    ``least`` and ``most`` are bounds of numbers (decimals: scaled integers; both included but for floats), or of how long
    before now a timestamp is (microseconds); ``length`` is that of texts, arrays and maps, ``any_length`` makes it the
    longest one.  ``children`` are the parts of nested values.
    """

    type: t.SqlType
    least: int | float = 0
    most: int | float = 0
    length: int = 0
    any_length: bool = False
    null_rate: float = 0.0
    children: tuple[Making, ...] = ()


@serializable
@dataclass(frozen=True, slots=True)
class Sequence:
    """The numbers from ``start`` on, one per row of the table."""

    type: t.SqlType
    start: int
    end: int


Making = Random | Sequence


class ColumnMaker:
    """Makes a column; ``salt`` tells it from others of the table, ``now`` gives microseconds since 1970."""

    def __init__(self, making: Making, draws: Draws, salt: int, now: Callable[[], int]) -> None:
        self._making = making
        self._draws = draws
        self._salt = salt * _SALTS
        self._now = now
        children = making.children if isinstance(making, Random) else ()
        self._children = [
            ColumnMaker(child, draws, (salt * 31 + place + 1) * 7919 % _MOST_SALTS, now)
            for place, child in enumerate(children)
        ]

    def make(self, rows: Events) -> pa.Array:
        """The values of these rows, in canonical storage."""
        making = self._making
        if isinstance(making, Sequence):
            return _numbers(rows.astype(np.int64) + making.start, making.type, None)
        nulls = None
        if making.null_rate > 0:
            nulls = self._unit(rows, _NULL_SALT) < making.null_rate
        return self._random(making, rows, nulls)

    def _random(self, making: Random, rows: Events, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
        match making.type:
            case t.BooleanType():
                return pa.array(self._bits(rows, _VALUE_SALT) >> np.uint64(63) == 1, mask=nulls)
            case t.IntegerType() | t.DecimalType():
                return _numbers(self._between(rows, int(making.least), int(making.most)), making.type, nulls)
            case t.FloatType():
                unit = self._unit(rows, _VALUE_SALT)
                # not least + unit * (most - least): the difference of two finite numbers may be infinite
                return pa.array(making.least * (1 - unit) + making.most * unit, mask=nulls).cast(canonical(making.type))
            case t.DateType():
                days = np.full(len(rows), self._now() // 86_400_000_000, dtype=np.int32)
                return pa.array(days, mask=nulls).cast(pa.date32())
            case t.TimeType():
                return self._moments(making, np.full(len(rows), self._now() % 86_400_000_000), nulls)
            case t.TimestampType():
                return self._moments(making, self._now() - self._between(rows, 0, int(making.most)), nulls)
            case t.StringType() | t.BytesType():
                return self._text(making, rows, nulls)
            case t.ArrayType() | t.MapType() | t.RowType():
                return self._nested(making, rows, nulls)
        raise InternalError(f"values of {making.type} cannot be made up")

    def _moments(
        self, making: Random, microseconds: npt.NDArray[np.int64], nulls: npt.NDArray[np.bool_] | None
    ) -> pa.Array:
        storage = canonical(making.type)
        precision = getattr(making.type, "precision", 6)
        unit = 10 ** max(0, 6 - precision)
        whole = microseconds // unit * unit
        return pa.array(whole * (1000 if precision > 6 else 1), mask=nulls).cast(storage)

    def _text(self, making: Random, rows: Events, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
        lengths = self._lengths(making, rows)
        owners = np.repeat(rows, lengths)
        ends = np.cumsum(lengths)
        places = np.arange(len(owners), dtype=np.int64) - np.repeat(ends - lengths, lengths)
        drawn = self._bits(owners * np.uint64(65_537) + places.astype(np.uint64), _VALUE_SALT)
        if isinstance(making.type, t.StringType):
            data = _DIGITS[(drawn >> np.uint64(60)).astype(np.intp)]
        else:
            data = (drawn >> np.uint64(56)).astype(np.uint8)
        offsets = np.zeros(len(rows) + 1, dtype=np.int32)
        offsets[1:] = ends
        made = pa.Array.from_buffers(
            canonical(making.type), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
        )
        return made if nulls is None else pc.if_else(pa.array(nulls), None, made)

    def _nested(self, making: Random, rows: Events, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
        mask = None if nulls is None else pa.array(nulls)
        if isinstance(making.type, t.RowType):
            arrays = [child.make(rows) for child in self._children]
            fields = [pa.field(f.name, a.type) for f, a in zip(making.type.fields, arrays, strict=True)]
            return pa.StructArray.from_arrays(arrays, fields=fields, mask=mask)
        lengths = self._lengths(making, rows)
        owners = np.repeat(rows, lengths)
        ends = np.cumsum(lengths)
        places = np.arange(len(owners), dtype=np.int64) - np.repeat(ends - lengths, lengths)
        inner = owners * np.uint64(65_537) + places.astype(np.uint64)
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        if isinstance(making.type, t.MapType):
            keys, values = (child.make(inner) for child in self._children)
            made = pa.MapArray.from_arrays(offsets, keys, values)
            return made if nulls is None else pc.if_else(mask, None, made)
        return pa.ListArray.from_arrays(offsets, self._children[0].make(inner), mask=mask)

    def _lengths(self, making: Random, rows: Events) -> npt.NDArray[np.int64]:
        if making.any_length:
            return self._draws.below(rows, self._salt + _LENGTH_SALT, making.length) + 1
        return np.full(len(rows), making.length, dtype=np.int64)

    def _bits(self, rows: Events, salt: int) -> Events:
        return self._draws.bits(rows, self._salt + salt)

    def _unit(self, rows: Events, salt: int) -> npt.NDArray[np.float64]:
        return (self._bits(rows, salt) >> np.uint64(11)).astype(np.float64) / 2.0**53

    def _between(self, rows: Events, least: int, most: int) -> npt.NDArray[np.int64]:
        span = most - least + 1
        bits = self._bits(rows, _VALUE_SALT)
        if span < 2**64:
            bits = bits % np.uint64(span)
        return (bits + np.uint64(least % 2**64)).astype(np.int64)


def _numbers(values: npt.NDArray[np.int64], of: t.SqlType, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    if isinstance(of, t.DecimalType):
        return _decimals(values, of, nulls)
    if isinstance(of, t.StringType):
        return pa.array(values, mask=nulls).cast(pa.string())
    return pa.array(values, mask=nulls).cast(canonical(of))


def _decimals(values: npt.NDArray[np.int64], of: t.DecimalType, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    """Scaled integers as decimals: the low halves, and the sign in the high ones."""
    words = np.empty(2 * len(values), dtype=np.int64)
    words[::2] = values
    words[1::2] = values >> 63
    made = pa.Array.from_buffers(canonical(of), len(values), [None, pa.py_buffer(words)])
    return made if nulls is None else pc.if_else(pa.array(nulls), None, made)
