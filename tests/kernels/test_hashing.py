"""The hash of a value does not depend on its representation, and spreads well in its high and low bits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import HASH_VERSION, hash_rows
from tableflow.errors import UnsupportedError
from tests.kernels.columns import FLAT, columns, plain, selections, values_of


@pytest.mark.slow
@given(st.data())
def test_equal_values_hash_equally_in_every_representation(data):
    of = data.draw(st.sampled_from(FLAT))
    values = data.draw(values_of(of, data.draw(st.integers(0, 30))))
    one, other = data.draw(columns(of, values)), data.draw(columns(of, values))
    hashes = hash_rows([one])
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == hash_rows([other]).tolist()
    by_value: dict[object, int] = {}
    for value, hashed in zip(plain(one), hashes.tolist(), strict=True):
        assert by_value.setdefault(value, hashed) == hashed
    assert len(set(by_value.values())) == len(by_value)


@pytest.mark.slow
@given(st.data())
def test_selected_rows_of_several_columns(data):
    size = data.draw(st.integers(0, 30))
    types = data.draw(st.lists(st.sampled_from(FLAT), min_size=1, max_size=3))
    made = [data.draw(columns(of, data.draw(values_of(of, size)))) for of in types]
    selection = data.draw(selections(size))
    assert hash_rows(made, selection).tolist() == hash_rows(made)[selection].tolist()


def test_integers_of_every_width_and_decimals_hash_by_value():
    expected = hash_rows([Column(t.BIGINT, pa.array([-7, 0, 100]))]).tolist()
    for kind in (pa.int8(), pa.int16(), pa.int32()):
        assert hash_rows([Column(t.BIGINT, pa.array([-7, 0, 100], kind))]).tolist() == expected
    decimals = pa.array([-7, 0, 100]).cast(pa.decimal128(38, 0))
    assert hash_rows([Column(t.DecimalType(38, 0), decimals)]).tolist() == expected


def test_floats_hash_by_number():
    doubles = hash_rows([Column(t.DOUBLE, pa.array([0.0, -0.0, 1.5, float("nan"), -float("nan")]))])
    assert doubles[0] == doubles[1]
    assert doubles[3] == doubles[4]
    floats = hash_rows([Column(t.FLOAT, pa.array([0.0, -0.0, 1.5, float("nan")], pa.float32()))])
    assert floats.tolist() == doubles[:4].tolist()


def test_intervals_hash_by_length():
    values = [(1, 0, 0), (0, 30, 0), (0, 29, 86_400_000_000_000), (0, 31, 0), (-1, 0, 0), (2**31 - 1, 2**31 - 1, 2**62)]
    hashes = hash_rows([Column(t.INTERVAL, pa.array(values, pa.month_day_nano_interval()))]).tolist()
    assert hashes[0] == hashes[1] == hashes[2]
    assert len(set(hashes)) == 4


def test_version_2_is_pinned():
    assert HASH_VERSION == 2
    hashes = hash_rows([Column(t.BIGINT, pa.array([0, 1, None]))]).tolist()
    texts = hash_rows([Column(t.STRING, pa.array(["", "abc", "abcdefghi", "abcdefghijklmnopqrstuvwxyz"]))]).tolist()
    assert [hex(h) for h in hashes + texts] == PINNED


PINNED = [
    "0xe5e14de8c57b9fd7",
    "0x49b038a326a358e2",
    "0x9e3779b97f4a7c15",
    "0xe5e14de8c57b9fd7",
    "0x781acd5c066499a8",
    "0x39c18cd250e50df",
    "0xe272689aed295053",
]


def test_order_of_columns_matters():
    a, b = Column(t.BIGINT, pa.array([1, 2])), Column(t.BIGINT, pa.array([2, 1]))
    hashes = hash_rows([a, b])
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("step", [1, 2, 1000, 4096, 1 << 20, 1 << 32, 1 << 44])
@pytest.mark.parametrize("shift", [0, 52])
def test_sequences_spread_over_low_and_high_bits(step, shift):
    values = np.arange(1 << 18, dtype=np.int64) * step
    buckets = (hash_rows([Column(t.BIGINT, pa.array(values))]) >> np.uint64(shift)) & np.uint64(4095)
    counts = np.bincount(buckets.astype(np.int64), minlength=4096)
    assert counts.min() > 20
    assert counts.max() < 120


def test_each_input_bit_flips_half_of_the_output():
    rng = np.random.default_rng(1)
    values = rng.integers(-(2**63), 2**63 - 1, 2000)
    base = hash_rows([Column(t.BIGINT, pa.array(values))])
    for position in range(64):
        flipped = hash_rows([Column(t.BIGINT, pa.array(values ^ np.array(1 << position, np.uint64).view(np.int64)))])
        bits = np.unpackbits((base ^ flipped).view(np.uint8)).reshape(len(values), 64).mean(axis=0)
        assert bits.min() > 0.4
        assert bits.max() < 0.6


def test_row_numbers_are_checked():
    with pytest.raises(IndexError):
        hash_rows([Column(t.BIGINT, pa.array([1, 2]))], np.array([2], np.uint32))


def test_nested_columns_are_refused():
    with pytest.raises(UnsupportedError, match="cannot be a key"):
        hash_rows([Column(t.ArrayType(t.BIGINT), pa.array([[1]]))])
