"""Theta sketches: our hashes in the library's format give estimates as good as the library promises."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.storage.distinct import LG_K, DistinctSketch, estimate, union
from tests.kernels import columns as made

K = 1 << LG_K
ERROR = 1 / np.sqrt(K)


def sketch(*columns: Column) -> bytes:
    built = DistinctSketch()
    for column in columns:
        built.add(column)
    return built.serialize()


def integers(values: np.ndarray) -> Column:
    return Column(t.BIGINT, pa.array(values, pa.int64()))


@pytest.mark.slow
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_few_values_are_counted_exactly(values: list[int | None]) -> None:
    column = Column(t.BIGINT, pa.array(values, pa.int64()))
    assert estimate(sketch(column)) == len({v for v in values if v is not None})


@pytest.mark.parametrize("of", made.FLAT, ids=str)
@given(data=st.data())
@settings(max_examples=20)
def test_representations_and_pieces_do_not_matter(of: t.SqlType, data: st.DataObject) -> None:
    values = data.draw(made.values_of(of, 12))
    one, other = data.draw(made.columns(of, values)), data.draw(made.columns(of, values))
    assert sketch(one) == sketch(other.slice(7, 5), other.slice(0, 8))
    assert estimate(sketch(one)) == len({v for v in made.plain(one) if v is not None})


@pytest.mark.parametrize("rows", [K - 1, K, K + 1, 2 * K, 2 * K + 1, 10_000, 300_000])
def test_the_sketch_is_that_of_the_smallest_hashes(rows: int) -> None:
    column = integers(np.arange(rows) * 7919)
    datasketches = pytest.importorskip("datasketches")  # not yet for every Python
    built = datasketches.compact_theta_sketch.deserialize(sketch(column, column))
    hashes = np.unique(hash_rows([column]) >> np.uint64(1))
    assert list(built) == hashes[:K].tolist()
    if rows <= K:
        assert (built.is_estimation_mode(), built.get_estimate()) == (False, rows)
    else:
        assert built.theta64 <= hashes[K]
        assert abs(built.get_estimate() / rows - 1) < 4 * ERROR
    assert built.is_ordered()


def test_estimates_are_not_biased() -> None:
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(60):
        values = generator.integers(-(2**63), 2**63 - 1, 20_000)
        halves = sketch(integers(values[:12_000])), sketch(integers(values[8_000:]))
        errors.append((estimate(sketch(integers(values))) / 20_000 - 1, estimate(union(halves)) / 20_000 - 1))
    mean, deviation = np.mean(errors, axis=0), np.std(errors, axis=0)
    assert (np.abs(mean) < 4 * ERROR / np.sqrt(60)).all()
    assert (deviation < 1.5 * ERROR).all()


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 6000)), min_size=1, max_size=5))
@settings(max_examples=30)
def test_a_union_counts_a_value_once(ranges: list[tuple[int, int]]) -> None:
    parts = [sketch(integers(np.arange(start, start + rows))) for start, rows in ranges]
    distinct = len(set().union(*(range(start, start + rows) for start, rows in ranges)))
    assert estimate(union(parts)) == pytest.approx(distinct, rel=0 if distinct <= K // 2 else 5 * ERROR)
    assert estimate(union(parts)) == estimate(union([union(parts[:1]), *parts[::-1]]))
    assert len(parts[0]) <= 24 + 8 * K


@pytest.mark.parametrize(
    "sizes", [[], [0], [1], [5, 0], [1000, 1000], [3000, 10], [10_000, 20_000, 1], [1024, 1024]], ids=str
)
def test_unions_and_estimates_are_the_librarys(sizes: list[int]) -> None:
    datasketches = pytest.importorskip("datasketches")
    parts = [sketch(integers(np.arange(size) + 500 * number)) for number, size in enumerate(sizes)]
    theirs = datasketches.theta_union(LG_K)
    for part in parts:
        theirs.update(datasketches.compact_theta_sketch.deserialize(part))
    assert union(parts) == theirs.get_result().serialize()
    assert estimate(union(parts)) == pytest.approx(theirs.get_result().get_estimate(), rel=1e-12)


def test_a_sketch_of_nothing() -> None:
    nothing = sketch(Column(t.STRING, pa.nulls(3, pa.string())))
    assert estimate(nothing) == estimate(union([])) == 0
    assert estimate(union([nothing, sketch(integers(np.arange(5)))])) == 5
