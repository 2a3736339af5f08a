"""Plans of jobs that keep a table: the query with managed tables as streams of their changes, and the operator that writes."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.catalog.entry import TableKind
from tableflow.catalog.provider import is_made_up, replayable
from tableflow.config import RUNTIME_MODE, Settings
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.stream import ManagedStreamProvider
from tableflow.physical.properties import ChangelogMode
from tableflow.planner.logical.nodes import Node, Query, Scan
from tableflow.planner.logical.traversal import transform_plan, walk_plan
from tableflow.records import dataclass, replace
from tableflow.runtime.graph import SinkSpec
from tableflow.session.late_sinks import written_tables
from tableflow.session.planned import Computed, Planned, compute, finish
from tableflow.types import Field

Appends = Callable[[ManagedProvider], bool]
"""Whether a managed table is one whose only writer never takes a row back."""


def as_streams(query: Query, objects: ObjectStore, appends: Appends) -> Query:
    """The query over its managed tables as streams of their own changes, but for versions that it asks for."""
    made: dict[int, ManagedStreamProvider] = {}

    def streamed(node: Node) -> Node:
        if not isinstance(node, Scan) or not isinstance(node.provider, ManagedProvider):
            return node
        table = node.provider
        if table.asked:
            return node
        known = made.get(table.table_id)
        if known is None:
            known = made[table.table_id] = ManagedStreamProvider(table, objects, appends=appends(table))
        return replace(node, provider=known)

    return Query(transform_plan(query.root, streamed), query.columns)


def sources_of(query: Query) -> frozenset[tuple[str, str]]:
    """Schema and name of all tables of the catalog that a query reads."""
    origins = [node.origin for node in walk_plan(query.root) if isinstance(node, Scan)]
    return frozenset([origin for origin in origins if origin is not None])


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A query's changes, planned but for where they go."""

    computed: Computed
    kind: TableKind
    key: tuple[int, ...] | None
    """Positions of result columns that are unique together."""
    reads: frozenset[int] = frozenset()
    """Ids of the managed tables whose changes it takes."""
    late_rows: frozenset[int] = frozenset()
    """Ids of the managed tables that its late rows go to."""
    sources: frozenset[tuple[str, str]] = frozenset()
    """See :func:`sources_of`."""
    made: frozenset[str] = frozenset()
    """The tables, as the query calls them, whose rows are made up."""
    gone: tuple[str, ...] = ()
    """The tables that give rows once, and cannot be read again from the start."""


def plan_changes(query: Query, settings: Settings) -> StreamPlan:
    """Plans the changes of a query; how they change follows from it."""
    computed = compute(query, streaming(settings), changes=True)
    properties = computed.root.facts.properties
    reads = frozenset(
        node.provider.table.table_id
        for node in walk_plan(query.root)
        if isinstance(node, Scan) and isinstance(node.provider, ManagedStreamProvider)
    )
    late = written_tables(query)
    where = {column.id: i for i, column in enumerate(computed.columns)}
    keys = [tuple(sorted(where[column] for column in key)) for key in properties.keys if key <= where.keys()]
    key = min(keys, key=lambda one: (len(one), one), default=None)
    appends = properties.changelog is ChangelogMode.APPEND
    kind = TableKind.APPEND if appends else TableKind.BAG if key is None else TableKind.KEYED
    scans = [node for node in walk_plan(query.root) if isinstance(node, Scan)]
    gone = [node.table for node in scans if not replayable(node.provider)]
    made = frozenset([node.table for node in scans if is_made_up(node.provider)])
    return StreamPlan(computed, kind, key, reads, late, sources_of(query), made, tuple(gone))


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """A sink for changes: its name, columns in order, for each the position of a result column, and which hold no NULL."""

    name: str
    sink: SinkSpec
    columns: tuple[str, ...]
    values: tuple[int, ...]
    required: tuple[int, ...] = ()


def finish_write(plan: StreamPlan, target: StreamTarget, settings: Settings) -> Planned:
    """The job that writes the changes to a sink."""
    from tableflow.physical.stream_write import StreamWrite

    root, columns = plan.computed.root, plan.computed.columns
    none: tuple[Field, ...] = ()
    node = StreamWrite(
        fields=none,
        facts=root.facts.handed_on(),
        input=root,
        table=target.name,
        sink=target.sink,
        columns=target.columns,
        values=tuple(columns[i].id for i in target.values),
        required=target.required,
        appends=root.facts.properties.changelog is ChangelogMode.APPEND,
    )
    return finish(plan.computed, node, none, streaming(settings))


def streaming(settings: Settings) -> Settings:
    """The settings of a job that goes on: also finished data is a stream."""
    return settings.with_value(RUNTIME_MODE.name, "streaming")


def batch(settings: Settings) -> Settings:
    """The settings of a statement that reads finished data as such."""
    return settings.with_value(RUNTIME_MODE.name, "batch")
