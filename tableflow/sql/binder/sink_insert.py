"""INSERT INTO the table of a connector: the rows go out, and nothing is known of those that are there."""

from __future__ import annotations

from tableflow.catalog.written import given_columns, sink_of
from tableflow.errors import UnsupportedError
from tableflow.planner.logical.nodes import Query
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.target import BoundTarget, OutsideTable
from tableflow.sql.binder.writing import Rows
from tableflow.sql.dml_syntax import Insert
from tableflow.sql.statements import InsertIntoSink


def into_sink(context: StatementContext, node: Insert, target: BoundTarget, rows: Rows) -> InsertIntoSink:
    """The statement: ``rows`` have a column for each of the target's."""
    assert isinstance(target.table, OutsideTable)
    offer = sink_of(target.table.provider)
    assert offer is not None
    name = ".".join(target.path)
    for clause, given in (("ON CONFLICT", node.conflict), ("RETURNING", node.returning)):
        if given is not None:
            raise UnsupportedError(
                f"{clause} needs a table that is stored by TableFlow",
                detail=f"the rows of table {name!r} go to its connector, which does not say what is there",
                hint=f"leave {clause} out",
                span=target.span,
            )
    return InsertIntoSink(
        target.path,
        target.table.provider,
        Query(localized(rows.plan, context.zone), rows.columns),
        given_columns(offer.columns, name),
        tuple(range(len(rows.columns))),
    )
