"""Rows beside what an outside table has for them, however late and in whatever order it answers."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.catalog.lookup import CachePolicy
from tableflow.columnar.batch import Batch
from tableflow.config import LOOKUP_CAPACITY, LOOKUP_OUTPUT, Settings
from tableflow.errors import ConnectorError, InternalError
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.lookup_join import LookupJoin
from tableflow.physical.node import Input
from tableflow.runtime.events import END_OF_TIME, EndOfInput, Epoch, Idle, Watermark
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.lookup import FutureCall
from tableflow.serialization import dumps, loads
from tableflow.types import INT, STRING, Field
from tests.kernels.columns import rows_of
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness, batch_of

K, V = Field(1, "k", INT), Field(2, "v", INT)
ID, NAME, KIND = Field(3, "id", INT), Field(4, "name", STRING), Field(5, "kind", INT)
LEFT, FOUND = (K, V), (ID, NAME, KIND)
ROWS = [(1, "a", 0), (1, "b", 1), (2, "c", 0), (4, "d", 1), (4, "d", 1)]


class Outside:
    """Answers when it is told to, in an order that is drawn; also with rows that nobody asked for."""

    def __init__(self, draw: Any = None) -> None:
        self.asked: list[list[Any]] = []
        self.open: list[tuple[list[Any], Future[Batch]]] = []
        self.rows = list(ROWS)
        self.error: Exception | None = None
        self._draw = draw or (lambda count: 0)

    def call(self, keys: Batch) -> FutureCall:
        wanted = [row[0] for row in rows_of(keys)]
        assert len(wanted) == len(set(wanted))
        assert None not in wanted
        self.asked.append(wanted)
        future: Future[Batch] = Future()
        self.open.append((wanted, future))
        return FutureCall(future)

    def answer(self) -> None:
        if not self.open:
            return
        wanted, future = self.open.pop(self._draw(len(self.open)))
        if self.error is not None:
            future.set_exception(self.error)
            return
        stray = (99, "stray", 0)
        future.set_result(batch_of(FOUND, [*[row for row in self.rows if row[0] in wanted], stray]))

    def close(self) -> None:
        pass


def node_of(kind: HashJoinKind = HashJoinKind.LEFT, **how: Any) -> LookupJoin:
    keys = [(ColumnRef(INT, K.id, "k"), ColumnRef(INT, ID.id, "id"))]
    if how.pop("both", False):
        keys.append((ColumnRef(INT, V.id, "v"), ColumnRef(INT, KIND.id, "kind")))
    return LookupJoin(
        fields=(K, V, NAME),
        input=Input(fields=LEFT),
        kind=kind,
        table="t",
        lookup=SourceSpec("lookup", {}),
        found=FOUND,
        left_keys=tuple(pair[0] for pair in keys),
        right_keys=tuple(pair[1] for pair in keys),
        asked=(0,),
        **how,
    )


def expected(node: LookupJoin, row: tuple[Any, Any]) -> list[tuple[Any, ...]]:
    both = len(node.left_keys) == 2
    found = [(*row, name) for key, name, kind in ROWS if key == row[0] and (not both or kind == row[1])]
    return found or ([(*row, None)] if node.kind is HashJoinKind.LEFT else [])


EVENTS = st.lists(
    st.one_of(
        st.lists(st.tuples(st.none() | st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=5),
        st.sampled_from(["watermark", "answer", "answer", "answer", "epoch", "idle", "clock"]),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(st.data())
def test_order_and_time_are_kept(data: Any) -> None:
    ordered = data.draw(st.booleans())
    policy = data.draw(
        st.sampled_from([None, CachePolicy(), CachePolicy(3, 10, None, missing=False), CachePolicy(None, None, 10)])
    )
    kind = data.draw(st.sampled_from([HashJoinKind.INNER, HashJoinKind.LEFT]))
    node = node_of(
        kind, cache=policy, both=data.draw(st.booleans()), batch_keys=data.draw(st.sampled_from([1, 2, 100]))
    )
    assert loads(dumps(node)) == node
    given_settings = Settings((
        (LOOKUP_OUTPUT.name, "ordered" if ordered else "allow_unordered"), (LOOKUP_CAPACITY.name, str(data.draw(st.integers(1, 4)))),
    ))  # fmt: skip
    harness = EventHarness(
        operator_of(node),
        LEFT,
        rebuild=data.draw(st.booleans()),
        batch_rows=data.draw(st.sampled_from([1, 2, 65_536])),
        settings=given_settings,
        outside=Outside(lambda count: data.draw(st.integers(0, count - 1))),
    )
    segments: list[Any] = [[]]
    time = 0
    for event in data.draw(EVENTS):
        match event:
            case "watermark":
                time += 1
                harness.watermark(time)
                segments += [Watermark(time), []]
            case "answer":
                harness.answer()
            case "epoch":
                harness.epoch()
                segments += [Epoch(harness._epoch), []]
            case "idle":
                harness.idle()
                segments += [Idle(), []]
            case "clock":
                harness.clock(harness.context.time + 7)
            case rows:
                harness.rows(rows)
                segments[-1] += [made for row in rows for made in expected(node, row)]
    harness.end()
    segments += [Watermark(END_OF_TIME), [], EndOfInput()]
    said: list[Any] = [[]]
    for item in harness.said:
        if isinstance(item, Batch):
            said[-1] += [tuple(row[:-1]) for row in rows_of(item)]
        else:
            said += [item, []]
    assert len(said[:-1]) == len(segments)
    for got, wanted in zip(said, segments, strict=False):
        if isinstance(wanted, list):
            assert Counter(got) == Counter(wanted)
            assert not ordered or [row[:2] for row in got] == [row[:2] for row in wanted]
        else:
            assert got == wanted
    harness.close()


def test_what_is_cached_is_not_asked_for_again() -> None:
    outside = Outside()
    node = node_of(cache=CachePolicy(None, after_write=100, after_access=None), batch_keys=2)
    harness = EventHarness(operator_of(node), LEFT, outside=outside)
    harness.rows([(1, 0), (1, 1), (2, 0), (3, 0), (None, 0)])
    assert outside.asked == [[1, 2], [3]]
    harness.rows([(3, 1), (5, 0)])  # a question about 3 is open
    assert outside.asked == [[1, 2], [3], [5]]
    for _ in range(3):
        harness.answer()
    assert len(harness.take()) == 9
    harness.clock(99)
    harness.rows([(1, 5), (3, 5)])
    assert [row[2] for row in harness.take()] == ["a", "b", None]
    assert len(outside.asked) == 3
    assert harness.context.counted == {"lookups": 3, "looked_up_keys": 4, "cache_hits": 2}
    outside.rows = [(1, "new", 0)]
    harness.clock(100)
    harness.rows([(1, 6)])
    harness.answer()
    assert [row[2] for row in harness.take()] == ["new"]
    assert harness.context.state_bytes > 0
    harness.close()


def test_the_oldest_answers_go_when_the_cache_is_full() -> None:
    outside = Outside()
    harness = EventHarness(operator_of(node_of(cache=CachePolicy(max_rows=3))), LEFT, outside=outside)
    for key in (1, 2, 4, 5, 2):
        harness.rows([(key, 0)])
        harness.answer()
    assert harness.operator._questions._cache.keys <= 3
    assert len(outside.asked) < 6
    assert len(harness.take()) == 7


def test_the_memory_of_a_flood_of_answers_is_given_back() -> None:
    outside = Outside()
    node = node_of(cache=CachePolicy(None, after_write=100, after_access=None))
    harness = EventHarness(operator_of(node), LEFT, outside=outside)
    outside.rows = [(key, f"the row of key {key}", 0) for key in range(100, 3100)]
    harness.rows([(key, 0) for key in range(100, 3100)])
    for _ in range(len(outside.asked)):
        harness.answer()
    assert len(harness.take()) == 3000
    full = harness.context.state_bytes
    outside.rows = [(1, "again", 0)]
    harness.clock(200)
    harness.rows([(1, 0)])
    harness.answer()
    assert [row[2] for row in harness.take()] == ["again"]
    assert harness.operator._questions._cache.keys == 1
    assert harness.context.state_bytes < full / 4
    harness.close()


def test_without_a_cache_every_batch_asks() -> None:
    outside = Outside()
    harness = EventHarness(operator_of(node_of()), LEFT, outside=outside)
    for _ in range(3):
        harness.rows([(1, 0), (1, 1)])
    assert outside.asked == [[1]] * 3
    assert harness.context.reservations["waiting rows"].bytes > 0
    harness.epoch()
    assert harness.context.reservations["waiting rows"].bytes == 0
    assert len(harness.take()) == 12


def test_errors_end_the_task_and_rows_that_are_taken_back_are_none() -> None:
    outside = Outside()
    outside.error = ConnectorError("lookup table 't' gave no rows for id = 1")
    harness = EventHarness(operator_of(node_of()), LEFT, outside=outside)
    harness.rows([(1, 0)])
    with pytest.raises(ConnectorError, match="gave no rows"):
        harness.answer()
    with pytest.raises(InternalError, match="taken back"):
        harness.rows([(1, 0)], weights=[-1])
    with pytest.raises(InternalError, match="lookup join"):
        operator_of(node_of(HashJoinKind.SEMI))()
