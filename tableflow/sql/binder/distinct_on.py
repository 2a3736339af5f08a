"""DISTINCT ON: the first row, in the order of ORDER BY, of those that are equal in some expressions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow import types
from tableflow.expressions.keys import keyed
from tableflow.expressions.nodes import Expression, Literal, WindowCall
from tableflow.planner.logical.nodes import Node, Window
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.order import sort_key, sorted_plan
from tableflow.sql.binder.projection import Projection
from tableflow.types import Field


def first_rows(
    block: Block,
    names: Sequence[str],
    expressions: Sequence[Expression],
    order: Sequence[tuple[Expression, exp.Ordered]],
    on: Sequence[Expression],
) -> tuple[Node, tuple[Field, ...]]:
    """The select list for the first row of each group, sorted; without ORDER BY any row of a group is its first."""
    projection = Projection(block.context, block.plan)
    fields = [projection.add(each, name) for each, name in zip(expressions, names, strict=True)]
    groups = {field.id: field for field in (projection.add(keyed(each), "on") for each in on)}
    keys = [sort_key(projection.add(keyed(key), "order"), item) for key, item in order if not isinstance(key, Literal)]
    number = block.context.field("number", types.BIGINT, nullable=False)
    within = tuple({key.column.id: key for key in keys if key.column.id not in groups}.values())
    plan = Window(
        projection.node(), tuple(groups.values()), within, (number,), (WindowCall(types.BIGINT, "row_number"),), limit=1
    )
    columns = tuple(
        Field(field.id, name, field.type, field.nullable) for field, name in zip(fields, names, strict=True)
    )
    return sorted_plan(block, plan, keys, [item for _, item in order]), columns
