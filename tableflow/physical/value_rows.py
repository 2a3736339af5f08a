"""Rows of expressions as columns: VALUES, as the rows of a plan or directly.

Long lists are nearly always literals below equal casts: those of a column are built and cast together.  Everything
else is evaluated row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take
from tableflow.columnar.representation import widen
from tableflow.errors import DataError
from tableflow.expressions.evaluation import project
from tableflow.expressions.literals import literal_column
from tableflow.expressions.nodes import Cast, ColumnRef, Expression, Literal

ONE_ROW = Batch((), 1)
_LITERAL = 0

Shape = tuple[tuple[tuple[t.SqlType, bool, str | None], ...], t.SqlType]
"""Casts from the outside in, and the literal's type."""


def value_rows(
    rows: Sequence[tuple[Expression, ...]],
    types: Sequence[t.SqlType],
    parameters: Batch = ONE_ROW,
    where: Mapping[int, int] | None = None,
) -> Batch:
    """The rows as a batch of columns of these types; all of them once for each row of ``parameters``, in its order.

    Expressions may read the columns of ``parameters``, which ``where`` gives by id.  Raises :class:`DataError`.
    """
    count = parameters.length
    if (count == 1 and not (where and len(rows) == 1)) or not types:
        columns = [_column([row[i] for row in rows], of, parameters, where or {}) for i, of in enumerate(types)]
        return Batch(columns, len(rows) * count)
    parts = [
        Batch([typed(c, of) for c, of in zip(project(row, parameters, where or {}), types, strict=True)], count)
        for row in rows
    ]
    if len(parts) == 1:
        return parts[0]
    order = np.arange(len(rows) * count).reshape(len(rows), count).T.reshape(-1)
    whole = concat(parts)
    return Batch([take(column, order) for column in whole.columns], whole.length)


def _column(values: Sequence[Expression], of: t.SqlType, parameters: Batch, where: Mapping[int, int]) -> Column:
    """One column; values of one shape are computed together."""
    groups: dict[Shape | int, list[int]] = {}
    for row, value in enumerate(values):
        shape = _shape(value)
        groups.setdefault(-1 - row if shape is None else shape, []).append(row)
    parts = []
    for key, members in groups.items():
        if isinstance(key, int):
            made = project([values[members[0]]], parameters, where)[0]
        else:
            made = _together([values[row] for row in members], key, parameters, where)
        parts.append(Batch([typed(made, of)], len(members)))
    if len(parts) == 1:
        return parts[0].columns[0]
    order = np.empty(len(values), np.int64)
    order[np.concatenate([np.array(members) for members in groups.values()])] = np.arange(len(values))
    return take(concat(parts).columns[0], order)


def _shape(value: Expression) -> Shape | None:
    casts = []
    while isinstance(value, Cast):
        casts.append((value.type, value.lenient, value.zone))
        value = value.operand
    return (tuple(casts), value.type) if isinstance(value, Literal) else None


def _together(values: Sequence[Expression], shape: Shape, parameters: Batch, where: Mapping[int, int]) -> Column:
    """Literals under the same casts; an error is that of the first value that has one, at its place."""
    casts, of = shape
    bare: list[Any] = []
    for value in values:
        while isinstance(value, Cast):
            value = value.operand
        assert isinstance(value, Literal)
        bare.append(value.value)
    column = literal_column(bare, of)
    if not casts:
        return column
    expression: Expression = ColumnRef(of, _LITERAL)
    for to, lenient, zone in reversed(casts):
        expression = Cast(to, expression, lenient, getattr(values[0], "span", None), zone)
    try:
        return project([expression], Batch([column], len(bare)), {_LITERAL: 0})[0]
    except DataError:
        for value in values:
            project([value], parameters, where)
        raise


def typed(column: Column, of: t.SqlType) -> Column:
    """The column under the type that the plan says: a bare NULL has none of its own."""
    if column.array.type == "null":
        return widen(Column(of, column.array))
    return Column(of, column.array)
