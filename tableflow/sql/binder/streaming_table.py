"""CREATE STREAMING TABLE: the table as CREATE TABLE ... AS makes it, and the text that its job is bound from again."""

from __future__ import annotations

from tableflow.errors import BindError, UnsupportedError
from tableflow.expressions.registry import JobClock
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.create_as import bind_create_as
from tableflow.sql.statements import CreateStreamingTable
from tableflow.sql.table_syntax import TableSyntax


def bind_streaming_table(context: StatementContext, source: Source, table: TableSyntax) -> CreateStreamingTable:
    """The table, its declared key, and its query."""
    span = source.place(table.name_span.start, table.name_span.end)
    if table.query is None or not table.with_data:
        raise BindError(
            "a streaming table is the result of a query",
            hint="write CREATE STREAMING TABLE name AS SELECT ...",
            span=span,
        )
    if "connector" in dict(table.options or ()):
        raise UnsupportedError(
            "a streaming table is stored by TableFlow and has no connector",
            hint="INSERT INTO a table with a connector keeps that one up to date",
            span=span,
        )
    if table.checks or any(column.generated or column.default for column in table.columns):
        raise UnsupportedError("a streaming table has a key and no other constraints", span=span)
    if context.clock is not None:
        context.clock = JobClock(context.clock.instant, context.clock.zone)
    made = bind_create_as(context, source, table)
    for place in source.placeholders:
        raise BindError("a streaming table cannot hold parameters", span=source.place(place, place + 1))
    assert made.query is not None
    return CreateStreamingTable(
        made.name, made.description, made.query, table.query_text, table.or_replace, table.if_not_exists
    )
