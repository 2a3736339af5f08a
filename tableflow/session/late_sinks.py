"""LATE INTO: tables for late rows are made if absent, and a plan is told how its late rows are written.

Rows of an epoch count when the epoch has passed, whether the statement is a query that somebody reads or a job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tableflow.catalog.written import SinkRequest, given_columns, sink_of
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.managed import epoch_sink
from tableflow.connectors.managed.epoch_sink import KeptTable
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import CatalogError, UnsupportedError
from tableflow.planner.logical.late_into import LateInto
from tableflow.planner.logical.nodes import Aggregate, Node, Query, Scan
from tableflow.planner.logical.traversal import transform_plan, walk_plan
from tableflow.planner.stream_facts import is_endless
from tableflow.records import replace
from tableflow.runtime.graph import SinkSpec
from tableflow.sql.statements import CreateManagedTable, CreateStreamingTable, Describe, Explain, ExplainKind, Statement

Change = Callable[[LateInto], LateInto | None]


def written_late(statement: Statement) -> list[LateInto]:
    """What the statement would do with its late rows; nothing if it only tells of a query."""
    if isinstance(statement, Describe):
        return []
    if isinstance(statement, Explain) and (statement.kind is not ExplainKind.ANALYZE or begins_job(statement)):
        return []
    query = getattr(statement, "query", None)
    return list(late_tables(query)) if isinstance(query, Query) else []


def begins_job(explained: Explain) -> bool:
    """Whether the statement that is explained would start a job, and return before that has ended."""
    if isinstance(explained.statement, CreateStreamingTable):
        return True
    return explained.statement is not None and is_endless(explained.query.root)


def late_tables(query: Query) -> Iterator[LateInto]:
    """What the query says of its late rows, block by block."""
    for node in walk_plan(query.root):
        if isinstance(node, Aggregate) and node.late is not None:
            yield node.late


def absent_tables(tables: Iterable[LateInto]) -> list[CreateManagedTable]:
    """The statements that make the tables which are not there yet."""
    return [
        CreateManagedTable(late.path, late.description, if_not_exists=True)
        for late in tables
        if late.description is not None
    ]


def written_tables(query: Query) -> frozenset[int]:
    """Ids of the managed tables that late rows are written to."""
    providers = [late.provider for late in late_tables(query)]
    return frozenset([one.table_id for one in providers if isinstance(one, ManagedProvider)])


def with_late_sinks(
    query: Query, objects: ObjectStore, settings: Settings, control: SinkControl | None = None
) -> Query:
    """The query with a sink for all late rows.

    Without a ``control`` that is told of the end whoever reads the rows may leave at any time: then nothing waits inside a writer.
    """
    if not any(True for _ in late_tables(query)):
        return query
    _check_not_read(query)
    key = objects.add(SinkControl(ending=True) if control is None else control)

    def told(late: LateInto) -> LateInto:
        return replace(late, sink=_sink(late, objects, settings, key))

    return _changed(query, told)


def without_late_rows(query: Query) -> Query:
    """The query, which counts its late rows and writes none."""
    return _changed(query, lambda _: None)


def _changed(query: Query, change: Change) -> Query:
    def changed(node: Node) -> Node:
        if not isinstance(node, Aggregate) or node.late is None:
            return node
        return replace(node, late=change(node.late))

    return Query(transform_plan(query.root, changed), query.columns)


def _sink(late: LateInto, objects: ObjectStore, settings: Settings, control: str) -> SinkSpec:
    if isinstance(late.provider, ManagedProvider):
        kept = KeptTable(late.provider.database, late.provider.table_id, late.name, appends=True)
        return SinkSpec(epoch_sink.KIND, {"object": objects.add(kept)})
    offer = sink_of(late.provider)
    if late.provider is None or offer is None:
        raise CatalogError(f"table {late.name!r} for late rows does not exist", hint="create it", span=late.span)
    columns = given_columns(offer.columns, late.name)
    return SinkSpec(
        *offer.spec(
            SinkRequest(late.name, columns, changes=False, endless=True, zone=settings.get(TIME_ZONE), control=control)
        )
    )


def _check_not_read(query: Query) -> None:
    """A late row that comes again is late again."""
    read = {node.table.lower() for node in walk_plan(query.root) if isinstance(node, Scan)}
    for late in late_tables(query):
        if late.name.lower() in read:
            raise UnsupportedError(
                f"the query reads table {late.name!r}, to which its late rows would go, and be late again",
                hint="write them to another table",
                span=late.span,
            )
