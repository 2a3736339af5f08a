"""Windows of rows equal those counted out row by row, in the order of arrival or of ORDER BY."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.expressions.emit import Emit, EveryRows, OnUpdate
from tableflow.expressions.nodes import Literal
from tableflow.expressions.registry import resolve_call
from tableflow.expressions.window_assigner import CountHop, CountTumble, Delta, Landmark, Punctuated
from tableflow.physical.properties import OrderingKey
from tableflow.types import BIGINT, Field
from tests.physical.event_harness import summed
from tests.physical.test_pane_windows import EVENTS
from tests.physical.test_updating_windows import TRIGGERS
from tests.physical.windowed import CALLS, KEY, TEXT, TIME, VALUE, answers, grouped, harness_of, node_of, ref

POSITIVE = resolve_call("gt", [ref(VALUE), Literal(BIGINT, 4)])
ASSIGNERS = st.one_of(
    st.builds(CountTumble, st.integers(1, 4)),
    st.builds(CountHop, st.integers(1, 4), st.integers(1, 6)),
    st.sampled_from([Punctuated(POSITIVE), Landmark(POSITIVE), Delta(ref(VALUE), Literal(BIGINT, 5))]),
)


def node_with(assigner, **more):
    bounds = {"start": Field(20, "window_start", BIGINT), "end": Field(21, "window_end", BIGINT)}
    return node_of(assigner, **bounds, **more)


def windows_of(assigner, rows):
    """(start, end, rows) of a partition's windows."""
    count = len(rows)
    match assigner:
        case CountTumble(rows=size):
            return [(at + 1, at + size, rows[at : at + size]) for at in range(0, count, size)]
        case CountHop(slide=slide, rows=size):
            ends = range(slide, count + size + slide, slide)
            made = [(end - size + 1, end, rows[max(0, end - size) : end]) for end in ends]
            return [window for window in made if window[2]]
    cuts, first = [], None
    for i, row in enumerate(rows):
        big = row[2] is not None and row[2] > 4
        match assigner:
            case Punctuated():
                cuts += [i + 1] if big else []
            case Landmark():
                cuts += [i] if big else []
            case Delta():
                if first is None:
                    first = row[2]
                if row[2] is not None and abs(row[2] - first) > 5:
                    cuts.append(i)
                    first = row[2]
    edges = [*([] if isinstance(assigner, Landmark) else [0]), *cuts, count]
    return [(a + 1, b, rows[a:b]) for a, b in itertools.pairwise(edges) if a < b]


def answer(assigner, rows, keys):
    """One row for each window and key of each partition (by k)."""
    partitions = defaultdict(list)
    for row in rows:
        partitions[row[0]].append(row)
    wanted = Counter()
    for members in partitions.values():
        for start, end, inside in windows_of(assigner, members):
            for group, some in grouped([(row[: len(keys)], row) for row in inside]).items():
                wanted[(*group, start, end, *answers(some), 1)] += 1
    return wanted


@pytest.mark.slow
@settings(max_examples=80)
@given(ASSIGNERS, EVENTS, st.booleans(), st.sampled_from([(KEY,), (KEY, TEXT)]), st.integers(1, 4) | st.just(65_536))
def test_in_the_order_of_arrival(assigner, events, rebuild, keys, batch_rows):
    harness = harness_of(node_with(assigner, keys=keys, partition=(KEY.id,)), rebuild=rebuild, batch_rows=batch_rows)
    rows = []
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
        else:
            harness.rows(event)
            rows += event
    harness.end()
    assert Counter(harness.emitted) == answer(assigner, rows, keys)
    harness.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(ASSIGNERS, EVENTS, st.booleans())
def test_in_the_order_of_time(assigner, events, rebuild):
    order = tuple(OrderingKey(f.id) for f in (TIME, TEXT, VALUE))
    harness = harness_of(node_with(assigner, partition=(KEY.id,), order=order), rebuild=rebuild)
    rows, mark, late = [], -(2**63), 0
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
            mark = max(mark, event)
            continue
        harness.rows(event)
        on_time = [row for row in event if row[3] is None or row[3] >= mark]
        late += len(event) - len(on_time)
        rows += on_time
    harness.end()
    rows.sort(key=lambda row: [(row[i] is None, row[i] or least) for i, least in ((3, 0), (1, ""), (2, 0))])
    assert Counter(harness.emitted) == answer(assigner, rows, (KEY,))
    assert harness.context.counted["late_rows"] == late


