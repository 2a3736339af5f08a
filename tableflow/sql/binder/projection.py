"""Select items as columns of the plan."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Node, Project
from tableflow.planner.logical.structure import output
from tableflow.sql.binder.context import StatementContext
from tableflow.types import Field


class Projection:
    """Expressions over a plan, each computed once; a column of the plan passes through under its own id."""

    def __init__(self, context: StatementContext, plan: Node) -> None:
        self._context = context
        self._plan = plan
        self._available = {field.id: field for field in output(plan)}
        self._columns: dict[Expression, Field] = {}
        self._computes = False

    def add(self, expression: Expression, name: str) -> Field:
        """The column that holds the expression; equal expressions share one."""
        found = self._columns.get(expression)
        if found is None:
            passed = self._available.get(expression.id) if isinstance(expression, ColumnRef) else None
            if passed is None:
                self._computes = True
                nullable = not isinstance(expression, Literal) or expression.value is None
                passed = self._context.field(name, expression.type, nullable=nullable)
                if isinstance(expression, Call) and expression.function == "proctime":
                    self._context.processing_times.add(passed.id)
            self._columns[expression] = found = passed
        return found

    def holds(self, expression: Expression) -> bool:
        """Whether the expression was added."""
        return expression in self._columns

    def node(self) -> Node:
        """The plan with the expressions; without a Project if there is nothing to compute."""
        if not self._computes:
            return self._plan
        return Project(self._plan, tuple(self._columns.values()), tuple(self._columns))


def exactly(context: StatementContext, plan: Node, columns: Iterable[Field]) -> tuple[Node, tuple[Field, ...]]:
    """The plan with exactly these columns in this order, each under an id of its own."""
    wanted = tuple(columns)
    given = output(plan)
    if [field.id for field in given] == [field.id for field in wanted]:
        return plan, given
    by_id = {field.id: field for field in given}
    fields: list[Field] = []
    seen: set[int] = set()
    for column in wanted:
        field = by_id[column.id]
        fields.append(context.renewed(field) if column.id in seen else field)
        seen.add(column.id)
    references = tuple(ColumnRef(column.type, column.id, column.name) for column in wanted)
    return Project(plan, tuple(fields), references), tuple(fields)
