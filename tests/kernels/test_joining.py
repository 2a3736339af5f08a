"""The native join table equals two loops in Python, for every representation of keys, and at sizes where growth matters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, concat
from tableflow.columnar.kernels.joining import NO_ROW, JoinProbe, JoinRows, JoinTable
from tests.kernels import columns

pytestmark = pytest.mark.slow


def sealed(types, safe, partials):
    """A table over partials, each a list of batches of key columns."""
    made, parts = [], []
    for batches in partials:
        rows = JoinRows(types, safe)
        for batch in batches:
            rows.append(batch.columns, batch.length, batch.selection)
            parts.append(compact(batch))
        made.append(rows)
    table = JoinTable(made)
    for part in range(table.parts):
        table.seal(part)
    empty = [Column(of, pa.array([], pa.null())) for of in types]
    table.finish([] if table.exact else concat(parts).columns if parts else empty)
    return table


def all_pairs(probe, limit, **options):
    lanes, rows = [], []
    while not probe.exhausted:
        a, b = probe.pairs(limit, **options)
        assert len(a) == len(b) <= limit
        lanes += a.tolist()
        rows += b.tolist()
    return list(zip(lanes, rows, strict=True))


def keys_of(batches):
    """Values that are equal exactly when the SQL values are, by selected row."""
    return [row[:-1] for batch in batches for row in columns.rows_of(batch)]


def matches(left, right, safe):
    return all(
        (a is None and b is None and s) or (a is not None and b is not None and a == b)
        for a, b, s in zip(left, right, safe, strict=True)
    )


KEYS = [[t.BIGINT], [t.TINYINT], [t.BOOLEAN], [t.DATE], [t.TIMESTAMP], [columns.DECIMAL], [columns.SMALL_DECIMAL], [t.DOUBLE],
        [t.FLOAT], [t.STRING], [t.BYTES], [t.NULL], [t.BIGINT, t.STRING], [t.TINYINT, t.BOOLEAN, t.DOUBLE]]  # fmt: skip


@pytest.mark.parametrize("types", KEYS, ids=lambda types: "-".join(map(str, types)))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pairs_are_those_with_equal_keys(types, data):
    safe = data.draw(st.lists(st.booleans(), min_size=len(types), max_size=len(types)))
    build = data.draw(st.lists(columns.batches(types, 12), max_size=3))
    probe_batch = data.draw(columns.batches(types, 12))
    # Keys of both sides have to meet: some build rows are the probe's, in another representation.
    if data.draw(st.booleans()):
        build.append(compact(probe_batch))
    partials = [build[i::2] for i in range(2)] if data.draw(st.booleans()) else [build]
    table = sealed(types, safe, partials)
    build_keys = [key for part in partials for key in keys_of(part)]
    probe_keys = keys_of([probe_batch])
    expected = [(i, j) for i, a in enumerate(probe_keys) for j, b in enumerate(build_keys) if matches(a, b, safe)]
    probe = JoinProbe(table)
    limit = data.draw(st.sampled_from([1, 2, 100]))
    for _ in range(2):  # a probe may be used again
        probe.start(probe_batch.columns, probe_batch.length, probe_batch.selection)
        assert sorted(all_pairs(probe, limit)) == expected
    matched = sorted({i for i, _ in expected})
    assert probe.lanes(matched=True).tolist() == matched
    unmatched = [i for i in range(len(probe_keys)) if i not in matched]
    assert probe.lanes(matched=False).tolist() == unmatched
    probe.start(probe_batch.columns, probe_batch.length, probe_batch.selection)
    outer = all_pairs(probe, limit, outer=True)
    assert sorted(outer) == sorted(expected + [(i, int(NO_ROW)) for i in unmatched])
    assert [lane for lane, _ in outer] == sorted(lane for lane, _ in outer)


@pytest.mark.parametrize("spacing", [1, 5, 1_000_003])
@pytest.mark.parametrize("copies", [1, 3])
def test_many_integers(spacing, copies):
    generator = np.random.default_rng(spacing)
    build = np.repeat(np.arange(-30_000, 40_000), copies) * spacing
    generator.shuffle(build)
    probe = generator.integers(-50_000, 50_000, 60_000) * spacing
    halves = np.array_split(build, 2)
    table = sealed([t.BIGINT], [False], [[Batch([Column(t.BIGINT, pa.array(half))], len(half))] for half in halves])
    assert table.native.direct == (spacing < 1000)
    assert table.unique == (copies == 1)
    cursor = JoinProbe(table)
    cursor.start([Column(t.BIGINT, pa.array(probe))], len(probe))
    pairs = np.array(all_pairs(cursor, 7_001))
    assert (probe[pairs[:, 0]] == build[pairs[:, 1]]).all()
    inside = (probe >= -30_000 * spacing) & (probe < 40_000 * spacing)
    assert len(pairs) == inside.sum() * copies
    assert len(np.unique(pairs[:, 0] * len(build) + pairs[:, 1])) == len(pairs)


def test_many_texts():
    texts = [f"key {i % 20_000}" for i in range(40_000)]
    table = sealed([t.STRING], [False], [[Batch([Column(t.STRING, pa.array(texts))], len(texts))]])
    cursor = JoinProbe(table)
    cursor.start([Column(t.STRING, pa.array([f"key {i}" for i in range(25_000)]).dictionary_encode())], 25_000)
    assert all_pairs(cursor, 4096) == [(i, j) for i in range(20_000) for j in (i, i + 20_000)]


def test_lanes_that_are_done_are_given_up():
    table = sealed([t.INT], [False], [[Batch([Column(t.INT, pa.array([1] * 100 + [2], pa.int32()))], 101)]])
    cursor = JoinProbe(table)
    cursor.start([Column(t.INT, pa.array([1, 2, 1], pa.int32()))], 3)
    done = np.zeros(3, np.uint8)
    assert [x.tolist() for x in cursor.pairs(2, done=done)] == [[0, 0], [0, 1]]
    done[0] = 1
    assert [x.tolist() for x in cursor.pairs(2, done=done)] == [[1, 2], [100, 0]]
    done[2] = 1
    assert all_pairs(cursor, 2, done=done) == []


@pytest.mark.parametrize("kind", [t.BIGINT, t.STRING])
@pytest.mark.parametrize("distinct", [1, 3, 400])
def test_marked_build_rows_are_left_out(kind, distinct):
    generator = np.random.default_rng(distinct)

    def drawn(count):
        numbers = generator.integers(0, distinct, count)
        values = [f"key {n}" for n in numbers] if kind == t.STRING else [int(n) * 1_000_003 for n in numbers]
        return values, Column(kind, pa.array(values))

    build, column = drawn(300)
    halves = [[Batch([column.slice(at, 150)], 150)] for at in (0, 150)]
    cursor = JoinProbe(sealed([kind], [False], halves))
    marks = np.zeros(300, np.uint8)
    for _ in range(6):  # over several probe batches
        probe, keys = drawn(80)
        cursor.start([keys], 80)
        given = []
        while not cursor.exhausted:
            lanes, rows = cursor.pairs(int(generator.integers(1, 50)), marked=marks)
            assert not marks[rows].any()
            given += zip(lanes.tolist(), rows.tolist(), strict=True)
            marks[rows[generator.random(len(rows)) < 0.3]] = 1
        assert len(set(given)) == len(given)
        assert all(probe[i] == build[j] for i, j in given)
        kept = np.flatnonzero(marks == 0).tolist()
        assert {(i, j) for i in range(80) for j in kept if probe[i] == build[j]} <= set(given)
    assert marks.any()
    with pytest.raises(IndexError, match="mark"):
        cursor.pairs(1, marked=marks[:-1])


def test_keys_with_many_rows_on_both_sides_do_not_multiply():
    rows = 200_000
    table = sealed([t.INT], [False], [[Batch([Column(t.INT, pa.array(np.ones(rows, np.int32)))], rows)]])
    cursor, marks, given = JoinProbe(table), np.zeros(rows, np.uint8), 0
    cursor.start([Column(t.INT, pa.array(np.ones(rows, np.int32)))], rows)
    while not cursor.exhausted:
        lanes, found = cursor.pairs(50_000, marked=marks)
        given += len(lanes)
        marks[found] = 1
    assert given == rows
    assert marks.all()


def test_without_keys_everything_matches():
    rows = JoinRows([], [])
    rows.append([], 3)
    table = JoinTable([rows])
    for part in range(table.parts):
        table.seal(part)
    table.finish([])
    cursor = JoinProbe(table)
    cursor.start([], 2)
    assert all_pairs(cursor, 4) == [(i, j) for i in range(2) for j in range(3)]


def test_rows_may_be_counted_only():
    rows = JoinRows([t.INT], [False])
    rows.append([Column(t.INT, pa.array([5, 5, None], pa.int32()))], 3, only=np.array([0, 1, 1], np.uint8))
    table = JoinTable([rows])
    table.seal(0)
    table.finish([])
    assert (table.rows, table.entries) == (3, 1)
    cursor = JoinProbe(table)
    cursor.start([Column(t.INT, pa.array([5], pa.int32()))], 1)
    assert all_pairs(cursor, 4) == [(0, 1)]


def test_foreign_input_is_refused():
    column = Column(t.BIGINT, pa.array([1, 2]))
    rows = JoinRows([t.BIGINT], [False])
    with pytest.raises(IndexError):
        rows.append([column], 3)
    with pytest.raises(IndexError):
        rows.append([column], 2, np.array([2], np.uint32))
    with pytest.raises(ValueError, match="partial"):
        JoinTable([])
    texts = JoinRows([t.STRING], [False])
    texts.append([Column(t.STRING, pa.array(["x"]))], 1)
    with pytest.raises(ValueError, match="missing"):
        JoinTable([texts]).finish([])
