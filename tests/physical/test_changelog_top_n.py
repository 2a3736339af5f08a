"""First rows of partitions and functions with OVER: the sum of changes is the answer over the sum of what came in."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import InternalError
from tableflow.expressions.nodes import RUNNING, ColumnRef, Literal, WindowCall
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.node import Input
from tableflow.physical.properties import OrderingKey
from tableflow.types import BIGINT, INT, STRING, ArrayType, DecimalType, Field
from tests.physical.changelogs import changes, check_changes, cuts, operator_of
from tests.physical.event_harness import EventHarness

K, V, S, X = Field(1, "k", INT), Field(2, "v", BIGINT), Field(3, "s", STRING), Field(4, "x", ArrayType(INT))
FIELDS = (K, V, S, X)
RANK = Field(9, "rank", BIGINT)
ROW = st.tuples(
    st.none() | st.integers(0, 1),
    st.none() | st.integers(0, 2),
    st.sampled_from(["a", "b"]),
    st.none() | st.sampled_from([(), (1,)]),
)
CALLS = {
    "row_number": WindowCall(BIGINT, "row_number"),
    "rank": WindowCall(BIGINT, "rank"),
    "sum": WindowCall(DecimalType(38, 0), "sum", (ColumnRef(BIGINT, V.id, "v"),), RUNNING),
    "count": WindowCall(BIGINT, "count"),
    "lag": WindowCall(BIGINT, "lag", (ColumnRef(BIGINT, V.id, "v"), Literal(BIGINT, 1), Literal(BIGINT, -1))),
}


def place(value: Any, descending: bool = False) -> Any:
    """Sorts as SQL does: NULL last."""
    if isinstance(value, tuple):
        return (False, tuple(place(item) for item in value))
    return (value is None, 0 if value is None else -value if descending else value)


def partitions(total: Counter[Any], by: bool, descending: bool) -> list[list[Any]]:
    """The rows of each partition in order; ties by what remains, as the columns come."""
    rows = sorted(
        total.elements(),
        key=lambda r: (
            place(r[0]) if by else 0,
            place(r[1], descending),
            *([] if by else [place(r[0])]),
            r[2],
            place(r[3]),
        ),
    )
    return [list(group) for _, group in groupby(rows, key=lambda r: r[0] if by else 0)]


@pytest.mark.slow
@settings(max_examples=100)
@given(st.data())
def test_first_rows(data: Any) -> None:
    by, descending, ranked, appends = (data.draw(st.booleans()) for _ in range(4))
    limit, offset = data.draw(st.sampled_from([None, 0, 1, 2, 3])), data.draw(st.sampled_from([0, 0, 1, 2]))
    fields = (K, V, S)
    node = ChangelogTopN(
        fields=(*fields, RANK) if ranked else fields,
        input=Input(fields=fields),
        partition=(K.id,) if by else (),
        order=(OrderingKey(V.id, descending),),
        limit=limit,
        offset=offset,
        rank=RANK if ranked else None,
        appends=appends,
    )

    def expected(total: Counter[Any]) -> Counter[Any]:
        out: Counter[Any] = Counter()
        for rows in partitions(Counter({(*row, None): n for row, n in total.items()}), by, descending):
            for number, row in enumerate(rows):
                if number >= offset and (limit is None or number < offset + limit):
                    out[(*row[:3], number + 1) if ranked else row[:3]] += 1
        return out

    row = ROW.map(lambda r: r[:3])
    batches = data.draw(cuts(data.draw(changes(row, appends=appends))))
    rebuild, size = data.draw(st.booleans()), data.draw(st.sampled_from([1, 65_536]))
    harness = check_changes(node, batches, expected, rebuild=rebuild, batch_rows=size, weighted=not appends)
    harness.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_over(data: Any) -> None:
    by = data.draw(st.booleans())
    names = data.draw(st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=3, unique=True))
    results = tuple(Field(20 + i, name, CALLS[name].type) for i, name in enumerate(names))
    node = ChangelogOver(
        fields=(K, V, S, *results),
        input=Input(fields=(K, V, S)),
        partition=(K.id,) if by else (),
        order=(OrderingKey(V.id),),
        results=results,
        calls=tuple(CALLS[name] for name in names),
    )

    def value(name: str, rows: list[Any], number: int) -> Any:
        peers = [i for i, row in enumerate(rows) if row[1] == rows[number][1]]
        match name:
            case "row_number":
                return number + 1
            case "rank":
                return peers[0] + 1
            case "count":
                return len(rows)
            case "lag":
                return rows[number - 1][1] if number else -1
        values = [row[1] for row in rows[: peers[-1] + 1] if row[1] is not None]
        return sum(values) if values else None

    def expected(total: Counter[Any]) -> Counter[Any]:
        out: Counter[Any] = Counter()
        for rows in partitions(Counter({(*row, None): n for row, n in total.items()}), by, descending=False):
            for number, row in enumerate(rows):
                out[(*row[:3], *(value(name, rows, number) for name in names))] += 1
        return out

    batches = data.draw(cuts(data.draw(changes(ROW.map(lambda r: r[:3])))))
    check_changes(
        node, batches, expected, rebuild=data.draw(st.booleans()), batch_rows=data.draw(st.sampled_from([1, 65_536]))
    )


def test_nested_columns_break_ties_and_partition() -> None:
    node = ChangelogTopN(
        fields=FIELDS, input=Input(fields=FIELDS), partition=(X.id,), order=(OrderingKey(V.id),), limit=1
    )
    harness = EventHarness(operator_of(node), FIELDS)
    harness.rows([(1, 5, "a", [1]), (1, 3, "a", [1]), (2, 9, "b", None), (3, 4, "c", [])])
    kept = sorted((row[0], row[1]) for row in harness.emitted)
    assert kept == [(1, 3), (2, 9), (3, 4)]
    assert [row[3] for row in sorted(harness.emitted, key=lambda row: row[0])] == [[1], None, []]


def test_rows_behind_the_last_place_are_forgotten_where_nothing_goes() -> None:
    node = ChangelogTopN(
        fields=(K, V), input=Input(fields=(K, V)), partition=(K.id,), order=(OrderingKey(V.id),), limit=2, appends=True
    )
    harness = EventHarness(operator_of(node), (K, V))
    rng = np.random.default_rng(3)
    for _ in range(10):
        keys, values = rng.integers(0, 100, 5000).astype(np.int32), rng.permutation(5000)
        harness.batch(Batch([Column(INT, pa.array(keys)), Column(BIGINT, pa.array(values))], 5000))
    assert sum(harness.changes().values()) == 200
    assert harness.operator._state.rows == 200
    with pytest.raises(InternalError):
        harness.rows([(1, 1)], 0, [1])
