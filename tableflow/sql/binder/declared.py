"""What a table declares beside the columns that its connector delivers: computed columns and event time.

A scan of such a table is a Scan, a Project for each level of computed columns (one may be computed from another), and what
assigns watermarks.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.catalog.provider import WatermarkDefinition
from tableflow.errors import BindError, CatalogError, Span, TableFlowError
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Node, Project
from tableflow.planner.logical.time_nodes import AssignWatermarks
from tableflow.records import dataclass
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.scope import did_you_mean
from tableflow.sql.binder.stored import COMPUTED, WATERMARK, bind_text, columns_read
from tableflow.types import Field, IntervalType, SqlType, TimestampType


@dataclass(frozen=True, slots=True)
class ComputedText:
    """A computed column: its text, its type if it is known, and where the text stands."""

    name: str
    text: str
    type: SqlType | None
    place: Span


Level = list[tuple[Field, Expression]]


def bind_computed(
    context: StatementContext, known: Sequence[Field], computed: Sequence[ComputedText]
) -> tuple[list[Level], dict[str, Field]]:
    """Levels of computed columns, each over the columns before it, and all columns by lower-case name."""
    fields = {field.name.lower(): field for field in known}
    waiting = list(computed)
    levels: list[Level] = []
    while waiting:
        names = {each.name.lower() for each in waiting}
        ready = [each for each in waiting if columns_read(each.text).isdisjoint(names)]
        if not ready:
            raise CatalogError(
                f"computed column {waiting[0].name!r} refers to itself",
                detail=f"so do {', '.join(repr(each.name) for each in waiting[1:])}" if len(waiting) > 1 else None,
                span=waiting[0].place,
            )
        level = [_column(context, each, list(fields.values())) for each in ready]
        levels.append(level)
        fields |= {field.name.lower(): field for field, _ in level}
        waiting = [each for each in waiting if each not in ready]
    return levels, fields


def _column(context: StatementContext, of: ComputedText, known: Sequence[Field]) -> tuple[Field, Expression]:
    found = bind_text(context, of.text, of.place, COMPUTED, known)
    if of.type is not None and found.type != of.type:
        try:
            found = cast(found, of.type)
        except TableFlowError as error:
            raise error.at(of.place) from None
    field = context.field(of.name, found.type)
    if isinstance(found, Call) and found.function == "proctime":
        context.processing_times.add(field.id)
    return field, found


def with_computed(plan: Node, known: Sequence[Field], levels: Sequence[Level]) -> Node:
    """The plan with the computed columns behind its own."""
    fields = tuple(known)
    for level in levels:
        wider = (*fields, *[field for field, _ in level])
        plan = Project(plan, wider, (*passing(fields), *[expression for _, expression in level]))
        fields = wider
    return plan


def _times(fields: dict[str, Field]) -> str | None:
    names = [field.name for field in fields.values() if isinstance(field.type, TimestampType)]
    return f"columns that may be event time: {', '.join(names)}" if names else None


def bind_watermark(
    context: StatementContext, watermark: WatermarkDefinition, place: Span, fields: dict[str, Field]
) -> tuple[Field, Expression]:
    """The event-time column, and what time has come to."""
    column = fields.get(watermark.column.lower())
    if column is None:
        raise CatalogError(
            f"column {watermark.column!r} of WATERMARK FOR is not declared",
            hint=did_you_mean(watermark.column, [field.name for field in fields.values()]) or _times(fields),
            span=place,
        )
    if not isinstance(column.type, TimestampType):
        raise BindError(
            f"event time {column.name!r} is {column.type}, and has to be a TIMESTAMP or TIMESTAMP_LTZ",
            hint="compute it: event_time AS CAST(... AS TIMESTAMP(3))",
            span=place,
        )
    try:
        found = bind_text(context, watermark.expression, place, WATERMARK, list(fields.values()))
    except BindError as error:
        if error.message.startswith("operator "):
            error.hint = f"write {column.name} - INTERVAL '5' SECOND"
        raise
    if not isinstance(found.type, TimestampType) or found.type.zoned != column.type.zoned:
        raise BindError(
            f"the watermark of {column.name!r} is {found.type}, and has to be {column.type}",
            hint=f"write {column.name} - INTERVAL '5' SECOND",
            span=place,
        )
    if _is_ahead(found):
        context.warn(
            f"the watermark of {column.name!r} is ahead of the row it comes from, so that rows are late as they come: "
            f"write {column.name} - INTERVAL ... to wait for rows that come later",
            place,
        )
    return column, found


def _is_ahead(watermark: Expression) -> bool:
    """A time that is moved forward: it says that nothing comes any more up to a time which no row has reached."""
    if not isinstance(watermark, Call) or watermark.function not in {"add", "subtract"}:
        return False
    by = watermark.args[1]
    if not isinstance(by, Literal) or not isinstance(by.type, IntervalType) or by.value is None:
        return False
    return tuple(by.value) > (0, 0, 0) if watermark.function == "add" else tuple(by.value) < (0, 0, 0)


def with_watermarks(
    context: StatementContext, plan: Node, watermark: tuple[Field, Expression], table: str
) -> AssignWatermarks:
    """The plan whose rows move event time."""
    column, expression = watermark
    return AssignWatermarks(plan, column, expression, context.null_time, table)
