"""Source tasks: splits, waiting readers, idleness and time of splits, blocking readers."""

from __future__ import annotations

import threading
import time

import pytest

from tableflow.errors import ConnectorError, InternalError
from tableflow.runtime.alignment import PortEnded
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import Epoch, Idle, Watermark
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.source import Done, Later, Split
from tableflow.runtime.split_input import SplitInput
from tableflow.runtime.split_time import SourceTime, SplitTime
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.wake import After, Signal
from tests.runtime.simple import Batches, Calls, Plan, Reader, Sum, Through, batch, run, values


def test_splits_found_late_do_not_hold_time_back():
    time = SplitTime()
    time.opened("a")
    assert time.advanced("a", 5) is None  # others may still be handed out
    time.opened("b")
    assert time.handed_out() is None
    assert time.advanced("b", 3) == Watermark(3)
    assert time.advanced("b", 2) is None
    assert time.silent("b") == Watermark(5)
    assert not time.all_idle
    time.opened("late")
    assert time.advanced("a", 7) is None
    assert time.advanced("late", 6) == Watermark(6)
    time.spoke("b")
    assert time.advanced("b", 4) is None
    assert time.finished("late") is None
    assert time.finished("b") == Watermark(7)
    assert time.silent("a") is None
    assert time.all_idle
    assert time.watermark == 7


def test_the_split_that_holds_time_back():
    time = SplitTime()
    assert time.slowest is None
    for split, reached in (("a", 5), ("b", 3), ("c", 9)):
        time.opened(split)
        time.advanced(split, reached)
    assert time.slowest == ("b", 3)
    time.silent("b")
    assert time.slowest == ("a", 5)
    time.finished("a")
    assert time.slowest == ("c", 9)
    time.silent("c")
    assert time.slowest is None


def test_a_task_without_splits_goes_with_the_others():
    """Splits that are found one after the other go to either; none of them is overtaken, and in the end all come as far as any."""
    source = SourceTime()
    first, second, third = (SplitTime(source, task) for task in range(3))
    for each in (first, second, third):
        assert each.handed_out() is None
        assert each.none_counts
    first.opened("a")
    assert second.handed_out() is None
    assert not second.none_counts
    assert first.advanced("a", 10) == Watermark(10)
    assert second.handed_out() == Watermark(10)
    assert first.finished("a") is None
    second.opened("b")  # and takes its time to read it
    third.opened("c")
    assert third.advanced("c", 30) == Watermark(30)
    assert third.finished("c") is None
    assert first.handed_out() is None  # b may have rows of any time from 10 on
    assert second.advanced("b", 20) == Watermark(20)
    assert first.handed_out() == Watermark(20)
    assert second.finished("b") == Watermark(30)
    assert first.handed_out() == Watermark(30)
    assert all(each.none_counts and not each.all_idle for each in (first, second, third))


def test_an_idle_split_does_not_hold_tasks_without_splits_back():
    source = SourceTime()
    reading, other, waiting = (SplitTime(source, task) for task in range(3))
    reading.opened("growing")
    other.opened("fast")
    for each in (reading, other, waiting):
        assert each.handed_out() is None
    assert reading.advanced("growing", 5) == Watermark(5)
    assert other.advanced("fast", 50) == Watermark(50)
    assert waiting.handed_out() == Watermark(5)
    assert reading.silent("growing") is None
    assert waiting.handed_out() == Watermark(50)
    assert other.silent("fast") is None
    assert waiting.none_counts
    assert waiting.handed_out() is None


def test_a_split_that_speaks_again_brings_the_time_it_had_reached():
    """It was held back by another while both gave rows; both fell silent, then only this one goes on."""
    time = SplitTime()
    time.opened("ahead")
    time.opened("behind")
    assert time.handed_out() is None
    assert time.advanced("ahead", 25) is None
    assert time.advanced("behind", 1) == Watermark(1)
    assert time.silent("ahead") is None
    assert time.silent("behind") is None
    assert time.all_idle
    assert time.spoke("ahead") == Watermark(25)
    assert time.spoke("ahead") is None
    assert time.spoke("behind") is None


