"""Turns: in the queue at most once, no wake-up lost."""

from __future__ import annotations

import threading
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tableflow.runtime.turns import Outcome, State, Turns

MOVES = st.lists(st.sampled_from(["wake", "begin", "wait", "more", "end"]), max_size=60)


@given(MOVES)
def test_in_the_queue_at_most_once_and_no_wake_lost(moves):
    """The model: whether it is queued, whether it runs, whether a wake-up is not seen yet."""
    turns = Turns()
    queued = running = unseen = ended = False
    for move in moves:
        if move == "wake":
            if turns.wake():
                assert not queued
                assert not running
                queued = True
            unseen = not ended
        elif move == "begin" and queued:
            turns.begin()
            queued, running, unseen = False, True, False
        elif move in ("wait", "more", "end") and running:
            again = turns.settle({"wait": Outcome.WAIT, "more": Outcome.MORE, "end": Outcome.ENDED}[move])
            running = False
            ended = ended or move == "end"
            assert again == (move == "more" or (move == "wait" and unseen))
            queued = again
            unseen = unseen and not ended
        assert not unseen or queued or running
    assert (turns.state is State.ENDED) == ended


def test_threads_lose_no_wake_up():
    """Producers put and wake; the consumer drains when it has a turn: everything arrives."""
    turns, inbox, queue, got = Turns(), deque(), threading.Semaphore(0), []

    def produce(base):
        for value in range(base, base + 3000):
            inbox.append(value)
            if turns.wake():
                queue.release()

    def work():
        while len(got) < 9000:
            assert queue.acquire(timeout=10)
            turns.begin()
            while inbox:
                got.append(inbox.popleft())
            if turns.settle(Outcome.WAIT):
                queue.release()

    threads = [threading.Thread(target=produce, args=[base]) for base in (0, 3000, 6000)]
    threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(got) == list(range(9000))
