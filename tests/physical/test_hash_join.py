"""Hash and nested-loop joins of every kind equal two loops in Python, under every distribution and parallelism."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import DataError, Span
from tableflow.expressions.nodes import Call, ColumnRef
from tableflow.physical.hash_build import HashBuild, HashBuildOperator
from tableflow.physical.hash_join import (
    BUILD_MARKING,
    HashJoin,
    HashJoinKind,
    HashJoinOperator,
    JoinDistribution,
)
from tableflow.physical.join_marks import marks_publication
from tableflow.physical.materialize import PublishRows, PublishRowsOperator
from tableflow.physical.nested_loop_join import NestedLoopJoin, NestedLoopJoinOperator
from tableflow.physical.node import Input
from tableflow.runtime.graph import ExchangeKind
from tableflow.types import BIGINT, BOOLEAN, STRING, Field
from tests.kernels.columns import rows_of
from tests.physical.jobs import collect
from tests.runtime.simple import Batches, Plan

# Column ids: left 10 (a BIGINT), 11 (s STRING), 12 (v BIGINT); right 20, 21, 22 the same; 30 the mark.
TYPES = (BIGINT, STRING, BIGINT)
LEFT = tuple(Field(10 + i, f"l{i}", of) for i, of in enumerate(TYPES))
RIGHT = tuple(Field(20 + i, f"r{i}", of) for i, of in enumerate(TYPES))
MARK = Field(30, "mark", BOOLEAN)
K = HashJoinKind
D = JoinDistribution


def ref(field: Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)


LESS = Call(BOOLEAN, "lt", (ref(LEFT[2]), ref(RIGHT[2])))

ROW = st.tuples(
    st.sampled_from([None, 0, 1, 2, 2**40]), st.sampled_from([None, "", "x", "y"]), st.sampled_from([None, 1, 2, 3])
)


@st.composite
def batches_of(draw, rows):
    """The rows in batches with selections, and the strings as text or dictionaries."""
    made, start = [], 0
    while start < len(rows) or not made:
        part = rows[start : start + draw(st.integers(1, 5))]
        start += max(1, len(part))
        stored, selection = [], []
        for row in part:
            if draw(st.booleans()):
                stored.append((7, "unselected", 7))
            selection.append(len(stored))
            stored.append(row)
        texts = pa.array([row[1] for row in stored], pa.string())
        if draw(st.booleans()):
            texts = texts.dictionary_encode()
        first = [row[0] for row in stored]
        narrow = draw(st.booleans()) and all(v is None or v < 2**15 for v in first)
        columns = [
            Column(BIGINT, pa.array(first, pa.int16() if narrow else pa.int64())),
            Column(STRING, texts),
            Column(BIGINT, pa.array([row[2] for row in stored], pa.int64())),
        ]
        whole = len(selection) == len(stored)
        made.append(Batch(columns, len(stored), None if whole else np.array(selection, np.uint32)))
    return made


def equal(left, right, safe):
    if left is None or right is None:
        return (left is right) if safe else None
    return left == right


def conjunction(values):
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def truth(node, left, right):
    """The three-valued value of the join's condition."""
    parts = []
    if isinstance(node, HashJoin):
        for a, b, safe in zip(node.left_keys, node.right_keys, node.null_safe, strict=True):
            parts.append(equal(left[a.id - 10], right[b.id - 20], safe))
        residual = node.residual
    else:
        residual = node.conjuncts
    for _ in residual:
        parts.append(None if left[2] is None or right[2] is None else left[2] < right[2])
    return conjunction(parts)


def reference(node, lefts, rights):
    kind, nulls = node.kind, (None, None, None)
    result = []
    partners = Counter()
    for left in lefts:
        truths = [truth(node, left, right) for right in rights]
        found = [i for i, value in enumerate(truths) if value is True]
        partners.update(found)
        match kind:
            case K.INNER | K.RIGHT:
                result += [(*left, *rights[i]) for i in found]
            case K.LEFT | K.FULL | K.SINGLE:
                if kind is K.SINGLE and len(found) > 1:
                    return None
                result += [(*left, *rights[i]) for i in found] or [(*left, *nulls)]
            case K.SEMI:
                result += [left] * bool(found)
            case K.ANTI:
                kept = all(value is False for value in truths) if node.null_aware else not found
                result += [left] * kept
            case K.MARK:
                mark = True if found else None if any(value is None for value in truths) else False
                result.append((*left, mark))
    if kind in {K.RIGHT, K.FULL}:
        result += [(*nulls, *right) for i, right in enumerate(rights) if not partners[i]]
    if kind is K.BUILD_SEMI:
        result += [right for i, right in enumerate(rights) if partners[i]]
    if kind is K.BUILD_ANTI:
        result += [right for i, right in enumerate(rights) if not partners[i]]
    return Counter(result)


def output_fields(kind):
    if kind in {K.SEMI, K.ANTI}:
        return LEFT
    if kind is K.MARK:
        return (*LEFT, MARK)
    return RIGHT if kind in {K.BUILD_SEMI, K.BUILD_ANTI} else (*LEFT, *RIGHT)


