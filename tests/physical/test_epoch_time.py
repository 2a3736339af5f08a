"""The time of an epoch as a column: one for all rows between two epochs, which never turns back."""

from __future__ import annotations

import pytest

from tableflow.physical.build import build_operator
from tableflow.physical.epoch_time import EpochTime
from tableflow.physical.node import Input
from tableflow.runtime.epochs import Epochs
from tableflow.runtime.events import Epoch
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.serialization import dumps, loads
from tableflow.types import INT, TIMESTAMP_LTZ, Field
from tests.physical.event_harness import EventHarness

KEY, NOW = Field(1, "k", INT), Field(2, "now", TIMESTAMP_LTZ)


@pytest.mark.parametrize("rebuild", [False, True])
def test_rows_have_the_time_of_their_epoch(rebuild: bool) -> None:
    node = EpochTime(fields=(KEY, NOW), input=Input(fields=(KEY,)), time=NOW)
    read = loads(dumps(node))
    assert read == node
    harness = EventHarness(lambda: build_operator(OperatorSpec("", read, "")), (KEY,), rebuild=rebuild)
    harness.rows([(1,)])
    harness.epoch(time=70)
    harness.rows([(2,), (3,)])
    harness.rows([(4,)])
    harness.epoch()
    harness.rows([(5,)])
    harness.epoch(time=90)
    harness.rows([(6,)])
    harness.end()
    times = [batch.columns[1].array.cast("int64").to_pylist() for batch in harness.batches]
    assert times == [[0], [70, 70], [70], [70], [90]]


def test_an_epoch_knows_when_it_was_made() -> None:
    sent: list[Epoch] = []
    clock = SimulatedScheduler(0)
    epochs = Epochs(None, clock, [(0, 0)], sent.append, lambda number: None)
    began = clock.now()
    epochs.ask()
    clock.call_at(began + 500, lambda: epochs.arrived(1, (0, 0)))
    clock.advance()
    epochs.ask()
    assert [(each.number, each.time - began) for each in sent] == [(1, 0), (2, 500)]
