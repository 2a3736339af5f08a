"""Questions to somebody outside: answered in threads, by futures or inline; closing asks nothing more."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from tableflow.columnar.batch import Batch
from tableflow.errors import ConnectorError, InternalError
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.lookup import InlineCalls, StartedCalls, ThreadedCalls, no_lookups, open_lookup


class Function:
    """Answers with the keys, when it may."""

    def __init__(self, calls: int = 1) -> None:
        self.calls = calls
        self.may = threading.Event()
        self.asked = 0
        self.most = 0
        self.closed = False
        self._open = 0
        self._lock = threading.Lock()

    def fetch(self, keys: Batch) -> Batch:
        with self._lock:
            self.asked += 1
            self._open += 1
            self.most = max(self.most, self._open)
        assert self.may.wait(20)
        with self._lock:
            self._open -= 1
        if keys.length == 3:
            raise ConnectorError("no")
        return keys

    def close(self) -> None:
        self.closed = True


class Futures:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.futures: list[Future[Batch]] = []
        self.closed = False

    def start(self, keys: Batch) -> Future[Batch]:
        self.futures.append(Future())
        return self.futures[-1]

    def close(self) -> None:
        self.closed = True


def test_as_many_questions_at_a_time_as_it_takes() -> None:
    function = Function(calls=2)
    opened = open_lookup(function, "t", inline=False)
    assert isinstance(opened, ThreadedCalls)
    calls = [opened.call(Batch((), length)) for length in range(6)]
    heard = threading.Semaphore(0)
    for call in calls:
        call.answered.subscribe(heard.release)
    assert not any(call.answered.ready for call in calls)
    function.may.set()
    for _ in calls:
        assert heard.acquire(timeout=20)
    assert [call.result().length for call in calls if call is not calls[3]] == [0, 1, 2, 4, 5]
    with pytest.raises(ConnectorError, match="no"):
        calls[3].result()
    assert function.most <= 2
    opened.close()
    assert function.closed
    assert function.asked == 6


def test_after_closing_nobody_is_asked() -> None:
    function = Function()
    opened = ThreadedCalls(function, "t")
    for _ in range(3):
        opened.call(Batch((), 1))
    closing = threading.Thread(target=opened.close)
    closing.start()
    while not function.closed:
        closing.join(0.01)
    function.may.set()
    closing.join(20)
    assert not closing.is_alive()
    assert function.asked <= 1


def test_futures_and_a_simulation() -> None:
    futures = Futures()
    opened = open_lookup(futures, "t", inline=False)
    assert isinstance(opened, StartedCalls)
    call = opened.call(Batch((), 1))
    assert not call.answered.ready
    futures.futures[0].set_result(Batch((), 7))
    assert call.answered.ready
    assert call.result().length == 7
    opened.close()
    assert futures.closed
    function = Function()
    function.may.set()
    inline = open_lookup(function, "t", inline=True)
    assert isinstance(inline, InlineCalls)
    assert inline.call(Batch((), 2)).answered.ready
    with pytest.raises(ConnectorError):
        inline.call(Batch((), 3)).result()
    inline.close()
    with pytest.raises(InternalError, match="no way to ask"):
        no_lookups(SourceSpec("x", {}))
