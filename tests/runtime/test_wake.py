"""What threads wait for: no ring and no interrupt is lost, whenever it comes."""

from __future__ import annotations

import threading
import time

import pytest

from tableflow.errors import CancelledError
from tableflow.runtime.blocking import ReadAhead
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.operator import Operator
from tableflow.runtime.source import Done
from tableflow.runtime.wake import Bell
from tests.runtime.simple import Batches, Plan, batch


class _Dropping(Operator):
    def process(self, got, port):
        return None


def test_a_ring_between_looking_and_waiting_is_heard() -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()
    began = time.monotonic()
    bell.wait(heard, 60)
    assert time.monotonic() - began < 1


def test_a_ring_that_another_has_heard_is_heard_again() -> None:
    bell = Bell()
    first, second = bell.rings, bell.rings
    bell.ring()
    bell.wait(first, 60)
    first = bell.rings
    began = time.monotonic()
    bell.wait(second, 60)
    assert time.monotonic() - began < 1
    bell.wait(first, 0.01)
    assert time.monotonic() - began >= 0.01


def test_everybody_who_waits_is_woken() -> None:
    bell = Bell()
    heard = bell.rings
    threads = [threading.Thread(target=bell.wait, args=(heard, 60)) for _ in range(4)]
    for thread in threads:
        thread.start()
    bell.ring()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


class LateWaiter:
    """A reader that begins to wait only after the first interrupt, which it does not remember."""

    def __init__(self) -> None:
        self.interrupts = 0
        self._changed = threading.Condition()

    def read(self) -> Done | None:
        with self._changed:
            self._changed.wait_for(lambda: self.interrupts > 0, 10)
        # here the first interrupt is in the past, and nobody waits yet
        with self._changed:
            known = self.interrupts
            self._changed.wait_for(lambda: self.interrupts > known, 10)
        return None

    def interrupt(self) -> None:
        with self._changed:
            self.interrupts += 1
            self._changed.notify_all()

    def offset(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


def test_an_interrupt_before_the_reader_waits_is_not_lost() -> None:
    reader = LateWaiter()
    ahead = ReadAhead(reader, MemoryPool(1 << 20), "late")
    began = time.monotonic()
    ahead.close()
    assert time.monotonic() - began < 2
    assert reader.interrupts >= 2


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.002, 0.01])
def test_cancelling_wakes_the_reader_of_the_result(workers, delay: float) -> None:
    """Whoever waits for a batch hears of the end, although the cancelling thread waits for it too."""

    def endless():
        while True:
            yield batch()

    for _ in range(5):
        plan = Plan()
        job = plan.job(plan.stage(_Dropping, source=Batches(endless)), workers)
        job.start()
        woken: list[float] = []

        def read() -> None:
            with pytest.raises(CancelledError):
                job.next_batch()
            woken.append(time.monotonic())

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(delay)
        began = time.monotonic()
        job.cancel()
        reader.join(5)
        job.close()
        assert woken
        assert woken[0] - began < 0.4  # a lost ring costs half a second
