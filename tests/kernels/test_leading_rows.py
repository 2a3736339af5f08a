"""The first rows of each key are those that sorting all rows gives, and what changes is what has changed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import MultiState
from tableflow.columnar.kernels.sorting import Key, sort_indices
from tableflow.columnar.representation import canonical

TYPES = (t.INT, t.DOUBLE, t.STRING, t.DecimalType(30, 2), t.TimestampType(3), t.BIGINT)
LONG = "a text that is too long to be kept in its cell"
VALUES: tuple[list[Any], ...] = (
    [None, 1, 2],
    [None, -0.5, -1.5, 0.0, 2.5, float("inf"), float("-inf"), float("nan")],
    [None, "", "b", LONG, LONG + "!"],
    [None, Decimal(-10) ** 20, Decimal(1), Decimal(10) ** 20],
    [None, 5, 7],
)


def drawn(rng: np.random.Generator, start: int, rows: int) -> list[Column]:
    columns = []
    for of, values in zip(TYPES, VALUES, strict=False):
        chosen = [values[i] for i in rng.integers(0, len(values), rows)]
        raw = pa.array(chosen, pa.int64()) if isinstance(of, t.TimestampType) else pa.array(chosen)
        columns.append(Column(of, raw.cast(canonical(of))))
    return [*columns, Column(t.BIGINT, pa.array(np.arange(start, start + rows)))]


def rows_of(columns: list[Column]) -> list[str]:
    return [repr(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("limit", [1, 3])
def test_first_rows_are_those_of_all_rows_sorted(limit: int, placed: bool) -> None:
    rng = np.random.default_rng(limit)
    for order in ([1, 2, 3], [3, 4], [2], []):
        keys: list[Key] = [(i, bool(rng.integers(2)), bool(rng.integers(2))) for i in order]
        keys.append((5, False, False))
        state = MultiState(TYPES, [0], [True], counted=False)
        known: list[list[Column]] = []
        shown: Counter[Any] = Counter()
        for number in range(6):
            columns = drawn(rng, 40 * number, 40)
            selection = np.flatnonzero(rng.integers(0, 4, 40)).astype(np.uint32) if number % 2 else None
            known.append(columns if selection is None else [Column(c.type, c.array.take(selection)) for c in columns])
            changes = state.lead(columns, 40, selection, keys, limit, placed=placed)
            places = changes.places.tolist() if placed else [0] * len(changes.slots)
            for i, row in enumerate(rows_of(state.columns(range(6), changes.slots))):
                shown[row, places[i]] += -1 if i < changes.gone else 1
            assert all(count in (0, 1) for count in shown.values())
            state.settle()
            together = [Column(of, pa.concat_arrays([part[i].array for part in known])) for i, of in enumerate(TYPES)]
            ordered = sort_indices(Batch(together, len(together[0])), [(0, False, False), *keys])
            seen: Counter[Any] = Counter()
            expected = set()
            sorted_rows = rows_of([Column(c.type, c.array.take(ordered)) for c in together])
            for key, row in zip(together[0].array.take(ordered).to_pylist(), sorted_rows, strict=True):
                if seen[key] < limit:
                    expected.add((row, seen[key] if placed else 0))
                seen[key] += 1
            assert {row for row, count in shown.items() if count} == expected
            assert state.rows == len(expected)
        state.clear()


def test_states_of_first_rows_say_what_they_refuse() -> None:
    column = [Column(t.BIGINT, pa.array([1]))]
    with pytest.raises(ValueError, match="one by one"):
        MultiState((t.BIGINT,)).lead(column, 1, None, [], 1, placed=False)
    state = MultiState((t.BIGINT,), counted=False)
    with pytest.raises(ValueError, match="no first rows"):
        state.lead(column, 1, None, [], 0, placed=False)
    with pytest.raises(IndexError, match="not there"):
        state.native.lead([column[0].vector], 1, None, [(1, False, False)], 1, False)
