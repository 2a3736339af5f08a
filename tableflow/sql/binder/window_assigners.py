"""The assigner that the arguments of a window function describe, and the time column it goes by."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import unify
from tableflow.expressions.fold import fold
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Cumulate,
    Delta,
    Global,
    Hop,
    Landmark,
    Punctuated,
    Session,
    Tumble,
    WindowAssigner,
)
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.expressions import ExpressionBinder
from tableflow.sql.binder.window_sizes import duration, row_count
from tableflow.sql.window_table_syntax import Argument
from tableflow.types import BOOLEAN, Field, TimestampType, is_numeric


def time_column(binder: ExpressionBinder, node: exp.Expr, name: str, span: Span | None) -> Field:
    """The time column that a window function names."""
    found = binder.bind(node)
    field = next((f for f in output(binder.block.plan) if isinstance(found, ColumnRef) and f.id == found.id), None)
    if field is None:
        raise BindError(f"{name} needs a column of its relation as time", hint="compute it in a subquery", span=span)
    if not isinstance(field.type, TimestampType):
        raise BindError(
            f"the time column {field.name!r} of {name} is {field.type}",
            detail="windows of time need a TIMESTAMP or TIMESTAMP_LTZ",
            hint=f"compute it in a subquery: CAST({field.name} AS TIMESTAMP(3))",
            span=span,
        )
    return field


def make_assigner(
    binder: ExpressionBinder, name: str, given: Mapping[str, Argument], time: Field | None, span: Span | None
) -> WindowAssigner:
    """The assigner of a function's arguments by name."""
    zone = binder.block.context.zone
    local = zone if time is not None and isinstance(time.type, TimestampType) and time.type.zoned else ""
    local = "" if local == "UTC" else local

    def length(key: str) -> int:
        return duration(
            binder, given[key].value, f"{key} of {name}", binder.source.place(given[key].start, given[key].end)
        )

    def offset(period: int) -> int:
        if "OFFSET" not in given:
            return 0
        place = binder.source.place(given["OFFSET"].start, given["OFFSET"].end)
        return duration(binder, given["OFFSET"].value, f"OFFSET of {name}", place, signed=True) % period

    def rows(key: str) -> int:
        return row_count(
            binder, given[key].value, f"{key} of {name}", binder.source.place(given[key].start, given[key].end)
        )

    match name:
        case "TUMBLE" if time is None:
            return CountTumble(rows("SIZE"))
        case "HOP" if time is None:
            step, count = rows("SLIDE"), rows("SIZE")
            _warn_of_gaps(binder, given, step > count)
            return CountHop(step, count)
        case "TUMBLE":
            size = length("SIZE")
            return Tumble(size, offset(size), local)
        case "HOP":
            slide, size = length("SLIDE"), length("SIZE")
            _warn_of_gaps(binder, given, slide > size)
            return Hop(slide, size, offset(slide), local)
        case "CUMULATE":
            step, size = length("STEP"), length("SIZE")
            if size % step:
                raise BindError(
                    "the SIZE of CUMULATE is no multiple of its STEP",
                    hint="the STEP stands before the SIZE"
                    if size < step
                    else "windows grow by whole steps up to the size",
                    span=span,
                )
            return Cumulate(step, size, offset(size), local)
        case "SESSION":
            return Session(length("GAP"))
        case "GLOBAL":
            return Global()
        case "PUNCTUATED":
            return Punctuated(_condition(binder, given["CONDITION"]))
        case "LANDMARK":
            return Landmark(_condition(binder, given["CONDITION"]))
        case _:
            return _delta(binder, given["VALUE"], given["THRESHOLD"])


def _warn_of_gaps(binder: ExpressionBinder, given: Mapping[str, Argument], gaps: bool) -> None:
    """HOP takes the slide first: whoever writes the size first loses rows.  Whoever names them has said what he means."""
    slide, size = given["SLIDE"], given["SIZE"]
    if gaps and not (slide.name and size.name):
        text = binder.source.text
        binder.block.context.warn(
            f"HOP begins a window every {text[slide.start : slide.end]} (SLIDE, which stands first), each of "
            f"{text[size.start : size.end]} (SIZE): rows between two windows are in none; "
            "exchange the two, or write SLIDE => ..., SIZE => ... if that is meant",
            binder.source.place(slide.start, size.end),
        )


def _condition(binder: ExpressionBinder, argument: Argument) -> Expression:
    found = binder.condition(argument.value)
    assert found.type == BOOLEAN
    return found


def _delta(binder: ExpressionBinder, value: Argument, threshold: Argument) -> Delta:
    measured, limit = binder.bind(value.value), fold(binder.bind(threshold.value))
    for found, argument in ((measured, value), (limit, threshold)):
        if not is_numeric(found.type):
            raise BindError(
                f"DELTA compares numbers, this is {found.type}",
                span=binder.source.place(argument.start, argument.end),
            )
    place = binder.source.place(threshold.start, threshold.end)
    if not isinstance(limit, Literal):
        raise BindError("the THRESHOLD of DELTA is a constant", span=place)
    if limit.value is None or limit.value < 0:
        raise BindError("the THRESHOLD of DELTA is not negative", span=place)
    measured, limit = unify([measured, limit], "the value and the threshold of DELTA")
    return Delta(measured, fold(limit))


def expressions_of(of: WindowAssigner) -> tuple[Expression, ...]:
    """What an assigner computes from each row."""
    match of:
        case Punctuated(condition=condition) | Landmark(condition=condition):
            return (condition,)
        case Delta(value=value):
            return (value,)
        case _:
            return ()


def check_precision(assigner: WindowAssigner, time: Field, name: str, span: Span | None) -> None:
    """Refuse windows whose bounds are no values of the time column's type."""
    assert isinstance(time.type, TimestampType)
    unit = 10 ** max(0, 6 - time.type.precision)
    if any(length % unit for length in _lengths(assigner)):
        raise BindError(
            f"the windows of {name} begin and end between the values of {time.type}",
            hint=f"compute the time column in a subquery: CAST({time.name} AS TIMESTAMP(6))",
            span=span,
        )


def _lengths(of: WindowAssigner) -> tuple[int, ...]:
    match of:
        case Tumble(size=size, offset=offset):
            return size, offset
        case Hop(slide=slide, size=size, offset=offset):
            return slide, size, offset
        case Cumulate(step=step, size=size, offset=offset):
            return step, size, offset
        case Session(gap=gap):
            return (gap,)
        case _:
            return ()
