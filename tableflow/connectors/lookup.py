"""Tables behind a Python function that is asked for the rows of keys.

Invariants: the function gets distinct keys, none with a NULL, at most ``lookup.batch-size`` at a time; what it raises names the
table and the keys.  A coroutine function is awaited in one thread per task, however many questions are open.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tableflow.catalog.lookup import CachePolicy
from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.representation import boundary
from tableflow.config import LOOKUP_TIMEOUT, duration
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.live import RowShape
from tableflow.connectors.option import Option, boolean, choice, read_options
from tableflow.errors import (
    CancelledError,
    ConnectorError,
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

KIND = "lookup"
_SHOWN_KEYS = 3
_CLOSE_SECONDS = 0.1


def _count(value: str) -> int:
    number = int(value.strip().replace("_", ""))
    if number < 1:
        raise ValueError("a whole number of at least 1 is expected")
    return number


OPTIONS = (
    Option("lookup.cache", "none or partial", choice("none", "partial"), "keep answers for later rows of the same key", "none"),
    Option("lookup.partial-cache.max-rows", "number", _count, "most rows that are kept; the oldest go first"),
    Option("lookup.partial-cache.expire-after-write", "duration", duration, "how long an answer is good for"),
    Option("lookup.partial-cache.expire-after-access", "duration", duration, "how long an answer that nobody uses is kept"),
    Option("lookup.partial-cache.cache-missing-key", "boolean", boolean, "remember keys without rows", default=True),
    Option("lookup.batch-size", "number", _count, "most keys of one question", default=1000),
    Option("lookup.calls", "number", _count, "most questions at a time per task; 1 for functions, 100 for coroutines"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program registers: a function from keys to rows; ``arrow``: keys are a record batch, not a list of tuples."""

    fetch: Callable[[Any], Any]
    key: tuple[str, ...] = ()
    arrow: bool = False
    options: Mapping[str, str] | None = None


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
        values = read_options(KIND, OPTIONS, dict(asked.options or {}))
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
            "keys": list(keys),
            "calls": self._calls,
        }

    def close(self) -> None:
        """Lets the function go."""
        self._objects.remove(self._key)


class _Question:
    """From keys to what the function takes, and from what it gives to a batch."""

    def __init__(self, options: Any, asked: Asked) -> None:
        self.table: str = options["table"]
        self._keys: Sequence[str] = options["keys"]
        self._arrow = asked.arrow
        self._shape = RowShape(options["names"], options["types"], options["columns"])

    def keys(self, keys: Batch) -> Any:
        """A record batch with the key columns, or a list of tuples."""
        arrays = [boundary(column) for column in keys.columns]
        if self._arrow:
            return pa.RecordBatch.from_arrays(arrays, names=list(self._keys))
        return list(zip(*[array.to_pylist() for array in arrays], strict=True))

    def rows(self, found: Any, keys: Batch) -> Batch:
        """What the function has given."""
        try:
            if found is None:
                return self._shape.of_rows([])
            if isinstance(found, pa.RecordBatch):
                return self._shape.of_arrow(found)
            if isinstance(found, pa.Table) or hasattr(found, "__arrow_c_stream__"):
                parts = [self._shape.of_arrow(part) for part in pa.table(found).to_batches()]
                return concat(parts) if parts else self._shape.of_rows([])
            return self._shape.of_rows(list(found))
        except Exception as error:
            raise self.failed(error, keys) from error

    def failed(self, error: BaseException, keys: Batch) -> TableFlowError:
        """The error as the user sees it: which table, which keys."""
        shown = list(zip(*[boundary(c.slice(0, _SHOWN_KEYS)).to_pylist() for c in keys.columns], strict=True))
        names, more = ", ".join(self._keys), keys.rows - len(shown)
        text = ", ".join(str(key[0]) if len(key) == 1 else str(key) for key in shown) + (
            f" and {more} more" if more else ""
        )
        said = str(error) if isinstance(error, TableFlowError) else f"{type(error).__name__}: {error}"
        detail = error.detail if isinstance(error, TableFlowError) else None
        return ConnectorError(
            f"lookup table {self.table!r} gave no rows for {names} = {text}",
            detail=f"{said}: {detail}" if detail else said,
        )


class FunctionLookup:
    """A :class:`~tableflow.runtime.lookup.BlockingLookup` over a plain function."""

    def __init__(self, question: _Question, fetch: Callable[[Any], Any], calls: int) -> None:
        self.calls = calls
        self._question = question
        self._fetch = fetch

    def fetch(self, keys: Batch) -> Batch:
        """Calls the function."""
        try:
            found = self._fetch(self._question.keys(keys))
        except Exception as error:
            raise self._question.failed(error, keys) from error
        return self._question.rows(found, keys)

    def close(self) -> None:
        """Nothing to give back."""


class CoroutineLookup:
    """A :class:`~tableflow.runtime.lookup.FutureLookup` over a coroutine function; its loop begins with the first question."""

    def __init__(self, question: _Question, fetch: Callable[[Any], Any], calls: int, timeout: int) -> None:
        self._question = question
        self._fetch = fetch
        self._calls = calls
        self._timeout = timeout
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

        assert self._places is not None
        async with self._places:
            try:
                found = await asyncio.wait_for(self._fetch(self._question.keys(keys)), self._timeout / 1e6)
            except asyncio.CancelledError:
                raise CancelledError("the lookup was cancelled") from None
            except TimeoutError as error:
                said = str(error) or f"no answer within {self._timeout / 1e6:g} s ({LOOKUP_TIMEOUT.name})"
                raise self._question.failed(TimeoutError(said), keys) from error
            except Exception as error:
                raise self._question.failed(error, keys) from error
        return self._question.rows(found, keys)


def _open_lookup(options: Any, context: OpenContext) -> Lookup:
    asked = context.objects.get(options["object"])
    question = _Question(options, asked)
    fetch = asked.fetch
    if inspect.iscoroutinefunction(fetch) or inspect.iscoroutinefunction(getattr(fetch, "__call__", None)):  # noqa: B004
        return CoroutineLookup(question, fetch, options["calls"] or 100, context.settings.get(LOOKUP_TIMEOUT))
    return FunctionLookup(question, fetch, options["calls"] or 1)


def _open(_options: Any, _context: OpenContext) -> Source:
    raise InternalError("a lookup table has no splits")


CONNECTOR = Connector(KIND, "tables behind a function of this process", OPTIONS, _open, open_lookup=_open_lookup)