@pytest.mark.parametrize("said", ["before the last ends", "after"])
def test_time_is_the_same_whenever_it_is_said_that_there_are_no_more_splits(said):
    time = SplitTime()
    time.opened("a")
    assert time.advanced("a", 9) is None
    assert time.finished("a") is None
    time.opened("b")
    assert time.advanced("b", 5) is None
    if said == "after":
        assert time.finished("b") is None
        assert time.handed_out() == Watermark(9)
    else:
        assert time.handed_out() == Watermark(5)
        assert time.finished("b") == Watermark(9)
    time.opened("late")
    assert time.advanced("late", 7) is None
    assert time.finished("late") is None
    assert time.watermark == 9


class Generator(Through):
    """Event time is the value of the row."""

    generates_watermarks = True

    def process(self, got, port):
        yield got
        yield Watermark(max(values(got)))


def marks(log):
    return [entry[1] for entry in log if entry[0] == "on_watermark"][:-1]


def stream(*items):
    """A split that gives batches, and pauses of so many microseconds."""

    def items_of():
        for item in items:
            yield Later(After(item)) if isinstance(item, int) else item

    return items_of


@pytest.mark.parametrize("seed", range(5))
def test_time_of_a_source_is_the_minimum_over_its_splits(seed):
    log = []
    plan = Plan()
    source = Batches(stream(batch(10), 5000, batch(30)), stream(1000, batch(20)), bounded=False)
    first = plan.stage(Generator, source=source)
    last = plan.stage(lambda: Calls(log))
    plan.edge(first, last)
    assert sorted(run(plan.job(last, None, seed=seed))) == [10, 20, 30]
    # 20 has ended when 30 comes, so time may go from 10 to 30 at once.
    assert marks(log) in ([10, 30], [10, 20, 30])


def test_in_batch_mode_time_stays_until_the_end(scheduling):
    pool, seed = scheduling
    log = []
    plan = Plan()
    only = plan.stage(Generator, lambda: Calls(log), source=Batches([batch(1), batch(5)]))
    assert run(plan.job(only, pool, **seed)) == [1, 5]
    assert marks(log) == []


class Busy(Batches):
    """An assigner with one split; ``exhausted`` if it knows that there is no other."""

    def __init__(self, finite):
        super().__init__([batch(number) for number in range(100)], bounded=False)
        self._finite = finite

    def assigner(self):
        assigner = super().assigner()
        if self._finite:
            assigner.exhausted = True
        return assigner


@pytest.mark.parametrize(("finite", "stands"), [(True, 1), (False, 20)])
def test_time_passes_although_a_reader_always_has_rows(finite, stands):
    """A finite assigner says that there is no other split; any other is asked again after 20 ms."""

    class Clock:
        time = 1_000_000

        def now(self):
            return self.time

    source, clock = Busy(finite), Clock()
    assigner = source.assigner()
    taken = SplitInput(
        source.bounded,
        assigner,
        lambda split: source.reader(split, 10),
        0,
        TaskTimers(clock),
        clock,
        30_000_000,
        OperatorBlock(""),
    )
    first = None
    for number in range(100):
        got = taken.next(None)
        while isinstance(got, Watermark):
            got = taken.next(None)
        assert values(got) == [number]
        if taken.judge_time(number) is not None and first is None:
            first = number
        clock.time += 1_000
    assert first == stands
    taken.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_silent_split_stops_holding_time_back(seed):
    log = []
    plan = Plan()
    silent = stream(batch(3), 60_000_000, batch(4))
    busy = stream(batch(5), 40_000_000, batch(50), 30_000_000, batch(60))
    first = plan.stage(Generator, source=Batches(silent, busy, bounded=False))
    last = plan.stage(lambda: Calls(log))
    plan.edge(first, last)
    assert sorted(run(plan.job(last, None, seed=seed))) == [3, 4, 5, 50, 60]
    times = marks(log)
    assert times == sorted(times)
    assert 50 in times  # at 40 s the first split has been silent for 30 s


