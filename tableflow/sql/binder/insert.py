"""INSERT: rows of VALUES, of a query, or of defaults alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.expressions.literals import number_literal
from tableflow.expressions.nodes import Expression, Literal
from tableflow.planner.logical.nodes import Node, Project, SetKind, SetOperation, Values
from tableflow.planner.logical.structure import output
from tableflow.records import replace
from tableflow.sql.binder.assignment import assigned, assigned_all
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.conflict import resolved
from tableflow.sql.binder.constant_columns import check_constants
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes, define
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.literals import negated, typed_string
from tableflow.sql.binder.queries import Bound, bind_query
from tableflow.sql.binder.row_fields import by_field_name
from tableflow.sql.binder.sink_insert import into_sink
from tableflow.sql.binder.target import BoundTarget, OutsideTable, find_written
from tableflow.sql.binder.writing import Rows, Writing, reference, valued, write
from tableflow.sql.dml_syntax import Cell, Constant, Insert, Name, Row
from tableflow.sql.dml_syntax import Rows as RowsOfValues
from tableflow.sql.statements import Action, InsertIntoSink, Write
from tableflow.storage.description import ChangeKind


def bind_insert(context: StatementContext, source: Source, node: Insert) -> Write | InsertIntoSink:
    """An INSERT."""
    target = find_written(context, source, node.target)
    ctes = define(node.with_, Ctes(), None, source)
    if isinstance(node.source, exp.Expr):
        rows = _from_query(context, source, target, node, ctes)
    else:
        rows = _from_values(context, source, target, node, ctes)
    if isinstance(target.table, OutsideTable):
        return into_sink(context, source, node, target, rows)
    writing = Writing(target, ChangeKind.INSERT, Action.INSERT, ctes=ctes)
    if node.conflict is not None:
        writing, rows = resolved(context, source, writing, rows, node.conflict)
    written = write(context, source, writing, rows, node.returning)
    if node.conflict is None and not node.returning:
        return written
    conflict = None if node.conflict is None else source.place(node.conflict.span.start, node.conflict.span.end)
    return replace(
        written, conflict_at=conflict, returning_at=source.span(node.returning[0]) if node.returning else None
    )


def filled(source: Source, target: BoundTarget, names: Sequence[Name] | None) -> list[int]:
    """Positions of the columns that are given values, in the order of the values."""
    if names is None:
        return [index for index, column in enumerate(target.columns) if column.generated is None]
    found: list[int] = []
    for name in names:
        index = target.index(name, source)
        if index in found:
            raise BindError(
                f"column {target.columns[index].name!r} is listed twice",
                span=source.place(name.span.start, name.span.end),
            )
        found.append(index)
    return found


def completed(
    context: StatementContext, target: BoundTarget, given: Mapping[int, Expression]
) -> list[Expression | None]:
    """A value per stored column: the given one (already cast), else its default; None for generated columns."""
    return [
        None if column.generated is not None else given.get(index) or target.default(context, column)
        for index, column in enumerate(target.columns)
    ]


def _from_query(context: StatementContext, source: Source, target: BoundTarget, node: Insert, ctes: Ctes) -> Rows:
    assert isinstance(node.source, exp.Expr)
    bound = bind_query(context, source, node.source, ctes, None)
    span = source.span(node.source)
    if node.by_name:
        positions = _by_name(target, bound, span)
    else:
        positions = filled(source, target, node.columns)
        if len(positions) != len(bound.columns):
            raise wrong_number("the query gives", len(bound.columns), len(positions), target, span)
    given = {}
    for index, column in zip(positions, bound.columns, strict=True):
        value: Expression = reference(column)
        to = target.columns[index]
        if node.by_name:
            value = by_field_name(value, to.type, to.name, span)
        given[index] = assigned(value, to.type, to.name, span)
    check_constants(bound.plan, target, dict(zip(positions, bound.columns, strict=True)))
    return valued(context, target, bound.plan, completed(context, target, given), span)


def _by_name(target: BoundTarget, bound: Bound, span: Span | None) -> list[int]:
    """BY NAME: each column of the query goes to the column of its name."""
    positions: list[int] = []
    for column in bound.columns:
        index = target.position(column.name)
        if index is None or target.columns[index].generated is not None:
            what = "has no column" if index is None else "generates column"
            raise BindError(
                f"table {target.path[-1]!r} {what} {column.name!r}",
                hint="with BY NAME each column of the query has the name of a column",
                span=span,
            )
        if index in positions:
            raise BindError(f"the query gives column {column.name!r} twice", span=span)
        positions.append(index)
    return positions


def wrong_number(what: str, given: int, wanted: int, target: BoundTarget, span: Span | None) -> BindError:
    """The error for more or fewer values than columns."""
    names = ", ".join(column.name for column in target.columns if column.generated is None)
    return BindError(
        f"{what} {given} value{'' if given == 1 else 's'}, {wanted} {'is' if wanted == 1 else 'are'} expected",
        detail=f"table {target.path[-1]!r} takes {names}",
        hint="list the columns that are given values: INSERT INTO t (a, b) ...",
        span=span,
    )


def _from_values(context: StatementContext, source: Source, target: BoundTarget, node: Insert, ctes: Ctes) -> Rows:
    if node.by_name:
        raise BindError("VALUES have no names", hint="list the columns instead of BY NAME", span=target.span)
    if node.source is None:
        return valued(context, target, Values((), ((),)), completed(context, target, {}), target.span)
    assert isinstance(node.source, RowsOfValues)
    positions = filled(source, target, node.columns)
    rows = node.source.rows
    for row in rows:
        if len(row.cells) != len(positions):
            place = source.place(row.span.start, row.span.end)
            raise wrong_number("the row has", len(row.cells), len(positions), target, place)
    if any(_has_query(cell) for row in rows for cell in row.cells):
        return _from_rows_with_queries(CellBinder(context, source, target, ctes), rows, positions)
    columns = _cells(context, source, target, rows, positions)
    fields = tuple(
        context.field(target.columns[index].name, target.columns[index].type, nullable=any(map(_may_be_null, values)))
        for index, values in zip(positions, columns, strict=True)
    )
    plan = Values(fields, tuple(zip(*columns, strict=True)))
    given = {index: reference(column) for index, column in zip(positions, fields, strict=True)}
    return valued(context, target, plan, completed(context, target, given), target.span)


def _may_be_null(value: Expression) -> bool:
    return not isinstance(value, Literal) or value.value is None


def _cells(
    context: StatementContext, source: Source, target: BoundTarget, rows: Sequence[Row], positions: Sequence[int]
) -> list[list[Expression]]:
    """The values of each column, cast to its type."""
    cells = CellBinder(context, source, target, Ctes())
    columns = []
    for place, index in enumerate(positions):
        column = target.columns[index]
        values = [cells.bind(row.cells[place], index) for row in rows]
        columns.append(assigned_all(values, column.type, column.name))
    return columns


def _has_query(cell: Cell) -> bool:
    return not isinstance(cell, Constant) and cell.find(exp.Query) is not None


def _from_rows_with_queries(cells: CellBinder, rows: Sequence[Row], positions: Sequence[int]) -> Rows:
    """Rows with subqueries: each is a plan of its own."""
    context, target = cells.context, cells.target
    stored = [target.columns[index] for index in positions]
    plans: list[Node] = []
    for row in rows:
        cells.begin()
        values = [
            assigned(cells.bind(cell, index), column.type, column.name)
            for cell, index, column in zip(row.cells, positions, stored, strict=True)
        ]
        cells.block.attach(values)
        own = tuple(context.field(column.name, column.type) for column in stored)
        plans.append(Project(cells.block.plan, own, tuple(values)))
    fields = output(plans[0])
    if len(plans) > 1:
        fields = tuple(context.renewed(field) for field in fields)
        plan: Node = SetOperation(SetKind.UNION_ALL, tuple(plans), fields, tuple(map(output, plans)))
    else:
        plan = plans[0]
    given = {index: reference(column) for index, column in zip(positions, fields, strict=True)}
    return valued(context, target, plan, completed(context, target, given), target.span)


class CellBinder:
    """Values between the parentheses of VALUES: constants, expressions without columns, DEFAULT."""

    def __init__(self, context: StatementContext, source: Source, target: BoundTarget, ctes: Ctes) -> None:
        self.context = context
        self.target = target
        self._source = source
        self._ctes = ctes
        self.begin()

    def begin(self) -> None:
        """Begin a block whose subqueries stand for the cells bound from here on."""
        self.block = Block.begin(self.context, self._source, self._ctes, None)
        self._binder = ExpressionBinder(self.block, Clause("VALUES"))

    def bind(self, cell: Cell, index: int) -> Expression:
        """The value of a cell for the column at a position."""
        if isinstance(cell, Constant):
            return constant(cell, self._source)
        if is_default(cell):
            return self.target.default(self.context, self.target.columns[index])
        return self._binder.bind(cell)


def is_default(node: object) -> bool:
    """Whether a value is the word DEFAULT."""
    return (
        isinstance(node, exp.Column)
        and len(node.parts) == 1
        and node.name.upper() == "DEFAULT"
        and not node.parts[0].args.get("quoted")
    )


def constant(cell: Constant, source: Source) -> Expression:
    """What a plain constant stands for."""
    span = source.place(cell.start, cell.end)
    found = _CONSTANTS[cell.kind](cell.text, span)
    if not cell.negative or not isinstance(found, Literal):
        return found
    opposite = negated(found, span)
    return found if opposite is None else opposite


_CONSTANTS: dict[TokenType, Callable[[str, Span], Expression]] = {
    TokenType.NUMBER: number_literal,
    TokenType.STRING: lambda text, span: Literal(types.STRING, text, span),
    TokenType.DATE: lambda text, span: typed_string(text, types.DATE, span),
    TokenType.NULL: lambda _, span: Literal(types.NULL, None, span),
    TokenType.TRUE: lambda _, span: Literal(types.BOOLEAN, value=True, span=span),
    TokenType.FALSE: lambda _, span: Literal(types.BOOLEAN, value=False, span=span),
}
