"""Long texts that a state leaves in the memory of their batches: the rows stay what they are, and memory that few rows want is given up."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState

TYPES = (t.BIGINT, t.STRING, t.BYTES)
ROWS = 2_000
FORMS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "plain": lambda array: array,
    "large": lambda array: array.cast(pa.large_string() if pa.types.is_string(array.type) else pa.large_binary()),
    "dictionary": lambda array: array.dictionary_encode(),
    "slice": lambda array: pa.concat_arrays([array.slice(0, 7), array, array.slice(0, 9)]).slice(7, len(array)),
}


def drawn(rng: np.random.Generator, form: str, rows: int = ROWS) -> Batch:
    keys = pa.array(rng.integers(0, rows, rows))
    texts = [None if n < 2 else "é" * int(n) + str(n) for n in rng.integers(0, 60, rows)]
    values = [None if n < 2 else bytes([int(n)]) * int(n) for n in rng.integers(0, 90, rows)]
    arrays = [FORMS[form](pa.array(texts, pa.string())), FORMS[form](pa.array(values, pa.binary()))]
    return Batch([Column(of, array) for of, array in zip(TYPES, (keys, *arrays), strict=True)], rows)


def dealt(rng: np.random.Generator, batch: Batch, states: int) -> list[Batch]:
    if states == 1:
        return [batch]
    owners = rng.integers(0, states, batch.length)
    whole = batch.dealt_among(states)
    return [whole.with_selection(np.flatnonzero(owners == i).astype(np.uint32)) for i in range(states)]


def rows_of(batch: Batch) -> list[tuple[object, ...]]:
    rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return rows if batch.selection is None else [rows[i] for i in batch.selection]


def stored(state: MultiState) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for slots in state.pieces(1_000):
        found.update(zip(*(column.to_pylist() for column in state.columns(range(3), slots)), strict=True))
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("states", [1, 3])
def test_rows_are_what_was_stored_whoever_keeps_their_texts(form: str, states: int) -> None:
    rng = np.random.default_rng(states)
    kept = [MultiState(TYPES, [0], [True], counted=False) for _ in range(states)]
    expected: list[Counter[tuple[object, ...]]] = [Counter() for _ in range(states)]
    for _ in range(8):
        batch = drawn(rng, form)
        for state, rows, part in zip(kept, expected, dealt(rng, batch, states), strict=True):
            state.share(part)
            for piece in part.pieces(450):
                state.apply(piece.columns, piece.length, piece.selection)
                state.settle()
            rows.update(rows_of(part))
            live = np.concatenate(list(state.pieces(10_000)))
            gone = live[rng.random(len(live)) < 0.4]
            gone_rows = zip(*(column.to_pylist() for column in state.columns(range(3), gone)), strict=True)
            rows.subtract(Counter(gone_rows))
            state.remove(gone)
        del batch
    for state, rows in zip(kept, expected, strict=True):
        assert stored(state) == +rows


@pytest.mark.parametrize("form", FORMS)
def test_equal_rows_are_found_whoever_keeps_their_texts(form: str) -> None:
    rng = np.random.default_rng(7)
    state = MultiState(TYPES, [0], [True])
    batch = drawn(rng, form)
    state.share(batch)
    state.apply(batch.columns, batch.length)
    assert state.rows == len(set(rows_of(batch)))
    copied = [
        Column(c.type, pa.array(c.to_pylist(), a.array.type)) for c, a in zip(batch.columns, batch.columns, strict=True)
    ]
    state.apply(copied, batch.length, None, np.full(batch.length, -1))
    state.settle()
    assert state.rows == 0


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_batch_stays_shared_though_it_comes_in_pieces(tasks: int) -> None:
    rng = np.random.default_rng(9)
    state = MultiState(TYPES, [0], [True], counted=False)
    before, text = pa.total_allocated_bytes(), 0
    for _ in range(4):
        batch = drawn(rng, "plain", 30_000)
        part = dealt(rng, batch, tasks)[0]
        state.share(part)
        for piece in part.pieces(3_000):
            state.apply(piece.columns, piece.length, piece.selection)
            state.settle()
        state.end_sharing()
        text += sum(c.array.buffers()[2].size for c in batch.columns[1:])
    del batch, part, piece
    gc.collect()
    assert pa.total_allocated_bytes() - before > 0.9 * text


def test_much_wanted_dictionaries_do_not_hide_memory_that_few_want() -> None:
    rng = np.random.default_rng(10)
    state = MultiState((t.BIGINT, t.STRING), [0], [True], counted=False)
    words = pa.array([f"{i:04}" * 250 for i in range(20)])
    coded = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 20, 40_000), pa.int32()), words)
    batch = Batch([Column(t.BIGINT, pa.array(np.arange(40_000))), Column(t.STRING, coded)], 40_000)
    state.share(batch)
    state.apply(batch.columns, batch.length)
    state.end_sharing()
    before = pa.total_allocated_bytes()
    for number in range(6):
        texts = pa.array([f"{number:08}" * 10] * 40_000)
        batch = Batch([Column(t.BIGINT, pa.array(np.arange(40_000))), Column(t.STRING, texts)], 40_000)
        state.share(batch)
        slots = state.apply(batch.columns, batch.length).slots
        state.end_sharing()
        state.remove(np.delete(slots, slice(None, None, 1000)))
    del batch, texts
    for _ in range(50):
        state.settle()
    gc.collect()
    assert pa.total_allocated_bytes() - before < 5_000_000


@pytest.mark.parametrize("array", [pa.array([1, 2] * 2_000), pa.array(["a" * 50] * 4_000, pa.string_view())])
def test_columns_that_are_no_texts_are_refused_as_without_sharing(array: pa.Array) -> None:
    state = MultiState((t.STRING,), [0], [True])
    batch = Batch([Column(t.STRING, array)], len(array))
    state.share(batch)
    with pytest.raises(ValueError, match="text"):
        state.apply(batch.columns, batch.length)


def test_memory_that_is_not_the_columns_own_is_not_kept(tmp_path: Path) -> None:
    table = pa.table({"k": list(range(4_000)), "s": [f"{i:050}" for i in range(4_000)]})
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as file:
        file.write_table(table)
    mapped = pa.ipc.open_file(pa.memory_map(str(tmp_path / "t.arrow"))).get_batch(0)
    part = table.combine_chunks().to_batches()[0].slice(0, 1_000)
    for rows in (mapped, part):
        state = MultiState((t.BIGINT, t.STRING), [0], [True], counted=False)
        batch = Batch([Column(t.BIGINT, rows.column(0)), Column(t.STRING, rows.column(1))], rows.num_rows)
        state.share(batch)
        slots = state.apply(batch.columns, batch.length).slots
        kept = state.bytes
        state.end_sharing()
        copying = MultiState((t.BIGINT, t.STRING), [0], [True], counted=False)
        copying.apply(batch.columns, batch.length)
        assert kept == copying.bytes
        assert state.columns([1], slots)[0].to_pylist() == rows.column(1).to_pylist()


def test_memory_goes_when_the_last_row_that_wants_it_goes() -> None:
    rng = np.random.default_rng(3)
    state = MultiState(TYPES, [0], [True], counted=False)
    empty, before = state.bytes, pa.total_allocated_bytes()
    slots = []
    for _ in range(3):
        batch = drawn(rng, "plain", 20_000)
        state.share(batch)
        slots.append(state.apply(batch.columns, batch.length).slots)
        state.end_sharing()
        text = sum(c.array.buffers()[2].size for c in batch.columns[1:])
    del batch
    gc.collect()
    assert pa.total_allocated_bytes() - before >= 3 * text * 0.9  # texts are where they were: there is no other copy
    assert state.bytes - empty >= 3 * text * 0.9
    for part in slots[:2]:
        state.remove(part)
    gc.collect()
    assert pa.total_allocated_bytes() - before < 1.7 * text
    state.remove(slots[2])
    gc.collect()
    assert pa.total_allocated_bytes() - before < 100_000
    assert state.rows == 0


def test_texts_of_few_rows_are_copied_out_of_memory_that_no_others_want() -> None:
    rng = np.random.default_rng(4)
    state = MultiState(TYPES, [0], [True], counted=False)
    before = pa.total_allocated_bytes()
    rows: list[tuple[object, ...]] = []
    for number in range(4):
        batch = drawn(rng, "plain", 20_000)
        state.share(batch)
        slots = state.apply(batch.columns, batch.length).slots
        state.end_sharing()
        state.remove(slots[number::20] if number == 3 else np.delete(slots, slice(number, None, 20)))
        if number < 3:
            rows += rows_of(batch)[number::20]
        else:
            rows += [row for i, row in enumerate(rows_of(batch)) if i % 20 != 3]
        text = sum(c.array.buffers()[2].size for c in batch.columns[1:])
    del batch
    for _ in range(10):
        state.settle()
    gc.collect()
    assert pa.total_allocated_bytes() - before < 1.5 * text
    assert stored(state) == Counter(rows)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("recent", [True, False])
def test_rows_that_move_together_keep_their_texts(form: str, recent: bool) -> None:
    rng = np.random.default_rng(8)
    state = MultiState(TYPES, [0], [True], counted=False)
    rows: list[tuple[object, ...]] = []
    slots = []
    for _ in range(6):
        batch = drawn(rng, form)
        state.share(batch)
        slots.append(state.apply(batch.columns, batch.length).slots)
        rows += rows_of(batch)
    gone = np.arange(len(rows)) < 5 * ROWS if recent else np.arange(len(rows)) % 10 > 0
    state.remove(np.concatenate(slots)[gone])
    assert state.compact() is not None
    assert stored(state) == Counter(row for row, goes in zip(rows, gone, strict=True) if not goes)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_batches_of_which_few_rows_are_wanted_are_not_kept(part: float) -> None:
    rng = np.random.default_rng(5)
    state = MultiState(TYPES, [0], [True], counted=False)
    before = pa.total_allocated_bytes()
    batch = drawn(rng, "plain", 20_000)
    text = sum(c.array.buffers()[2].size for c in batch.columns[1:])
    few = batch.with_selection(np.flatnonzero(rng.random(batch.length) < part).astype(np.uint32))
    state.share(few)
    state.apply(few.columns, few.length, few.selection)
    state.end_sharing()
    expected = Counter(rows_of(few))
    del batch, few
    gc.collect()
    kept = pa.total_allocated_bytes() - before
    assert kept < 100_000 if part < 0.75 else kept > 0.9 * text
    assert stored(state) == expected


def test_leading_rows_may_stay_where_they_are() -> None:
    rng = np.random.default_rng(6)
    shared, copying = (MultiState(TYPES, [0], [True], counted=False) for _ in range(2))
    order = [(1, True, False), (2, False, False)]
    for number in range(6):
        batch = drawn(rng, ("plain", "dictionary", "slice")[number % 3])
        shared.share(batch)
        for state in (shared, copying):
            for piece in batch.pieces(700):
                state.lead(piece.columns, piece.length, piece.selection, order, 2, placed=False)
                state.settle()
    assert stored(shared) == stored(copying)
