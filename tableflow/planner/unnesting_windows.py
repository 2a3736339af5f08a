"""What counts rows for each outer row: windows partitioned by what tells outer rows apart, LIMIT as a bound on row numbers."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Literal, WindowCall
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Filter, Limit, Node, Project, Sort, Window
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import BIGINT, Field


def partitioned_by(node: Window, columns: Iterable[Field]) -> Window:
    """The window with these columns of its input as partition columns too."""
    own = {f.id for f in node.partition}
    return replace(node, partition=(*node.partition, *[f for f in columns if f.id not in own]))


def below_project(node: Limit, context: Context) -> Node:
    """The limit below the projection it stands on, where its order is."""
    match node.input:
        case Project(input=child, expressions=expressions) if all(map(context.deterministic, expressions)):
            return replace(node.input, input=below_project(replace(node, input=child), context))
        case _:
            return node


def limited_per_group(node: Limit, below: Node, groups: tuple[Field, ...], context: Context) -> Node:
    """The first rows of each group of ``below``, which replaces the limit's input without its sort."""
    order = node.input.keys if isinstance(node.input, Sort) else ()
    if node.offset == 0:
        return Window(below, groups, order, (), (), node.limit)
    number = Field(context.fresh_id(), "number", BIGINT, nullable=False)
    most = None if node.limit is None else node.limit + node.offset
    numbered = Window(below, groups, order, (number,), (WindowCall(BIGINT, "row_number"),), most)
    kept = Filter(numbered, (call("gt", reference(number), Literal(BIGINT, node.offset)),))
    fields = context.output(below)
    return Project(kept, fields, passing(fields))
