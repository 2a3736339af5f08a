"""The clock of processing time: it follows the clock on the wall wherever that jumps to, and never turns back."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from tableflow.runtime.scheduler import Clock, WorkerPool

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class _Hands:
    """A clock on the wall and one that stands while the machine sleeps, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000 * SECOND, 5 * SECOND
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def pass_time(self, nanoseconds: int, shown: int | None = None) -> int:
        """Microseconds by which time has gone on when so much has passed, of which the wall shows something else."""
        before = self.clock.now()
        self.steady += nanoseconds
        self.wall += nanoseconds if shown is None else shown
        return self.clock.now() - before


def test_time_passes_as_it_does():
    hands = _Hands()
    assert hands.clock.now() == hands.wall // 1000
    assert [hands.pass_time(7_000_000) for _ in range(3)] == [7000] * 3


def test_a_machine_that_has_slept_wakes_up_late():
    hands = _Hands()
    hands.pass_time(SECOND, HOUR)
    assert hands.clock.now() == hands.wall // 1000
    assert hands.pass_time(SECOND) == 1_000_000


def test_a_clock_that_is_put_back_is_waited_for_without_standing_still():
    hands = _Hands()
    assert hands.pass_time(SECOND, -60 * SECOND) == 900_000
    for _ in range(700):
        assert 900_000 <= hands.pass_time(SECOND) <= 1_000_000
    assert 0 <= hands.clock.now() - hands.wall // 1000 <= 1000
    assert hands.pass_time(SECOND) >= 999_000


@given(st.lists(st.tuples(st.integers(0, HOUR), st.integers(-HOUR, HOUR)), max_size=20))
def test_time_never_turns_back_nor_stays_behind(moves):
    hands = _Hands()
    for passed, shown in moves:
        assert hands.pass_time(passed, shown) >= passed * 9 // 10 // 1000 - 1
        assert hands.clock.now() >= hands.wall // 1000


def test_timers_come_when_the_clock_is_put_forward():
    ahead = [0]
    pool = WorkerPool(2, Clock(lambda: time.time_ns() + ahead[0]))
    called = threading.Event()
    try:
        pool.call_at(pool.now() + HOUR // 1000, called.set)
        assert not called.wait(0.05)
        ahead[0] = HOUR
        assert called.wait(20)
    finally:
        pool.close()


def test_timers_come_although_the_clock_is_put_back():
    behind = [0]
    pool = WorkerPool(2, Clock(lambda: time.time_ns() - behind[0]))
    called = threading.Event()
    try:
        pool.call_at(pool.now() + 100_000, called.set)
        behind[0] = HOUR
        assert called.wait(20)
    finally:
        pool.close()
