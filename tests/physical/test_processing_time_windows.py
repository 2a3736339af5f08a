"""Windows on processing time close by the clock; times and watermarks of the input do not matter."""

from __future__ import annotations

import pytest

from tableflow.expressions.emit import Emit, EveryRows
from tableflow.expressions.window_assigner import Hop, Session, Tumble
from tableflow.types import TimestampType
from tests.physical.windowed import CALLS, KEY, harness_of, node_of

SECOND = 1_000_000


def said(harness):
    """Key, start, end (in seconds), count, weight of what was said since."""
    rows = []
    for batch in harness.batches:
        key, *bounds, count = (column.array for column in batch.columns)
        moments = [[v // SECOND for v in of.cast("int64").to_pylist()] for of in bounds]
        weights = [1] * batch.rows if batch.weights is None else batch.weights.tolist()
        rows += zip(key.to_pylist(), *moments, count.to_pylist(), weights, strict=True)
    harness.said.clear()
    return sorted(rows)


def fed(assigner, emit=None, **more):
    node = node_of(assigner, emit, time=TimestampType(3, zoned=True), calls=CALLS[:1], processing_time=True, **more)
    return harness_of(node, rebuild=True)


@pytest.mark.parametrize(
    ("assigner", "expected"),
    [
        (Tumble(10 * SECOND), [[(1, 0, 10, 2, 1)], [(1, 10, 20, 1, 1)], []]),
        (Hop(10 * SECOND, 20 * SECOND), [[(1, -10, 10, 2, 1)], [(1, 0, 20, 3, 1)], [(1, 10, 30, 1, 1)]]),
        (Session(5 * SECOND), [[(1, 3, 9, 2, 1)], [(1, 12, 17, 1, 1)], []]),
    ],
)
def test_windows_close_by_the_clock(assigner, expected):
    harness = fed(assigner, partition=(KEY.id,))
    harness.clock(3 * SECOND)
    harness.rows([(1, "a", 1, None)])
    harness.watermark(10**17)
    harness.clock(4 * SECOND)
    harness.rows([(1, "a", 1, 5)])
    assert said(harness) == []
    harness.clock(12 * SECOND)
    assert said(harness) == expected[0]
    harness.rows([(1, "a", 1, 10**16)])
    harness.clock(20 * SECOND)
    assert said(harness) == expected[1]
    harness.clock(30 * SECOND)
    assert said(harness) == expected[2]
    assert harness.context.counted["late_rows"] == 0


def test_early_results_and_the_end():
    harness = fed(Tumble(10 * SECOND), Emit((EveryRows(2),)))
    harness.rows([(1, "a", 1, None), (1, "a", 1, None)])
    assert said(harness) == [(1, 0, 10, 2, 1)]
    harness.rows([(1, "a", 1, None)])
    harness.end()
    assert said(harness) == [(1, 0, 10, 2, -1), (1, 0, 10, 3, 1)]
    harness.close()


def test_a_clock_that_jumps():
    """Ahead: what was open closes once.  Back: it stands still, and no row is late."""
    harness = fed(Tumble(10 * SECOND))
    harness.clock(3 * SECOND)
    harness.rows([(1, "a", 1, None)])
    harness.clock(3605 * SECOND)
    assert said(harness) == [(1, 0, 10, 1, 1)]
    harness.rows([(1, "a", 1, None)])
    harness.context.time = 1000 * SECOND
    harness.rows([(1, "a", 1, None)])
    assert said(harness) == []
    harness.clock(3610 * SECOND)
    assert said(harness) == [(1, 3600, 3610, 2, 1)]
    assert harness.context.counted["late_rows"] == 0
