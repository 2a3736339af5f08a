"""Aggregates that need all rows of a group, in windows of streams: rows move with their groups, whatever the operator."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.emit import Emit, EveryRows, OnUpdate, OnWindowClose
from tableflow.expressions.nodes import AggregateCall, Literal
from tableflow.expressions.window_assigner import CountTumble, Hop, Session, Tumble
from tableflow.physical.grouped_rows import GroupedRows
from tableflow.types import BIGINT, DOUBLE, STRING, DecimalType
from tests.kernels.columns import rows_of
from tests.physical.event_harness import summed
from tests.physical.test_assign_windows import expected
from tests.physical.test_pane_windows import EVENTS, ROW
from tests.physical.windowed import KEY, TEXT, VALUE, grouped, harness_of, node_of, plain_times, ref

CALLS = (
    AggregateCall(
        STRING, "string_agg", (ref(TEXT), Literal(STRING, ",")), order=(ref(TEXT),), directions=((False, False),)
    ),
    AggregateCall(DecimalType(38, 0), "sum", (ref(VALUE),)),
    AggregateCall(DOUBLE, "median", (ref(VALUE),)),
)


def answers(rows):
    texts = sorted(row[1] for row in rows if row[1] is not None)
    values = sorted(row[2] for row in rows if row[2] is not None)
    middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2 if values else None
    return ",".join(texts) if texts else None, Decimal(sum(values)) if values else None, middle


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.sampled_from([Tumble(10), Hop(10, 30), Hop(7, 20)]),
    EVENTS,
    st.sampled_from([Emit(), Emit((OnUpdate(),)), Emit((EveryRows(2),)), Emit((OnWindowClose(),), lateness=15)]),
    st.booleans(),
)
def test_windows_in_time(assigner, events, emit, rebuild):
    harness = harness_of(node_of(assigner, emit, calls=CALLS), rebuild=rebuild)
    mark, pairs = -(2**63), []
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
            mark = max(mark, event)
            continue
        harness.rows(event)
        for row in event:
            for start, end in () if row[3] is None else expected(assigner, row[3]):
                if end + (emit.lateness or 0) > mark:
                    pairs.append(((row[0], start, end), row))
    harness.end()
    wanted = Counter({(*group, *answers(rows)): 1 for group, rows in grouped(pairs).items()})
    assert summed(plain_times(harness.emitted)) == wanted


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(ROW, max_size=10), st.lists(ROW, max_size=10), st.booleans(), st.booleans())
def test_changing_rows(kept, taken, once, rebuild):
    node = node_of(Hop(10, 20), Emit((OnWindowClose(),) if once else (OnUpdate(),)), changing=True, calls=CALLS)
    harness = harness_of(node, rebuild=rebuild)
    harness.rows(taken)
    harness.rows(taken[::2] + kept[:4], weights=[-1] * len(taken[::2]) + [1] * len(kept[:4]))
    harness.rows(kept[4:] + taken[1::2], weights=[1] * len(kept[4:]) + [-1] * len(taken[1::2]))
    harness.end()
    pairs = [((row[0], *w), row) for row in kept if row[3] is not None for w in expected(Hop(10, 20), row[3])]
    wanted = Counter({(*group, *answers(rows)): 1 for group, rows in grouped(pairs).items()})
    assert summed(plain_times(harness.emitted)) == wanted


@pytest.mark.parametrize("rebuild", [False, True])
def test_sessions_that_join_and_windows_of_rows(rebuild):
    harness = harness_of(node_of(Session(10), calls=CALLS, partition=(KEY.id,)), rebuild=rebuild)
    for row in [(1, "b", 1, 0), (1, "c", 3, 18), (2, "z", 5, 4), (1, "a", 8, 9)]:
        harness.rows([row])
    harness.end()
    assert sorted(plain_times(harness.emitted)) == [(1, 0, 28, "a,b,c", 12, 3.0, 1), (2, 4, 14, "z", 5, 5.0, 1)]
    node = node_of(CountTumble(2), calls=CALLS, partition=(KEY.id,), time=BIGINT)
    harness = harness_of(node, rebuild=rebuild)
    harness.rows([(1, "b", 1, 0), (2, "z", 5, 0), (1, "a", 2, 0), (1, "x", None, 0)])
    harness.end()
    assert sorted(harness.emitted) == [
        (1, 1, 2, "a,b", 3, 1.5, 1),
        (1, 3, 4, "x", None, None, 1),
        (2, 1, 2, "z", 5, 5.0, 1),
    ]


def test_runs_of_rows_are_few_and_rows_keep_their_order():
    kept = GroupedRows([BIGINT], changing=False)
    for number in range(300):
        values = Column(BIGINT, pa.array([number, number + 1000]))
        kept.add(Batch([values], 2), np.array([number % 7, number % 3], np.uint32))
    assert len(kept._runs) < 12
    rows, lanes = kept.of(np.array([5], np.uint32))
    assert [row[0] for row in rows_of(rows)] == list(range(5, 300, 7))
    assert not lanes.any()
    kept.retain(np.array([2, 5], np.uint32))
    again = GroupedRows([BIGINT], changing=False)
    groups = np.arange(2, dtype=np.uint32)
    again.restore([kept.snapshot(groups[1:]), kept.snapshot(groups[:1])], [groups[1:], groups[:1]])
    rows, lanes = again.of(np.array([1, 0], np.uint32))
    assert np.bincount(lanes).tolist() == [43, 143]
