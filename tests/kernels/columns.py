"""Strategies for columns: values of a type, and every representation those values may have."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar import representation
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column

DECIMAL = t.DecimalType(30, 2)
SMALL_DECIMAL = t.DecimalType(15, 2)
ARRAY = t.ArrayType(t.BIGINT)

SPECIAL_FLOATS = st.sampled_from([math.nan, -math.nan, 0.0, -0.0, math.inf, -math.inf, 1.5, -1.5, 5e-324])
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "ab",
            "a\0",
            "a\0b",
            "\0",
            "prefix-prefix-1",
            "prefix-prefix-2",
            "prefix-prefix-",
            "\x7f",
            "é",
            "\U0001f600",
        ]
    ),
    st.text(max_size=40),
)
VALUES: dict[t.SqlType, st.SearchStrategy[Any]] = {
    t.BOOLEAN: st.booleans(),
    t.TINYINT: st.integers(-128, 127),
    t.BIGINT: st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)),
    t.INT: st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1)),
    t.FLOAT: SPECIAL_FLOATS | st.floats(width=32),
    t.DOUBLE: SPECIAL_FLOATS | st.floats(),
    DECIMAL: st.one_of(st.integers(-300, 300), st.integers(-(10**29), 10**29)).map(lambda i: Decimal(i).scaleb(-2)),
    SMALL_DECIMAL: st.integers(-(10**14), 10**14).map(lambda i: Decimal(i).scaleb(-2)),
    t.STRING: TEXTS,
    t.BYTES: st.binary(max_size=20),
    t.DATE: st.dates(),
    t.TIMESTAMP: st.datetimes(),
    t.TIME: st.times(),
    t.NULL: st.none(),
    t.INTERVAL: st.tuples(st.integers(-3, 3), st.integers(-40, 40), st.integers(-(10**9), 10**9)).map(
        lambda parts: pa.MonthDayNano(list(parts))
    ),
    ARRAY: st.lists(st.none() | st.integers(-3, 3), max_size=3),
}
FLAT = [of for of in VALUES if of is not ARRAY]
ORDERED = [of for of in FLAT if of is not t.INTERVAL]


def _integers(values: list[Any]) -> list[pa.DataType]:
    present = [v for v in values if v is not None]
    return [
        kind
        for kind, bits in ((pa.int8(), 8), (pa.int16(), 16), (pa.int32(), 32), (pa.int64(), 64))
        if all(-(2 ** (bits - 1)) <= v < 2 ** (bits - 1) for v in present)
    ]


def _scaled(of: t.DecimalType, values: list[Any]) -> list[int | None]:
    return [None if v is None else int(v.scaleb(of.scale)) for v in values]


def _dictionary(draw: Any, values: list[Any], of: pa.DataType) -> pa.Array:
    entries = draw(st.permutations(sorted({v for v in values if v is not None})))
    spare = b"unused" if of == pa.binary() else "unused"
    entries = [*entries, spare] if draw(st.booleans()) else entries
    codes = [None if v is None else entries.index(v) for v in values]
    width = draw(st.sampled_from([pa.int32(), pa.int16(), pa.int8()]))
    return pa.DictionaryArray.from_arrays(pa.array(codes, width), pa.array(entries, of))


@st.composite
def arrays(draw: Any, of: t.SqlType, values: list[Any]) -> pa.Array:
    """The values in one of the representations of the type."""
    match of:
        case t.IntegerType(bits=bits):
            return pa.array(values, draw(st.sampled_from([k for k in _integers(values) if k.bit_width <= bits])))
        case t.DecimalType():
            scaled = _scaled(of, values)
            kinds = [representation.canonical(of), *_integers(scaled)]
            kind = draw(st.sampled_from(kinds))
            return pa.array(values, kind) if pa.types.is_decimal(kind) else pa.array(scaled, kind)
        case t.StringType() | t.BytesType():
            plain, large = (
                (pa.string(), pa.large_string()) if isinstance(of, t.StringType) else (pa.binary(), pa.large_binary())
            )
            kind = draw(st.sampled_from([plain, large, None]))
            return pa.array(values, kind) if kind is not None else _dictionary(draw, values, plain)
    return pa.array(values, representation.canonical(of))


@st.composite
def columns(draw: Any, of: t.SqlType, values: list[Any]) -> Column:
    """A column of exactly these values, perhaps a slice of a longer array."""
    before = draw(st.lists(st.none() | VALUES[of], max_size=9))
    after = draw(st.lists(st.none() | VALUES[of], max_size=2))
    array = draw(arrays(of, [*before, *values, *after]))
    return Column(of, array.slice(len(before), len(values)))


def values_of(of: t.SqlType, size: int) -> st.SearchStrategy[list[Any]]:
    """``size`` values, with and without NULLs, now and then all equal."""
    one = VALUES[of]
    return st.one_of(
        st.lists(st.none() | one, min_size=size, max_size=size),
        st.lists(one, min_size=size, max_size=size),
        one.map(lambda v: [v] * size),
    )


@st.composite
def batches(draw: Any, types: list[t.SqlType], max_rows: int = 40) -> Batch:
    """A batch of these types, with or without selection and weights."""
    size = draw(st.integers(0, max_rows))
    made = [draw(columns(of, draw(values_of(of, size)))) for of in types]
    weights = draw(st.none() | st.lists(st.integers(-2, 2), min_size=size, max_size=size))
    return Batch(
        made,
        size,
        draw(st.none() | selections(size)),
        None if weights is None else np.array(weights, np.int64),
        event_time=0,
    )


def selections(size: int) -> st.SearchStrategy[np.ndarray]:
    """Ascending row numbers below ``size``."""
    rows = st.sets(st.integers(0, size - 1)) if size else st.just(set())
    return rows.map(lambda chosen: np.array(sorted(chosen), np.uint32))


def plain(column: Column) -> list[Any]:
    """The SQL values of a column as Python objects that compare by SQL equality (NaN as text)."""
    return [_comparable(v) for v in representation.widen(column).array.to_pylist()]


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    """The selected rows, weight last."""
    listed = [plain(column) for column in batch.columns]
    weights = [1] * batch.length if batch.weights is None else batch.weights.tolist()
    numbers = range(batch.length) if batch.selection is None else batch.selection.tolist()
    return [(*(values[i] for values in listed), weights[i]) for i in numbers]