def splits(batches, parallelism):
    return Batches(*[batches[i::parallelism] for i in range(parallelism)])


def run_published(node, lefts, rights, parallelism, **texts):
    plan = Plan()
    build = HashBuild(
        input=Input(fields=RIGHT), fields=node.right.fields, keys=node.right_keys, null_safe=node.null_safe,
        publication="join", null_aware=node.null_aware or node.kind is K.MARK,
    )  # fmt: skip
    plan.stage(
        lambda: HashBuildOperator(build),
        source=splits(rights, parallelism),
        parallelism=parallelism,
        publishes=["join"],
    )
    return probed(plan, node, HashJoinOperator, lefts, parallelism, **texts)


def probed(plan, node, operator, lefts, parallelism, **texts):
    marks = [marks_publication("join")] if node.kind in BUILD_MARKING else []
    probe = plan.stage(
        lambda: operator(node),
        source=splits(lefts, parallelism),
        parallelism=parallelism,
        reads=["join"],
        publishes=marks,
    )
    return gathered(plan, probe, node, **texts)


def gathered(plan, stage, node, **texts):
    result = plan.stage(Pass)
    plan.edge(stage, result, ExchangeKind.GATHER)
    rows = Counter()
    for batch in collect(plan, result, **texts):
        assert len(batch.columns) == len(node.fields)
        rows.update(row[:-1] for row in rows_of(batch))  # without the weight
    return rows


def Pass():
    from tests.runtime.simple import Through

    return Through()


def run_own(node, lefts, rights, parallelism, **texts):
    plan = Plan()
    left = plan.stage(Pass, source=splits(lefts, 2), parallelism=2)
    right = plan.stage(Pass, source=splits(rights, 2), parallelism=2)
    join = plan.stage(lambda: HashJoinOperator(node), parallelism=parallelism)
    if node.distribution is D.BROADCAST:
        plan.edge(left, join, ExchangeKind.REBALANCE, 0)
        plan.edge(right, join, ExchangeKind.BROADCAST, 1)
    else:
        plan.edge(left, join, ExchangeKind.HASH, 0, keys=tuple(key.id - 10 for key in node.left_keys))
        plan.edge(right, join, ExchangeKind.HASH, 1, keys=tuple(key.id - 20 for key in node.right_keys))
    return gathered(plan, join, node, **texts)


def hash_join(kind, keys, null_safe, residual, *, distribution=D.PUBLISHED, null_aware=False):
    return HashJoin(
        fields=output_fields(kind), left=Input(fields=LEFT), right=Input(fields=RIGHT), kind=kind, distribution=distribution,
        left_keys=tuple(ref(LEFT[i]) for i in keys), right_keys=tuple(ref(RIGHT[i]) for i in keys), null_safe=null_safe,
        residual=(LESS,) if residual else (), null_aware=null_aware, mark=30 if kind is K.MARK else None,
        publication="join", span=Span(3, 9),
    )  # fmt: skip


CONDITIONS = [  # key columns, null-safe, residual
    ((0,), (False,), False),
    ((0,), (False,), True),
    ((0,), (True,), False),
    ((1,), (False,), False),
    ((1,), (False,), True),
    ((0, 1), (False, False), False),
    ((1, 0), (True, False), False),
    ((0, 1), (True, True), True),
]


def check(node, run, data, **texts):
    lefts = data.draw(st.lists(ROW, max_size=12))
    rights = data.draw(st.lists(ROW, max_size=12))
    expected = reference(node, lefts, rights)
    left_batches, right_batches = data.draw(batches_of(lefts)), data.draw(batches_of(rights))
    texts = {"seed": data.draw(st.integers(0, 100)), "batch_rows": data.draw(st.sampled_from([1, 3, 4096])), **texts}
    parallelism = data.draw(st.sampled_from([1, 2, 3]))
    if expected is None:
        with pytest.raises(DataError, match="more than one row") as caught:
            run(node, left_batches, right_batches, parallelism, **texts)
        assert caught.value.span == Span(3, 9)
    else:
        assert run(node, left_batches, right_batches, parallelism, **texts) == expected


@pytest.mark.parametrize(("keys", "null_safe", "residual"), CONDITIONS)
@pytest.mark.parametrize("kind", [kind for kind in K if kind is not K.MARK])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_published_hash_join(kind, keys, null_safe, residual, data):
    check(hash_join(kind, keys, null_safe, residual), run_published, data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "null_safe", "residual"),
    [((0,), (False,), False), ((1,), (False,), False), ((1, 0), (True, False), False), ((0, 1), (False, True), False),
     ((1,), (True,), True), ((1, 0), (True, True), False)],
)  # fmt: skip
@pytest.mark.parametrize("kind", [K.MARK, K.ANTI])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_three_valued_hash_join(kind, keys, null_safe, residual, data):
    check(hash_join(kind, keys, null_safe, residual, null_aware=kind is K.ANTI), run_published, data)


