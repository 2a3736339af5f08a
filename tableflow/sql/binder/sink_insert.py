"""INSERT INTO the table of a connector: the rows go out, and nothing is known of those that are there."""

from __future__ import annotations

from tableflow.catalog.written import given_columns, sink_of
from tableflow.errors import UnsupportedError
from tableflow.planner.logical.nodes import Query
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.target import BoundTarget, OutsideTable
from tableflow.sql.binder.writing import Rows
from tableflow.sql.dml_syntax import Insert
from tableflow.sql.statements import InsertIntoSink


def into_sink(
    context: StatementContext, source: Source, node: Insert, target: BoundTarget, rows: Rows
) -> InsertIntoSink:
    """The statement: ``rows`` have a column for each of the target's."""
    assert isinstance(target.table, OutsideTable)
    offer = sink_of(target.table.provider)
    assert offer is not None
    name = ".".join(target.path)
    conflict = None if node.conflict is None else source.place(node.conflict.span.start, node.conflict.span.end)
    returning = source.span(node.returning[0]) if node.returning else None
    for clause, given, place in (("ON CONFLICT", node.conflict, conflict), ("RETURNING", node.returning, returning)):
        if given is not None:
            raise UnsupportedError(
                f"{clause} needs a table that is stored by TableFlow",
                detail=f"the rows of table {name!r} go to its connector, which does not say what is there",
                hint=f"leave {clause} out; CREATE STREAMING TABLE ... AS keeps one row of each key"
                if given is node.conflict
                else f"leave {clause} out",
                span=place or target.span,
            )
    return InsertIntoSink(
        target.path,
        target.table.provider,
        Query(localized(rows.plan, context.zone), rows.columns),
        given_columns(offer.columns, name),
        tuple(range(len(rows.columns))),
    )
