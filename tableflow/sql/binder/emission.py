"""EMIT of a SELECT block: bound before the select list, because it may give the block a column ``window_fire``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, Span
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose, Trigger
from tableflow.expressions.window_assigner import Global
from tableflow.planner.logical.nodes import Filter, Node, Project
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.planner.logical.traversal import walk_plan
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.late_into import bind_late_into
from tableflow.sql.binder.window_sizes import duration, row_count
from tableflow.sql.emit_syntax import META, EmitSyntax, TriggerSyntax
from tableflow.sql.window_table_syntax import RowCount
from tableflow.types import BIGINT

FIRE = "window_fire"


def bind_emit(block: Block, node: exp.Select) -> None:
    """The block's EMIT, if it has one."""
    clause = node.args.get("emit")
    if clause is None:
        return
    syntax: EmitSyntax = clause.meta[META]
    table = windows_of(block.plan) if block.group_window is None else block.group_window.table(block, ())
    binder = ExpressionBinder(block, Clause("EMIT"))
    windowed = table is not None or any(isinstance(node, WindowTable) for node in walk_plan(block.plan))
    triggers = tuple(_trigger(binder, each, windowed=windowed) for each in syntax.triggers)
    _check_together(block, syntax.triggers, triggers)
    keep_rows, keep = _keep(binder, syntax, table)
    lateness, late_into = _late(binder, syntax, table)
    block.emit_span = block.source.span(clause)
    block.emit = Emit(triggers, keep_rows, keep, lateness, late_into, block.emit_span)
    if late_into is not None:
        assert table is not None
        assert table.time is not None
        block.late = bind_late_into(block, syntax, table.made, table.time)
    if block.emit.evicts or (table is not None and isinstance(table.assigner, Global)):
        block.fire = block.context.field(FIRE, BIGINT, nullable=False)


def check_governs(block: Block, *, aggregates: bool) -> None:
    """Refuse an EMIT that has nothing to say when to give out."""
    if block.emit is None or aggregates:
        return
    if windows_of(block.plan) is not None and block.emit in (Emit(), Emit((OnWindowClose(),))):
        return  # windows without aggregation: rows of closed windows only, which is what happens anyway
    raise BindError(
        "EMIT needs an aggregation in its SELECT block",
        detail="rows that are not aggregated come out as they come in",
        hint="write it behind the SELECT that has GROUP BY",
        span=block.emit_span,
    )


def windows_of(plan: Node) -> WindowTable | None:
    """The window table whose rows the plan passes on."""
    while isinstance(plan, (Filter, Project)):
        plan = plan.input
    return plan if isinstance(plan, WindowTable) else None


def _place(binder: ExpressionBinder, span: Span | None) -> Span | None:
    return None if span is None else binder.source.place(span.start, span.end)


def _trigger(binder: ExpressionBinder, of: TriggerSyntax, *, windowed: bool) -> Trigger:
    """``windowed``: there are windows below, be it on the sides of a join or in a subquery."""
    place = _place(binder, of.span)
    if of.words == "ON UPDATE":
        return OnUpdate()
    if of.words == "ON WINDOW CLOSE":
        if not windowed:
            raise BindError(
                "EMIT ON WINDOW CLOSE needs a window",
                hint="read from TUMBLE(...) or another window function, and group by window_start and window_end",
                span=place,
            )
        return OnWindowClose()
    if of.rows:
        return EveryRows(row_count(binder, RowCount(of.every), "number of EVERY", place))
    return EveryInterval(duration(binder, of.every, "interval of EVERY", place), of.event_time)


def _check_together(block: Block, written: Sequence[TriggerSyntax], triggers: Sequence[Trigger]) -> None:
    for number, trigger in enumerate(triggers):
        twice = trigger in triggers[:number]
        if twice or (isinstance(trigger, OnUpdate) and len(triggers) > 1):
            span = written[number].span
            raise BindError(
                "a trigger is given twice" if twice else "ON UPDATE includes every other trigger",
                span=block.source.place(span.start, span.end),
            )


def _keep(binder: ExpressionBinder, syntax: EmitSyntax, table: WindowTable | None) -> tuple[int | None, int | None]:
    if syntax.keep is None:
        return None, None
    place = _place(binder, syntax.keep_span)
    if table is None:
        raise BindError(
            "KEEP LAST needs a window",
            hint="GLOBAL is one for ever: FROM GLOBAL(TABLE t PARTITION BY k) GROUP BY k EMIT EVERY 100 ROWS KEEP LAST 100 ROWS",
            span=place,
        )
    if syntax.keep_rows:
        return row_count(binder, RowCount(syntax.keep), "number of KEEP LAST", place), None
    return None, duration(binder, syntax.keep, "interval of KEEP LAST", place)


def _late(binder: ExpressionBinder, syntax: EmitSyntax, table: WindowTable | None) -> tuple[int | None, str | None]:
    for what, span in (("WITH LATENESS", syntax.lateness_span), ("LATE INTO", syntax.late_span)):
        if span is not None and (table is None or table.time is None):
            raise BindError(
                f"{what} needs a window of time", detail="rows are late for nothing else", span=_place(binder, span)
            )
    lateness = None
    if syntax.lateness is not None:
        lateness = duration(binder, syntax.lateness, "interval of LATENESS", _place(binder, syntax.lateness_span))
    return lateness, None if syntax.late_into is None else ".".join(syntax.late_into)
