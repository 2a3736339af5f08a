"""A state of which most rows have gone gives their memory back: rows move, and everything about them moves along."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState, Slots, SortedRows

TYPES = (t.BIGINT, t.STRING, t.DecimalType(30, 2), t.BOOLEAN, t.ArrayType(t.BIGINT))
LONG = "a text that is too long to be kept in its cell, number "


def _columns(numbers: Any) -> list[Column]:
    texts = [None if n % 5 == 0 else f"{LONG}{n}" if n % 3 else str(n) for n in numbers.tolist()]
    arrays = [
        pa.array(numbers // 7),
        pa.array(texts),
        pa.array([None if n % 11 == 0 else n for n in numbers.tolist()], pa.int64()).cast(pa.decimal128(30, 2)),
        pa.array(numbers % 2 == 0),
        pa.array([[n] * (n % 3) for n in numbers.tolist()], pa.list_(pa.int64())),
    ]
    return [Column(of, array) for of, array in zip(TYPES, arrays, strict=True)]


def _all(state: MultiState) -> Slots:
    return np.concatenate([np.zeros(0, np.uint32), *state.pieces(100_000)])


def _rows(state: MultiState, slots: Slots) -> list[Any]:
    columns = [column.array.to_pylist() for column in state.columns(range(len(TYPES)), slots)]
    return [repr(row) for row in zip(*columns, state.counts(slots).tolist(), state.marks(slots).tolist(), strict=True)]


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("keys", [(0,), (1, 3), (), (4,)])
def test_rows_are_the_same_in_other_slots(counted: bool, keys: tuple[int, ...]) -> None:
    chance = np.random.default_rng(len(keys) + counted)
    state = MultiState(TYPES, keys, [True] * len(keys), counted=counted)
    numbers = np.arange(9000)
    columns = _columns(numbers)
    slots = state.apply(columns, len(numbers)).slots
    state.add_marks(slots, numbers % 4)
    state.take_marked()
    full = state.bytes
    kept = np.zeros(len(numbers), np.bool_)
    kept[chance.choice(len(numbers), 700, replace=False)] = True
    state.remove(slots[~kept])
    before = _rows(state, slots[kept])
    moved = state.compact()
    assert moved is not None
    now = slots.copy()
    places = {int(slot): i for i, slot in enumerate(slots)}
    now[[places[int(slot)] for slot in moved[0]]] = moved[1]
    assert _rows(state, now[kept]) == before
    assert state.slots == state.rows == 700
    assert state.bytes < full / 4
    assert state.compact() is None
    # Everything else works on as if nothing had happened: the same rows are found, counted, put into chains, taken away.
    asked = [columns[key] for key in keys]
    found = [
        (lane, slot)
        for lanes, at in state.probe(asked, 9000).pieces(5000)
        for lane, slot in zip(lanes, at, strict=True)
    ]
    by_key: Counter[str] = Counter(repr([c.array[i].as_py() for c in asked]) for i in numbers[kept])
    wanted = sum(by_key[repr([c.array[i].as_py() for c in asked])] for i in numbers)
    assert len(found) == wanted
    more = state.apply(columns, len(numbers))
    if counted:
        assert (more.before == kept[more.rows]).all()
    assert state.rows == 9000 + (0 if counted else 700)
    state.remove(_all(state))
    assert state.compact() is None
    assert (state.slots, state.rows, state.keys) == (0, 0, 0)
    assert state.bytes < full / 50


def test_a_state_stays_as_it_is_while_marks_have_not_been_taken() -> None:
    state = MultiState((t.BIGINT,), (0,), (True,))
    slots = state.apply([Column(t.BIGINT, pa.array(np.arange(5000)))], 5000).slots
    state.add_marks(slots[-1:], np.ones(1, np.int64))
    state.remove(slots[:-1])
    assert state.compact() is None
    assert state.slots == 5000
    assert state.take_marked()[0].tolist() == slots[-1:].tolist()
    moved = state.compact()
    assert moved is not None
    assert [each.tolist() for each in moved] == [slots[-1:].tolist(), [0]]
    assert state.marks(moved[1]).tolist() == [1]


def test_a_state_that_is_a_quarter_full_stays() -> None:
    state = MultiState((t.BIGINT,), (0,), (True,))
    slots = state.apply([Column(t.BIGINT, pa.array(np.arange(4000)))], 4000).slots
    state.remove(slots[:2999])
    assert state.compact() is None
    assert state.slots == 4000
    state.remove(slots[2999:3000])
    assert state.compact() is not None
    assert state.slots == 1000


def test_rows_in_order_are_found_again() -> None:
    state = MultiState((t.BIGINT, t.BIGINT), (0,), (True,))
    order = SortedRows(state, [(1, True, False)])
    values = np.random.default_rng(1).permutation(5000)
    slots = state.apply(
        [Column(t.BIGINT, pa.array(np.zeros(5000, np.int64))), Column(t.BIGINT, pa.array(values))], 5000
    ).slots
    order.change(slots, slots[:0])
    gone = slots[values >= 500]
    order.change(gone[:0], gone)
    state.remove(gone)
    assert state.compact() is not None
    order.renew()
    assert state.columns([1], order.first(500))[0].array.to_pylist() == list(range(499, -1, -1))
