"""RENAME COLUMN: a table under whose new names every expression that it keeps means what it meant.

That is not trusted but looked at: an expression is bound before and after, and both have to be one expression over the same
columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import InternalError, Span, TableFlowError
from tableflow.expressions.nodes import Expression
from tableflow.records import replace
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.stored import CHECK, GENERATED, bind_text, renamed_in
from tableflow.storage.description import StoredColumn, TableDescription
from tableflow.types import Field


def with_renamed(
    context: StatementContext, table: TableDescription, column: StoredColumn, new: str, span: Span
) -> TableDescription:
    """The table with a column under another name, in all expressions that read it."""
    pairs = [(each, context.field(each.name, each.type, nullable=each.nullable)) for each in table.columns]
    base = [made for each, made in pairs if each.generated is None]
    fields = [made for _, made in pairs]

    def renamed(text: str, clause: str, seen: Sequence[Field]) -> str:
        changed = renamed_in(text, column.name, new)
        now = [Field(f.id, new, f.type, f.nullable) if f.name == column.name else f for f in seen]
        before, after = (_meaning(context, *each, clause, span) for each in ((text, seen), (changed, now)))
        if before is not None and before != after:
            raise InternalError(
                f"{clause} ({text}) is not the same with column {column.name!r} as {new!r}: ({changed})"
            )
        return changed

    return replace(
        table,
        columns=tuple(
            replace(
                each,
                name=new if each.id == column.id else each.name,
                generated=None if each.generated is None else renamed(each.generated, GENERATED, base),
            )
            for each in table.columns
        ),
        checks=tuple(replace(check, text=renamed(check.text, CHECK, fields)) for check in table.checks),
    )


def _meaning(
    context: StatementContext, text: str, columns: Sequence[Field], clause: str, span: Span
) -> Expression | None:
    """The expression; None if it cannot be bound, so that a table whose expressions name what is not there can be mended."""
    try:
        return bind_text(context, text, span, clause, columns)
    except TableFlowError:
        return None
