"""Left rows with the version of their time: what comes out is what a search of all versions finds, and old versions go."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.errors import InternalError
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.serialization import dumps, loads
from tableflow.types import INT, STRING, TIMESTAMP, Field, TimestampType
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness

K, V, TIME = Field(1, "k", INT), Field(2, "v", INT), Field(3, "time", TIMESTAMP)
L, R, AT = Field(4, "l", INT), Field(5, "rate", STRING), Field(6, "at", TimestampType(9))
LEFT, RIGHT = (K, V, TIME), (L, R, AT)


def node_of(kind: HashJoinKind, keys: bool = True, **how: Any) -> VersionedJoin:
    return VersionedJoin(
        fields=(K, V, TIME, R, AT),
        left=Input(fields=LEFT),
        right=Input(fields=RIGHT),
        kind=kind,
        left_keys=(ColumnRef(INT, K.id, "k"),) if keys else (),
        right_keys=(ColumnRef(INT, L.id, "l"),) if keys else (),
        null_safe=(False,) if keys else (),
        time=TIME.id,
        versions=AT.id,
        **how,
    )


def micros(value: Any) -> Any:
    return (value - datetime(1970, 1, 1)) // timedelta(microseconds=1) if isinstance(value, datetime) else value


def expected(node: VersionedJoin, left: list[Any], right: list[Any]) -> Counter[Any]:
    out: Counter[Any] = Counter()
    for k, v, time in left:
        found = [
            (at, -1 if rate is None else 0, rate)
            for key, rate, at in right
            if time is not None
            and at is not None
            and (not node.left_keys or (key == k and k is not None))
            and (at < time * 1000 if node.strict else at <= time * 1000)
        ]
        if found:
            at, _, rate = max(found, key=lambda each: (each[0], each[2]))
            out[(k, v, time, rate, at // 1000)] += 1
        elif node.kind is HashJoinKind.LEFT:
            out[(k, v, time, None, None)] += 1
    return out


@pytest.mark.slow
@settings(max_examples=100)
@given(st.data())
def test_the_newest_version_at_the_time(data: Any) -> None:
    appends = data.draw(st.booleans())
    kind = data.draw(st.sampled_from([HashJoinKind.INNER, HashJoinKind.LEFT]))
    node = node_of(kind, data.draw(st.booleans()), strict=data.draw(st.booleans()), left_appends=appends)
    assert loads(dumps(node)) == node
    size = data.draw(st.sampled_from([1, 65_536]))
    harness = EventHarness(operator_of(node), LEFT, RIGHT, rebuild=data.draw(st.booleans()), batch_rows=size)
    left: list[Any] = []
    right: list[Any] = []
    keys, times = st.none() | st.integers(0, 1), st.none() | st.integers(0, 6)
    for second in range(0, 30, 5):
        lefts = data.draw(st.lists(st.tuples(keys, st.integers(0, 2), times), max_size=4))
        rights = data.draw(st.lists(st.tuples(keys, st.sampled_from("ab"), times), max_size=4))
        lefts = [(k, v, None if at is None else second + at) for k, v, at in lefts]
        rights = [(k, rate, None if at is None else (second + at) * 1000) for k, rate, at in rights]
        for port in data.draw(st.permutations([0, 1])):
            rows = (lefts, rights)[port]
            if rows:
                harness.rows(rows, port, None if appends or port else [1] * len(rows))
        left += lefts
        right += rights
        harness.watermark(second)
    harness.end()
    got: Counter[Any] = Counter()
    for *row, weight in harness.emitted:
        got[tuple(map(micros, row))] += weight
    assert got == expected(node, left, right)
    assert not appends or all(batch.weights is None for batch in harness.batches)
    assert harness.context.counted["late_rows"] == 0
    harness.close()


def test_what_is_taken_back_before_its_time_does_not_come_out() -> None:
    harness = EventHarness(operator_of(node_of(HashJoinKind.LEFT)), LEFT, RIGHT, rebuild=True)
    harness.rows([(1, 1, 10), (1, 2, 10)], 0, [1, 1])
    harness.rows([(1, "a", 1000), (1, "b", 5000)], 1, [1, 1])
    harness.rows([(1, 1, 10)], 0, [-1])
    harness.rows([(1, "b", 5000)], 1, [-1])
    harness.watermark(11)
    assert [(*row[:2], row[3], row[-1]) for row in harness.take()] == [(1, 2, "a", 1)]
    harness.rows([(1, 3, 5)], 0, [1])
    harness.end()
    assert not harness.batches
    assert harness.context.counted["late_rows"] == 1


def test_old_versions_are_forgotten() -> None:
    harness = EventHarness(operator_of(node_of(HashJoinKind.INNER, left_appends=True)), LEFT, RIGHT)
    most = 0
    for second in range(0, 2000, 10):
        harness.rows([(k, "a", (second + k) * 1000) for k in range(10)], 1)
        harness.rows([(second % 10, second, second + 9)], 0)
        harness.watermark(second)
        most = max(most, harness.operator._right.state.rows)
    assert most <= 40
    harness.end()
    assert sum(harness.changes().values()) == 200


@pytest.mark.parametrize("kind", [HashJoinKind.SEMI, HashJoinKind.FULL])
def test_other_kinds_are_none(kind: HashJoinKind) -> None:
    with pytest.raises(InternalError, match="versions"):
        operator_of(node_of(kind))()


def test_rare_watermarks_leave_no_more_than_what_has_come_since_the_last() -> None:
    """However many versions there are of few keys: each watermark lets all go but the newest ones."""
    harness = EventHarness(operator_of(node_of(HashJoinKind.LEFT)), LEFT, RIGHT)
    full = []
    for step in range(1, 9):
        harness.rows([(i % 100, f"rate {i}", (step * 1_000_000 + i) * 1000) for i in range(30_000)], 1)
        full.append(harness.context.state_bytes)
        harness.watermark(step * 1_000_000 + 500_000)
        assert harness.context.state_rows == 100
        assert harness.context.state_bytes < full[0] / 4
    assert max(full) <= 1.1 * full[0]
    harness.close()
