"""Constants that the columns of a table cannot hold, found before a job begins: it would fail with the first row, hours later."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Filter, Limit, Node, Project, Sort
from tableflow.planner.stream_facts import is_endless
from tableflow.sql.binder.assignment import assigned
from tableflow.types import Field, SqlType


def check_constant(plan: Node, column: Field, to: SqlType, name: str) -> None:
    """Raises what the first row would raise, if a query without end gives the column ``name`` a constant that does not fit."""
    constant = _constant(plan, column.id)
    if constant is not None and is_endless(plan):
        project([assigned(constant, to, name)], Batch([], 1), {})


def _constant(plan: Node, column: int) -> Expression | None:
    """The literal that a column of the plan is in every row."""
    while isinstance(plan, Project | Filter | Sort | Limit):
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
