"""Keys and checks of a managed table, and the names that they get when none is written (as in Postgres)."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types
from tableflow.errors import BindError, CatalogError, Span
from tableflow.expressions.nodes import column_ids
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.scope import did_you_mean
from tableflow.sql.binder.stored import CHECK, StoredText, bind_stored
from tableflow.sql.dml_syntax import Name
from tableflow.sql.table_syntax import CheckSyntax, KeySyntax
from tableflow.storage.description import CheckConstraint, KeyConstraint, StoredColumn
from tableflow.types import Field


class ConstraintNames:
    """Names of one table's constraints, each once: ``t_pkey``, ``t_a_b_key``, ``t_a_check``, ``t_check``."""

    def __init__(self, table: str, taken: Sequence[str] = ()) -> None:
        self.table = table
        self._taken = {name.lower() for name in taken}

    def given(self, name: Name, source: Source) -> str:
        """A name that was written."""
        if name.text.lower() in self._taken:
            place = source.place(name.span.start, name.span.end)
            raise CatalogError(f"table {self.table!r} has two constraints named {name.text!r}", span=place)
        self._taken.add(name.text.lower())
        return name.text

    def kept(self, name: str) -> str:
        """A name that another table's constraint has, with a number if it is taken."""
        return self._numbered(name)

    def made(self, *parts: str) -> str:
        """A name from the table's, with a number if it is taken."""
        return self._numbered("_".join((self.table, *parts)))

    def _numbered(self, wanted: str) -> str:
        found, number = wanted, 0
        while found.lower() in self._taken:
            number += 1
            found = f"{wanted}{number}"
        self._taken.add(found.lower())
        return found


def bind_key(
    source: Source,
    names: ConstraintNames,
    node: KeySyntax,
    columns: Sequence[StoredColumn],
    others: Sequence[KeyConstraint],
) -> KeyConstraint:
    """PRIMARY KEY or UNIQUE over these columns."""
    span = source.place(node.span.start, node.span.end)
    if not node.enforced:
        raise BindError(
            "the keys of a managed table are enforced", hint="leave NOT ENFORCED out, or the key", span=span
        )
    if node.primary and any(key.primary for key in others):
        raise CatalogError("a table has one primary key", span=span)
    found: list[StoredColumn] = []
    for name in node.columns:
        column = find_column(source, names.table, name, columns)
        place = source.place(name.span.start, name.span.end)
        if column in found:
            raise CatalogError(f"column {column.name!r} is twice in a key", span=place)
        if isinstance(column.type, (types.ArrayType, types.MapType, types.RowType, types.JsonType)):
            raise BindError(f"a {column.type} cannot be part of a key", span=place)
        found.append(column)
    ids = tuple(column.id for column in found)
    if node.name is not None:
        name_of_key = names.given(node.name, source)
    elif node.primary:
        name_of_key = names.made("pkey")
    else:
        name_of_key = names.made(*(column.name for column in found), "key")
    return KeyConstraint(name_of_key, ids, node.primary)


def bind_check(
    context: StatementContext, source: Source, names: ConstraintNames, node: CheckSyntax, fields: Sequence[Field]
) -> CheckConstraint:
    """CHECK over the table's columns."""
    condition = bind_stored(context, StoredText(node.condition.tree, source), CHECK, fields)
    if node.name is not None:
        return CheckConstraint(names.given(node.name, source), node.condition.text)
    read = column_ids(condition)
    named = [field.name for field in fields if field.id in read]
    single = (node.column,) if node.column is not None else tuple(named) if len(named) == 1 else ()
    return CheckConstraint(names.made(*single, "check"), node.condition.text)


def find_column(source: Source, table: str, name: Name, columns: Sequence[StoredColumn]) -> StoredColumn:
    """A declared column by name."""
    matching = [column for column in columns if column.name.lower() == name.text.lower()]
    if not matching:
        raise missing_column(table, name.text, columns, source.place(name.span.start, name.span.end))
    return next((column for column in matching if column.name == name.text), matching[0])


def missing_column(table: str, name: str, columns: Sequence[StoredColumn], span: Span) -> BindError:
    """The error for a name that no column has."""
    hint = did_you_mean(name, [column.name for column in columns])
    return BindError(f"table {table!r} has no column {name!r}", hint=hint, span=span)
