"""What the columns of a table cannot hold in any row, found before a job begins: it would fail with the first one, hours later."""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.columnar.batch import Batch
from tableflow.errors import BindError
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.planner.logical.nodes import Filter, Limit, Node, Project, Sort
from tableflow.planner.stream_facts import is_endless
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.target import BoundTarget
from tableflow.types import Field


def check_constants(plan: Node, target: BoundTarget, given: Mapping[int, Field]) -> None:
    """Raises what the first row of a query without end would raise; ``given`` are its columns by the position of the target's."""
    if not is_endless(plan):
        return
    for index, column in enumerate(target.columns):
        source = given.get(index)
        constant = None if source is None else _constant(plan, source.id)
        missing = source is None and column.default is None and column.generated is None
        if not column.nullable and (missing or (constant is not None and constant.value is None)):
            raise BindError(
                f"column {column.name!r} of table {target.path[-1]!r} is NOT NULL and is given no value",
                hint="select a value for it",
                span=target.span if constant is None or constant.span is None else constant.span,
            )
        if constant is not None:
            project([assigned(constant, column.type, column.name)], Batch([], 1), {})


def _constant(plan: Node, column: int) -> Literal | None:
    """The literal that a column of the plan is in every row."""
    while isinstance(plan, (Project, Filter, Sort, Limit)):
        if isinstance(plan, Project):
            by_id = {field.id: each for field, each in zip(plan.fields, plan.expressions, strict=True)}
            match by_id.get(column):
                case Literal() as found:
                    return found
                case ColumnRef(id=below):
                    column = below
                case _:
                    return None
        plan = plan.input
    return None
