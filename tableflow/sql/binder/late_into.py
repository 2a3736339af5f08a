"""LATE INTO: the table that takes late rows, found as INSERT finds its own, or described to be created.

A late row is the columns that the block reads, in order, then ``window_start``, ``window_end`` and ``watermark``; column by
column they are assigned to those of the table.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import BindError, CatalogError, Span, TableFlowError, UnsupportedError
from tableflow.expressions.localize import localize
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.late_into import LateInto
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.target import BoundTarget, OutsideTable, find_written
from tableflow.sql.dml_syntax import Target
from tableflow.sql.emit_syntax import EmitSyntax
from tableflow.storage.description import ROW_ID, StoredColumn, TableDescription
from tableflow.types import Field

_MADE = ("window_start", "window_end", "watermark")


def bind_late_into(block: Block, syntax: EmitSyntax, window: Sequence[Field], time: Field) -> LateInto:
    """What LATE INTO of a block says; ``window`` are the columns of its windows, which are of this time."""
    context, source = block.context, block.source
    assert syntax.late_into is not None
    assert syntax.late_name_span is not None
    place = source.place(syntax.late_name_span.start, syntax.late_name_span.end)
    where = (source.text, syntax.late_name_span.start)
    if where in context.late:
        raise UnsupportedError(
            "a query with LATE INTO is read twice in one statement",
            detail="it would be computed twice, and write each late row twice",
            hint="keep it as CREATE STREAMING TABLE ... AS, and read that one",
            span=place,
        )
    context.late.add(where)
    hidden = {f.id for f in window}
    read = [f for f in block.scope.columns if f.id not in hidden]
    start, end, mark = (context.field(name, time.type, nullable=False) for name in _MADE)
    made = (start, end, mark)
    path = syntax.late_into
    if _is_absent(block, path, place):
        columns = _described([*read, *made])
        return LateInto(
            path,
            tuple(map(_reference, read)),
            made,
            tuple(map(_reference, made)),
            tuple([column.name for column in columns]),
            description=TableDescription(columns, next_column=len(columns) + 1),
            span=place,
        )
    try:
        target = find_written(context, source, Target(path, None, syntax.late_name_span))
    except CatalogError as error:
        error.hint = (
            "name a table that is not there yet, which LATE INTO creates, a managed one, "
            "or one whose connector takes rows"
        )
        raise
    values = _assigned(target, [*read, *made], place)
    return LateInto(
        path,
        tuple(values[: len(read)]),
        made,
        tuple([localize(value, context.zone) for value in values[len(read) :]]),
        tuple([column.name for column in target.columns]),
        tuple([i for i, column in enumerate(target.columns) if not column.nullable]),
        provider=target.table.provider if isinstance(target.table, OutsideTable) else context.catalog.table(path),
        span=place,
    )


def check_late_into(block: Block, *, grouped: bool) -> None:
    """Refuses LATE INTO of a block that does not group, or that is computed for each row of another."""
    assert block.late is not None
    if not grouped:
        raise BindError("LATE INTO needs GROUP BY", hint="GROUP BY what is distinct", span=block.late.span)
    if block.outer:
        raise UnsupportedError(
            "LATE INTO in a subquery that refers to the query around it is not supported",
            hint="put it into WITH, or a subquery that stands for itself",
            span=block.late.span,
        )


def _is_absent(block: Block, path: tuple[str, ...], place: Span) -> bool:
    catalog = block.context.catalog
    try:
        return catalog.table(path) is None and catalog.view(path) is None
    except TableFlowError as error:
        raise error.at(place) from None


def _assigned(target: BoundTarget, given: Sequence[Field], place: Span) -> list[Expression]:
    """The row as the table holds it."""
    description = target.table.description
    if description.checks or any(column.generated is not None for column in description.columns):
        raise UnsupportedError(
            f"table {target.path[-1]!r} has generated columns or CHECK constraints, and takes no late rows",
            hint="write them to a table without, and read that one",
            span=place,
        )
    if len(given) != len(target.columns):
        count = len(target.columns)
        raise BindError(
            f"a late row has {len(given)} columns, table {target.path[-1]!r} takes {count}",
            detail=f"they are {', '.join(f.name for f in given)}",
            hint="a table that does not exist is created with these",
            span=place,
        )
    return [
        assigned(_reference(f), column.type, column.name, place)
        for f, column in zip(given, target.columns, strict=True)
    ]


def _described(given: Sequence[Field]) -> tuple[StoredColumn, ...]:
    """Columns of a table that is to be created; a name that is taken gets a number."""
    columns: list[StoredColumn] = []
    taken = {ROW_ID}
    for f in given:
        name, number = f.name, 0
        while name.lower() in taken:
            number += 1
            name = f"{f.name}_{number}"
        taken.add(name.lower())
        columns.append(StoredColumn(len(columns) + 1, name, f.type))
    return tuple(columns)


def _reference(of: Field) -> ColumnRef:
    return ColumnRef(of.type, of.id, of.name)
