"""What people see of changes: epoch by epoch with their kinds, or what is left in the end; both sum up to what has come in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.physical.changelog_result import ChangelogResult, SettledResult
from tableflow.physical.node import Input
from tableflow.types import INT, STRING, Field
from tests.physical.changelogs import changes, cuts, operator_of
from tests.physical.event_harness import EventHarness, Row

K, V, W, OP = Field(1, "k", INT), Field(2, "v", INT), Field(3, "w", STRING), Field(9, "op", STRING)
FIELDS = (K, V, W)
ROW = st.tuples(st.none() | st.integers(0, 1), st.none() | st.integers(0, 2), st.sampled_from(["a", "b"]))


def _net(rows: list[tuple[Any, int]]) -> Counter[Row]:
    total: Counter[Row] = Counter()
    for row, weight in rows:
        total[row] += weight
    return Counter({row: count for row, count in total.items() if count})


@pytest.mark.slow
@given(st.data())
def test_an_epoch_says_what_it_did(data: Any) -> None:
    """To the columns that are shown; a row's old and new form under one key stand together, the old one first."""
    batches = data.draw(changes(ROW).flatmap(cuts))
    key = data.draw(st.sampled_from([None, (K.id,)]))
    node = ChangelogResult(fields=(OP, K, V), input=Input(fields=FIELDS), key=key)
    rebuild, size = data.draw(st.booleans()), data.draw(st.sampled_from([1, 3, 65_536]))
    harness = EventHarness(operator_of(node), FIELDS, rebuild=rebuild, batch_rows=size)
    epoch: list[tuple[Any, int]] = []
    for number, batch in enumerate([*batches, None]):
        if batch is not None:
            harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
            epoch += [(row[:2], weight) for row, weight in batch]
            assert harness.take() == []
            if number % 2:
                continue
            harness.epoch()
        else:
            harness.end()
        said = [row[:-1] for row in harness.take()]
        assert _net([(row[1:], 1 if row[0][0] == "+" else -1) for row in said]) == _net(epoch)
        assert len({(row[1:], row[0][0]) for row in said}) == len(_net(epoch))  # nothing comes and goes
        if key is None:
            assert {row[0] for row in said} <= {"+I", "-D"}
        for group in {row[1] for row in said} if key is not None else ():
            kinds = [row[0] for row in said if row[1] == group]
            at = [i for i, row in enumerate(said) if row[1] == group]
            assert at == list(range(at[0], at[0] + len(at)))
            replaced = any(kind[0] == "-" for kind in kinds) and any(kind[0] == "+" for kind in kinds)
            assert set(kinds) <= ({"-U", "+U"} if replaced else {"+I", "-D"})
            assert kinds == sorted(kinds, key=lambda kind: kind[0] == "+")
        epoch = []


@pytest.mark.slow
@given(st.data())
def test_what_is_left_comes_in_the_end(data: Any) -> None:
    batches = data.draw(changes(ROW).flatmap(cuts))
    node = SettledResult(fields=FIELDS, input=Input(fields=FIELDS))
    rebuild, size = data.draw(st.booleans()), data.draw(st.sampled_from([1, 65_536]))
    harness = EventHarness(operator_of(node), FIELDS, rebuild=rebuild, batch_rows=size)
    for batch in batches:
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        harness.epoch()
    assert harness.emitted == []
    harness.end()
    assert harness.changes() == _net([change for batch in batches for change in batch])
    assert all(row[-1] == 1 for row in harness.emitted)
