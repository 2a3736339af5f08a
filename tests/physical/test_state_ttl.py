"""State that does not change is forgotten in time, and not before; what has come out stays."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tableflow.expressions.nodes import AggregateCall, ColumnRef, WindowCall
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input
from tableflow.physical.normalize import Normalize
from tableflow.physical.properties import OrderingKey
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.types import BIGINT, INT, TIMESTAMP, ArrayType, Field
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness

K, V, R = Field(1, "k", INT), Field(2, "v", INT), Field(3, "r", BIGINT)
L, W = Field(4, "l", INT), Field(5, "w", INT)
S, T = Field(8, "s", TIMESTAMP), Field(9, "t", TIMESTAMP)
TTL = 100
REBUILD = pytest.mark.parametrize("rebuild", [False, True])


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


def harness_of(node: Any, rebuild: bool, *inputs: Any) -> EventHarness:
    return EventHarness(operator_of(node), *(inputs or ((K, V),)), rebuild=rebuild)


@REBUILD
@pytest.mark.parametrize("appends", [True, False])
def test_a_group_begins_anew(rebuild: bool, appends: bool) -> None:
    count = AggregateCall(BIGINT, "count", (ref(V),))
    node = ChangelogAggregate(
        fields=(K, R), input=Input(fields=(K, V)), keys=(K,), calls=(count,), retracting=not appends, ttl=TTL
    )
    harness = harness_of(node, rebuild)
    weights = None if appends else [1, 1]
    harness.rows([(1, 0), (2, 0)], weights=weights)
    harness.clock(60)
    harness.rows([(1, 0), (1, 0)], weights=weights)
    assert harness.take()[-2:] == [(1, 1, -1), (1, 3, 1)]
    harness.clock(99)
    assert harness.context.counted["expired_groups"] == 0
    harness.clock(125)
    assert harness.context.counted["expired_groups"] == 1
    harness.rows([(1, 0), (2, 0)], weights=weights)
    assert Counter(harness.take()) == Counter([(1, 3, -1), (1, 4, 1), (2, 1, 1)])
    harness.clock(249)
    harness.clock(300)
    assert harness.context.counted["expired_groups"] == 3
    assert not harness.context.timers, "nothing is left that could grow old"
    harness.rows([(2, 0)])
    assert harness.take() == [(2, 1, 1)]
    harness.close()


@REBUILD
def test_a_group_of_all_rows_and_one_that_is_computed_again(rebuild: bool) -> None:
    listed = AggregateCall(ArrayType(INT), "array_agg", (ref(V),))
    of = Field(9, "a", listed.type)
    for keys, later in (((K,), (1, [8], 1)), ((), ([7, 8], 1))):
        node = ChangelogAggregate(
            fields=(*keys, of), input=Input(fields=(K, V)), keys=keys, calls=(listed,), retracting=True, ttl=TTL
        )
        harness = harness_of(node, rebuild)
        harness.rows([(1, 7)])
        harness.clock(200)
        harness.take()
        harness.rows([(1, 8)])
        *_, last = harness.take()
        assert (*last[:-2], sorted(last[-2]), last[-1]) == later


@REBUILD
def test_rows_of_a_join_meet_no_more(rebuild: bool) -> None:
    node = ChangelogJoin(
        fields=(K, V, L, W),
        left=Input(fields=(K, V)),
        right=Input(fields=(L, W)),
        kind=HashJoinKind.LEFT,
        left_keys=(ref(K),),
        right_keys=(ref(L),),
        null_safe=(False,),
        right_ttl=TTL,
    )
    harness = harness_of(node, rebuild, (K, V), (L, W))
    harness.rows([(1, 5), (2, 6)], 1)
    harness.clock(70)
    harness.rows([(2, 6)], 1)
    harness.clock(130)
    harness.rows([(1, 0), (2, 0)], 0)
    assert Counter(harness.take()) == Counter([(1, 0, None, None, 1), (2, 0, 2, 6, 2)])
    harness.clock(10_000)
    harness.rows([(2, 1)], 0)
    assert harness.take() == [(2, 1, None, None, 1)]
    assert harness.context.counted["expired_rows"] == 2
    harness.rows([(1, 9)], 1)
    assert Counter(harness.take()) == Counter([(1, 0, None, None, -1), (1, 0, 1, 9, 1)])
    harness.close()


def _versions(ttl: int) -> VersionedJoin:
    return VersionedJoin(
        fields=(K, S, L, T), left=Input(fields=(K, S)), right=Input(fields=(L, T)), kind=HashJoinKind.LEFT,
        left_keys=(ref(K),), right_keys=(ref(L),), null_safe=(False,), time=S.id, versions=T.id, left_appends=True, ttl=ttl,
    )  # fmt: skip


@REBUILD
def test_the_newest_version_of_a_key_that_comes_no_more_is_forgotten(rebuild: bool) -> None:
    harness = harness_of(_versions(TTL), rebuild, (K, S), (L, T))
    harness.rows([(1, 5), (2, 5)], 1)
    harness.clock(70)
    harness.rows([(2, 6)], 1)
    harness.watermark(10)
    harness.clock(130)
    harness.rows([(1, 20), (2, 20)], 0)
    harness.watermark(30)
    assert [(row[0], row[2]) for row in sorted(harness.take())] == [(1, None), (2, 2)]
    harness.clock(10_000)
    assert harness.context.state_rows == 0
    harness.close()


@REBUILD
@pytest.mark.parametrize("appends", [True, False])
def test_first_rows_are_forgotten_together(rebuild: bool, appends: bool) -> None:
    node = ChangelogTopN(
        fields=(K, V), input=Input(fields=(K, V)), partition=(K.id,), order=(OrderingKey(V.id),), limit=2,
        appends=appends, ttl=TTL,
    )  # fmt: skip
    harness = harness_of(node, rebuild)
    harness.rows([(1, 5), (2, 5)])
    harness.clock(90)
    harness.rows([(1, 7)])
    harness.clock(150)
    harness.take()
    harness.rows([(1, 6), (2, 6)])
    assert Counter(harness.take()) == Counter([(1, 6, 1), (1, 7, -1), (2, 6, 1)])
    harness.close()


@REBUILD
def test_over_and_keys_that_are_put(rebuild: bool) -> None:
    number = WindowCall(BIGINT, "row_number")
    over = ChangelogOver(
        fields=(K, V, R), input=Input(fields=(K, V)), partition=(K.id,), order=(OrderingKey(V.id),), results=(R,),
        calls=(number,), ttl=TTL,
    )  # fmt: skip
    harness = harness_of(over, rebuild)
    harness.rows([(1, 5)])
    harness.clock(125)
    harness.rows([(1, 6)])
    assert harness.take() == [(1, 5, 1, 1), (1, 6, 1, 1)]
    put = Normalize(fields=(K, V), input=Input(fields=(K, V)), key=(K.id,), ttl=TTL)
    harness = harness_of(put, rebuild)
    harness.rows([(1, 5)])
    harness.clock(60)
    harness.rows([(1, 6)])
    harness.clock(125)
    harness.rows([(1, 7)])
    assert Counter(harness.take()) == Counter([(1, 5, 1), (1, 5, -1), (1, 6, 1), (1, 6, -1), (1, 7, 1)])
    harness.clock(400)
    harness.rows([(1, 8)])
    assert harness.take() == [(1, 8, 1)]


def _kept_for_a_while() -> dict[str, Any]:
    """A node of each kind that keeps state for :data:`TTL`; rows are (key, number)."""
    given, other = Input(fields=(K, V)), Input(fields=(L, W))
    pairs = {"left_keys": (ref(K),), "right_keys": (ref(L),), "null_safe": (False,)}
    first = {"partition": (K.id,), "order": (OrderingKey(V.id),)}
    calls = (AggregateCall(BIGINT, "count", (ref(V),)),)
    rows = (AggregateCall(ArrayType(INT), "array_agg", (ref(V),)),)
    listed = Field(7, "list", ArrayType(INT))
    return {
        "groups": ChangelogAggregate(fields=(K, R), input=given, keys=(K,), calls=calls, retracting=True, ttl=TTL),
        "rows of groups": ChangelogAggregate(
            fields=(K, listed), input=given, keys=(K,), calls=rows, retracting=True, ttl=TTL
        ),
        "join": ChangelogJoin(
            fields=(K, V, L, W), left=given, right=other, kind=HashJoinKind.FULL, left_ttl=TTL, right_ttl=TTL, **pairs
        ),
        "scalars": ChangelogJoin(
            fields=(K, V, L, W), left=given, right=other, kind=HashJoinKind.SINGLE, left_ttl=TTL, right_ttl=TTL, **pairs
        ),
        "first rows": ChangelogTopN(fields=(K, V), input=given, limit=2, ttl=TTL, **first),
        "over": ChangelogOver(
            fields=(K, V, R), input=given, results=(R,), calls=(WindowCall(BIGINT, "row_number"),), ttl=TTL, **first
        ),
        "keys that are put": Normalize(fields=(K, V), input=given, key=(K.id,), ttl=TTL),
    }


@pytest.mark.parametrize("kind", _kept_for_a_while())
def test_a_long_stream_of_keys_that_come_once_holds_what_a_short_one_holds(kind: str) -> None:
    node = _kept_for_a_while()[kind]
    inputs = ((K, V), (L, W)) if isinstance(node, ChangelogJoin) else ((K, V),)
    harness = harness_of(node, False, *inputs)
    twice = 1 if kind == "scalars" else 2
    sizes = []
    for number in range(60):
        for port in range(len(inputs)):
            harness.rows([(number * 500 + i // twice, i) for i in range(500)], port)
        harness.clock(number * TTL // 2)
        sizes.append(harness.context.state_bytes)
        harness.take()
    assert max(sizes[30:]) <= 1.1 * max(sizes[5:30])
    for port in range(len(inputs)):
        harness.rows([(1_000_000 + i, i) for i in range(20_000)], port)
    full = harness.context.state_bytes
    harness.clock(10_000 * TTL)
    assert harness.context.state_rows == 0
    assert harness.context.state_bytes <= full / 4
    harness.close()
