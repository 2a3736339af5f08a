"""Window functions that wait in a block become Window nodes, behind GROUP BY and HAVING, before QUALIFY and ORDER BY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tableflow.errors import BindError
from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression, SortKey, walk
from tableflow.planner.logical.nodes import Window
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.block import Block, WaitingWindow
from tableflow.sql.binder.projection import Projection
from tableflow.types import Field


def refuse_windows(block: Block, expressions: Iterable[Expression], where: str) -> None:
    """Window functions are computed too late for some clauses, also under an alias."""
    for each in expressions:
        if block.has_window(each):
            raise BindError(
                f"a window function cannot stand in {where}", hint="use a subquery", span=getattr(each, "span", None)
            )


def refuse_in_aggregates(block: Block, expressions: Iterable[Expression]) -> None:
    """An aggregate over an alias of a window function."""
    calls = [node for each in expressions for node in walk(each) if isinstance(node, AggregateCall)]
    refuse_windows(block, calls, "an aggregate")


def attach(
    block: Block, rewrite: Callable[[Expression], Expression], join: Callable[[Sequence[Expression]], None]
) -> None:
    """Put all waiting windows into the plan; ``rewrite`` and ``join`` know whether there are groups.

    A window that reads another one's column (by its alias) comes above it.
    """
    waiting = [each.rewritten(rewrite) for each in block.windows]
    while waiting:
        open_ids = {each.field.id for each in waiting}
        ready = [each for each in waiting if open_ids.isdisjoint(each.reads())]
        waiting = [each for each in waiting if each not in ready]
        join([part for each in ready for part in each.parts()])
        _attach_level(block, ready)


def _attach_level(block: Block, ready: Sequence[WaitingWindow]) -> None:
    projection = Projection(block.context, block.plan)
    for field in output(block.plan):
        projection.add(ColumnRef(field.type, field.id, field.name), field.name)
    together: dict[tuple[tuple[Field, ...], tuple[SortKey, ...]], list[WaitingWindow]] = {}
    for each in ready:
        partition = {f.id: f for f in (projection.add(key, _name(key, "key")) for key in each.partition)}
        order: dict[int, SortKey] = {}
        for item in each.order:
            column = projection.add(item.key, _name(item.key, "order"))
            reference = ColumnRef(column.type, column.id, column.name)
            order.setdefault(column.id, SortKey(reference, item.descending, item.nulls_first))
        keys = tuple(sorted(partition.values(), key=lambda f: f.id)), tuple(order.values())
        together.setdefault(keys, []).append(each)
    block.plan = projection.node()
    for (fields, sort_keys), many in together.items():
        results, calls = tuple(each.field for each in many), tuple(each.call for each in many)
        block.plan = Window(block.plan, fields, sort_keys, results, calls)


def _name(key: Expression, otherwise: str) -> str:
    return key.name if isinstance(key, ColumnRef) and key.name else otherwise
