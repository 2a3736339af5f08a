"""Groups whose rows come in order are found without a look-up, and are the same groups as when they come in any order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, GroupTable
from tableflow.types import BIGINT

COUNTED = [Aggregate("sum", (0,), (BIGINT,), BIGINT), Aggregate("count", (), (), BIGINT)]


def _grouped(pieces):
    """What the table makes of pieces of keys, each row's value being its number: {key: (sum, rows)}."""
    table = GroupTable([BIGINT], COUNTED)
    number = 0
    for piece in pieces:
        values = pa.array(range(number, number + len(piece)), pa.int64())
        number += len(piece)
        assert table.prepare(len(piece))
        announced = table.bytes_after([], [], len(piece))
        table.update([Column(BIGINT, pa.array(piece, pa.int64()))], [Column(BIGINT, values)], len(piece))
        assert table.bytes <= announced
    (keys,) = table.keys(0, table.groups)
    sums, counts = table.results(0, table.groups)
    found = list(zip(keys.array.to_pylist(), sums.array.to_pylist(), counts.array.to_pylist(), strict=True))
    assert len({key for key, _, _ in found}) == len(found)
    return {key: (total, rows) for key, total, rows in found}


def _expected(pieces):
    found: dict = {}
    for number, key in enumerate(key for piece in pieces for key in piece):
        total, rows = found.get(key, (0, 0))
        found[key] = (total + number, rows + 1)
    return found


FAR = [-(2**63), 2**63 - 1, 2**62]


@given(
    st.lists(st.lists(st.integers(0, 12) | st.integers(0, 60_000) | st.sampled_from(FAR), max_size=12), max_size=12),
    st.data(),
)
def test_ascending_pieces_in_any_order(pieces, data):
    pieces = [sorted(piece) for piece in pieces]
    if data.draw(st.booleans()):  # one that is in no order, or a NULL
        pieces.insert(
            data.draw(st.integers(0, len(pieces))), data.draw(st.sampled_from([[5, 3, 5], [None, 1], [7, 7, None]]))
        )
    assert _grouped(pieces) == _expected(pieces)


@pytest.mark.parametrize("margin", range(1023, 1027))
def test_a_piece_as_wide_as_numbers_are(margin):
    piece = [-(2**63), 2**63 - 1 - margin]
    assert _grouped([piece]) == _expected([piece])
    assert _grouped([piece, [0]]) == _expected([piece, [0]])


@given(st.permutations(range(12)))
def test_runs_that_several_tasks_read_meet_at_their_ends(order):
    """Row groups of 3,000 rows, whose first and last keys their neighbours have too, each cut in pieces."""
    keys = np.arange(36_000) // 7 * 3
    groups = [keys[start : start + 3000].tolist() for start in range(0, 36_000, 3000)]
    pieces = [groups[number][at : at + 1100] for number in order for at in range(0, 3000, 1100)]
    assert _grouped(pieces) == _expected(pieces)


@pytest.mark.parametrize("gap", [1, 1 << 20])
def test_more_segments_than_are_kept(gap):
    """Every second piece first: nothing joins up, until the table gives up and looks its groups up."""
    starts = [*range(0, 12_000, 2), *range(1, 12_000, 2), *range(0, 12_000, 5)]
    pieces = [[start * gap, start * gap, start * gap + 1] for start in starts]
    assert _grouped(pieces) == _expected(pieces)


def test_a_run_longer_than_a_piece():
    pieces = [[4] * 5000, [4] * 5000, [5] * 3, [4]]
    assert _grouped(pieces) == _expected(pieces)
