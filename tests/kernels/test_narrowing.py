"""Narrowing, bounds and dictionary codes equal their plain Python reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import equal_ranges, hash_rows
from tableflow.columnar.kernels.narrowing import DistinctHashes, TextCodes, joined, narrow, real_bounds, text_bounds
from tableflow.columnar.representation import canonical, widen
from tests.kernels import columns as made

pytestmark = pytest.mark.slow


def pieces(data: st.DataObject, of: t.SqlType) -> tuple[list[Column], list[Any]]:
    values = [
        data.draw(made.values_of(of, size)) for size in data.draw(st.sampled_from([[0], [9], [70, 1], [3, 0, 80]]))
    ]
    columns = [data.draw(made.columns(of, part)) for part in values]
    return columns, [v for column in columns for v in made.plain(column)]


def stored(of: t.SqlType, value: Any) -> int:
    return int(value.scaleb(of.scale)) if isinstance(of, t.DecimalType) else int(value)


@pytest.mark.parametrize("of", [t.TINYINT, t.INT, t.BIGINT, made.DECIMAL, made.SMALL_DECIMAL], ids=str)
@given(data=st.data())
@settings(max_examples=60)
def test_numbers_have_the_least_width(of: t.SqlType, data: st.DataObject) -> None:
    parts, values = pieces(data, of)
    column, low, high = narrow(parts)
    column.array.validate(full=True)
    assert made.plain(column) == values
    present = [stored(of, v) for v in values if v is not None]
    assert (low, high) == ((min(present), max(present)) if present else (None, None))
    need = max((max(v, -v - 1).bit_length() + 1 for v in present), default=1)
    width = next((bits for bits in (8, 16, 32, 64) if need <= bits), 128)
    assert column.array.type == (canonical(of) if width == 128 else getattr(pa, f"int{width}")())


@pytest.mark.parametrize("of", [t.DATE, t.TIMESTAMP, t.TIME], ids=str)
@given(data=st.data())
@settings(max_examples=30)
def test_times_keep_their_width(of: t.SqlType, data: st.DataObject) -> None:
    parts, values = pieces(data, of)
    column, low, high = narrow(parts, keep=True)
    assert column.array.type == canonical(of)
    assert made.plain(column) == values
    numbers = column.array.view(pa.int32() if of is t.DATE else pa.int64()).drop_null().to_pylist()
    assert (low, high) == ((min(numbers), max(numbers)) if numbers else (None, None))


def test_extremes() -> None:
    for of, most in ((t.BIGINT, 2**63), (t.INT, 2**31), (t.SMALLINT, 2**15), (t.TINYINT, 2**7)):
        column, low, high = narrow([Column(of, pa.array([-most, most - 1, None], canonical(of)))])
        assert (low, high, column.to_pylist()) == (-most, most - 1, [-most, most - 1, None])
    wide = t.DecimalType(38, 0)
    top = made.Decimal(10**38 - 1)
    column, low, high = narrow(
        [Column(wide, pa.array([5], pa.int8())), Column(wide, pa.array([top.copy_negate(), top], canonical(wide)))]
    )
    assert (low, high) == (-(10**38) + 1, 10**38 - 1)
    assert column.to_pylist() == [5, top.copy_negate(), top]
    column, low, high = narrow([Column(wide, pa.array([2**63 - 1, -(2**63)], pa.int64()))])
    assert (low, high, column.array.type) == (-(2**63), 2**63 - 1, pa.int64())


@pytest.mark.parametrize("of", [t.FLOAT, t.DOUBLE], ids=str)
@given(data=st.data())
@settings(max_examples=40)
def test_bounds_of_reals_leave_nan_out(of: t.SqlType, data: st.DataObject) -> None:
    parts, _ = pieces(data, of)
    column = joined(parts)
    values = [v for v in column.array.to_pylist() if v is not None]
    numbers = [v for v in values if not math.isnan(v)]
    low, high, nan = real_bounds(column)
    assert nan == (len(numbers) < len(values))
    assert (low, high) == ((min(numbers), max(numbers)) if numbers else (None, None))


@pytest.mark.parametrize("of", [t.STRING, t.BYTES], ids=str)
@given(data=st.data())
@settings(max_examples=60)
def test_codes_of_text(of: t.SqlType, data: st.DataObject) -> None:
    codes, chunks, every = TextCodes(of), [], []
    for _ in range(2):
        parts, values = pieces(data, of)
        numbers, low, high, size = codes.add(parts)
        present = [v.encode() if isinstance(v, str) else v for v in values if v is not None]
        assert (low, high) == ((min(present), max(present)) if present else (None, None))
        assert size == sum(map(len, present))
        plain = widen(joined(parts))
        assert text_bounds(plain) == (low, high)
        chunks.append(numbers.array)
        every.append(values)
    entries = codes.dictionary()
    entries.array.validate(full=True)
    distinct = {v for values in every for v in values if v is not None}
    assert len(entries.to_pylist()) == codes.entries == len(distinct)
    assert codes.entry_bytes == sum(len(v.encode() if isinstance(v, str) else v) for v in distinct)
    for numbers, values in zip(chunks, every, strict=True):
        assert entries.array.take(numbers).to_pylist() == values


def test_null_entries_of_a_dictionary_are_null() -> None:
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int8()), pa.array(["b", None, "a"]))
    codes = TextCodes(t.STRING)
    numbers, low, high, size = codes.add([Column(t.STRING, dictionary)])
    assert (numbers.to_pylist(), low, high, size) == ([0, None, 1, None], b"a", b"b", 2)


def test_foreign_input_is_refused() -> None:
    numbers, reals = Column(t.BIGINT, pa.array([1])), Column(t.DOUBLE, pa.array([1.0]))
    texts = Column(t.STRING, pa.array(["a"]))
    nested = Column(t.ArrayType(t.INT), pa.array([[1]], pa.list_(pa.int32())))
    outside = pa.DictionaryArray.from_arrays(pa.array([7], pa.int8()), pa.array(["a"]), safe=False)
    for call in (
        lambda: narrow([reals]),
        lambda: narrow([nested]),
        lambda: real_bounds(numbers),
        lambda: text_bounds(numbers),
        lambda: text_bounds(Column(t.STRING, texts.array.dictionary_encode())),
        lambda: TextCodes(t.STRING).add([numbers]),
        lambda: TextCodes(t.STRING).add([Column(t.STRING, outside)]),
        lambda: DistinctHashes(9).update(nested),
        lambda: DistinctHashes(0),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()


@given(st.lists(st.integers(0, 30), max_size=60), st.lists(st.integers(0, 33), max_size=20))
def test_equal_ranges(hashes: list[int], probes: list[int]) -> None:
    scale = np.uint64(2**64 // 34)
    sorted_hashes, sorted_probes = (np.sort(np.array(v, np.uint64)) * scale for v in (hashes, probes))
    first, count = equal_ranges(sorted_hashes, sorted_probes)
    assert first.tolist() == np.searchsorted(sorted_hashes, sorted_probes, "left").tolist()
    assert (first + count).tolist() == np.searchsorted(sorted_hashes, sorted_probes, "right").tolist()


@given(st.lists(st.none() | st.integers(0, 400), max_size=600), st.sampled_from([1, 7, 100]))
def test_the_smallest_hashes(values: list[int | None], k: int) -> None:
    column = Column(t.BIGINT, pa.array(values, pa.int64()))
    hashes = DistinctHashes(k)
    for start in range(0, len(values), 250):
        hashes.update(column.slice(start, 250))
    kept, theta = hashes.finish()
    present = [v for v in values if v is not None]
    every = np.unique(hash_rows([Column(t.BIGINT, pa.array(present, pa.int64()))]) >> np.uint64(1)) if present else []
    below = [int(h) for h in every if h < theta]
    assert kept.tolist() == below
    assert len(kept) == min(k, len(every)) or (len(kept) <= k and len(every) > k)
    assert (theta == 2**63 - 1) == (len(below) == len(every))
