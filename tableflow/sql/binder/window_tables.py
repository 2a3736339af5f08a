"""Window table functions of FROM: the relation they read, with window_start, window_end and window_time.

Columns of the relation that have one of these names already (windows of windows) are called ``window_start_1`` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.sql.binder.aggregates import check_groupable, check_sortable
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.order import sort_key
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.projection import Projection
from tableflow.sql.binder.scope import Relation, Scope, did_you_mean
from tableflow.sql.binder.window_sizes import duration, row_count
from tableflow.sql.window_table_syntax import META, Argument, RowCount, WindowTableSyntax
from tableflow.types import BIGINT, BOOLEAN, TIMESTAMP, Field, SqlType, TimestampType, is_numeric

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "TUMBLE": ("TIMECOL", "SIZE", "OFFSET"),
    "HOP": ("TIMECOL", "SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("TIMECOL", "STEP", "SIZE", "OFFSET"),
    "SESSION": ("TIMECOL", "GAP"),
    "GLOBAL": (),
    "PUNCTUATED": ("CONDITION",),
    "LANDMARK": ("CONDITION",),
    "DELTA": ("VALUE", "THRESHOLD"),
}
_OF_ROWS: Mapping[str, tuple[str, ...]] = {"TUMBLE": ("SIZE",), "HOP": ("SLIDE", "SIZE")}


@dataclass(frozen=True, slots=True)
class Windows:
    """The columns that a window function adds."""

    start: Field
    end: Field
    time: Field

    @staticmethod
    def over(context: StatementContext, assigner: WindowAssigner, time: Field | None) -> Windows:
        """New columns of the types that the assigner gives."""
        made: SqlType = BIGINT
        nullable = False
        if isinstance(assigner, Global):
            made, nullable = TIMESTAMP, True
        elif time is not None:
            made = time.type
        of_time: SqlType = made if time is not None else TIMESTAMP
        return Windows(
            context.field("window_start", made, nullable=nullable),
            context.field("window_end", made, nullable=nullable),
            context.field("window_time", of_time, nullable=time is None),
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """All three, in order."""
        return (self.start, self.end, self.time)


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


def bind_window_table(block: Block, node: exp.Table, visible: Scope) -> Part:
    """The function's relation, not yet under its alias; the scope has one relation, of the name of what it reads."""
    from tableflow.sql.binder.joins import bind_chains

    syntax: WindowTableSyntax = node.meta[META]
    span = block.source.span(node)
    inner = bind_chains(block, syntax.relation, [], visible)
    before, block.scope, block.plan, plan_before = block.scope, inner.scope, inner.plan, block.plan
    bound = _Function(block, syntax, inner, span).bind()
    block.scope, block.plan = before, plan_before
    return bound


