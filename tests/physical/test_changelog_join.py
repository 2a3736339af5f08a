"""What comes out of a join of changelogs sums up to the join of what has come in, whatever came in between."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.errors import DataError, InternalError, MemoryLimitError
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input
from tableflow.physical.retention import Retention
from tableflow.types import BIGINT, BOOLEAN, INT, INTERVAL, STRING, TIMESTAMP, Field
from tests.physical.changelogs import changes, cuts, operator_of
from tests.physical.event_harness import EventHarness
from tests.physical.jobs import collect
from tests.runtime.simple import Batches, Plan

K, A, V = Field(1, "k", INT), Field(2, "a", STRING), Field(3, "v", BIGINT)
L, B, W = Field(4, "l", INT), Field(5, "b", STRING), Field(6, "w", BIGINT)
MARK = Field(9, "mark", BOOLEAN)
LEFT, RIGHT = (K, A, V), (L, B, W)
Kind = HashJoinKind
LEFT_ONLY = {Kind.SEMI, Kind.ANTI, Kind.MARK}


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


LESS = Call(BOOLEAN, "lt", (ref(V), ref(W)))
SHIFTED = Call(INT, "add", (ref(K), ref(K)))


def node_of(kind: HashJoinKind, **how: Any) -> ChangelogJoin:
    fields = LEFT if kind in LEFT_ONLY else (*LEFT, *RIGHT)
    if kind is Kind.MARK:
        fields = (*fields, MARK)
        how["mark"] = MARK.id
    keys = how.pop("keys", ((ref(K), ref(L), False),))
    return ChangelogJoin(
        fields=fields,
        left=Input(fields=LEFT),
        right=Input(fields=RIGHT),
        kind=kind,
        left_keys=tuple(key[0] for key in keys),
        right_keys=tuple(key[1] for key in keys),
        null_safe=tuple(key[2] for key in keys),
        **how,
    )


def equal(a: Any, b: Any, safe: bool) -> bool | None:
    if a is None or b is None:
        return (a is None and b is None) if safe else None
    return a == b


def condition(node: ChangelogJoin, left: tuple[Any, ...], right: tuple[Any, ...]) -> bool | None:
    """Three-valued AND of all that the node asks."""
    row = dict(zip([f.id for f in (*LEFT, *RIGHT)], (*left, *right), strict=True))

    def value(e: Expression) -> Any:
        if isinstance(e, ColumnRef):
            return row[e.id]
        assert isinstance(e, Call)
        a, b = map(value, e.args)
        if a is None or b is None:
            return None
        return a < b if e.function == "lt" else a + b

    truths = [
        equal(value(a), value(b), s) for a, b, s in zip(node.left_keys, node.right_keys, node.null_safe, strict=True)
    ]
    truths += [value(e) for e in node.residual]
    return False if False in truths else None if None in truths else True


def expected(node: ChangelogJoin, left: Counter[Any], right: Counter[Any]) -> Counter[Any]:
    """The join of two multisets, pair by pair."""
    out: Counter[Any] = Counter()
    partners = {a: [condition(node, a, b) for b in right] for a in left}
    pairs = [(a, b) for a, b in product(left, right) if condition(node, a, b)]
    if node.kind not in LEFT_ONLY:
        for a, b in pairs:
            out[(*a, *b)] += left[a] * right[b]
    for a, count in left.items():
        true, unknown = True in partners[a], None in partners[a]
        match node.kind:
            case Kind.LEFT | Kind.FULL | Kind.SINGLE if not true:
                out[(*a, None, None, None)] += count
            case Kind.SEMI if true:
                out[a] += count
            case Kind.ANTI if not true and not (node.null_aware and unknown):
                out[a] += count
            case Kind.MARK:
                out[(*a, True if true else None if unknown else False)] += count
    if node.kind in {Kind.RIGHT, Kind.FULL}:
        for b, count in right.items():
            if not any(pair == b for _, pair in pairs):
                out[(None, None, None, *b)] += count
    return out


ROW = st.tuples(st.none() | st.integers(0, 2), st.sampled_from(["x", "y"]), st.none() | st.integers(0, 2))


@st.composite
def scenarios(draw: Any, appends: tuple[bool, bool]) -> list[tuple[int, list[tuple[Any, int]]]]:
    """Batches of both sides in some order."""
    events = [(port, change) for port in (0, 1) for change in draw(changes(ROW, appends=appends[port]))]
    batches: list[tuple[int, list[tuple[Any, int]]]] = []
    for port, change in draw(st.permutations(events)):
        if batches and batches[-1][0] == port and draw(st.booleans()):
            batches[-1][1].append(change)
        else:
            batches.append((port, [change]))
    return batches


HOWS: list[dict[str, Any]] = [
    {},
    {"residual": (LESS,)},
    {"keys": ((ref(K), ref(L), True),)},
    {"keys": ((ref(K), ref(L), False), (ref(A), ref(B), True)), "residual": (LESS,)},
    {"keys": ((SHIFTED, ref(L), False),)},
    {"keys": ()},
    {"keys": (), "residual": (LESS,)},
]
THREE_VALUED: list[dict[str, Any]] = [
    {},
    {"keys": ((ref(A), ref(B), True), (ref(V), ref(W), False))},
    {"keys": ((ref(A), ref(B), True),), "residual": (LESS,)},
    {"keys": ()},
]


def check(node: ChangelogJoin, batches: list[tuple[int, list[tuple[Any, int]]]], rebuild: bool, rows: int) -> None:
    harness = EventHarness(operator_of(node), LEFT, RIGHT, rebuild=rebuild, batch_rows=rows)
    sides: tuple[Counter[Any], Counter[Any]] = (Counter(), Counter())
    appends = (node.left_appends, node.right_appends)
    for port, batch in batches:
        weights = None if appends[port] else [weight for _, weight in batch]
        harness.rows([row for row, _ in batch], port, weights)
        for row, weight in batch:
            sides[port][row] += weight
        if all(count >= 0 for side in sides for count in side.values()):
            present = [Counter({row: n for row, n in side.items() if n}) for side in sides]
            assert harness.changes() == expected(node, *present)
    if all(appends) and node.kind in {Kind.INNER, Kind.SEMI}:
        assert all(batch.weights is None for batch in harness.batches)
    harness.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in Kind if k.value in {"inner", "left", "right", "full", "semi", "anti"}])
@settings(max_examples=60)
@given(st.data())
def test_sum_of_changes_is_the_join_of_sums(kind: HashJoinKind, data: Any) -> None:
    appends = data.draw(st.sampled_from([(False, False), (False, False), (True, False), (False, True), (True, True)]))
    how = data.draw(st.sampled_from(HOWS))
    node = node_of(kind, left_appends=appends[0], right_appends=appends[1], **how)
    check(node, data.draw(scenarios(appends)), data.draw(st.booleans()), data.draw(st.sampled_from([1, 2, 65_536])))


@pytest.mark.slow
@settings(max_examples=100)
@given(st.data())
def test_three_valued_answers(data: Any) -> None:
    kind, null_aware = data.draw(st.sampled_from([(Kind.MARK, False), (Kind.ANTI, True), (Kind.MARK, True)]))
    node = node_of(kind, null_aware=null_aware, **data.draw(st.sampled_from(THREE_VALUED)))
    batches = data.draw(scenarios((False, False)))
    check(node, batches, data.draw(st.booleans()), data.draw(st.sampled_from([1, 65_536])))


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_second_match_of_a_scalar_is_an_error_only_when_it_stands(rebuild: bool) -> None:
    node = node_of(Kind.SINGLE)
    harness = EventHarness(operator_of(node), LEFT, RIGHT, rebuild=rebuild)
    harness.rows([(1, "x", 1)], 0, [1])
    harness.rows([(1, "p", 1), (1, "q", 2)], 1, [1, 1])
    harness.rows([(1, "p", 1)], 1, [-1])
    harness.epoch()
    assert harness.changes() == Counter({(1, "x", 1, 1, "q", 2): 1})
    harness.rows([(1, "q", 2)], 1, [1])
    with pytest.raises(DataError, match="more than one row"):
        harness.epoch()


def test_the_memory_of_a_flood_of_scalars_is_given_back() -> None:
    """Also when rows had two matches for a while: until the epoch's end these are remembered by where they lie."""
    harness = EventHarness(operator_of(node_of(Kind.SINGLE)), LEFT, RIGHT)
    flood = [(k, f"left {k}", k) for k in range(20_000)]
    for suspected in (False, True):
        harness.rows(flood, 0, [1] * len(flood))
        full = harness.context.state_bytes
        for weight in (1, -1) if suspected else ():
            harness.rows([(k, side, k) for k in range(50) for side in "pq"], 1, [weight] * 100)
        harness.rows([*flood[:7000], *flood[7010:]], 0, [-1] * (len(flood) - 10))
        harness.epoch()
        assert harness.context.state_bytes < full / 3
        harness.rows([(7003, "p", 1)], 1, [1])
        harness.epoch()
        harness.rows([(7003, "p", 1)], 1, [-1])
        assert harness.changes() == Counter({(*row, None, None, None): 1 for row in flood[7000:7010]})
        harness.rows(flood[7000:7010], 0, [-1] * 10)
    harness.close()


