"""What a connector is to the registry: a name, its options, and two functions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, TypeVar, cast

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import TableProvider
from tableflow.config import Settings
from tableflow.connectors.option import Option
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.lookup import Lookup
from tableflow.runtime.sink import SinkWriter
from tableflow.runtime.source import Source
from tableflow.runtime.write_behind import BlockingSink

T = TypeVar("T")


class ObjectStore:
    """Objects of this process that a source refers to by key, because a SourceSpec is a plain value."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}
        self._named: dict[str, Any] = {}
        self._next = 0
        self._lock = threading.Lock()

    def add(self, value: Any) -> str:
        """Keeps an object and returns its key, which is never used again."""
        with self._lock:
            self._next += 1
            key = f"object-{self._next}"
            self._objects[key] = value
            return key

    def get(self, key: str) -> Any:
        """The object of a key."""
        with self._lock:
            if key not in self._objects:
                raise InternalError(f"object {key!r} is not in this process")
            return self._objects[key]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """The object of a name, which is made when it is asked for first, and then kept."""
        with self._lock:
            found = self._named.get(name)
            if found is None:
                found = self._named[name] = make()
            return cast("T", found)

    def remove(self, key: str) -> None:
        """Lets an object go; nothing happens if it is gone."""
        with self._lock:
            self._objects.pop(key, None)


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What a source or sink may need besides its options."""

    settings: Settings = field(default_factory=Settings)
    objects: ObjectStore = field(default_factory=ObjectStore)
    task_index: int = 0


@dataclass(frozen=True, slots=True)
class Connector:
    """``create`` makes the provider of a declared table from its options as read; ``open`` makes the source of a spec.

    ``create`` is None for a connector that CREATE TABLE cannot name, ``open_sink`` for one that cannot be written to,
    ``open_lookup`` for one that cannot be asked for the rows of keys.
    """

    name: str
    doc: str
    options: tuple[Option, ...]
    open: Callable[[Any, OpenContext], Source]
    create: Callable[[TableDefinition, dict[str, Any]], TableProvider] | None = None
    open_lookup: Callable[[Any, OpenContext], Lookup] | None = None
    open_sink: Callable[[Any, OpenContext], SinkWriter | BlockingSink] | None = None
    settle_sink: Callable[[Any, Sequence[Any], bool], None] | None = None
    """Commits (True) or gives up the tokens of all writers of a sink, by the options of its spec."""
    metadata: tuple[str, ...] = ()
    """Keys of what it can tell of a row besides its columns (METADATA FROM 'key' VIRTUAL)."""
    check: Callable[[TableDefinition, dict[str, Any]], object] | None = None
    """Raises for a declaration that is wrong whatever there is outside; None: ``create`` does, and touches nothing outside."""
    partitions: bool = False
    """Whether PARTITIONED BY means something."""