class _Function:
    """One function while it is bound; the block's scope and plan are those of its relation."""

    def __init__(self, block: Block, syntax: WindowTableSyntax, inner: Part, span: Span | None) -> None:
        self.block = block
        self.syntax = syntax
        self.inner = inner
        self.span = span
        self.binder = ExpressionBinder(block, Clause(syntax.name))

    def bind(self) -> Part:
        given = self._given()
        time = self._time(given.get("TIMECOL"))
        assigner = make_assigner(self.binder, self.syntax.name, given, time, self.span)
        if time is not None:
            check_precision(assigner, time, self.syntax.name, self.span)
        if self.syntax.partition and isinstance(assigner, Tumble | Hop | Cumulate):
            raise self._misplaced("PARTITION BY", self.syntax.partition[0], "write the columns into GROUP BY")
        if self.syntax.order and time is not None:
            raise self._misplaced("ORDER BY", self.syntax.order[0], "the time column says the order")
        keys = [self._key(each) for each in self.syntax.partition]
        order = [(self._sortable(item.this), item) for item in self.syntax.order]
        needed = [*keys, *(key for key, _ in order)]
        self.block.attach([*needed, *_expressions(assigner)])
        projection = Projection(self.block.context, self.block.plan)
        for field in output(self.block.plan):
            projection.add(ColumnRef(field.type, field.id, field.name), field.name)
        partition = tuple({f.id: f for f in [projection.add(key, "key") for key in keys]}.values())
        sort_keys = tuple(sort_key(projection.add(key, "order"), item) for key, item in order)
        windows = Windows.over(self.block.context, assigner, time)
        plan = WindowTable(
            projection.node(), assigner, time, partition, sort_keys, windows.start, windows.end, windows.time,
            span=self.span,
        )  # fmt: skip
        return Part(plan, Scope.of(self._relation(windows)), self.inner.needs)

    def _relation(self, windows: Windows) -> Relation:
        relations = self.inner.scope.relations
        alias = relations[0].alias if len(relations) == 1 else ""
        taken = {f.name.lower() for f in (*self.inner.scope.columns, *windows.fields)}
        columns: list[Field] = []
        for column in self.inner.scope.columns:
            name, number = column.name, 1
            if any(name.lower() == made.name for made in windows.fields):
                while f"{column.name}_{number}".lower() in taken:
                    number += 1
                name = f"{column.name}_{number}"
                taken.add(name.lower())
            columns.append(Field(column.id, name, column.type, column.nullable))
        hidden = tuple(column for relation in relations for column in relation.hidden)
        return Relation(alias, (*columns, *windows.fields), (), self.span, hidden)

    def _given(self) -> dict[str, Argument]:
        """Arguments by the name of their parameter."""
        syntax = self.syntax
        of_rows = any(isinstance(argument.value, RowCount) for argument in syntax.arguments)
        names = _OF_ROWS.get(syntax.name, ()) if of_rows else _PARAMETERS[syntax.name]
        given: dict[str, Argument] = {}
        named = False
        for position, argument in enumerate(syntax.arguments):
            span = self._place(argument)
            named = named or bool(argument.name)
            if named and not argument.name:
                raise BindError(f"an argument of {syntax.name} without name stands behind one with a name", span=span)
            if not argument.name and position >= len(names):
                raise BindError(f"{syntax.name} takes no more than {self._list(names)}", span=span)
            name = argument.name or names[position]
            if name not in names:
                hint = did_you_mean(name, ["DATA", *names]) or f"it takes {self._list(names)}"
                raise BindError(f"{syntax.name} has no argument {name}", hint=hint, span=span)
            if name in given:
                raise BindError(f"argument {name} is given twice", span=span)
            given[name] = argument
        missing = [name for name in names if name not in given and name != "OFFSET"]
        if missing:
            raise BindError(f"{syntax.name} needs {missing[0]}", hint=f"it takes {self._list(names)}", span=self.span)
        return given

    @staticmethod
    def _list(names: Sequence[str]) -> str:
        return ", ".join(("DATA", *names))

    def _place(self, argument: Argument) -> Span:
        return self.block.source.place(argument.start, argument.end)

    def _time(self, argument: Argument | None) -> Field | None:
        if argument is None:
            return None
        span = self._place(argument)
        columns: list[Any] = argument.value if argument.described else [argument.value]
        if len(columns) != 1:
            raise BindError(f"{self.syntax.name} takes one time column", span=span)
        return time_column(self.binder, columns[0], self.syntax.name, span)

    def _key(self, node: exp.Expr) -> Expression:
        found = self.binder.bind(node)
        check_groupable(found)
        return found

    def _sortable(self, node: exp.Expr) -> Expression:
        found = self.binder.bind(node)
        check_sortable(found, self.block.source.span(node))
        return found

    def _misplaced(self, what: str, node: exp.Expr, hint: str) -> BindError:
        return BindError(
            f"{self.syntax.name} of time takes no {what}", hint=hint, span=self.block.source.span(node) or self.span
        )


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
            return CountHop(rows("SLIDE"), rows("SIZE"))
        case "TUMBLE":
            size = length("SIZE")
            return Tumble(size, offset(size), local)
        case "HOP":
            slide, size = length("SLIDE"), length("SIZE")
            return Hop(slide, size, offset(slide), local)
        case "CUMULATE":
            step, size = length("STEP"), length("SIZE")
            if size % step:
                raise BindError("the SIZE of CUMULATE is no multiple of its STEP", span=span)
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


def _expressions(of: WindowAssigner) -> tuple[Expression, ...]:
    match of:
        case Punctuated(condition=condition) | Landmark(condition=condition):
            return (condition,)
        case Delta(value=value):
            return (value,)
        case _:
            return ()
