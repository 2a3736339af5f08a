"""What depends on a column of a table: keys, checks, generated columns."""

from __future__ import annotations

from tableflow.records import replace
from tableflow.sql.binder.stored import columns_read
from tableflow.storage.description import CheckConstraint, StoredColumn, TableDescription


def dependents(table: TableDescription, column: StoredColumn) -> list[str]:
    """All of it, in words."""
    found = [f"key {key.name!r}" for key in table.keys if column.id in key.columns]
    found += [f"check {check.name!r}" for check in _checks_of(table, column)]
    return found + [f"generated column {each.name!r}" for each in _computed_from(table, column)]


def without(table: TableDescription, column: StoredColumn) -> TableDescription:
    """The table without the column, and without all that depends on it."""
    gone = _checks_of(table, column)
    for each in _computed_from(table, column):
        table = without(table, each)
    return replace(
        table,
        columns=tuple(each for each in table.columns if each.id != column.id),
        keys=tuple(key for key in table.keys if column.id not in key.columns),
        checks=tuple(check for check in table.checks if check not in gone),
    )


def _checks_of(table: TableDescription, column: StoredColumn) -> list[CheckConstraint]:
    return [check for check in table.checks if column.name.lower() in columns_read(check.text)]


def _computed_from(table: TableDescription, column: StoredColumn) -> list[StoredColumn]:
    return [
        each
        for each in table.columns
        if each.generated is not None and column.name.lower() in columns_read(each.generated)
    ]
