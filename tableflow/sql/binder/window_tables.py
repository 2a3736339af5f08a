"""Window table functions of FROM: the relation they read, with window_start, window_end and window_time.

Columns of the relation that have one of these names already (windows of windows) are called ``window_start_1`` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from tableflow.errors import BindError, Span
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.expressions.window_assigner import (
    Cumulate,
    Global,
    Hop,
    Tumble,
    WindowAssigner,
)
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.records import dataclass
from tableflow.sql.binder.aggregates import check_groupable, check_sortable
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.order import sort_key
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.projection import Projection
from tableflow.sql.binder.scope import Relation, Scope, did_you_mean
from tableflow.sql.binder.window_assigners import check_precision, expressions_of, make_assigner, time_column
from tableflow.sql.window_table_syntax import META, Argument, RowCount, WindowTableSyntax
from tableflow.types import BIGINT, TIMESTAMP, Field, SqlType

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
_USAGE = {
    "GLOBAL": "GLOBAL(TABLE t PARTITION BY k ORDER BY ts)",
    "PUNCTUATED": "PUNCTUATED(TABLE t PARTITION BY k ORDER BY ts, condition)",
    "LANDMARK": "LANDMARK(TABLE t PARTITION BY k ORDER BY ts, condition)",
    "DELTA": "DELTA(TABLE t PARTITION BY k ORDER BY ts, value, threshold)",
}
"""How windows that are not of time are written, for errors."""
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
        if self.syntax.partition and isinstance(assigner, (Tumble, Hop, Cumulate)):
            raise self._misplaced("PARTITION BY", self.syntax.partition[0], "write the columns into GROUP BY")
        if self.syntax.order and time is not None:
            raise self._misplaced("ORDER BY", self.syntax.order[0], "the time column says the order")
        keys = [self._key(each) for each in self.syntax.partition]
        order = [(self._sortable(item.this), item) for item in self.syntax.order]
        needed = [*keys, *(key for key, _ in order)]
        self.block.attach([*needed, *expressions_of(assigner)])
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

    def _unbracketed(self) -> str | None:
        """What to write if an argument may have been meant as one more column of ORDER BY or PARTITION BY."""
        syntax, extra = self.syntax, self.syntax.arguments[0].value
        if not isinstance(extra, exp.Expr):
            return _USAGE.get(syntax.name)
        for clause, items in (("ORDER BY", syntax.order), ("PARTITION BY", [] if syntax.order else syntax.partition)):
            if len(items) == 1:
                written = [self.block.source.slice(one) for one in (items[0], extra)]
                return f"several columns stand together: {clause} ({', '.join(written)})"
        return _USAGE.get(syntax.name)

    def _given(self) -> dict[str, Argument]:
        """Arguments by the name of their parameter."""
        syntax = self.syntax
        of_rows = any(isinstance(argument.value, RowCount) for argument in syntax.arguments)
        names = _OF_ROWS.get(syntax.name, ()) if of_rows else _PARAMETERS[syntax.name]
        self._take_columns(names, of_rows=of_rows)
        given: dict[str, Argument] = {}
        named = False
        for position, argument in enumerate(syntax.arguments):
            span = self._place(argument)
            named = named or bool(argument.name)
            if named and not argument.name:
                raise BindError(f"an argument of {syntax.name} without name stands behind one with a name", span=span)
            if not argument.name and position >= len(names):
                raise BindError(
                    f"{syntax.name} takes no more than {self._list(names)}", hint=self._unbracketed(), span=span
                )
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

    def _take_columns(self, names: Sequence[str], *, of_rows: bool) -> None:
        """Behind PARTITION BY and ORDER BY without parentheses the first ones of too many arguments are columns."""
        syntax = self.syntax
        more = len(syntax.arguments) - len(names)
        by_time = syntax.name in _OF_ROWS and not of_rows
        leading = syntax.arguments[: max(more, 0)]
        if not syntax.bare or by_time or not all(isinstance(one.value, exp.Expr) and not one.name for one in leading):
            return
        syntax.take(leading)
        syntax.arguments = syntax.arguments[len(leading) :]

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
