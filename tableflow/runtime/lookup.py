r"""Questions that a task asks of somebody outside: rows for keys, answered later, while the task goes on with other rows.

Invariants: a call never blocks the task that makes it; its :attr:`Call.answered` becomes ready exactly once, with an answer or an
error; after :meth:`OpenLookup.close` nobody is asked any more.

::

    call() --> waiting --a thread is free--> asked --answer or error--> answered
                  \--close()--> never asked       \--close()--> nobody hears the answer
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.wake import Signal

if TYPE_CHECKING:
    from concurrent.futures import Future

_CLOSE_SECONDS = 0.1
_LOOKS, _SHORTEST_SECONDS = 8, 0.001
"""How often in the time that an answer may take somebody looks whether it has come."""


class Call(Protocol):
    """One question on its way."""

    @property
    def answered(self) -> Signal:
        """Ready when :meth:`result` will return or raise."""
        ...

    def result(self) -> Batch:
        """The rows; raises what went wrong."""
        ...


class OpenLookup(Protocol):
    """What a task sees of an outside table; used by it alone."""

    def call(self, keys: Batch) -> Call:
        """Asks for the rows of distinct keys; the answer has the rows of some of them, in any order."""
        ...

    def close(self) -> None:
        """Asks nothing more."""
        ...


@runtime_checkable
class BlockingLookup(Protocol):
    """What a connector gives: a plain function that waits for the rows, called by ``calls`` threads at a time at most."""

    @property
    def calls(self) -> int:
        """How many questions may be open at a time."""
        ...

    def fetch(self, keys: Batch) -> Batch:
        """The rows of distinct keys."""
        ...

    def close(self) -> None:
        """No more questions come; those that are open need no answer."""
        ...


@runtime_checkable
class ImpatientLookup(BlockingLookup, Protocol):
    """A blocking lookup whose answers must not take for ever; one that takes longer is not heard any more."""

    @property
    def patience(self) -> float:
        """How many seconds :meth:`fetch` may take."""
        ...

    def late(self, keys: Batch) -> Exception:
        """The error of a question that has taken longer."""
        ...


class FutureLookup(Protocol):
    """What a connector gives that waits without threads."""

    def start(self, keys: Batch) -> Future[Batch]:
        """Asks for the rows of distinct keys."""
        ...

    def close(self) -> None:
        """No more questions come; those that are open need no answer."""
        ...


Lookup: TypeAlias = BlockingLookup | FutureLookup
Lookups: TypeAlias = Callable[[SourceSpec], Lookup]
"""Opens an outside table for one task."""


def no_lookups(spec: SourceSpec) -> Lookup:
    """For jobs that ask nobody."""
    raise InternalError(f"the job was given no way to ask {spec.kind!r}")


def open_lookup(lookup: Lookup, name: str, *, inline: bool) -> OpenLookup:
    """The adapter that a kind of lookup needs; ``inline``: in the caller's thread, for a simulation."""
    if inline:
        return InlineCalls(lookup)
    return ThreadedCalls(lookup, name) if isinstance(lookup, BlockingLookup) else StartedCalls(lookup)


class FutureCall:
    """A call whose answer a future has."""

    __slots__ = ("_future", "answered")

    def __init__(self, future: Future[Batch]) -> None:
        self._future = future
        self.answered = Signal()
        future.add_done_callback(lambda _: self.answered.set())

    def result(self) -> Batch:
        """See :class:`Call`."""
        return self._future.result()


class StartedCalls:
    """Calls of a lookup that waits without threads."""

    def __init__(self, lookup: FutureLookup) -> None:
        self._lookup = lookup

    def call(self, keys: Batch) -> Call:
        """See :class:`OpenLookup`."""
        return FutureCall(self._lookup.start(keys))

    def close(self) -> None:
        """See :class:`OpenLookup`."""
        self._lookup.close()


class ThreadedCalls:
    """Calls of a plain function, in threads that begin when they are needed."""

    def __init__(self, lookup: BlockingLookup, name: str) -> None:
        self._lookup = lookup
        self._name = name
        self._waiting: queue.SimpleQueue[tuple[Batch, Future[Batch]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._asked: dict[Future[Batch], tuple[float, Batch]] = {}
        self._watched = False

    def call(self, keys: Batch) -> Call:
        """See :class:`OpenLookup`."""
        from concurrent.futures import Future  # draws in logging, for who asks nobody

        future: Future[Batch] = Future()
        call = FutureCall(future)
        with self._lock:
            self._open += 1
            if self._open > len(self._threads) < max(1, self._lookup.calls):
                number = len(self._threads)
                thread = threading.Thread(
                    target=self._work, name=f"tableflow-lookup-{self._name}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
            if not self._watched and isinstance(self._lookup, ImpatientLookup):
                self._watched = True
                watch = (self._lookup, self._lookup.patience)
                threading.Thread(
                    target=self._watch, args=watch, name=f"tableflow-lookup-{self._name}-late", daemon=True
                ).start()
        self._waiting.put((keys, future))
        return call

    def close(self) -> None:
        """Threads end with the question they are at; one that takes long is left to itself."""
        self._closed.set()
        for _ in self._threads:
            self._waiting.put(None)
        self._lookup.close()
        limit = time.monotonic() + _CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))

    def _work(self) -> None:
        while (asked := self._waiting.get()) is not None and not self._closed.is_set():
            keys, future = asked
            with self._lock:
                self._asked[future] = time.monotonic(), keys
            answer(self._lookup.fetch, keys, future)
            with self._lock:
                del self._asked[future]
                self._open -= 1

    def _watch(self, lookup: ImpatientLookup, patience: float) -> None:
        """Answers for who has been asked for too long; his thread is left to itself."""
        while not self._closed.wait(max(patience / _LOOKS, _SHORTEST_SECONDS)):
            latest = time.monotonic() - patience
            with self._lock:
                late = [(future, keys) for future, (since, keys) in self._asked.items() if since < latest]
            for future, keys in late:
                answer(_raises(lookup.late(keys)), keys, future)


class InlineCalls:
    """Every question is answered before the next line of the caller, so that nothing but a seed decides what comes when."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def call(self, keys: Batch) -> Call:
        """See :class:`OpenLookup`."""
        from concurrent.futures import Future  # draws in logging, for who asks nobody

        future: Future[Batch] = Future()
        lookup = self._lookup
        fetch = lookup.fetch if isinstance(lookup, BlockingLookup) else lambda asked: lookup.start(asked).result()
        answer(fetch, keys, future)
        return FutureCall(future)

    def close(self) -> None:
        """See :class:`OpenLookup`."""
        self._lookup.close()


def _raises(error: Exception) -> Callable[[Batch], Batch]:
    def fetch(_keys: Batch) -> Batch:
        raise error

    return fetch


def answer(fetch: Callable[[Batch], Batch], keys: Batch, future: Future[Batch]) -> None:
    """Puts what ``fetch`` gives, or raises, into the future, unless it has its answer already."""
    from concurrent.futures import InvalidStateError

    found: Batch | None = None
    failure: BaseException | None = None
    try:
        found = fetch(keys)
    except BaseException as error:  # noqa: BLE001 - it belongs to the task
        failure = error
    with contextlib.suppress(InvalidStateError):
        if found is not None:
            future.set_result(found)
        else:
            future.set_exception(failure)
