"""Which splits of a group wait for the slowest one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tableflow.runtime.drift import DriftGroup, SplitDrift
from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.split_time import SplitTime


class Woken:
    """Counts how often its task was woken."""

    def __init__(self) -> None:
        self.count = 0

    def wake(self) -> None:
        self.count += 1


def split_time(group: DriftGroup, name: str, most: int = 10) -> tuple[SplitTime, Woken]:
    woken = Woken()
    return SplitTime(None, 0, SplitDrift(group, most, name, woken)), woken


def test_who_is_ahead_waits_until_the_slowest_has_come_near():
    group = DriftGroup()
    (fast, woken), (slow, _) = split_time(group, "fast"), split_time(group, "slow")
    fast.opened("a")
    fast.advanced("a", 5)
    assert fast.held("a")  # the other one has not begun
    slow.opened("b")
    slow.advanced("b", 0)
    assert woken.count == 1
    assert not fast.held("a")
    fast.advanced("a", 11)
    assert fast.held("a")
    assert not slow.held("b")
    assert woken.count == 1
    slow.advanced("b", 1)
    assert woken.count == 2
    assert not fast.held("a")


def test_who_is_idle_has_ended_or_closed_holds_nobody_back():
    group = DriftGroup()
    (fast, woken), (slow, _) = split_time(group, "fast"), split_time(group, "slow")
    fast.opened("a")
    fast.advanced("a", 100)
    slow.opened("b")
    assert fast.held("a")
    slow.silent("b")
    assert woken.count == 1
    assert not fast.held("a")
    slow.spoke("b")
    assert fast.held("a")
    slow.finished("b")
    assert woken.count == 2
    assert not fast.held("a")
    slow.opened("c")
    assert fast.held("a")
    slow.close()
    assert not fast.held("a")


def test_tables_have_their_own_drift_and_a_task_without_splits_does_not_count():
    group = DriftGroup()
    (near, _), (far, _), (none, _) = (
        split_time(group, "near", 0),
        split_time(group, "far", 50),
        split_time(group, "none"),
    )
    near.opened("a")
    far.opened("b")
    near.advanced("a", 30)
    far.advanced("b", 31)
    assert far.held("b")
    none.handed_out()
    assert not far.held("b")
    assert not near.held("a")
    near.advanced("a", 32)
    assert near.held("a")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 40))), max_size=60))
def test_it_is_the_minimum_of_those_that_count_and_who_waits_is_woken(told: list[tuple[str, int | None]]) -> None:
    group, times = DriftGroup(), dict[str, int]()
    waiting = False
    woken = Woken()
    for who, time in told:
        before = min(times.values(), default=None)
        if time is None:
            times.pop(who, None)
        else:
            times[who] = time
        slowest = min(times.values(), default=None)
        group.tell(who, time)
        if waiting and before != slowest:
            assert woken.count == 1
            waiting, woken = False, Woken()
        assert woken.count == 0
        held = group.holds(20, 5, woken.wake)
        assert held == (slowest is not None and 20 - slowest > 5)
        waiting = waiting or held


def test_the_beginning_of_time_is_behind_everything():
    group = DriftGroup()
    group.tell("a", START_OF_TIME)
    assert group.holds(0, 10**15, Woken().wake)
    assert not group.holds(START_OF_TIME, 0, Woken().wake)
