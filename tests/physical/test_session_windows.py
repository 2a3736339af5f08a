"""Sessions equal those of Python however their rows are shuffled within the watermark's bound."""

from __future__ import annotations

from collections import Counter
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.expressions.emit import Emit, EveryRows, OnUpdate
from tableflow.expressions.nodes import AggregateCall
from tableflow.expressions.window_assigner import Session
from tableflow.types import DOUBLE, TimestampType
from tests.physical.event_harness import summed
from tests.physical.test_pane_windows import EVENTS
from tests.physical.test_updating_windows import TRIGGERS
from tests.physical.windowed import (
    CALLS,
    KEY,
    TEXT,
    VALUE,
    answers,
    grouped,
    harness_of,
    late_target,
    node_of,
    plain_times,
    ref,
)

MEDIAN = (AggregateCall(DOUBLE, "median", (ref(VALUE),)),)


class Sessions:
    """Rows by partition, each batch joined to what is open; the row-by-row way."""

    def __init__(self, gap, partition, grace=0):
        self.gap, self.partition, self.grace = gap, partition, grace
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
        ended = [chain for chain in merged if self.is_over(chain)]
        self.late += sum(map(len, ended))
        self.open = [chain for chain in merged if chain not in ended]

    def is_over(self, chain):
        return max(row[3] for row in chain) + self.gap + self.grace <= self.mark

    def watermark(self, time):
        self.mark = max(self.mark, time)
        done = [chain for chain in self.open if self.is_over(chain)]
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


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.integers(1, 15), EVENTS, TRIGGERS, st.none() | st.integers(1, 20), st.sampled_from([(), (KEY.id,)]),
    st.sampled_from([(), (KEY,), (KEY, TEXT)]), st.booleans(), st.integers(2, 5) | st.just(65_536), st.sampled_from([CALLS, CALLS[:1], MEDIAN]),
)  # fmt: skip
def test_changes_add_up(gap, events, triggers, lateness, partition, keys, rebuild, batch_rows, calls):
    """What has closed is shown as it will be, but for corrections; on update everything is; nothing is shown twice."""
    keys = tuple(dict.fromkeys((*([KEY] if partition else []), *keys)))
    triggers = (OnUpdate(),) if not (triggers or lateness) else triggers
    emit = Emit(triggers, lateness=lateness, late_into="late")
    node = node_of(Session(gap), emit, keys=keys, partition=partition, late=late_target(), calls=calls)
    harness = harness_of(node, rebuild=rebuild, batch_rows=batch_rows)
    oracle = Sessions(gap, lambda row: row[0] if partition else None, lateness or 0)
    for step, event in enumerate([*events, None]):
        harness.clock(step * 7)
        if event is None:
            harness.end()
            oracle.watermark(2**63 - 1)
        elif isinstance(event, int):
            harness.watermark(event)
            oracle.watermark(event)
        else:
            harness.rows(event)
            oracle.batch(event)
        shown = summed(plain_times(harness.emitted))
        assert all(weight == 1 for weight in shown.values())
        wanted = shown_of([*oracle.open, *oracle.closed], gap, keys, calls)
        if OnUpdate() in triggers or event is None:
            assert shown == wanted
        end = len(keys) + 1
        assert {row for row in shown if row[end] <= oracle.mark} >= {row for row in wanted if row[end] <= oracle.mark}
    assert harness.context.counted["late_rows"] == oracle.late
    assert len([row for sink in harness.context.sinks for row in sink.rows]) == oracle.late
    harness.close()


def shown_of(sessions, gap, keys, calls):
    wanted = Counter()
    places = [(KEY, TEXT).index(key) for key in keys]
    for chain in sessions:
        bounds = (min(row[3] for row in chain), max(row[3] for row in chain) + gap)
        for group, rows in grouped([(tuple(row[i] for i in places), row) for row in chain]).items():
            values = sorted(row[2] for row in rows if row[2] is not None)
            said = (median(values) if values else None,) if calls is MEDIAN else answers(rows)[: len(calls)]
            wanted[(*group, *bounds, *said)] += 1
    return wanted


def test_what_was_shown_of_two_sessions_goes_when_they_join():
    node = node_of(Session(10), Emit((EveryRows(2),), lateness=20), partition=(KEY.id,), calls=CALLS[:1])
    harness = harness_of(node, rebuild=True)
    harness.rows([(1, "a", 1, 0), (1, "a", 2, 1), (1, "a", 2, 17), (1, "a", 4, 19)])
    assert plain_times(harness.take()) == [(1, 0, 11, 2, 1), (1, 17, 29, 2, 1)]
    harness.rows([(1, "a", 8, 10)])
    assert sorted(plain_times(harness.take())) == [(1, 0, 11, 2, -1), (1, 0, 29, 5, 1), (1, 17, 29, 2, -1)]
    harness.watermark(29)
    assert harness.take() == []
    harness.rows([(1, "a", 8, 28)])  # it had closed, and is open again
    assert harness.take() == []
    harness.watermark(38)
    assert plain_times(harness.take()) == [(1, 0, 29, 5, -1), (1, 0, 38, 6, 1)]
    harness.watermark(60)
    harness.rows([(1, "a", 8, 29)])
    assert harness.take() == []
    assert harness.context.counted["late_rows"] == 1


def test_memory_of_sessions_that_are_shown_comes_back():
    harness = harness_of(node_of(Session(10), Emit((OnUpdate(),)), partition=(KEY.id,)))
    sizes = []
    for step in range(60):
        harness.rows([(step * 300 + key, "x", 1, step * 20) for key in range(300)])
        harness.watermark(step * 20)
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])