def test_a_key_with_many_rows_comes_out_in_pieces() -> None:
    node = node_of(Kind.LEFT)
    harness = EventHarness(operator_of(node), LEFT, RIGHT, batch_rows=500)
    rows = 20_000
    many = Batch(
        [
            Column(f.type, pa.array(values, canonical(f.type)))
            for f, values in zip(RIGHT, ([1] * rows, ["b"] * rows, list(range(rows))), strict=True)
        ],
        rows,
    )
    harness.batch(many, 1)
    harness.rows([(1, "a", 0)])
    assert [b.rows for b in harness.batches] == [500] * 40
    assert sum(b.weights.sum() for b in harness.batches) == rows
    harness.batch(Batch(many.columns, rows, None, np.full(rows, -1)), 1)
    assert harness.changes() == Counter({(1, "a", 0, None, None, None): 1})
    assert harness.context.state_bytes > 0
    harness.close()


def test_weights_where_only_additions_were_promised() -> None:
    node = node_of(Kind.INNER, left_appends=True)
    harness = EventHarness(operator_of(node), LEFT, RIGHT)
    with pytest.raises(InternalError, match="only added"):
        harness.rows([(1, "a", 0)], 0, [1])


TIME, AT = Field(11, "time", TIMESTAMP), Field(12, "at", TIMESTAMP)
SECOND = 1_000_000


