"""Group window functions: ``GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)``, with TUMBLE_START and its like in the select list.

They mean a window table function over what FROM and WHERE give; sessions are those of the other keys.  The window table is put
into the plan when the groups are made (:mod:`.aggregates`), because only then the keys are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow.errors import BindError, Span
from tableflow.expressions.keys import keyed
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.expressions.window_assigner import Session, WindowAssigner
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.records import dataclass
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.projection import Projection
from tableflow.sql.window_table_syntax import Argument
from tableflow.types import Field, TimestampType

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder
    from tableflow.sql.binder.window_tables import Windows

_FUNCTIONS = {
    "TUMBLE": ("TIMECOL", "SIZE", "OFFSET"), "HOP": ("TIMECOL", "SLIDE", "SIZE", "OFFSET"), "SESSION": ("TIMECOL", "GAP"),
}  # fmt: skip
_PARTS = ("START", "END", "ROWTIME", "PROCTIME")
NAMES = frozenset({*_FUNCTIONS, *(f"{name}_{part}" for name in _FUNCTIONS for part in _PARTS)})
"""Names of calls that speak of the window of GROUP BY."""


@dataclass(slots=True)
class GroupWindow:
    """The window of a block's GROUP BY; ``columns`` are its start, end and time."""

    name: str
    time: Expression
    assigner: WindowAssigner
    columns: Windows
    span: Span | None
    partition: dict[Expression, Field] = field(default_factory=dict)
    """The other keys that sessions are divided by, and the columns that hold them."""

    def table(self, block: Block, keys: Sequence[Expression]) -> WindowTable:
        """The window table over the block's plan, given all keys of the aggregation."""
        made = {f.id for f in self.columns.fields}
        projection = Projection(block.context, block.plan)
        for f in output(block.plan):
            projection.add(ColumnRef(f.type, f.id, f.name), f.name)
        time = projection.add(self.time, self.time.name if isinstance(self.time, ColumnRef) else "time")
        if isinstance(self.assigner, Session):
            for key in keys:
                if not (isinstance(key, ColumnRef) and key.id in made):
                    self.partition[key] = projection.add(keyed(key), key.name if isinstance(key, ColumnRef) else "key")
        partition = tuple({f.id: f for f in self.partition.values()}.values())
        start, end, last = self.columns.fields
        return WindowTable(projection.node(), self.assigner, time, partition, (), start, end, last, self.span)

    @property
    def references(self) -> tuple[ColumnRef, ...]:
        """The window's columns as keys."""
        return tuple([ColumnRef(f.type, f.id, f.name) for f in self.columns.fields])


def define(block: Block, node: exp.Select) -> None:
    """The window of the block's GROUP BY, if it has one."""
    group = node.args.get("group")
    for each in () if group is None else group.expressions:
        if isinstance(each, exp.Anonymous) and each.name.upper() in _FUNCTIONS:
            if block.group_window is not None:
                raise BindError("GROUP BY has one window", span=block.source.span(each))
            block.group_window = _bound(block, each)


def reference(binder: ExpressionBinder, node: exp.Anonymous) -> Expression:
    """TUMBLE, TUMBLE_START and the like: a column of the window of GROUP BY."""
    name, _, part = node.name.upper().partition("_")
    span = binder.source.span(node)
    if part == "PROCTIME":
        raise refused(node.name.upper(), span)
    window = binder.block.group_window
    if window is None or window.name != name or _signature(binder.block, node, name) != _of(window):
        raise BindError(
            f"{node.name.upper()} needs {name} of the same arguments in GROUP BY",
            hint=f"as a table function, FROM {name}(...) gives window_start and window_end" if not part else None,
            span=span,
        )
    if binder.inside_aggregate:
        raise BindError(f"{node.name.upper()} cannot stand inside an aggregate", span=span)
    found = {"": window.columns.start, "START": window.columns.start, "END": window.columns.end}.get(
        part, window.columns.time
    )
    return ColumnRef(found.type, found.id, found.name, span)


def _of(window: GroupWindow) -> tuple[Expression, WindowAssigner]:
    return window.time, window.assigner


def _bound(block: Block, node: exp.Anonymous) -> GroupWindow:
    from tableflow.sql.binder.window_assigners import check_precision
    from tableflow.sql.binder.window_tables import Windows

    name, span = node.name.upper(), block.source.span(node)
    time, assigner = _signature(block, node, name)
    assert isinstance(time.type, TimestampType)
    like = Field(0, time.name if isinstance(time, ColumnRef) else name, time.type)
    check_precision(assigner, like, name, span)
    return GroupWindow(name, time, assigner, Windows.over(block.context, assigner, like), span)


def _signature(block: Block, node: exp.Anonymous, name: str) -> tuple[Expression, WindowAssigner]:
    """The time and the assigner that the arguments say."""
    from tableflow.sql.binder.expressions import Clause, ExpressionBinder
    from tableflow.sql.binder.window_assigners import make_assigner

    names, span = _FUNCTIONS[name], block.source.span(node)
    needed = len(names) - ("OFFSET" in names)
    if not needed <= len(node.expressions) <= len(names):
        raise BindError(f"{node.name.upper()} takes {', '.join(each.lower() for each in names)}", span=span)
    binder = ExpressionBinder(block, Clause(name))
    time = binder.bind(node.expressions[0])
    if not isinstance(time.type, TimestampType):
        raise BindError(
            f"the time of {name} is {time.type}, and has to be a TIMESTAMP or TIMESTAMP_LTZ",
            hint="cast it: CAST(... AS TIMESTAMP(3))",
            span=block.source.span(node.expressions[0]),
        )
    given = {key: _argument(block, each) for key, each in zip(names[1:], node.expressions[1:], strict=False)}
    like = Field(0, "time", time.type)
    return time, make_assigner(binder, name, given, like, span)


def _argument(block: Block, node: Any) -> Argument:
    """An argument where it stands in the text of its block."""
    place = block.source.span(node) or Span(0, 0)
    return Argument(node, start=place.start - block.source.offset, end=place.end - block.source.offset)
