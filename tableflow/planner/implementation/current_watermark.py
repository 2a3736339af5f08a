"""Calls of CURRENT_WATERMARK in streams become a column that an operator below gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tableflow.expressions.nodes import Call, ColumnRef, Expression, transform, walk
from tableflow.physical.current_watermark import CurrentWatermark
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.records import replace
from tableflow.types import Field, SqlType

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search

NAME = "current_watermark"


def with_watermarks(search: Search, plans: Iterable[PhysicalNode]) -> Iterator[PhysicalNode]:
    """Filters and projections whose expressions read the watermark read a column instead."""
    for plan in plans:
        if isinstance(plan, FilterRows):
            yield _filter(search, plan)
        elif isinstance(plan, ProjectColumns):
            yield _project(search, plan)
        else:
            yield plan


def _filter(search: Search, plan: FilterRows) -> PhysicalNode:
    below, made = _below(search, plan.input, plan.conjuncts)
    if not made:
        return plan
    conjuncts = tuple([_reading(each, made) for each in plan.conjuncts])
    return replace(plan, fields=below.fields, input=below, conjuncts=conjuncts)


def _project(search: Search, plan: ProjectColumns) -> PhysicalNode:
    below, made = _below(search, plan.input, plan.expressions)
    if not made:
        return plan
    return replace(plan, input=below, expressions=tuple([_reading(each, made) for each in plan.expressions]))


def _below(
    search: Search, plan: PhysicalNode, expressions: tuple[Expression, ...]
) -> tuple[PhysicalNode, dict[SqlType, Field]]:
    """The input with a column for each type in which the watermark is read."""
    types = dict.fromkeys(node.type for each in expressions for node in walk(each) if _is_watermark(node))
    made = {of: Field(search.fresh_id(), NAME, of) for of in types}
    for field in made.values():
        plan = CurrentWatermark(fields=(*plan.fields, field), facts=plan.facts.handed_on(), input=plan, watermark=field)
    return plan, made


def _is_watermark(of: Expression) -> bool:
    return isinstance(of, Call) and of.function == NAME


def _reading(of: Expression, made: dict[SqlType, Field]) -> Expression:
    def column(node: Expression) -> Expression:
        return ColumnRef(node.type, made[node.type].id, NAME) if _is_watermark(node) else node

    return transform(of, column)
