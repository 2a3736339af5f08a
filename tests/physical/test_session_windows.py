"""Sessions equal those of Python however their rows are shuffled within the watermark's bound."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.errors import UnsupportedError
from tableflow.expressions.emit import Emit, OnUpdate
from tableflow.expressions.window_assigner import Session
from tableflow.physical.windowed_operator import windowed_operator
from tableflow.types import TimestampType
from tests.physical.test_pane_windows import EVENTS
from tests.physical.windowed import CALLS, KEY, TEXT, answers, grouped, harness_of, late_target, node_of, plain_times


class Sessions:
    """Rows by partition, each batch joined to what is open; the row-by-row way."""

    def __init__(self, gap, partition):
        self.gap, self.partition = gap, partition
        self.open, self.closed, self.late = [], [], 0
        self.mark = -(2**63)

    def batch(self, rows):
        """Chains of a batch's rows with what is open; chains that have ended are late."""
        rows = [row for row in rows if row[3] is not None]
        pieces = [[row] for row in rows] + self.open
        merged = []
        for piece in sorted(pieces, key=lambda piece: min(row[3] for row in piece)):
            times = [row[3] for row in piece]
            for other in merged:
                reach = [row[3] for row in other]
                if self.partition(other[0]) == self.partition(piece[0]) and min(times) - max(reach) < self.gap:
                    other += piece
                    break
            else:
                merged.append(list(piece))
        ended = [chain for chain in merged if max(row[3] for row in chain) + self.gap <= self.mark]
        self.late += sum(map(len, ended))
        self.open = [chain for chain in merged if chain not in ended]

    def watermark(self, time):
        self.mark = max(self.mark, time)
        done = [chain for chain in self.open if max(row[3] for row in chain) + self.gap <= self.mark]
        self.open = [chain for chain in self.open if chain not in done]
        self.closed += done


@pytest.mark.slow
@settings(max_examples=80)
@given(
    st.integers(1, 15), EVENTS, st.sampled_from([(), (KEY.id,), (KEY.id, TEXT.id)]), st.sampled_from([(), (KEY,), (KEY, TEXT)]),
    st.booleans(), st.integers(1, 4) | st.just(65_536), st.booleans(),
)  # fmt: skip
def test_sessions(gap, events, partition, keys, rebuild, batch_rows, nanoseconds):
    keys = tuple(dict.fromkeys((*(f for f in (KEY, TEXT) if f.id in partition), *keys)))
    scale, of = (1000, TimestampType(9)) if nanoseconds else (1, TimestampType(6))
    node = node_of(Session(gap), Emit(late_into="late"), keys=keys, time=of, partition=partition, late=late_target())
    harness = harness_of(node, rebuild=rebuild, batch_rows=batch_rows)
    oracle = Sessions(gap, lambda row: tuple(row[i] for i, f in enumerate((KEY, TEXT)) if f.id in partition))
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
            oracle.watermark(event)
        else:
            harness.rows([(*row[:3], None if row[3] is None else row[3] * scale) for row in event])
            oracle.batch(event)
    harness.end()
    oracle.watermark(2**63 - 1)
    wanted = Counter()
    for chain in oracle.closed:
        bounds = (min(row[3] for row in chain) * scale, (max(row[3] for row in chain) + gap) * scale)
        places = [(KEY, TEXT).index(key) for key in keys]
        for group, rows in grouped([(tuple(row[i] for i in places), row) for row in chain]).items():
            wanted[(*group, *bounds, *answers(rows), 1)] += 1
    assert Counter(numbers(harness, len(keys))) == wanted
    assert harness.context.counted["late_rows"] == oracle.late
    assert len([row for sink in harness.context.sinks for row in sink.rows]) == oracle.late
    harness.close()


def numbers(harness, keys):
    """Emitted rows with times as stored integers."""
    rows = []
    for batch in harness.batches:
        columns = [
            column.array.cast("int64").to_pylist() if keys <= i < keys + 2 else column.to_pylist()
            for i, column in enumerate(batch.columns)
        ]
        rows += [(*row, 1) for row in zip(*columns, strict=True)]
    return rows


def test_a_row_joins_two_sessions():
    harness = harness_of(node_of(Session(10), partition=(KEY.id,), calls=CALLS[:2]), rebuild=True)
    harness.rows([(1, "a", 1, 0), (1, "a", 2, 15), (2, "a", 4, 5)])
    harness.rows([(1, "a", 8, 8)])
    harness.watermark(24)
    assert plain_times(harness.take()) == [(2, 5, 15, 1, 4, 1)]
    harness.watermark(25)
    assert plain_times(harness.take()) == [(1, 0, 25, 3, 11, 1)]


def test_memory_comes_back():
    harness = harness_of(node_of(Session(10), partition=(KEY.id,)))
    sizes = []
    for step in range(60):
        harness.rows([(step * 300 + key, "x", 1, step * 20) for key in range(300)])
        harness.watermark(step * 20)
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])


def test_sessions_say_final_results_only():
    with pytest.raises(UnsupportedError, match="final results only"):
        windowed_operator(node_of(Session(10), Emit((OnUpdate(),))))
