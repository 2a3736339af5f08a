"""An upsert stream becomes the changes of the rows that it puts and deletes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.physical.node import Input
from tableflow.physical.normalize import Normalize
from tableflow.types import BIGINT, INT, STRING, ArrayType, Field
from tests.physical.changelogs import cuts, operator_of
from tests.physical.event_harness import EventHarness

K, L, V, X = Field(1, "k", INT), Field(2, "l", STRING), Field(3, "v", BIGINT), Field(4, "x", ArrayType(INT))
CHANGES = st.lists(
    st.tuples(
        st.tuples(st.none() | st.integers(0, 2), st.sampled_from(["a", "b"]), st.none() | st.integers(0, 1)),
        st.sampled_from([1, 1, -1]),
    ),
    max_size=20,
)


@pytest.mark.slow
@given(st.data())
def test_puts_and_deletes(data: Any) -> None:
    node = Normalize(fields=(K, L, V), input=Input(fields=(K, L, V)), key=(K.id, L.id))
    harness = EventHarness(
        operator_of(node),
        (K, L, V),
        rebuild=data.draw(st.booleans()),
        batch_rows=data.draw(st.sampled_from([1, 65_536])),
    )
    rows: dict[Any, Any] = {}
    for batch in data.draw(cuts(data.draw(CHANGES))):
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        for row, weight in batch:
            if weight > 0:
                rows[row[:2]] = row
            else:
                rows.pop(row[:2], None)
        assert harness.changes() == Counter(rows.values())
    harness.close()


def test_an_update_without_effect_is_not_emitted() -> None:
    node = Normalize(fields=(K, V, X), input=Input(fields=(K, V, X)), key=(K.id,))
    harness = EventHarness(operator_of(node), (K, V, X))
    harness.rows([(1, 5, [1]), (2, 6, None)])
    harness.take()
    harness.rows([(1, 0, []), (1, 5, [1])], 0, [-1, 1])
    assert harness.take() == []
    harness.rows([(1, None, None)], 0, [-1])
    assert harness.take() == [(1, 5, [1], -1)]