def test_windows_are_given_with_their_last_row():
    harness = harness_of(node_with(CountTumble(2), partition=(KEY.id,), calls=CALLS[:1]), rebuild=True)
    harness.rows([(1, "a", 1, 1), (2, "a", 1, 1)])
    assert harness.take() == []
    harness.rows([(1, "a", 1, 1), (1, "a", 1, 1)])
    assert harness.take() == [(1, 1, 2, 2, 1)]
    harness.end()
    assert sorted(harness.take()) == [(1, 3, 4, 1, 1), (2, 1, 2, 1, 1)]


def test_memory_comes_back():
    harness = harness_of(node_with(CountTumble(3), partition=(KEY.id,)))
    sizes = []
    for step in range(60):
        harness.rows([(key, "x", 1, step) for key in range(300)])
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])


@pytest.mark.slow
@settings(max_examples=60)
@given(
    ASSIGNERS, EVENTS, TRIGGERS, st.booleans(), st.sampled_from([(KEY,), (KEY, TEXT)]),
    st.integers(2, 5) | st.just(65_536), st.booleans(),
)  # fmt: skip
def test_early_results_add_up(assigner, events, triggers, rebuild, keys, batch_rows, in_time):
    """In the order of arrival, or of time; on update all rows that have had their turn are shown."""
    order = tuple(OrderingKey(f.id) for f in (TIME, TEXT, VALUE)) if in_time else ()
    triggers = triggers or (OnUpdate(),)
    node = node_with(assigner, keys=keys, partition=(KEY.id,), order=order, emit=Emit(triggers))
    harness = harness_of(node, rebuild=rebuild, batch_rows=batch_rows)
    rows, mark = [], -(2**63)
    for step, event in enumerate([*events, None]):
        harness.clock(step * 7)
        if event is None:
            harness.end()
            mark = 2**63 - 1
        elif isinstance(event, int):
            harness.watermark(event)
            mark = max(mark, event)
        else:
            harness.rows(event)
            rows += [row for row in event if not in_time or row[3] is None or row[3] >= mark]
        shown = summed(harness.emitted)
        assert all(weight == 1 for weight in shown.values())
        due = rows
        if in_time:
            due = [row for row in rows if mark == 2**63 - 1 or (row[3] is not None and row[3] < mark)]
            due.sort(key=lambda row: [(row[i] is None, row[i] or least) for i, least in ((3, 0), (1, ""), (2, 0))])
        if OnUpdate() in triggers or event is None:
            wanted = Counter({row[:-1]: 1 for row in answer(assigner, due, keys)})
            assert shown == wanted
    harness.close()


def test_a_landmark_s_window_grows():
    node = node_with(Landmark(POSITIVE), partition=(KEY.id,), calls=CALLS[:2], emit=Emit((EveryRows(2),)))
    harness = harness_of(node, rebuild=True)
    harness.rows([(1, "a", 1, 1), (1, "a", 5, 1), (1, "a", 2, 1)])
    assert harness.take() == [(1, 2, 3, 2, 7, 1)]
    harness.rows([(1, "a", 3, 1), (1, "a", 4, 1)])
    assert sorted(harness.take()) == [(1, 2, 3, 2, 7, -1), (1, 2, 5, 4, 14, 1)]
    harness.rows([(1, "a", 1, 1), (1, "a", 9, 1)])
    assert sorted(harness.take()) == [(1, 2, 5, 4, 14, -1), (1, 2, 6, 5, 15, 1)]
    harness.end()
    assert harness.take() == [(1, 7, 7, 1, 9, 1)]


def test_memory_of_windows_that_were_shown_comes_back():
    harness = harness_of(node_with(CountTumble(3), partition=(KEY.id,), emit=Emit((OnUpdate(),))))
    sizes = []
    for step in range(60):
        harness.rows([(key, "x", 1, step) for key in range(300)])
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])
