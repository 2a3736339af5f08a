"""Joins in time say each thing once, in time, whatever the order and the batches in which rows come."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.physical import retention
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.timed_join import TimedJoin, timed
from tableflow.runtime.events import START_OF_TIME, Watermark
from tests.kernels.columns import rows_of
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness
from tests.physical.test_changelog_join import LEFT_ONLY, SECOND, in_interval, interval_node, micros

Kind = HashJoinKind
KINDS = [Kind.INNER, Kind.LEFT, Kind.RIGHT, Kind.FULL, Kind.SEMI, Kind.ANTI]
DELAY = 2 * SECOND


def node_of(kind: HashJoinKind) -> TimedJoin:
    """Right rows up to two seconds before, one after the left one."""
    return timed(interval_node(kind), DELAY)


def harness_of(node: TimedJoin, **how: Any) -> EventHarness:
    return EventHarness(operator_of(node), node.left.fields, node.right.fields, **how)


def check_said(harness: EventHarness, node: TimedJoin) -> Counter[Any]:
    """All that has come out; nothing is taken back, watermarks never go back, and no row is behind the one before it."""
    total: Counter[Any] = Counter()
    time = START_OF_TIME
    times = [i for i, f in enumerate(node.fields) if f.name in {"time", "at"}]
    for said in harness.said:
        if isinstance(said, Watermark):
            assert said.time >= time
            time = said.time
        elif isinstance(said, Batch):
            assert said.weights is None
            for *values, _ in rows_of(said):
                row = tuple(map(micros, values))
                total[row] += 1
                assert all(row[i] is None or row[i] >= time for i in times)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_everything_comes_once_and_in_time(kind: HashJoinKind, data: Any) -> None:
    node = node_of(kind)
    size = data.draw(st.sampled_from([1, 3, 65_536]))
    harness = harness_of(node, rebuild=data.draw(st.booleans()), batch_rows=size)
    sides: tuple[Counter[Any], Counter[Any]] = (Counter(), Counter())
    keys = st.none() | st.integers(0, 1)
    for second in range(0, 16, 2):
        times = st.none() | st.integers(0, 4).map(lambda at, now=second: (now + at) * SECOND)
        rows = st.tuples(keys, st.integers(0, 1), times)
        for port in data.draw(st.permutations([0, 1])):
            batch = data.draw(st.lists(rows, max_size=4))
            if batch:
                harness.rows(batch, port)
                sides[port].update(batch)
        if data.draw(st.booleans()):
            harness.watermark(second * SECOND)
        if data.draw(st.booleans()):
            harness.epoch()
        if data.draw(st.booleans()):
            harness.idle()
    harness.end()
    timed_rows = [Counter({row: n for row, n in side.items() if row[2] is not None}) for side in sides]
    expected = in_interval(kind, *timed_rows)
    without = [Counter({row: n for row, n in side.items() if row[2] is None}) for side in sides]
    if kind is Kind.ANTI:
        expected += without[0]
    if kind in {Kind.LEFT, Kind.FULL}:
        expected += Counter({(*row, None, None, None): n for row, n in without[0].items()})
    if kind in {Kind.RIGHT, Kind.FULL}:
        expected += Counter({(None, None, None, *row): n for row, n in without[1].items()})
    assert check_said(harness, node) == expected
    assert harness.context.counted["late_rows"] == 0
    assert all(side.state.rows == 0 for side in harness.operator._sides)
    harness.close()


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_row_without_partner_comes_when_none_can_come(rebuild: bool) -> None:
    node = node_of(Kind.LEFT)
    harness = harness_of(node, rebuild=rebuild)
    harness.rows([(1, 1, 10 * SECOND), (2, 2, 10 * SECOND), (None, 3, 10 * SECOND)])
    assert [tuple(map(micros, row)) for row in harness.take()] == [(None, 3, 10 * SECOND, None, None, None, 1)]
    harness.rows([(1, 5, 11 * SECOND)], 1)
    assert len(harness.take()) == 1
    harness.watermark(11 * SECOND)
    assert harness.take() == []
    harness.watermark(11 * SECOND + 1)
    assert harness.said[-1] == Watermark(9 * SECOND + 1)
    assert [tuple(map(micros, row)) for row in harness.take()] == [(2, 2, 10 * SECOND, None, None, None, 1)]
    harness.rows([(2, 4, 10 * SECOND)])
    assert harness.context.counted["late_rows"] == 1
    harness.end()
    assert harness.take() == []
    harness.close()


def test_where_many_rows_are_kept_time_waits_until_they_have_been_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "_SMALL", 10)
    node = node_of(Kind.LEFT)
    harness = harness_of(node)
    rng = np.random.default_rng(3)
    left: Counter[Any] = Counter()
    rows = [(int(rng.integers(4)), number, number * SECOND) for number in range(600)]
    harness.rows(rows)
    left.update(rows)
    for second in range(200):
        harness.watermark(second * SECOND)
    told = [said.time for said in harness.said if isinstance(said, Watermark)]
    assert any(one == other for one, other in pairwise(told))
    assert told[-1] > 100 * SECOND
    harness.idle()
    assert [said.time for said in harness.said if isinstance(said, Watermark)][-1] == 199 * SECOND - DELAY
    harness.end()
    assert check_said(harness, node) == Counter({(*row, None, None, None): n for row, n in left.items()})
    harness.close()


def test_kinds_that_give_the_left_side_only() -> None:
    for kind in sorted(LEFT_ONLY - {Kind.MARK}, key=lambda kind: kind.value):
        node = node_of(kind)
        harness = harness_of(node)
        harness.rows([(1, 1, 0), (2, 2, 0)])
        harness.rows([(1, 1, 0)], 1)
        harness.end()
        assert check_said(harness, node) == Counter([(1, 1, 0) if kind is Kind.SEMI else (2, 2, 0)])
