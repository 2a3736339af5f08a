"""The gate: time does not pass rows of a channel that was idle and has spoken since."""

from __future__ import annotations

import pytest

from tableflow.runtime.channel import Channel
from tableflow.runtime.events import Epoch, Idle, Watermark
from tableflow.runtime.gate import Gate
from tableflow.runtime.memory import MemoryPool
from tests.runtime.simple import batch


@pytest.mark.parametrize(
    "spoken",
    [[batch(1)], [Watermark(5)], [Watermark(5), batch(1)], [Epoch(1), Watermark(5), batch(1)]],
    ids=["rows", "time", "both", "behind an epoch"],
)
@pytest.mark.parametrize("known", [True, False], ids=["idleness was seen", "idleness is queued"])
def test_rows_that_wait_are_not_overtaken_by_time(spoken, known):
    quiet, other = channels = [Channel(8, MemoryPool(1 << 20)) for _ in range(2)]
    gate = Gate(channels, [0, 0])
    quiet.put(Watermark(5))
    other.put(Watermark(5))
    assert [gate.next(None), gate.next(None)] == [Watermark(5), None]
    quiet.put(Idle())
    if known:
        assert gate.next(None) is None
    for event in spoken:
        quiet.put(event)
    gate._turn = 1  # the other channel is asked first
    other.put(Watermark(20))
    taken = []
    while (event := gate.next(None)) is not None:
        taken.append(event)
    assert Watermark(20) not in taken
    other.put(Epoch(1))
    other.put(Watermark(30))
    quiet.put(Epoch(1) if spoken[0] != Epoch(1) else Watermark(20))
    quiet.put(Watermark(20))
    while (event := gate.next(None)) is not None:
        taken.append(event)
    assert taken[-1] == Watermark(20)
    assert gate.alignment.watermark == 20


def test_time_goes_on_without_a_channel_that_stays_idle():
    quiet, other = channels = [Channel(8, MemoryPool(1 << 20)) for _ in range(2)]
    gate = Gate(channels, [0, 0])
    quiet.put(Idle())
    other.put(Watermark(20))
    assert [gate.next(None), gate.next(None)] == [Watermark(20), None]