@pytest.mark.parametrize("seed", range(5))
def test_an_idle_source_does_not_hold_the_other_back(seed):
    log = []
    plan = Plan()
    idle = plan.stage(Generator, source=Batches(stream(batch(1), 100_000_000, batch(2)), bounded=False))
    busy = plan.stage(Generator, source=Batches(stream(batch(5), 50_000_000, batch(9), 1), bounded=False))
    last = plan.stage(lambda: Calls(log))
    plan.edge(idle, last, port=0)
    plan.edge(busy, last, port=1)
    assert sorted(run(plan.job(last, None, seed=seed))) == [1, 2, 5, 9]
    assert marks(log)[:3] == [1, 5, 9]


def test_readers_that_wait_are_woken(workers):
    signal = Signal()

    def waiting():
        yield batch(1)
        yield Later(signal)
        yield batch(2)

    plan = Plan()
    only = plan.stage(Through, source=Batches(waiting, bounded=False))
    job = plan.job(only, workers)
    job.start()
    assert values(job.next_batch(timeout=5)) == [1]
    with pytest.raises(TimeoutError):
        job.next_batch(timeout=0.03)
    signal.set()
    assert values(job.next_batch(timeout=5)) == [2]
    assert job.next_batch(timeout=5) is None
    job.close()


def test_an_assigner_may_have_splits_later(scheduling):
    pool, seed = scheduling

    class Slow(Batches):
        def assigner(self):
            answers = [Split("0", 0), Later(After(1000)), Split("1", 1), None]

            class Assigner:
                def next(self, task_index):
                    return answers.pop(0) if len(answers) > 1 else None

            return Assigner()

    plan = Plan()
    only = plan.stage(Through, source=Slow([batch(1)], [batch(2)], bounded=False))
    assert run(plan.job(only, pool, **seed)) == [1, 2]


class Blocking:
    """Reads a list by waiting; blocks for ever at its end if it is to."""

    def __init__(self, items, log, forever=False):
        self.items, self.log, self.forever = list(items), log, forever
        self.read_so_far = 0
        self.wake = threading.Event()

    def read(self):
        if not self.items:
            if self.forever:
                self.wake.wait()
                return None
            return Done()
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        if item is not None:
            self.read_so_far += 1
        return item

    def interrupt(self):
        self.wake.set()

    def offset(self):
        return self.read_so_far

    def close(self):
        self.log.append(("closed", threading.current_thread().name))


class BlockingSource(Batches):
    def reader(self, split, batch_rows):
        return Blocking(self.splits[split.definition], self.log, forever=not self.bounded)


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tableflow-read")]


def test_blocking_readers(scheduling):
    pool, seed = scheduling
    plan = Plan()
    source = BlockingSource([batch(1), None, batch(2)], [batch(3)], [None])
    first = plan.stage(Through, source=source, parallelism=2)
    last = plan.stage(Sum)
    plan.edge(first, last, ExchangeKind.GATHER)
    assert run(plan.job(last, pool, **seed)) == [6]
    assert len(source.log) == 3
    assert not readers()
    assert all(name.startswith("tableflow-read") == (pool is not None) for _, name in source.log)


def test_errors_of_blocking_readers(scheduling):
    pool, seed = scheduling
    plan = Plan()
    source = BlockingSource([batch(1), ConnectorError("the topic 't' is gone")])
    only = plan.stage(Through, source=source)
    with pytest.raises(ConnectorError, match="the topic 't' is gone"):
        run(plan.job(only, pool, **seed))
    assert len(source.log) == 1
    assert not readers()