@pytest.mark.parametrize("kind", [kind for kind in K if kind is not K.MARK])
@pytest.mark.parametrize("distribution", [D.BROADCAST, D.PARTITIONED])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_own_hash_table(kind, distribution, data):
    if distribution is D.BROADCAST and kind in BUILD_MARKING:
        return
    keys, null_safe, residual = data.draw(st.sampled_from(CONDITIONS))
    check(hash_join(kind, keys, null_safe, residual, distribution=distribution), run_own, data)


def run_nested(node, lefts, rights, parallelism, **texts):
    plan = Plan()
    publish = PublishRows(input=Input(fields=RIGHT), fields=RIGHT, publication="join")
    plan.stage(
        lambda: PublishRowsOperator(publish),
        source=splits(rights, parallelism),
        parallelism=parallelism,
        publishes=["join"],
    )
    return probed(plan, node, NestedLoopJoinOperator, lefts, parallelism, **texts)


@pytest.mark.parametrize("conjuncts", [(), (LESS,)], ids=["cross", "less"])
@pytest.mark.parametrize("kind", [kind for kind in K if not kind.value.startswith("build")])
@pytest.mark.parametrize("null_aware", [False, True])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_nested_loop_join(kind, conjuncts, null_aware, data):
    if null_aware and kind is not K.ANTI:
        return
    node = NestedLoopJoin(
        fields=output_fields(kind), left=Input(fields=LEFT), right=Input(fields=RIGHT), kind=kind, conjuncts=conjuncts,
        null_aware=null_aware, mark=30 if kind is K.MARK else None, publication="join", span=Span(3, 9),
    )  # fmt: skip
    check(node, run_nested, data)


def batch(*rows):
    columns = zip(*rows, strict=True)
    kinds = (pa.int64(), pa.string(), pa.int64())
    return Batch(
        [Column(of, pa.array(values, kind)) for of, values, kind in zip(TYPES, columns, kinds, strict=True)], len(rows)
    )


def test_columns_that_nobody_reads_are_left_out():
    node = replace(hash_join(K.INNER, (0,), (False,), True), fields=(LEFT[1], RIGHT[0]))
    node = replace(node, right=Input(fields=(RIGHT[0], RIGHT[2])))
    plan = Plan()
    build = HashBuild(
        input=Input(fields=RIGHT),
        fields=node.right.fields,
        keys=node.right_keys,
        null_safe=(False,),
        publication="join",
    )
    plan.stage(
        lambda: HashBuildOperator(build), source=splits([batch((1, "a", 5), (1, "b", 0))], 1), publishes=["join"]
    )
    assert probed(plan, node, HashJoinOperator, [batch((1, "l", 3), (2, "m", 3))], 1) == Counter({("l", 1): 1})


def test_keys_may_be_computed():
    plus = Call(BIGINT, "add", (ref(LEFT[0]), ref(LEFT[2])))
    node = replace(hash_join(K.INNER, (0,), (False,), False), left_keys=(plus,))
    picked = batch((9, "no", 9), (1, "l", 3), (2, "m", 3)).with_selection(np.array([1, 2], np.uint32))
    assert run_published(node, [picked], [batch((4, "a", 5), (12, "b", 0))], 1) == Counter({(1, "l", 3, 4, "a", 5): 1})


def test_an_error_of_the_residual_counts_only_for_pairs():
    division = Call(BIGINT, "divide", (ref(LEFT[2]), ref(RIGHT[2])))
    node = replace(hash_join(K.SEMI, (0,), (False,), False), residual=(Call(BOOLEAN, "lt", (division, ref(LEFT[2]))),))
    lefts = [batch((1, "l", 4), (2, "m", 4))]
    assert run_published(node, lefts, [batch((1, "a", 2), (3, "b", 0))], 1) == Counter({(1, "l", 4): 1})
    with pytest.raises(DataError, match="division by zero"):
        run_published(node, lefts, [batch((2, "a", 0))], 1)


def test_a_skewed_key_comes_in_pieces():
    many = Batch([Column(BIGINT, pa.array(np.ones(5000, np.int64))), Column(STRING, pa.array(["s"] * 5000)),
                  Column(BIGINT, pa.array(np.arange(5000)))], 5000)  # fmt: skip
    plan = Plan()
    node = hash_join(K.INNER, (0,), (False,), False)
    build = HashBuild(
        input=Input(fields=RIGHT), fields=RIGHT, keys=node.right_keys, null_safe=(False,), publication="join"
    )
    plan.stage(lambda: HashBuildOperator(build), source=splits([many], 1), publishes=["join"])
    probe = plan.stage(
        lambda: HashJoinOperator(node), source=splits([batch((1, "a", 1), (1, "b", 2))], 1), reads=["join"]
    )
    made = collect(plan, probe, batch_rows=700)
    assert sum(b.rows for b in made) == 10_000
    assert max(b.rows for b in made) == 700
