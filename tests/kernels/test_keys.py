"""Keys of nested values: bytes that are equal, ordered and read back as the values are."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.keys import decode, encode, has_key
from tableflow.columnar.representation import canonical

D = t.DecimalType(38, 3)
LEAVES = {
    t.TINYINT: st.integers(-128, 127),
    t.BIGINT: st.integers(-(2**63), 2**63 - 1),
    t.DOUBLE: st.floats(),
    t.FLOAT: st.floats(width=32),
    t.BOOLEAN: st.booleans(),
    t.STRING: st.text("a\x00\x01\xffz", max_size=4),
    t.BYTES: st.binary(max_size=4),
    t.DATE: st.dates(),
    t.TIMESTAMP: st.datetimes(),
    D: st.decimals(-(10**34), 10**34, places=3, allow_nan=False),
}


@st.composite
def typed(draw, depth=2):
    """A nested type and a strategy for its values."""

    def inner():
        if depth > 1 and draw(st.booleans()):
            return draw(typed(depth=depth - 1))
        of = draw(st.sampled_from(list(LEAVES)))
        return of, LEAVES[of]

    if draw(st.booleans()):
        of, values = inner()
        return t.ArrayType(of), st.lists(st.none() | values, max_size=4)
    members = [inner() for _ in range(draw(st.integers(1, 3)))]
    fields = tuple(t.RowField(f"f{i}", of) for i, (of, _) in enumerate(members))
    return t.RowType(fields), st.fixed_dictionaries(
        {f"f{i}": st.none() | values for i, (_, values) in enumerate(members)}
    )


def rank(value, other):
    """-1, 0, 1: the order of nested values in SQL."""
    if value is None or other is None:
        return (value is None) - (other is None)
    if isinstance(value, dict):
        value, other = list(value.values()), list(other.values())
    if isinstance(value, list):
        for a, b in zip(value, other, strict=False):
            if found := rank(a, b):
                return found
        return (len(value) > len(other)) - (len(value) < len(other))
    if isinstance(value, float):
        value, other = ((math.isnan(x), 0.0 if math.isnan(x) else x) for x in (value, other))
    if isinstance(value, str):
        value, other = value.encode(), other.encode()
    return (value > other) - (value < other)


@pytest.mark.slow
@given(st.data())
def test_keys_compare_as_values_and_are_read_back(data):
    of, values = data.draw(typed())
    rows = data.draw(st.lists(st.none() | values, min_size=1, max_size=8))
    array = pa.array([None, *rows, None], canonical(of)).slice(1, len(rows))
    keys = encode(Column(of, array))
    plain = array.to_pylist()
    for value, key in zip(plain, keys.to_pylist(), strict=True):
        assert (value is None) == (key is None)
        for other, its in zip(plain, keys.to_pylist(), strict=True):
            if key is not None and its is not None:
                assert (key > its) - (key < its) == rank(value, other)
    again = decode(keys, of).to_pylist()
    assert all(rank(a, b) == 0 for a, b in zip(again, plain, strict=True))
    assert encode(Column(of, decode(keys, of))).equals(keys)


@pytest.mark.parametrize(
    "of",
    [
        t.MapType(t.INT, t.INT),
        t.JSON,
        t.ArrayType(t.JSON),
        t.INTERVAL,
        t.RowType((t.RowField("m", t.MapType(t.INT, t.INT)),)),
    ],
)
def test_what_has_no_order_has_no_key(of):
    assert not has_key(of)


def test_nothing_is_encoded():
    for of in (t.ArrayType(t.INT), t.RowType((t.RowField("a", D), t.RowField("b", t.BOOLEAN)))):
        assert encode(Column(of, pa.array([], canonical(of)))).to_pylist() == []
    values = [{"a": Decimal("-1.500"), "b": dt.time(1, 2)}]
    of = t.RowType((t.RowField("a", D), t.RowField("b", t.TIME)))
    assert decode(encode(Column(of, pa.array(values, canonical(of)))), of).to_pylist() == values
