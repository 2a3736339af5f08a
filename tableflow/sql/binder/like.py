"""LIKE in CREATE TABLE: another table's columns and, unless they are excluded, all that belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tableflow.errors import CatalogError
from tableflow.records import dataclass, replace
from tableflow.sql.binder.constraints import ConstraintNames
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.scope import did_you_mean
from tableflow.sql.table_syntax import LikeSyntax
from tableflow.storage.description import CheckConstraint, KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.provider import managed


@dataclass(frozen=True, slots=True)
class Copied:
    """Parts of a table; ``ids`` are the new ids of its columns."""

    table: str
    source: TableDescription
    excluded: frozenset[str]
    ids: Mapping[int, int] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[StoredColumn, ...]:
        """The columns under their old ids, as the new table begins with them."""
        return tuple(
            replace(
                column,
                default=None if "DEFAULTS" in self.excluded else column.default,
                generated=None if "GENERATED" in self.excluded else column.generated,
                comment=None if "COMMENTS" in self.excluded else column.comment,
                initial=None,
            )
            for column in self.source.columns
        )

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """The table's options."""
        return () if "OPTIONS" in self.excluded else self.source.options

    def keys(self, names: ConstraintNames) -> list[KeyConstraint]:
        """The keys over the new columns."""
        if "CONSTRAINTS" in self.excluded:
            return []
        return [
            KeyConstraint(self._name(key.name, names), tuple(self.ids[column] for column in key.columns), key.primary)
            for key in self.source.keys
        ]

    def checks(self, names: ConstraintNames) -> list[CheckConstraint]:
        """The checks, whose texts name the columns."""
        if "CONSTRAINTS" in self.excluded:
            return []
        return [replace(check, name=self._name(check.name, names)) for check in self.source.checks]

    def _name(self, name: str, names: ConstraintNames) -> str:
        """A name that began with the old table's begins with the new one's."""
        own = f"{self.table}_"
        return names.made(name.removeprefix(own)) if name.startswith(own) else names.kept(name)


def copied(context: StatementContext, source: Source, node: LikeSyntax) -> Copied:
    """The parts of the table that LIKE names; of a table that is stored elsewhere its columns."""
    span = source.place(node.span.start, node.span.end)
    provider = context.catalog.table(node.path)
    table = managed(provider)
    if table is not None:
        return Copied(node.path[-1], table.description, node.excluded)
    if provider is None:
        raise CatalogError(
            f"table {'.'.join(node.path)!r} does not exist",
            hint="CREATE TABLE ... AS SELECT ... LIMIT 0 makes a table like a view"
            if context.catalog.view(node.path) is not None
            else did_you_mean(node.path[-1], context.catalog.names()),
            span=span,
        )
    columns = tuple(
        StoredColumn(index, column.name, column.type, column.nullable)
        for index, column in enumerate(provider.schema.columns, 1)
        if not column.hidden
    )
    return Copied(node.path[-1], TableDescription(columns), node.excluded)