def interval_node(kind: HashJoinKind, **how: Any) -> ChangelogJoin:
    """Right rows up to two seconds before, one after the left one."""
    left, right = (K, V, TIME), (L, W, AT)
    bounds = (
        Call(BOOLEAN, "ge", (ref(AT), Call(TIMESTAMP, "subtract", (ref(TIME), interval(2))))),
        Call(BOOLEAN, "le", (ref(AT), Call(TIMESTAMP, "add", (ref(TIME), interval(1))))),
    )
    return ChangelogJoin(
        fields=left if kind in LEFT_ONLY else (*left, *right),
        left=Input(fields=left),
        right=Input(fields=right),
        kind=kind,
        left_keys=(ref(K),),
        right_keys=(ref(L),),
        null_safe=(False,),
        residual=bounds,
        left_appends=True,
        right_appends=True,
        left_retention=Retention(TIME.id, SECOND),
        right_retention=Retention(AT.id, 2 * SECOND),
        **how,
    )


def interval(seconds: int) -> Literal:
    return Literal(INTERVAL, (0, 0, seconds * SECOND))


@pytest.mark.parametrize("kind", [Kind.INNER, Kind.LEFT, Kind.SEMI, Kind.ANTI])
@pytest.mark.parametrize("rebuild", [False, True])
def test_rows_are_forgotten_when_the_watermark_allows_it(kind: HashJoinKind, rebuild: bool) -> None:
    node = interval_node(kind)
    harness = EventHarness(operator_of(node), node.left.fields, node.right.fields, rebuild=rebuild)
    rng = np.random.default_rng(2)
    left, right, most = [], [], 0
    for second in range(0, 60, 2):
        lefts = [(int(rng.integers(2)), i, (second + int(rng.integers(2))) * SECOND) for i in range(3)]
        rights = [(int(rng.integers(2)), i, (second + int(rng.integers(2))) * SECOND) for i in range(2)]
        harness.rows(lefts, 0)
        harness.rows(rights, 1)
        harness.watermark(second * SECOND)
        most = max(most, sum(side.state.rows for side in harness.operator._sides))
        left += lefts
        right += rights
    pairs = [(a, b) for a, b in product(left, right) if a[0] == b[0] and -2 * SECOND <= b[2] - a[2] <= SECOND]
    matched = Counter(a for a, _ in pairs)
    if kind is Kind.INNER:
        expected_rows = Counter((*a, *b) for a, b in pairs)
    elif kind is Kind.LEFT:
        expected_rows = Counter((*a, *b) for a, b in pairs) + Counter(
            (*a, None, None, None) for a in left if a not in matched
        )
    else:
        expected_rows = Counter(a for a in left if (a in matched) == (kind is Kind.SEMI))
    got: Counter[Any] = Counter()
    for *row, weight in harness.emitted:
        got[tuple(micros(value) for value in row)] += weight
    assert Counter({row: n for row, n in got.items() if n}) == expected_rows
    assert most < 40
    harness.rows([(1, 99, 0)], 0)
    assert harness.context.counted["late_rows"] == 1
    harness.end()
    assert not rebuild or len(harness.operator.snapshot()) < 200
    harness.close()


