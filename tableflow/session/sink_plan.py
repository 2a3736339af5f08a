"""Plans of INSERT INTO tables of connectors.

Invariant: whatever the sink cannot take (rows that are taken back) is refused before anything is opened.
"""

from __future__ import annotations

from tableflow.catalog.written import SinkOffer, SinkRequest, Takes, sink_of
from tableflow.config import TIME_ZONE, Settings
from tableflow.errors import InternalError, Span, UnsupportedError
from tableflow.physical.changelog_result import ChangelogResult
from tableflow.physical.stream_write import StreamWrite
from tableflow.planner.logical.nodes import Query
from tableflow.records import replace
from tableflow.runtime.graph import SinkSpec
from tableflow.session.planned import Computed, Planned, compute, finish
from tableflow.session.write_plan import sort_last
from tableflow.sql import statements as sql

_ADVICE = (
    "EMIT ON WINDOW CLOSE gives final rows of windows, CREATE STREAMING TABLE ... AS keeps the result; "
    "a sink that takes changes: 'connector' = 'print' or 'blackhole', or files with 'format' = 'changelog-json' or "
    "'debezium-json'"
)


def plan_insert(statement: sql.InsertIntoSink, settings: Settings, control: str | None = None) -> Planned:
    """The job that writes the rows of a statement to its sink."""
    offer = sink_of(statement.table)
    if offer is None:
        raise InternalError("a statement was bound to a table that takes no rows")
    query = Query(sort_last(statement.query.root), statement.query.columns)
    anywhere = offer.takes is not Takes.UPSERTS  # rows of one key come in their order
    computed = compute(query, settings, anywhere=anywhere, changes=offer.takes is Takes.ANYTHING)
    node = sink_write(statement, computed, offer, settings, control)
    return finish(computed, node, (), settings)


def sink_write(
    statement: sql.InsertIntoSink, computed: Computed, offer: SinkOffer, settings: Settings, control: str | None
) -> StreamWrite:
    """The operator on top of a plan, which it may have to be refused."""
    root, name = computed.root, ".".join(statement.target)
    changes = isinstance(root, ChangelogResult)
    if changes and offer.takes is Takes.APPENDED:
        raise refused(name, offer, statement.span)
    # Before the result's columns there may be that of the kinds.
    values = [computed.columns[i + changes].id for i in statement.values]
    names = [column.name for column in statement.columns]
    if isinstance(root, ChangelogResult):
        declared = declared_key(statement, offer)
        key = root.key if declared is None else tuple([values[place] for place in declared])
        root = replace(root, key=key, upserts=offer.takes is Takes.UPSERTS and key is not None)
        values, names = [computed.columns[0].id, *values], [computed.columns[0].name, *names]
    endless = not root.facts.properties.bounded
    request = SinkRequest(name, statement.columns, changes, endless, settings.get(TIME_ZONE), control)
    return StreamWrite(
        fields=(),
        facts=root.facts.handed_on(),
        input=root,
        table=name,
        sink=SinkSpec(*offer.spec(request)),
        columns=tuple(names),
        values=tuple(values),
        required=tuple(i + changes for i, column in enumerate(statement.columns) if not column.nullable),
        appends=True,
        span=statement.span,
    )


def declared_key(statement: sql.InsertIntoSink, offer: SinkOffer) -> tuple[int, ...] | None:
    """Places of the key's columns among those that are written; None if the table declares none or it is not written."""
    places = {column.name.lower(): i for i, column in enumerate(statement.columns)}
    found = [places.get(name.lower()) for name in offer.key]
    known = tuple([place for place in found if place is not None])
    return known if found and len(known) == len(found) else None


def refused(name: str, offer: SinkOffer, span: Span | None) -> UnsupportedError:
    """The error for a query whose result changes and a sink that takes rows for good."""
    return UnsupportedError(
        f"the query takes rows back that it has given; table {name!r} could not",
        hint=offer.advice or _ADVICE,
        span=span,
    )
