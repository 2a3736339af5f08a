"""All connectors, and the three ways in: a declared table, a path, a source to run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import TableProvider
from tableflow.config import Settings
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.declared import alignment_of, declared, delivered, is_alignment
from tableflow.connectors.option import ColumnError, OptionError, read_options
from tableflow.errors import InternalError
from tableflow.nearest import nearest
from tableflow.records import replace
from tableflow.runtime.graph import SinkSpec, SourceSpec
from tableflow.runtime.lookup import Lookup
from tableflow.runtime.sink import SinkWriter
from tableflow.runtime.source import Source
from tableflow.runtime.write_behind import BlockingSink

_MODULES: Mapping[str, tuple[str, str]] = {
    "filesystem": ("filesystem.connector", "CONNECTOR"),
    "memory": ("memory", "CONNECTOR"),
    "stream": ("stream", "CONNECTOR"),
    "live": ("live", "CONNECTOR"),
    "lookup": ("lookup", "CONNECTOR"),
    "managed": ("managed.connector", "TABLES"),
    "managed-changes": ("managed.connector", "CHANGES"),
    "managed-stream": ("managed.connector", "STREAMS"),
    "managed-epochs": ("managed.connector", "KEPT"),
    "nexmark": ("nexmark.connector", "CONNECTOR"),
    "datagen": ("datagen.connector", "CONNECTOR"),
    "blackhole": ("blackhole", "CONNECTOR"),
    "print": ("printing", "CONNECTOR"),
    "socket": ("socket", "CONNECTOR"),
    "callback": ("callback", "CONNECTOR"),
}
"""Where each connector is, by its name: module and attribute."""


class _Connectors(Mapping[str, Connector]):
    """All connectors by name.  One is loaded when it is asked for: a process needs two or three of them."""

    def __init__(self) -> None:
        self._loaded: dict[str, Connector] = {}

    def __getitem__(self, name: str) -> Connector:
        found = self._loaded.get(name)
        if found is None:
            module, attribute = _MODULES[name]
            found = getattr(importlib.import_module(f"tableflow.connectors.{module}"), attribute)
            self._loaded[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


CONNECTORS: Mapping[str, Connector] = _Connectors()


def file_provider(path: str, options: Mapping[str, str] | None = None) -> TableProvider:
    """The table behind a quoted path, directory or glob, its format told by the ending."""
    from tableflow.connectors.filesystem.connector import file_provider as of_files  # loaded for who reads files

    return of_files(path, options)


def load_all() -> None:
    """Loads every connector, so that what any of them declares can be read from a document."""
    for name in CONNECTORS:
        CONNECTORS[name]


def check_definition(definition: TableDefinition) -> None:
    """Raises for an unknown connector, wrong options or columns, without touching what the table is about."""
    connector, options = _creation(definition)
    if definition.partitioned_by and not connector.partitions:
        raise ColumnError(
            f"tables of connector {connector.name!r} are not partitioned",
            column=definition.partitioned_by[0],
            hint="leave PARTITIONED BY out",
        )
    check = connector.check or connector.create
    assert check is not None
    check(delivered(definition), options)


def create_provider(definition: TableDefinition) -> TableProvider:
    """The provider of a declared table; :class:`CatalogError` names what is wrong with the declaration."""
    connector, options = _creation(definition)
    assert connector.create is not None
    return declared(definition, connector.create(delivered(definition), options))


def _creation(definition: TableDefinition) -> tuple[Connector, dict[str, Any]]:
    connector = CONNECTORS.get(definition.connector.lower())
    if connector is None or connector.create is None:
        known = [name for name, one in CONNECTORS.items() if one.create is not None]
        near = nearest(definition.connector, known)
        hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(known)}"
        raise OptionError(
            f"table {definition.name!r} names unknown connector {definition.connector!r}",
            option="connector",
            value=True,
            hint=hint,
        )
    for column in definition.columns:
        if column.metadata and column.metadata not in connector.metadata:
            there = ", ".join(connector.metadata)
            raise ColumnError(
                f"connector {connector.name!r} has no metadata {column.metadata!r}",
                column=column.name,
                hint=f"there is: {there}" if there else "it has none",
            )
    alignment_of(definition)
    given = {
        name: value for name, value in definition.options if name.lower() != "connector" and not is_alignment(name)
    }
    return connector, read_options(connector.name, connector.options, given)


def open_source(spec: SourceSpec, context: OpenContext) -> Source:
    """The source of a spec, in the process that runs the scan."""
    connector = CONNECTORS.get(spec.kind)
    if connector is None:
        raise InternalError(f"no connector {spec.kind!r} for a source")
    return connector.open(spec.options, context)


def open_lookup(spec: SourceSpec, context: OpenContext) -> Lookup:
    """What answers for the table of a spec, in the process that runs the task."""
    connector = CONNECTORS.get(spec.kind)
    if connector is None or connector.open_lookup is None:
        raise InternalError(f"no connector {spec.kind!r} for a lookup")
    return connector.open_lookup(spec.options, context)


def open_sink(spec: SinkSpec, context: OpenContext) -> SinkWriter | BlockingSink:
    """The writer of a spec, in the process that runs the task."""
    connector = CONNECTORS.get(spec.kind)
    if connector is None or connector.open_sink is None:
        raise InternalError(f"no connector {spec.kind!r} for a sink")
    return connector.open_sink(spec.options, context)


class Sources:
    """Opens sources and sinks under one session's settings and objects; the runtime is given the methods that open."""

    def __init__(self, settings: Settings | None = None, objects: ObjectStore | None = None) -> None:
        self.objects = ObjectStore() if objects is None else objects
        self._context = OpenContext(Settings() if settings is None else settings, self.objects)

    def with_settings(self, settings: Settings) -> Sources:
        """The same objects under other settings."""
        return Sources(settings, self.objects)

    def open(self, spec: SourceSpec) -> Source:
        """See :func:`open_source`."""
        return open_source(spec, self._context)

    def open_lookup(self, spec: SourceSpec) -> Lookup:
        """See :func:`open_lookup`."""
        return open_lookup(spec, self._context)

    def open_sink(self, spec: SinkSpec, task_index: int) -> SinkWriter | BlockingSink:
        """See :func:`open_sink`."""
        return open_sink(spec, replace(self._context, task_index=task_index))


def settle_sink(spec: SinkSpec, tokens: Sequence[Any], *, commit: bool) -> None:
    """Makes count what the writers of a sink have ready, or gives it up."""
    connector = CONNECTORS.get(spec.kind)
    if connector is not None and connector.settle_sink is not None:
        connector.settle_sink(spec.options, tokens, commit)
