"""Tables behind a Python function that is asked for the rows of keys.

Invariants: the function gets distinct keys, none with a NULL, at most ``lookup.batch-size`` at a time; what it raises names the
table and the keys.  A coroutine function is awaited in one thread per task, however many questions are open.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tableflow.catalog.lookup import CachePolicy
from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.columnar.batch import Batch
from tableflow.config import LOOKUP_TIMEOUT, duration
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.lookup_question import Attempts, Question, Retries
from tableflow.connectors.option import Option, boolean, choice, read_options
from tableflow.errors import (
    CancelledError,
    InterfaceError,
    InternalError,
    TableFlowError,
    UnsupportedError,
)
from tableflow.records import dataclass
from tableflow.runtime.lookup import Lookup
from tableflow.runtime.source import Source

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

KIND = "lookup"
_CLOSE_SECONDS = 0.1


def _count(value: str) -> int:
    number = _number(value)
    if number < 1:
        raise ValueError("a whole number of at least 1 is expected")
    return number


def _number(value: str) -> int:
    number = int(value.strip().replace("_", ""))
    if number < 0:
        raise ValueError("a whole number is expected")
    return number


OPTIONS = (
    Option("lookup.cache", "none or partial", choice("none", "partial"), "keep answers for later rows of the same key", "none"),
    Option("lookup.partial-cache.max-rows", "number", _count, "most rows that are kept; the oldest go first"),
    Option("lookup.partial-cache.expire-after-write", "duration", duration, "how long an answer is good for"),
    Option("lookup.partial-cache.expire-after-access", "duration", duration, "how long an answer that nobody uses is kept"),
    Option("lookup.partial-cache.cache-missing-key", "boolean", boolean, "remember keys without rows", default=True),
    Option("lookup.batch-size", "number", _count, "most keys of one question", default=1000),
    Option("lookup.max-retries", "number", _number, "how often a question is asked again", default=0),
    Option("lookup.retry-delay", "duration", duration, "how long to wait before a question is asked again (100 ms)", 100_000),
    Option("lookup.retry-predicate", "failure, lookup_miss or any", choice("failure", "lookup_miss", "any"),
           "when it is asked again: it failed, or some keys had no rows (then only for these)", "failure"),
    Option("lookup.calls", "number", _count, "most questions at a time per task; 1 for functions, 100 for coroutines"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program registers: a function from keys to rows; ``arrow``: keys are a record batch, not a list of tuples."""

    fetch: Callable[[Any], Any]
    key: tuple[str, ...] = ()
    arrow: bool = False
    options: Mapping[str, str] | None = None


def _texts(options: Any) -> dict[str, str]:
    """Options as WITH (...) would have them."""
    if not isinstance(options, Mapping | None):
        raise InterfaceError(f"options are a dictionary such as {{'lookup.cache': 'partial'}}, not {options!r}")
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (options or {}).items()
    }


