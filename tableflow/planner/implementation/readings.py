"""What streams know of time where a row is (CURRENT_WATERMARK, NOW()) becomes a column that an operator below gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from tableflow.expressions.nodes import Call, ColumnRef, Expression, transform, walk
from tableflow.expressions.registry import EPOCH_TIME
from tableflow.physical.current_watermark import CurrentWatermark
from tableflow.physical.epoch_time import EpochTime
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.records import replace
from tableflow.types import Field, SqlType

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search

CURRENT_WATERMARK = "current_watermark"
READINGS = frozenset({CURRENT_WATERMARK, EPOCH_TIME})
"""Calls that an operator answers."""

_Made: TypeAlias = dict[tuple[str, SqlType], Field]


def with_readings(search: Search, plans: Iterable[PhysicalNode]) -> Iterator[PhysicalNode]:
    """Filters and projections whose expressions read time read a column instead."""
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


def _below(search: Search, plan: PhysicalNode, expressions: tuple[Expression, ...]) -> tuple[PhysicalNode, _Made]:
    """The input with a column for each reading, in each of its types."""
    calls = [
        node for each in expressions for node in walk(each) if isinstance(node, Call) and node.function in READINGS
    ]
    found = dict.fromkeys((call.function, call.type) for call in calls)
    made = {(name, of): Field(search.fresh_id(), name, of) for name, of in found}
    for (name, _), field in made.items():
        fields = (*plan.fields, field)
        if name == CURRENT_WATERMARK:
            plan = CurrentWatermark(fields=fields, facts=plan.facts.handed_on(), input=plan, watermark=field)
        else:
            plan = EpochTime(fields=fields, facts=plan.facts.handed_on(), input=plan, time=field)
    return plan, made


def _reading(of: Expression, made: _Made) -> Expression:
    def column(node: Expression) -> Expression:
        field = made.get((node.function, node.type)) if isinstance(node, Call) else None
        return node if field is None else ColumnRef(field.type, field.id, field.name)

    return transform(of, column)
