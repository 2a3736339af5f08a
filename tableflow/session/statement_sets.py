"""The plan of EXECUTE STATEMENT SET: one query for all statements, and an operator that hands each row to the sink of its own.

Each statement is planned by itself first, which tells how its rows change and refuses what its sink cannot take.
"""

from __future__ import annotations

from tableflow.catalog.written import SinkRequest, Takes, sink_of
from tableflow.config import TIME_ZONE, Settings
from tableflow.errors import InternalError, UnsupportedError
from tableflow.physical.changelog_result import ChangelogResult, SettledResult
from tableflow.physical.routed_write import Route, RoutedWrite, RouteKind
from tableflow.planner.logical.nodes import Node
from tableflow.planner.over_times import last_sort
from tableflow.planner.stream_facts import Streams, is_streaming
from tableflow.runtime.graph import SinkSpec
from tableflow.session.planned import Planned, compute, finish
from tableflow.session.sink_plan import declared_key, refused
from tableflow.session.stream_plan import streaming
from tableflow.session.write_plan import sort_last
from tableflow.sql import statements as sql
from tableflow.types import Field


def plan_statement_set(statement: sql.StatementSet, settings: Settings, control: str | None = None) -> Planned:
    """The job that writes the rows of all statements."""
    if is_streaming(statement.query.root, settings):
        settings = streaming(settings)  # also for those that read finished data alone
    kinds = [_kind(one, settings) for one in statement.inserts]
    anywhere = all(kind is RouteKind.DIRECT for kind, _ in kinds)
    computed = compute(statement.query, settings, anywhere=anywhere, changes=True)
    endless = not computed.root.facts.properties.bounded
    routes, at = [], 1
    for insert, (kind, key) in zip(statement.inserts, kinds, strict=True):
        columns = computed.columns[at : at + len(insert.columns)]
        at += len(insert.columns)
        routes.append(_route(insert, columns, kind, key, endless, settings, control))
    none: tuple[Field, ...] = ()
    node = RoutedWrite(
        fields=none,
        facts=computed.root.facts.handed_on(),
        input=computed.root,
        number=computed.columns[0].id,
        routes=tuple(routes),
    )
    return finish(computed, node, none, settings)


def _kind(insert: sql.InsertIntoSink, settings: Settings) -> tuple[RouteKind, tuple[int, ...] | None]:
    """How a statement's rows go to its sink, and the positions of what is unique in them."""
    offer = sink_of(insert.table)
    if offer is None:
        raise InternalError("a statement was bound to a table that takes no rows")
    _check_order(insert.query.root)
    computed = compute(insert.query, settings)
    if offer.takes is Takes.ANYTHING:
        return RouteKind.DIRECT, None
    match computed.root:
        case ChangelogResult(key=key):
            if offer.takes is Takes.APPENDED:
                raise refused(".".join(insert.target), offer, insert.span)
            declared = declared_key(insert, offer)
            if declared is not None:
                return RouteKind.CHANGES, declared
            places = {column.id: i for i, column in enumerate(computed.columns[1:])}
            return RouteKind.CHANGES, None if key is None else tuple(places[column] for column in key)
        case SettledResult():
            return RouteKind.SETTLED, None
        case _:
            return RouteKind.DIRECT, None


def _check_order(root: Node) -> None:
    """Statements of a set share their sources: the rows of one come among those of the others, in no order."""
    sorts = last_sort(sort_last(root))
    if sorts is not None and not Streams(root).of(sorts).bounded:
        raise UnsupportedError(
            "rows without end have no last one, and those of a statement set no order in which they could be written",
            hint="leave ORDER BY out: whoever reads them can sort them; INSERT as a statement of its own keeps the order of event time",
            span=sorts.span,
        )


def _route(
    insert: sql.InsertIntoSink,
    columns: tuple[Field, ...],
    kind: RouteKind,
    key: tuple[int, ...] | None,
    endless: bool,
    settings: Settings,
    control: str | None,
) -> Route:
    offer = sink_of(insert.table)
    assert offer is not None
    name = ".".join(insert.target)
    changes = kind is RouteKind.CHANGES
    request = SinkRequest(name, insert.columns, changes, endless, settings.get(TIME_ZONE), control)
    return Route(
        name,
        SinkSpec(*offer.spec(request)),
        tuple(column.name for column in insert.columns),
        tuple(column.id for column in columns),
        kind,
        tuple(i for i, column in enumerate(insert.columns) if not column.nullable),
        key,
        changes and offer.takes is Takes.UPSERTS and key is not None,
        insert.span,
    )
