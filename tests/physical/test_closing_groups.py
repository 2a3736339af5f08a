"""Groups by a key that tells when no more rows come: they are final then, or forgotten."""

from __future__ import annotations

import pytest

from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.node import Input
from tableflow.physical.retention import Retention
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, DOUBLE, INT, TIMESTAMP, Field
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness
from tests.physical.test_changelog_aggregate import ref
from tests.physical.windowed import plain_times

END, KEY, VALUE = Field(1, "window_end", TIMESTAMP), Field(2, "k", INT), Field(3, "v", INT)
FIELDS = (END, KEY, VALUE)
CALLS = {
    "count": AggregateCall(BIGINT, "count"),
    "sum": AggregateCall(BIGINT, "sum", (ref(VALUE),)),
    "median": AggregateCall(DOUBLE, "median", (ref(VALUE),)),
}


def _harness(*names: str, final: bool, keys: tuple[Field, ...] = (KEY, END), rebuild: bool = False) -> EventHarness:
    calls = tuple(CALLS[name] for name in names)
    results = tuple(Field(20 + i, name, call.type) for i, (name, call) in enumerate(zip(names, calls, strict=True)))
    node = ChangelogAggregate(
        fields=(*keys, *results),
        input=Input(fields=FIELDS),
        keys=keys,
        calls=calls,
        retracting=False,
        closes=Retention(END.id, -1),
        final=final,
    )
    read = loads(dumps(node))
    assert read == node
    return EventHarness(operator_of(read), FIELDS, rebuild=rebuild)


@pytest.mark.parametrize("rebuild", [False, True])
def test_final_groups_come_once_when_time_has_passed_them(rebuild: bool) -> None:
    harness = _harness("count", "sum", final=True, rebuild=rebuild)
    harness.rows([(10, 1, 5), (20, 1, 7), (10, 1, 6), (10, 2, 1)])
    harness.watermark(9)
    harness.epoch()
    assert harness.take() == []
    harness.rows([(10, 2, 2), (30, 1, 9)])
    harness.watermark(10)
    assert sorted(plain_times(harness.take())) == [(1, 10, 2, 11, 1), (2, 10, 2, 3, 1)]
    harness.rows([(10, 1, 100), (20, 3, 1), (None, 4, 4)])
    assert harness.context.counted["late_rows"] == 1
    harness.watermark(25)
    assert sorted(plain_times(harness.take())) == [(1, 20, 1, 7, 1), (3, 20, 1, 1, 1)]
    harness.end()
    rest = {row[:1] + row[2:]: row[1] is None for row in harness.take()}
    assert rest == {(1, 1, 9, 1): False, (4, 1, 4, 1): True}


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("names", [("count",), ("count", "median")])
def test_changing_groups_say_all_they_have_to_say_before_they_are_forgotten(
    names: tuple[str, ...], rebuild: bool
) -> None:
    harness = _harness(*names, final=False, keys=(END,), rebuild=rebuild)
    harness.rows([(10, 1, 5), (20, 1, 7)])
    assert len(harness.take()) == 2
    harness.rows([(10, 2, 9)])
    assert len(harness.take()) == 2  # the old row is taken back
    harness.watermark(10)
    assert harness.take() == []
    harness.rows([(10, 2, 9), (20, 1, 8)])
    assert harness.context.counted["late_rows"] == 1
    assert [row[1] for row in harness.take() if row[-1] > 0] == [2]
    harness.end()


@pytest.mark.parametrize(("names", "final"), [(("sum",), True), (("sum",), False), ((), False), (("median",), False)])
def test_what_is_kept_does_not_grow_with_the_windows_that_have_closed(names: tuple[str, ...], final: bool) -> None:
    harness = _harness(*names, final=final)
    held = []
    for step in range(1, 301):
        harness.rows([(10 * step, i, i) for i in range(200)])
        harness.watermark(10 * step - 5)
        harness.take()
        held.append(sum(each.bytes for each in harness.context.reservations.values()))
    assert max(held[150:]) <= max(held[:30])
    harness.end()
