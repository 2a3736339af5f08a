"""An engine's turn waits for the other, and not for ever."""

from __future__ import annotations

import os
import time

from benchmarks.nexmark import bench as measuring
from benchmarks.nexmark import quiet
from benchmarks.nexmark.flink_peer import Flink, Measured


class _Simulated:
    """A time that passes while somebody sleeps, and processes that work until a moment of it."""

    def __init__(self, works_until: dict[int, float]) -> None:
        self.now, self._works_until = 0.0, works_until

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def perf_counter(self) -> float:
        return self.now

    def processor_seconds(self, process: int) -> float:
        return min(self.now, self._works_until[process])


def _waited(monkeypatch, works_until: dict[int, float]) -> tuple[bool, float]:
    simulated = _Simulated(works_until)
    monkeypatch.setattr(quiet, "time", simulated)
    monkeypatch.setattr(quiet, "processor_seconds", simulated.processor_seconds)
    return quiet.wait_until_quiet(list(works_until)), simulated.now


def test_the_last_of_the_processes_is_waited_for(monkeypatch):
    assert _waited(monkeypatch, {1: 0.0, 2: 0.0}) == (True, 0.2)
    found, seconds = _waited(monkeypatch, {1: 0.0, 2: 1.5})
    assert found
    assert 1.5 <= seconds < 2.0


def test_what_never_stops_is_waited_for_only_so_long(monkeypatch):
    found, seconds = _waited(monkeypatch, {1: 0.1, 2: 1e9})
    assert not found
    assert 8.0 <= seconds < 8.5


def test_a_process_has_the_time_of_all_its_threads():
    before = time.process_time()
    assert before <= quiet.processor_seconds(os.getpid()) <= time.process_time()
    assert quiet.processor_seconds(2**22 + 1) == 0.0  # there is never such a process


def test_engines_take_turns_when_all_is_quiet(monkeypatch):
    turns = []

    class Peer(Flink):
        def __init__(self) -> None:
            pass

        def run(self, sql: str, *, trim: bool = False) -> Measured:
            turns.append("warm" if trim else "flink")
            return Measured(60.0, 1.0, 1.0, 1.0)

        def wait_until_quiet(self) -> bool:
            turns.append("quiet")
            return True

    class Ours:
        def execute(self, sql: str) -> Ours:
            return self

        def close(self) -> None:
            pass

    def ours(connection: object, number: int) -> measuring.Run:
        turns.append("ours")
        return measuring.Run(1.0, 1.0, 1, None)

    monkeypatch.setattr(measuring, "_stream", ours)
    monkeypatch.setattr(measuring, "_declare_sink", lambda connection, number: None)
    measuring._figures(0, 100, 2, 2, Ours(), Peer(), None)
    assert turns == ["ours", "warm", *["quiet", "flink", "quiet", "ours"] * 2]
