"""Rows beside what a changing table has when their epoch ends; later changes do not concern them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.errors import InternalError
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.current_join import CurrentJoin
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input
from tableflow.runtime.events import Watermark
from tableflow.serialization import dumps, loads
from tableflow.types import INT, STRING, Field
from tests.physical.changelogs import changes, operator_of
from tests.physical.event_harness import EventHarness

K, V, L, N = Field(1, "k", INT), Field(2, "v", INT), Field(3, "l", INT), Field(4, "n", STRING)
LEFT, RIGHT = (K, V), (L, N)
KEYS = st.none() | st.integers(0, 2)


def node_of(kind: HashJoinKind) -> CurrentJoin:
    return CurrentJoin(
        fields=(K, V, N),
        left=Input(fields=LEFT),
        right=Input(fields=RIGHT),
        kind=kind,
        left_keys=(ColumnRef(INT, K.id, "k"),),
        right_keys=(ColumnRef(INT, L.id, "l"),),
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_rows_meet_what_is_there_at_the_end_of_their_epoch(data: Any) -> None:
    node = node_of(data.draw(st.sampled_from([HashJoinKind.INNER, HashJoinKind.LEFT])))
    assert loads(dumps(node)) == node
    size = data.draw(st.sampled_from([1, 65_536]))
    harness = EventHarness(operator_of(node), LEFT, RIGHT, rebuild=data.draw(st.booleans()), batch_rows=size)
    there: Counter[Any] = Counter()
    expected: Counter[Any] = Counter()
    waiting: list[Any] = []
    coming = data.draw(changes(st.tuples(KEYS, st.sampled_from("xy"))))
    for _ in range(4):
        rows = data.draw(st.lists(st.tuples(KEYS, st.integers(0, 2)), max_size=3))
        part, coming = coming[:3], coming[3:]
        for port in data.draw(st.permutations([0, 1])):
            if port and part:
                harness.rows([row for row, _ in part], 1, [weight for _, weight in part])
                for row, weight in part:
                    there[row] += weight
            elif not port and rows:
                harness.rows(rows, 0)
                waiting += rows
        if data.draw(st.booleans()):
            harness.epoch()
            expected += joined(node, waiting, there)
            waiting = []
            assert harness.changes() == expected
    harness.end()
    assert harness.changes() == expected + joined(node, waiting, there)
    assert all(batch.weights is None for batch in harness.batches)
    harness.close()


def joined(node: CurrentJoin, rows: list[Any], there: Counter[Any]) -> Counter[Any]:
    out: Counter[Any] = Counter()
    for k, v in rows:
        found = [(name, count) for (key, name), count in there.items() if key == k and k is not None and count > 0]
        for name, count in found:
            out[k, v, name] += count
        if not found and node.kind is HashJoinKind.LEFT:
            out[k, v, None] += 1
    return out


@pytest.mark.parametrize("rebuild", [False, True])
def test_no_watermark_overtakes_a_row(rebuild: bool) -> None:
    harness = EventHarness(operator_of(node_of(HashJoinKind.LEFT)), LEFT, RIGHT, rebuild=rebuild)
    harness.watermark(5)
    assert harness.said.pop() == Watermark(5)
    harness.rows([(1, 1)])
    harness.watermark(6)
    harness.watermark(7)
    assert not harness.said
    harness.idle()
    assert len(harness.batches) == 1
    assert harness.said[1] == Watermark(7)
    harness.rows([(1, 1)])
    harness.epoch()
    assert not any(isinstance(item, Watermark) for item in harness.said[3:])


def test_what_it_cannot_do() -> None:
    with pytest.raises(InternalError, match="full join"):
        operator_of(node_of(HashJoinKind.FULL))()
    with pytest.raises(InternalError, match="only added"):
        EventHarness(operator_of(node_of(HashJoinKind.LEFT)), LEFT, RIGHT).rows([(1, 1)], weights=[1])
