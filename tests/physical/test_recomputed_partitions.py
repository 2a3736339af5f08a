"""What is computed again of whole partitions: once for all that has come, and nothing that came in pieces is forgotten."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import MINI_BATCH_SIZE, Settings
from tableflow.expressions.nodes import AggregateCall, ColumnRef, WindowCall
from tableflow.physical import changelog_aggregate, partition_rows
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.node import Input, UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.physical.retention import Retention
from tableflow.types import BIGINT, BOOLEAN, INT, STRING, TIMESTAMP, ArrayType, Field
from tests.physical.changelogs import changes, cuts, operator_of
from tests.physical.event_harness import EventHarness

K, V, B = Field(1, "k", INT), Field(2, "v", INT), Field(3, "b", BOOLEAN)
FIELDS = (K, V, B)
ROW = st.tuples(st.integers(0, 1), st.integers(0, 3), st.booleans())
OF_ONE_BATCH, OF_ONE_PIECE = 60_000, 8192


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


DOWN = {"order": (ref(V),), "directions": ((True, False),)}
LISTED = AggregateCall(ArrayType(INT), "array_agg", (ref(V),), **DOWN)
CHOSEN = AggregateCall(ArrayType(INT), "array_agg", (ref(V),), distinct=True, filter=ref(B), **DOWN)


def grouped(*calls: AggregateCall, keys: tuple[Field, ...] = (K,), **how: Any) -> ChangelogAggregate:
    results = tuple(Field(20 + i, f"r{i}", call.type) for i, call in enumerate(calls))
    return ChangelogAggregate(fields=(*keys, *results), input=Input(fields=FIELDS), keys=keys, calls=calls, **how)


NUMBERED = ChangelogOver(
    fields=(K, V, Field(9, "n", BIGINT)),
    input=Input(fields=FIELDS),
    partition=(K.id,),
    order=(OrderingKey(V.id),),
    results=(Field(9, "n", BIGINT),),
    calls=(WindowCall(BIGINT, "row_number"),),
)
FIRST = ChangelogTopN(fields=(K, V), input=Input(fields=FIELDS), partition=(K.id,), order=(OrderingKey(V.id),), limit=2)


def many(rows: int, first: int = 0) -> Batch:
    values = np.arange(first, first + rows, dtype=np.int32)
    columns = [Column(INT, pa.array(values % 2)), Column(INT, pa.array(values))]
    return Batch([*columns, Column(BOOLEAN, pa.array(values > 0))], rows)


@pytest.mark.parametrize("node", [grouped(LISTED), grouped(LISTED, keys=()), NUMBERED, FIRST])
def test_a_batch_costs_its_rows_and_those_of_its_partitions(node: UnaryNode) -> None:
    harness = EventHarness(operator_of(node), FIELDS)
    harness.batch(many(OF_ONE_BATCH))
    assert OF_ONE_BATCH > 5 * OF_ONE_PIECE
    assert harness.context.counted["recomputed_rows"] == OF_ONE_BATCH
    harness.batch(many(OF_ONE_PIECE, OF_ONE_BATCH))
    assert harness.context.counted["recomputed_rows"] == 2 * OF_ONE_BATCH + OF_ONE_PIECE


@pytest.mark.parametrize("keys", [(K,), ()])
def test_an_epoch_costs_its_rows_and_those_of_its_groups(keys: tuple[Field, ...]) -> None:
    harness = EventHarness(operator_of(grouped(LISTED, keys=keys, per_epoch=True)), FIELDS)
    for number in range(20):
        harness.batch(many(1000, 1000 * number))
    assert harness.context.counted["recomputed_rows"] == 0
    assert harness.batches == []
    harness.epoch()
    assert harness.context.counted["recomputed_rows"] == 20_000
    listed = sum(len(row[-2]) * row[-1] for row in harness.emitted if row[-2] is not None)
    assert listed == 20_000
    assert len(harness.emitted) == max(1, 2 * len(keys))
    harness.epoch()
    assert harness.context.counted["recomputed_rows"] == 20_000


def test_many_partitions_are_looked_at_some_at_a_time() -> None:
    harness = EventHarness(operator_of(grouped(LISTED)), FIELDS)
    rows, keys = 60_000, 30_000
    values = np.arange(rows, dtype=np.int32)
    columns = [Column(INT, pa.array(values % keys)), Column(INT, pa.array(values))]
    harness.batch(Batch([*columns, Column(BOOLEAN, pa.array(values > 0))], rows))
    assert harness.context.counted["recomputed_rows"] == rows
    assert max(batch.rows for batch in harness.batches) < keys
    assert sorted(row[0] for row in harness.emitted) == list(range(keys))
    assert all(row[1] == [row[0] + keys, row[0]] for row in harness.emitted)


def test_a_row_wakes_its_own_group_alone() -> None:
    harness = EventHarness(operator_of(grouped(LISTED)), FIELDS)
    harness.batch(many(1000))
    harness.rows([(2, 5, True)])
    assert harness.context.counted["recomputed_rows"] == 1001
    harness.rows([(2, 5, True), (2, 5, True)], 0, [1, -1])
    assert harness.context.counted["recomputed_rows"] == 1001, "nothing has changed"


def test_many_rows_do_not_wait_for_the_epoch() -> None:
    few = Settings(((MINI_BATCH_SIZE.name, "3"),))
    harness = EventHarness(operator_of(grouped(LISTED, per_epoch=True)), FIELDS, rebuild=True, settings=few)
    harness.rows([(1, 1, True), (2, 1, True)])
    assert harness.take() == []
    harness.rows([(1, 2, True)])
    assert sorted(harness.take()) == [(1, [2, 1], 1), (2, [1], 1)]
    harness.rows([(1, 3, True)])
    harness.end()
    assert sorted(harness.take()) == [(1, [2, 1], -1), (1, [3, 2, 1], 1)]


def test_what_comes_and_goes_within_an_epoch_is_not_seen() -> None:
    harness = EventHarness(operator_of(grouped(LISTED, per_epoch=True)), FIELDS, rebuild=True)
    harness.rows([(1, 1, True)])
    harness.rows([(1, 1, True)], 0, [-1])
    harness.epoch()
    assert harness.take() == []


def listed(rows: list[Any], *, chosen: bool) -> Any:
    values = {row[1] for row in rows if row[2]} if chosen else [row[1] for row in rows]
    return tuple(sorted(values, reverse=True)) or None


def groups_of(total: Counter[Any], keys: int, *, empty: bool) -> Counter[Any]:
    found: dict[Any, list[Any]] = {(): []} if not keys and empty else {}
    for row in total.elements():
        found.setdefault(row[:keys], []).append(row)
    return Counter((*key, listed(rows, chosen=False), listed(rows, chosen=True)) for key, rows in found.items())


def numbers_of(total: Counter[Any]) -> Counter[Any]:
    made: Counter[Any] = Counter()
    for k in (0, 1):
        rows = sorted((row for row in total.elements() if row[0] == k), key=lambda row: row[1])
        made.update((row[0], row[1], number + 1) for number, row in enumerate(rows))
    return made


def shown(rows: list[Any]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for *row, weight in rows:
        total[tuple(tuple(value) if isinstance(value, list) else value for value in row)] += weight
    return Counter({row: weight for row, weight in total.items() if weight})


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changes_in_pieces(data: Any) -> None:
    """A row may go in one piece and come back in another."""
    kind = data.draw(st.sampled_from(["keys", "one", "over", "first"]))
    held = data.draw(st.sampled_from([{}, {"per_epoch": True}, {"every_of_time": 10}, {"every": 10}]))
    held = held if kind in {"keys", "one"} else {}
    keys = 1 if kind == "keys" else 0
    node = {
        "keys": grouped(LISTED, CHOSEN, **held),
        "one": grouped(LISTED, CHOSEN, keys=(), **held),
        "over": NUMBERED,
        "first": FIRST,
    }[kind]
    batches = data.draw(cuts(data.draw(changes(ROW))))
    with pytest.MonkeyPatch.context() as patch:
        size = data.draw(st.integers(1, 3))
        patch.setattr(partition_rows, "PIECE_ROWS", size)
        patch.setattr(partition_rows, "_TOUCHED_ROWS", data.draw(st.integers(1, 4)))
        patch.setattr(changelog_aggregate, "PIECE_ROWS", size)
        harness = EventHarness(operator_of(node), FIELDS, rebuild=data.draw(st.booleans()))
        harness.watermark(time := 100)
        total: Counter[Any] = Counter()
        for batch in batches:
            said = len(harness.emitted)
            harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
            for row, weight in batch:
                total[row] += weight
            if any(count < 0 for count in total.values()):
                continue
            assert not held or said == len(harness.emitted)
            if "every_of_time" in held:
                harness.watermark(time := time + 10)
            elif "every" in held:
                harness.epoch()
                harness.clock(harness.context.time + 10)
            else:
                harness.epoch()
            expected = {
                "over": numbers_of,
                "first": lambda all_rows: Counter(row[:2] for row in numbers_of(all_rows) if row[2] <= 2),
            }.get(kind, lambda all_rows: groups_of(all_rows, keys, empty=True))
            assert shown(harness.emitted) == expected(Counter({row: n for row, n in total.items() if n}))
        harness.end()
        harness.close()


@pytest.mark.parametrize("rebuild", [False, True])
def test_groups_that_wait_for_rows_fire_alone(rebuild: bool) -> None:
    harness = EventHarness(operator_of(grouped(LISTED, every_rows=2)), FIELDS, rebuild=rebuild)
    harness.rows([(1, 1, True), (2, 1, True)])
    harness.epoch()
    assert harness.batches == []
    harness.rows([(1, 2, True)])
    assert [row for row in harness.emitted if row[0] == 1] == [(1, [2, 1], 1)]
    assert [row for row in harness.emitted if row[0] == 2] == []
    harness.end()
    assert [row for row in harness.emitted if row[0] == 2] == [(2, [1], 1)]
    harness.close()


@pytest.mark.parametrize("rebuild", [False, True])
def test_groups_that_wait_are_told_before_they_are_forgotten(rebuild: bool) -> None:
    """What waits comes out when time has passed its group, though its interval is not over."""
    end, text = Field(4, "e", TIMESTAMP), Field(5, "s", STRING)
    joined = AggregateCall(
        ArrayType(STRING), "array_agg", (ref(text),), order=(ref(text),), directions=((False, False),)
    )
    node = ChangelogAggregate(
        fields=(end, Field(20, "r", joined.type)),
        input=Input(fields=(end, text)),
        keys=(end,),
        calls=(joined,),
        every_of_time=1000,
        closes=Retention(end.id, 0),
    )
    harness = EventHarness(operator_of(node), (end, text), rebuild=rebuild)
    harness.watermark(1)
    harness.rows([(10, "a"), (50, "b")])
    harness.rows([(10, "c")])
    assert harness.batches == []
    harness.watermark(11)
    assert [row[1:] for row in harness.emitted] == [(["a", "c"], 1)]
    assert harness.operator._groups._rows.state.rows == 0
    harness.end()
    assert [row[1:] for row in harness.emitted] == [(["a", "c"], 1), (["b"], 1)]
    harness.close()


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_group_with_rows_that_wait_is_not_old(rebuild: bool) -> None:
    harness = EventHarness(operator_of(grouped(LISTED, every_of_time=10, ttl=100)), FIELDS, rebuild=rebuild)
    harness.watermark(1)
    harness.rows([(1, 1, True), (2, 1, True)])
    harness.watermark(10)
    harness.clock(90)
    harness.rows([(1, 2, True)])
    harness.clock(150)
    harness.watermark(20)
    assert shown(harness.emitted) == Counter({(1, (2, 1)): 1, (2, (1,)): 1})
    assert harness.context.counted["expired_rows"] == 1
    harness.close()