class LookupTable(ProjectedTable):
    """A :class:`~tableflow.catalog.lookup.LookupProvider` over a function of this process."""

    bounded = True

    def __init__(self, name: str, schema: TableSchema, asked: Asked, objects: ObjectStore) -> None:
        if not callable(asked.fetch):
            raise InterfaceError(f"a {type(asked.fetch).__name__} gives no rows; a function from keys to rows does")
        names = {column.name for column in schema.columns}
        for column in asked.key:
            if column not in names:
                raise InterfaceError(f"key column {column!r} is no column of lookup table {name!r}")
        values = read_options(KIND, OPTIONS, _texts(asked.options))
        part = "lookup.partial-cache."
        self.key = asked.key
        self.batch_keys: int = values["lookup.batch-size"]
        self.cache: CachePolicy | None = None
        if values["lookup.cache"] == "partial":
            self.cache = CachePolicy(
                values[part + "max-rows"],
                values[part + "expire-after-write"],
                values[part + "expire-after-access"],
                values[part + "cache-missing-key"],
            )
        self._name, self._schema, self._objects = name, schema, objects
        self._calls: int | None = values["lookup.calls"]
        when = values["lookup.retry-predicate"]
        self._retries = Retries(
            values["lookup.max-retries"],
            values["lookup.retry-delay"],
            failures=when != "lookup_miss",
            missing=when != "failure",
        )
        self._key = objects.add(asked)

    @property
    def schema(self) -> TableSchema:
        """As registered."""
        return self._schema

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """Refused."""
        raise UnsupportedError(
            f"lookup table {self._name!r} can only be asked for the rows of keys",
            hint="JOIN it FOR SYSTEM_TIME AS OF a column of the other side that is PROCTIME(), or AS OF PROCTIME()",
        )

    def lookup(self, keys: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.lookup.LookupProvider`."""
        positions = {column.name: i for i, column in enumerate(self._schema.columns)}
        return KIND, {
            "object": self._key,
            "table": self._name,
            "names": [column.name for column in self._schema.columns],
            "types": [column.type for column in self._schema.columns],
            "columns": [positions[name] for name in columns],
            "required": [i for i, column in enumerate(self._schema.columns) if not column.nullable],
            "keys": list(keys),
            "calls": self._calls,
            "retries": self._retries,
        }

    def close(self) -> None:
        """Lets the function go."""
        self._objects.remove(self._key)


class FunctionLookup:
    """An :class:`~tableflow.runtime.lookup.ImpatientLookup` over a plain function, which has ``timeout`` microseconds each time."""

    def __init__(
        self, question: Question, fetch: Callable[[Any], Any], calls: int, timeout: int, retries: Retries
    ) -> None:
        self.calls = calls
        self.patience = timeout / 1e6 * (1 + retries.most) + retries.seconds * retries.most
        self._timeout = timeout
        self._question = question
        self._fetch = fetch
        self._retries = retries
        self._closed = threading.Event()

    def fetch(self, keys: Batch) -> Batch:
        """Calls the function, until it has answered."""
        attempts = Attempts(self._question, keys, self._retries)
        while not self._closed.is_set():
            try:
                found = self._fetch(self._question.keys(attempts.keys))
            except Exception as error:  # noqa: BLE001 - it is raised when it was the last time
                attempts.failed(error)
            else:
                rows = attempts.answered(found)
                if rows is not None:
                    return rows
            self._closed.wait(self._retries.seconds)
        raise CancelledError("the lookup was cancelled")

    def late(self, keys: Batch) -> TableFlowError:
        """The error of a question that the function is still at."""
        return self._question.failed(_no_answer(self._timeout), keys)

    def close(self) -> None:
        """Nobody is asked again."""
        self._closed.set()


class CoroutineLookup:
    """A :class:`~tableflow.runtime.lookup.FutureLookup` over a coroutine function; its loop begins with the first question."""

    def __init__(
        self, question: Question, fetch: Callable[[Any], Any], calls: int, timeout: int, retries: Retries
    ) -> None:
        self._question = question
        self._fetch = fetch
        self._calls = calls
        self._timeout = timeout
        self._retries = retries
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._places: asyncio.Semaphore | None = None

    def start(self, keys: Batch) -> Future[Batch]:
        """Schedules the coroutine."""
        import asyncio  # takes as long as a small query

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._places = asyncio.Semaphore(self._calls)
            name = f"tableflow-lookup-{self._question.table}"
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name=name, daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._ask(keys), self._loop)

    def close(self) -> None:
        """Cancels what is open and ends the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        assert self._thread is not None
        self._thread.join(_CLOSE_SECONDS)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            open_tasks = asyncio.all_tasks(loop)
            for task in open_tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*open_tasks, return_exceptions=True))
        finally:
            loop.close()

    async def _ask(self, keys: Batch) -> Batch:
        import asyncio

        attempts = Attempts(self._question, keys, self._retries)
        try:
            while True:
                rows = await self._once(attempts)
                if rows is not None:
                    return rows
                await asyncio.sleep(self._retries.seconds)
        except asyncio.CancelledError:
            raise CancelledError("the lookup was cancelled") from None

    async def _once(self, attempts: Attempts) -> Batch | None:
        import asyncio

        assert self._places is not None
        async with self._places:
            try:
                asked = self._fetch(self._question.keys(attempts.keys))
                found = await asyncio.wait_for(asked, self._timeout / 1e6)
            except TimeoutError as error:
                attempts.failed(TimeoutError(str(error)) if str(error) else _no_answer(self._timeout))
            except Exception as error:  # noqa: BLE001 - it is raised when it was the last time
                attempts.failed(error)
            else:
                return attempts.answered(found)
            return None


def _no_answer(timeout: int) -> TimeoutError:
    return TimeoutError(f"no answer within {timeout / 1e6:g} s ({LOOKUP_TIMEOUT.name})")


def _open_lookup(options: Any, context: OpenContext) -> Lookup:
    asked = context.objects.get(options["object"])
    question, retries = Question(options, arrow=asked.arrow), options["retries"]
    timeout = context.settings.get(LOOKUP_TIMEOUT)
    fetch = asked.fetch
    if inspect.iscoroutinefunction(fetch) or inspect.iscoroutinefunction(getattr(fetch, "__call__", None)):  # noqa: B004
        return CoroutineLookup(question, fetch, options["calls"] or 100, timeout, retries)
    return FunctionLookup(question, fetch, options["calls"] or 1, timeout, retries)


def _open(_options: Any, _context: OpenContext) -> Source:
    raise InternalError("a lookup table has no splits")


CONNECTOR = Connector(KIND, "tables behind a function of this process", OPTIONS, _open, open_lookup=_open_lookup)
