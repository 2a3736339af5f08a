"""Pieces of batches grow while they are quick, shrink when they are slow, and lose nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact
from tableflow.physical import piece_size
from tableflow.physical.piece_size import PIECE_ROWS, PieceSize
from tableflow.types import INT, Field
from tests.physical.event_harness import batch_of


def _rows(count: int) -> Batch:
    return batch_of((Field(1, "v", INT),), [(number,) for number in range(count)])


def _counted(pieces: list[Batch]) -> list[int]:
    return [row for piece in pieces for row in compact(piece).columns[0].to_pylist()]


def _sizes(monkeypatch, nanoseconds: list[int], rows: int) -> list[int]:
    """The pieces of a batch, each of which takes so long."""
    ends = iter(np.repeat(np.cumsum([0, *nanoseconds]), 2)[1:])
    monkeypatch.setattr(piece_size, "thread_time_ns", lambda: int(next(ends)))
    size, sizes = PieceSize(), []
    for piece in size.pieces(_rows(rows)):
        size.begin()
        size.end(piece.rows)
        sizes.append(piece.rows)
    return sizes


def test_quick_pieces_grow_and_slow_ones_shrink(monkeypatch):
    quick, middle, slow = 10_000, 2_000_000, 5_000_000
    assert _sizes(monkeypatch, [quick, quick, middle, slow, slow, slow, slow], 60_000) == [
        PIECE_ROWS, 2 * PIECE_ROWS, 4 * PIECE_ROWS, 4 * PIECE_ROWS, 2 * PIECE_ROWS, PIECE_ROWS, 60_000 - 14 * PIECE_ROWS,
    ]  # fmt: skip


def test_a_last_small_piece_says_nothing(monkeypatch):
    monkeypatch.setattr(piece_size, "thread_time_ns", lambda: 0)
    size = PieceSize()
    size.begin()
    size.end(10)
    assert size.rows == PIECE_ROWS


def test_pieces_are_all_rows_in_order():
    size = PieceSize()
    batch = _rows(3 * PIECE_ROWS + 7)
    whole = list(size.pieces(batch))
    assert [piece.rows for piece in whole] == [PIECE_ROWS] * 3 + [7]
    assert _counted(whole) == list(range(batch.rows))
    chosen = np.arange(1, batch.rows, 2, dtype=np.uint32)
    assert _counted(list(size.pieces(batch.with_selection(chosen)))) == chosen.tolist()
    assert all(a < b for a, b in pairwise(_counted(list(batch.pieces(100)))))
    small = _rows(5)
    assert list(size.pieces(small)) == [small]
    assert list(size.pieces(_rows(0))) == []
