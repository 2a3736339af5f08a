"""Small tables for the tests of the storage, and what a table holds as plain Python rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.representation import boundary, canonical
from tableflow.config import Settings
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind, KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.table_view import TableView
from tableflow.types import BIGINT, STRING

KEYED = TableDescription(
    (StoredColumn(0, "k", BIGINT, nullable=False), StoredColumn(1, "v", STRING)),
    (KeyConstraint("t_pkey", (0,), primary=True),),
    next_column=2,
)
PLAIN = TableDescription((StoredColumn(0, "k", BIGINT), StoredColumn(1, "v", STRING)), next_column=2)
Row = tuple[Any, ...]


def counter() -> Any:
    """A clock that goes on by a second at each look."""
    ticks = itertools.count(1_000_000, 1_000_000)
    return lambda: next(ticks)


def settings(**values: str) -> Settings:
    """Settings by name, with ``__`` for a dot and ``_`` for a hyphen."""
    made = Settings()
    for name, text in values.items():
        made = made.with_value(name.replace("__", ".").replace("_", "-"), text)
    return made


def columns_of(rows: Sequence[Row], description: TableDescription = PLAIN) -> list[Column]:
    """Rows as columns of a description."""
    values: Iterable[Any] = zip(*rows, strict=True) if rows else [()] * len(description.columns)
    return [
        Column(column.type, pa.array(list(each), canonical(column.type)))
        for column, each in zip(description.columns, values, strict=True)
    ]


def create(database: Database, name: str = "t", description: TableDescription = PLAIN, schema: str = "default") -> int:
    """A new table; its id."""
    with database.transaction(catalog=True) as transaction:
        table = transaction.create(schema, name, description)
        transaction.commit(ChangeKind.CREATE)
    return table


def insert(database: Database, table: int, rows: Sequence[Row]) -> int:
    """Adds rows in one commit; the new version."""
    with database.transaction([table]) as transaction:
        writer = transaction.writer(table)
        writer.write(columns_of(rows, transaction.state.table(table).description), len(rows))
        writer.finish()
        return transaction.commit(ChangeKind.INSERT)[table]


def delete(database: Database, table: int, wanted: Any) -> int:
    """Deletes the rows for which ``wanted(row)``; the new version, or the old one if there are none."""
    with database.transaction([table]) as transaction:
        view = transaction.state.table(table).at()
        ids = [row[-1] for row in rows_with_ids(view) if wanted(row[:-1])]
        transaction.delete(table, np.array(ids, np.int64))
        return transaction.commit(ChangeKind.DELETE).get(table, view.version.number)


def replace_rows(database: Database, table: int, gone: Any, rows: Sequence[Row]) -> int:
    """Deletes and adds in one commit, as UPDATE does."""
    with database.transaction([table]) as transaction:
        view = transaction.state.table(table).at()
        ids = [row[-1] for row in rows_with_ids(view) if gone(row[:-1])]
        transaction.delete(table, np.array(ids, np.int64))
        writer = transaction.writer(table)
        writer.write(columns_of(rows, view.description), len(rows))
        writer.finish()
        return transaction.commit(ChangeKind.UPDATE).get(table, view.version.number)


def rows_with_ids(view: TableView) -> list[Row]:
    """All rows of a view with their ids, in order of id."""
    found: list[Row] = []
    for batch in view.batches([*(column.id for column in view.description.columns), None]):
        whole = compact(batch)
        found.extend(zip(*(boundary(column).to_pylist() for column in whole.columns), strict=True))
    return found


def rows_of(database: Database, table: int, version: int | None = None) -> list[Row]:
    """All rows of a table, in order."""
    return sorted((row[:-1] for row in rows_with_ids(database.state().table(table).at(version))), key=repr)