@pytest.mark.slow
@settings(max_examples=20)
@given(st.data())
def test_sum_of_changes_of_a_join_over_an_interval(data: Any) -> None:
    """Rows come in any order within what the watermark allows, and go again, before they are forgotten."""
    kind = data.draw(st.sampled_from([Kind.INNER, Kind.LEFT, Kind.RIGHT, Kind.FULL, Kind.SEMI, Kind.ANTI]))
    appends = data.draw(st.booleans())
    node = replace(interval_node(kind), left_appends=appends, right_appends=appends)
    inputs = node.left.fields, node.right.fields
    size = data.draw(st.sampled_from([1, 65_536]))
    harness = EventHarness(operator_of(node), *inputs, rebuild=data.draw(st.booleans()), batch_rows=size)
    sides: tuple[Counter[Any], Counter[Any]] = (Counter(), Counter())
    keys = st.none() | st.integers(0, 1)
    for second in range(0, 12, 3):
        rows = st.tuples(keys, st.integers(0, 1), st.integers(0, 3).map(lambda at, now=second: (now + at) * SECOND))
        for port in data.draw(st.permutations([0, 1])):
            for batch in data.draw(cuts(data.draw(changes(rows, appends=appends)))):
                harness.rows([row for row, _ in batch], port, None if appends else [weight for _, weight in batch])
                for row, weight in batch:
                    sides[port][row] += weight
        harness.watermark(second * SECOND)
        got: Counter[Any] = Counter()
        for *row, weight in harness.emitted:
            got[tuple(micros(value) for value in row)] += weight
        assert Counter({row: n for row, n in got.items() if n}) == in_interval(kind, +sides[0], +sides[1])
    assert harness.context.counted["late_rows"] == 0
    harness.close()


def in_interval(kind: HashJoinKind, left: Counter[Any], right: Counter[Any]) -> Counter[Any]:
    pairs = [
        (a, b)
        for a, b in product(left, right)
        if a[0] == b[0] and a[0] is not None and -2 * SECOND <= b[2] - a[2] <= SECOND
    ]
    of_left, of_right = {a for a, _ in pairs}, {b for _, b in pairs}
    out: Counter[Any] = Counter()
    if kind in LEFT_ONLY:
        return Counter({a: n for a, n in left.items() if (a in of_left) == (kind is Kind.SEMI)})
    for a, b in pairs:
        out[(*a, *b)] += left[a] * right[b]
    if kind in {Kind.LEFT, Kind.FULL}:
        out += Counter({(*a, None, None, None): n for a, n in left.items() if a not in of_left})
    if kind in {Kind.RIGHT, Kind.FULL}:
        out += Counter({(None, None, None, *b): n for b, n in right.items() if b not in of_right})
    return out


def micros(value: Any) -> Any:
    return (value - datetime(1970, 1, 1)) // timedelta(microseconds=1) if isinstance(value, datetime) else value


def test_more_rows_than_there_is_memory_for_end_in_an_error() -> None:
    node = node_of(Kind.INNER, left_appends=True, right_appends=True)
    rows = 200_000
    columns = [
        pa.array(np.arange(rows), pa.int32()),
        pa.array(["a text of some length"] * rows),
        pa.array(np.arange(rows)),
    ]
    batch = Batch([Column(f.type, array) for f, array in zip(LEFT, columns, strict=True)], rows)
    plan = Plan()
    left = plan.stage(source=Batches([batch.slice(i, 10_000) for i in range(0, rows, 10_000)]))
    right = plan.stage(source=Batches([batch.slice(0, 1)]))
    join = plan.stage(operator_of(node))
    plan.edge(left, join)
    plan.edge(right, join, port=1)
    with pytest.raises(MemoryLimitError, match="left rows"):
        collect(plan, join, memory="12 mb")