def test_a_blocked_reader_does_not_delay_cancellation(workers):
    plan = Plan()
    source = BlockingSource([batch(1)], bounded=False)
    only = plan.stage(Through, source=source)
    job = plan.job(only, workers)
    job.start()
    assert values(job.next_batch(timeout=5)) == [1]
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 0.1
    assert not readers()
    job.close()
    assert job.memory.used == 0


def test_the_offset_is_that_of_what_was_polled():
    from tableflow.runtime.blocking import ReadAhead
    from tableflow.runtime.memory import MemoryPool

    memory = MemoryPool(1 << 20)
    ahead = ReadAhead(Blocking([batch(1), batch(2), batch(3), batch(4), batch(5)], []), memory, "t")
    got = []
    while not isinstance(item := ahead.poll(), Done):
        if isinstance(item, Later):
            woken = threading.Event()
            item.wake.subscribe(woken.set)
            assert woken.wait(5)
        else:
            assert memory.used <= 2 * 8
            got += values(item)
            assert ahead.offset() == len(got)
    assert got == [1, 2, 3, 4, 5]
    ahead.close()
    assert memory.used == 0


def test_errors_in_a_source_name_its_stage(scheduling):
    pool, seed = scheduling

    def broken():
        yield batch(1)
        raise OSError("no such file")

    plan = Plan()
    only = plan.stage(Through, source=Batches(broken))
    with pytest.raises(InternalError, match=r"the input of stage 0 failed\ndetail: OSError: no such file"):
        run(plan.job(only, pool, **seed))


def test_idle_is_said_once():
    log = []
    plan = Plan()
    first = plan.stage(Through, source=Batches(stream(batch(1), 31_000_000, 31_000_000, batch(2)), bounded=False))
    last = plan.stage(lambda: Calls(log))
    plan.edge(first, last)
    job = plan.job(last, None, seed=1)
    sent = []
    from tableflow.runtime.channel import Channel

    put = Channel.put

    def noting(self, event, size=0):
        if isinstance(event, Idle | Watermark):
            sent.append((self is job._result, event))
        put(self, event, size)

    try:
        Channel.put = noting
        assert run(job) == [1, 2]
    finally:
        Channel.put = put
    assert [event for result, event in sent if not result] == [Idle(), Watermark(-(2**63))]


def test_an_epoch_comes_behind_all_that_was_said_before():
    """Time, silence and the end of a source are what it has given as much as rows are."""

    class Clock:
        def now(self):
            return 0

    class Told(Reader):
        def __init__(self, items):
            self.items = items
            super().__init__(
                iter(lambda: items[self.read] if self.read < len(items) else Later(Signal(True)), None), [], ""
            )

        def newest(self):
            return len(self.items)

        def reached(self, position):
            return self.read >= position

    parts = [[batch(1), Watermark(5), Idle()], [Watermark(9), batch(2), Watermark(10), Idle()]]
    source = Batches([], [], bounded=False)
    clock = Clock()
    taken = SplitInput(
        False, source.assigner(), lambda split: Told(parts[split.definition]), 0, TaskTimers(clock), clock, 30_000_000,
        OperatorBlock(""),
    )  # fmt: skip

    def until_epoch(number):
        taken.inject(Epoch(number))
        seen = []
        while not isinstance(got := taken.next(None), Epoch | PortEnded):
            seen.append(got if isinstance(got, Watermark | Idle) else values(got))
        return seen, got

    seen, got = until_epoch(1)
    assert got == Epoch(1)
    assert sorted(one for one in seen if isinstance(one, list)) == [[1], [2]]
    assert seen[-1] == Idle()
    assert Watermark(10) in seen
    parts[0].append(Done())
    parts[1] += [Watermark(12), Done()]
    seen, got = until_epoch(2)
    assert seen == [Watermark(12)]
    assert got == PortEnded(0, last=True)
    taken.close()
