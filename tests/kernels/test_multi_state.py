"""Rows with counts by key equal a dictionary of counters, whatever is added, taken away and looked up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import NO_SLOT, MultiState, SortedRows, consolidated
from tableflow.columnar.representation import canonical
from tableflow.errors import UnsupportedError

NESTED = t.RowType((t.RowField("a", t.BIGINT), t.RowField("b", t.ArrayType(t.STRING))))
TYPES = (t.INT, t.STRING, t.DecimalType(30, 2), t.DOUBLE, NESTED)
LONG = "a text that is too long to be kept in its cell"
ROWS = st.tuples(
    st.none() | st.integers(0, 3),
    st.none() | st.sampled_from(["", "a", LONG, LONG + "!"]),
    st.none() | st.integers(0, 2),
    st.sampled_from([None, 0.0, -0.0, 1.5, float("inf")]),
    st.none()
    | st.fixed_dictionaries(
        {"a": st.none() | st.integers(0, 1), "b": st.none() | st.lists(st.sampled_from(["x", None]), max_size=1)}
    ),
)


def columns_of(rows: list[tuple[Any, ...]], dictionary: bool) -> list[Column]:
    columns = [
        Column(
            of,
            pa.array([row[i] for row in rows]).cast(canonical(of))
            if i != 4
            else pa.array([row[i] for row in rows], canonical(of)),
        )
        for i, of in enumerate(TYPES)
    ]
    if dictionary:
        columns[1] = Column(t.STRING, columns[1].array.dictionary_encode())
    return columns


def plain(columns: list[Column], rows: int) -> list[Any]:
    values = [c.array.dictionary_decode() if pa.types.is_dictionary(c.array.type) else c.array for c in columns]
    return (
        [
            tuple(repr(v if v != 0 or isinstance(v, str) else v + 0) for v in row)
            for row in zip(*(a.to_pylist() for a in values), strict=True)
        ]
        if rows
        else []
    )


CHANGES = st.lists(st.lists(st.tuples(ROWS, st.integers(-2, 2)), max_size=12), max_size=6)


@pytest.mark.slow
@given(CHANGES, st.booleans(), st.booleans(), st.sampled_from([(), (0,), (1,), (0, 1), (2, 3)]))
def test_counts_are_sums_of_weights(batches, dictionary: bool, safe: bool, keys: tuple[int, ...]) -> None:
    state = MultiState(TYPES, keys, [safe] * len(keys))
    expected: Counter[Any] = Counter()
    for batch in batches:
        columns = columns_of([row for row, _ in batch], dictionary)
        weights = np.array([weight for _, weight in batch], np.int64)
        before = Counter(expected)
        values = plain(columns, len(batch))
        for (row, weight), value in zip(batch, values, strict=True):
            if safe or all(row[key] is not None for key in keys):
                expected[value] += weight
        changes = state.apply(columns, len(batch), None, weights)
        touched = plain(state.columns(range(5), changes.slots), len(changes.slots))
        assert len(set(touched)) == len(touched)
        assert dict(zip(touched, changes.after.tolist(), strict=True)) == {
            value: expected[value] for value in set(values) if expected[value] != before[value]
        }
        assert [before[value] for value in touched] == changes.before.tolist()
        assert [values[row] for row in changes.rows] == touched
        state.settle()
        expected = Counter({value: count for value, count in expected.items() if count})
        stored = {
            value: count
            for slots in state.pieces(3)
            for value, count in zip(
                plain(state.columns(range(5), slots), len(slots)), state.counts(slots).tolist(), strict=True
            )
        }
        assert stored == dict(expected)
        assert state.rows == len(stored)
        assert state.keys == len({tuple(value[key] for key in keys) for value in stored})
    sample = [row for batch in batches for row, _ in batch]
    if not sample or not keys:
        return
    columns = columns_of(sample, dictionary=not dictionary)
    values = plain(columns, len(sample))
    matches = state.probe([columns[key] for key in keys], len(sample))
    pairs = [(lane, slot) for lanes, slots in matches.pieces(2) for lane, slot in zip(lanes, slots, strict=True)]
    found = plain(state.columns(range(5), np.array([slot for _, slot in pairs], np.uint32)), len(pairs))
    assert Counter(zip([int(lane) for lane, _ in pairs], found, strict=True)) == Counter(
        (lane, value)
        for lane, (row, asked) in enumerate(zip(sample, values, strict=True))
        for value in expected
        if all(value[key] == asked[key] and (safe or row[key] is not None) for key in keys)
    )


@pytest.mark.slow
@given(CHANGES, st.booleans())
def test_consolidation_sums_equal_rows(batches, whole: bool) -> None:
    for batch in batches:
        columns = columns_of([row for row, _ in batch], dictionary=True)
        weights = np.array([weight for _, weight in batch], np.int64)
        chosen = np.arange(0, len(batch), 1 if whole else 2, dtype=np.uint32)
        values = plain(columns, len(batch))
        made = consolidated(Batch(columns, len(batch), None if whole else chosen, weights))
        expected: Counter[Any] = Counter()
        for i in chosen:
            expected[values[i]] += int(weights[i])
        got = list(zip(plain(list(made.columns), made.length), made.weights.tolist(), strict=True))
        assert dict(got) == {value: count for value, count in expected.items() if count}
        assert len(got) == len(dict(got))


def test_rows_that_are_only_added_have_slots_of_their_own() -> None:
    state = MultiState((t.BIGINT, t.STRING), (0,), (False,), counted=False)
    columns = [Column(t.BIGINT, pa.array([1, 1, None, 2])), Column(t.STRING, pa.array(["a", "a", "b", "c"]))]
    changes = state.apply(columns, 4)
    assert changes.rows.tolist() == [0, 1, 3]
    assert changes.unmatchable.tolist() == [2]
    assert (changes.deltas == 1).all()
    ((lanes, slots),) = state.probe([Column(t.BIGINT, pa.array([2, 3, 1]))], 3).pieces(10)
    assert lanes.tolist() == [0, 2, 2]
    assert state.columns([1], slots)[0].to_pylist() == ["c", "a", "a"]
    assert state.columns([1], np.array([slots[0], NO_SLOT], np.uint32), nullable=True)[0].to_pylist() == ["c", None]
    assert state.below(0, 2).tolist() == [0, 1]
    state.remove(state.below(0, 2))
    assert (state.rows, state.keys) == (1, 1)
    with pytest.raises(IndexError):
        state.columns([0], np.array([0], np.uint32))
    with pytest.raises(ValueError, match="weights"):
        state.apply(columns, 4, None, np.ones(4, np.int64))


def test_marks_say_what_they_were() -> None:
    state = MultiState((t.BIGINT,), (0,), (True,))
    slots = state.apply([Column(t.BIGINT, pa.array([1, 2, 3]))], 3).slots
    state.add_marks(slots[[0, 1, 0]], np.array([1, 1, 1], np.int64))
    state.add_marks(slots[[1]], np.array([-1], np.int64))
    changed, before = state.take_marked()
    assert (changed.tolist(), before.tolist()) == ([int(slots[0])], [0])
    assert state.marks(slots).tolist() == [2, 0, 0]
    assert len(state.take_marked()[0]) == 0


def test_room_for_a_piece_of_a_batch_is_that_of_the_piece() -> None:
    rows = 100_000
    state = MultiState((t.BIGINT, t.STRING), (0,), (False,), counted=False)
    texts = [f"{i} is a text of more than twelve bytes" for i in range(rows)]
    columns = [Column(t.BIGINT, pa.array(np.arange(rows))), Column(t.STRING, pa.array(texts))]
    whole = sum(column.nbytes for column in columns)
    for start in range(0, rows, 5000):
        announced = state.bytes_after(columns, 5000)
        assert announced < state.bytes * 1.6 + whole / 2
        state.apply(columns, rows, np.arange(start, start + 5000, dtype=np.uint32))
        assert state.bytes <= announced
    codes = Column(t.STRING, pa.array(texts).dictionary_encode())
    assert codes.nbytes_of(1) == codes.nbytes, "a row may be any entry"


def test_a_large_state_grows_in_steps_and_shrinks_to_nothing() -> None:
    rng = np.random.default_rng(7)
    rows = 200_000
    state = MultiState((t.BIGINT, t.BIGINT), (0,), (False,))
    keys = rng.integers(0, 50_000, rows)
    columns = [Column(t.BIGINT, pa.array(keys)), Column(t.BIGINT, pa.array(np.arange(rows)))]
    for start in range(0, rows, 20_000):
        steps = 0
        while not state.prepare(20_000):
            steps += 1
        state.apply(columns, rows, np.arange(start, start + 20_000, dtype=np.uint32))
    assert state.rows == rows
    assert state.keys == len(np.unique(keys))
    assert state.bytes <= state.bytes_after(columns, 0)
    order = rng.permutation(rows).astype(np.uint32)
    for start in range(0, rows, 50_000):
        state.apply(columns, rows, order[start : start + 50_000], np.full(rows, -1, np.int64))
    state.settle()
    assert (state.rows, state.keys) == (0, 0)
    held = state.bytes
    state.apply(columns, rows)
    assert state.bytes == held  # slots are used again


def test_what_has_no_key_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="cannot be kept"):
        MultiState((t.MapType(t.STRING, t.STRING),))


@pytest.mark.slow
@given(
    st.lists(
        st.lists(
            st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["", "b", LONG]), st.integers(-1, 1)),
            max_size=10,
        ),
        max_size=6,
    ),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(0, 6),
)
def test_rows_stay_in_order(batches, descending, nulls_first, wanted: int) -> None:
    state = MultiState((t.INT, t.STRING))
    rows = SortedRows(state, [(i, descending[i], nulls_first[i]) for i in range(2)])

    def place(row: tuple[Any, ...]) -> list[Any]:
        out: list[Any] = []
        for value, down, first in zip(row, descending, nulls_first, strict=True):
            code = 0 if value is None else value if isinstance(value, int) else ["", LONG, "b"].index(value)
            out.append(0 if value is not None else -1 if first else 1)
            out.append(-code if down else code)
        return out

    total: Counter[Any] = Counter()
    for batch in batches:
        columns = [
            Column(t.INT, pa.array([row[0] for row in batch], pa.int32())),
            Column(t.STRING, pa.array([row[1] for row in batch], pa.string())),
        ]
        changes = state.apply(columns, len(batch), None, np.array([row[2] for row in batch], np.int64))
        rows.change(changes.slots[changes.before == 0], changes.slots[changes.after == 0])
        for a, b, weight in batch:
            total[a, b] += weight
        state.settle()
        kept = sorted((row for row, count in total.items() if count), key=place)
        expected, copies = [], wanted
        for row in kept:
            if copies <= 0:
                break
            expected.append(row)
            copies -= max(0, total[row])
        slots = rows.first(wanted)
        found = [c.to_pylist() for c in state.columns([0, 1], slots)]
        assert list(zip(*found, strict=True)) == expected


def test_rows_of_a_larger_change_stay_readable_until_it_is_settled() -> None:
    state = MultiState([t.INT], [0], [True])

    def apply(values: list[int], weights: list[int], *, settles: bool = True) -> list[int]:
        column = Column(t.INT, pa.array(values, pa.int32()))
        changes = state.apply([column], len(values), None, np.array(weights, np.int64), settles=settles)
        return changes.slots.tolist()

    one, two = apply([1, 2], [1, 1])
    apply([1], [-1])
    apply([2], [-1], settles=False)
    assert state.counts(np.array([one, two], np.uint32)).tolist() == [0, 0]
    assert apply([1], [1], settles=False) == [one], "a row that comes back is where it was"
    apply([1], [-1], settles=False)
    apply([2], [3], settles=False)
    state.settle()
    assert [state.columns([0], slots)[0].array.to_pylist() for slots in state.pieces(10)] == [[2]]
    assert state.rows == 1
    assert len(apply([1], [1])) == 1
    assert state.rows == 2
