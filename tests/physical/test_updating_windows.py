"""Windows with early and late results: changes add up to what Python counts out, whenever triggers fire."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose
from tableflow.expressions.window_assigner import Global, Hop, Tumble
from tests.physical.event_harness import summed
from tests.physical.test_assign_windows import expected
from tests.physical.test_pane_windows import ASSIGNERS, CHANGES, EVENTS, ROW
from tests.physical.windowed import (
    CALLS,
    FIRE,
    KEY,
    TEXT,
    answers,
    grouped,
    harness_of,
    late_target,
    node_of,
    plain_times,
)

TRIGGERS = st.lists(
    st.one_of(
        st.just(OnWindowClose()),
        st.just(OnUpdate()),
        st.builds(EveryRows, st.integers(1, 3)),
        st.builds(EveryInterval, st.integers(1, 20), st.booleans()),
    ),
    max_size=2,
).map(tuple)


def answer(pairs):
    return Counter({(*group, *answers(rows)): 1 for group, rows in grouped(pairs).items()})


@pytest.mark.slow
@settings(max_examples=80)
@given(ASSIGNERS, EVENTS, TRIGGERS, st.none() | st.integers(1, 20), st.booleans(), st.integers(2, 5) | st.just(65_536))
def test_changes_add_up(assigner, events, triggers, lateness, rebuild, batch_rows):
    node = node_of(
        assigner, Emit((*triggers, OnUpdate()) if not (triggers or lateness) else triggers, lateness=lateness)
    )
    harness = harness_of(node, rebuild=rebuild, batch_rows=batch_rows)
    mark, pairs, late = -(2**63), [], 0
    for step, event in enumerate(events):
        harness.clock(step * 7)
        if isinstance(event, int):
            harness.watermark(event)
            mark = max(mark, event)
        else:
            harness.rows(event)
        for row in () if isinstance(event, int) else event:
            for start, end in () if row[3] is None else expected(assigner, row[3]):
                if end + (lateness or 0) <= mark:
                    late += 1
                else:
                    pairs.append(((row[0], start, end), row))
        shown = summed(plain_times(harness.emitted))
        assert all(weight == 1 for weight in shown.values())
        if OnUpdate() in node.emit.triggers:
            assert shown == answer(pairs)
        # What has closed is as it will be, but for corrections.
        assert {r: w for r, w in shown.items() if r[2] <= mark} == {
            r: w for r, w in answer(pairs).items() if r[2] <= mark
        }
    harness.end()
    assert summed(plain_times(harness.emitted)) == answer(pairs)
    assert harness.context.counted["late_rows"] == late
    harness.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(ASSIGNERS, st.lists(ROW, max_size=10), CHANGES, st.booleans(), st.sampled_from([(), (EveryRows(2),)]))
def test_changing_rows(assigner, kept, changes, rebuild, triggers):
    node = node_of(assigner, Emit(triggers), changing=True)
    harness = harness_of(node, rebuild=rebuild)
    for step in changes:
        harness.rows([row for row, _ in step], weights=[weight for _, weight in step])
    history = [(row, -weight) for step in changes for row, weight in step] + [(row, 1) for row in kept]
    for at in range(0, len(history), 3):
        some = history[at : at + 3]
        harness.rows([row for row, _ in some], weights=[weight for _, weight in some])
    wanted = answer([((row[0], *w), row) for row in kept if row[3] is not None for w in expected(assigner, row[3])])
    if not triggers:
        assert summed(plain_times(harness.emitted)) == wanted
    harness.end()
    assert summed(plain_times(harness.emitted)) == wanted


def test_results_come_when_triggers_say_so():
    rows = [(1, "a", 1, 1), (1, "a", 2, 2), (2, "a", 3, 3), (1, "a", 4, 4)]
    counts = CALLS[:1]

    def said(*triggers, clock=(), **more):
        harness = harness_of(node_of(Tumble(10), Emit(triggers, **more), calls=counts))
        firings = []
        for number, row in enumerate(rows):
            harness.rows([row])
            if number in clock:
                harness.clock((number + 1) * 10)
            if number == 2:
                harness.watermark(6)
            firings.append([(r[0], r[-2], r[-1]) for r in harness.take()])
        harness.watermark(10)
        firings.append(sorted((r[0], r[-2], r[-1]) for r in harness.take()))
        return firings

    assert said(EveryRows(2)) == [[], [(1, 2, 1)], [], [], [(1, 2, -1), (1, 3, 1), (2, 1, 1)]]
    assert said(EveryInterval(20), clock=(0, 1)) == [[], [(1, 2, 1)], [], [], [(1, 2, -1), (1, 3, 1), (2, 1, 1)]]
    early = [(1, 2, 1), (2, 1, 1)]
    assert said(EveryInterval(5, event_time=True)) == [[], [], early, [], [(1, 2, -1), (1, 3, 1)]]
    assert said(OnWindowClose(), lateness=5) == [[], [], [], [], [(1, 3, 1), (2, 1, 1)]]


def test_late_rows_correct_a_result_until_they_are_too_late():
    node = node_of(Tumble(10), Emit(lateness=5, late_into="late"), calls=CALLS[:1], late=late_target())
    harness = harness_of(node, rebuild=True)
    harness.rows([(1, "a", 1, 1)])
    harness.watermark(12)
    assert [row[-2:] for row in harness.take()] == [(1, 1)]
    harness.rows([(1, "a", 1, 2)])
    assert [row[-2:] for row in harness.take()] == [(1, -1), (2, 1)]
    harness.watermark(15)
    harness.rows([(1, "a", 1, 3)])
    assert harness.take() == []
    sinks = [row for sink in harness.context.sinks for row in plain_times(sink.rows)]
    assert sinks == [(1, "a", 1, 3, 0, 10, 15, 1)]
    assert harness.context.counted["late_rows"] == 1


def test_state_goes_with_its_windows():
    harness = harness_of(node_of(Hop(10, 30), Emit((OnUpdate(),))))
    sizes = []
    for step in range(60):
        harness.rows([(key, "x", 1, step * 10 + key % 10) for key in range(300)])
        harness.watermark(step * 10)
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])


@pytest.mark.slow
@given(
    EVENTS, st.sampled_from([(EveryRows(2),), (OnUpdate(),), (EveryInterval(10, event_time=True),), ()]), st.booleans()
)
def test_a_global_window_numbers_its_firings(events, triggers, rebuild):
    node = node_of(Global(), Emit(triggers), fire=FIRE, keys=(KEY, TEXT))
    harness = harness_of(node, rebuild=rebuild)
    rows = []
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
        else:
            harness.rows(event)
            rows += event
    harness.end()
    emitted = harness.emitted
    assert all(row[2:4] == (None, None) and row[-1] == 1 for row in emitted)
    for group, members in grouped([(row[:2], row) for row in rows]).items():
        mine = [row for row in emitted if row[:2] == group]
        assert [row[4] for row in mine] == list(range(1, len(mine) + 1))
        assert mine[-1][5:-1] == answers(members)
    assert {row[:2] for row in emitted} == {row[:2] for row in rows}


@pytest.mark.slow
@given(st.lists(st.lists(ROW, max_size=9), max_size=4), st.integers(1, 3), st.booleans())
def test_a_global_window_fires_after_every_so_many_rows(batches, size, rebuild):
    """However rows are cut into batches."""
    harness = harness_of(node_of(Global(), Emit((EveryRows(size),)), fire=FIRE), rebuild=rebuild)
    for batch in batches:
        harness.rows(batch)
    harness.end()
    rows = [row for batch in batches for row in batch]
    wanted = Counter()
    for (key,), members in grouped([(row[:1], row) for row in rows]).items():
        for fire in range(-(-len(members) // size)):
            seen = members[: (fire + 1) * size]
            wanted[(key, None, None, fire + 1, *answers(seen), 1)] += 1
    assert Counter(harness.emitted) == wanted
