"""Several statements as one transaction: each sees those before it, others see all of them or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tableflow.errors import IntegrityError
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.transaction import Transaction
from tests.storage.tables import KEYED, columns_of, counter, create, insert, rows_of, settings


def write(transaction: Transaction, table: int, rows: list[tuple[int, str]]) -> None:
    writer = transaction.writer(table)
    writer.write(columns_of(rows), len(rows))
    writer.finish()


def upsert(transaction: Transaction, table: int, rows: list[tuple[int, str]]) -> None:
    """Replaces what has the same keys, which the view of the statements before is asked for."""
    found = transaction.state.table(table).at().find((0,), columns_of(rows)[:1])
    transaction.delete(table, found[found >= 0])
    write(transaction, table, rows)


@pytest.mark.parametrize("inline_rows", ["1000", "1"])
def test_statements_see_those_before_them_and_are_one_commit(tmp_path: Path, inline_rows: str) -> None:
    chosen = settings(storage__inline_rows=inline_rows)
    database = Database.open(LocalDisk(tmp_path), clock=counter(), settings=chosen, background=False)
    table = create(database, description=KEYED)
    insert(database, table, [(1, "old"), (2, "old")])
    sequence = database.state().sequence
    with database.transaction([table]) as transaction:
        for number in range(10):
            upsert(transaction, table, [(number % 4, str(number)), (100 + number, "n")])
            transaction.end_statement(ChangeKind.MERGE)
            assert len(rows_of(database, table)) == 2
        database.fold()  # goes on beside an open transaction
        upsert(transaction, table, [(7, "last")])
        assert transaction.commit(ChangeKind.MERGE) == {table: 13}
    expected = sorted(
        [(0, "8"), (1, "9"), (2, "6"), (3, "7"), (7, "last"), *((100 + n, "n") for n in range(10))], key=repr
    )
    assert rows_of(database, table) == expected
    assert database.state().sequence == sequence + 1
    assert rows_of(database, table, 3) == [(0, "0"), (1, "old"), (100, "n"), (2, "old")]
    with pytest.raises(IntegrityError, match="duplicate key"):
        insert(database, table, [(103, "x")])
    database.close()
    again = Database.open(LocalDisk(tmp_path), clock=counter(), settings=chosen)
    assert rows_of(again, table) == expected
    again.close()


@pytest.mark.parametrize("inline_rows", ["1000", "1"])
def test_nothing_stays_of_statements_whose_transaction_fails(tmp_path: Path, inline_rows: str) -> None:
    chosen = settings(storage__inline_rows=inline_rows)
    database = Database.open(LocalDisk(tmp_path), clock=counter(), settings=chosen, background=False)
    table = create(database, description=KEYED)
    insert(database, table, [(1, "a"), (2, "b")])
    with database.transaction([table]) as transaction:
        write(transaction, table, [(3, "c"), (4, "d")])
        transaction.end_statement(ChangeKind.INSERT)
        write(transaction, table, [(5, "e"), (3, "again")])
        with pytest.raises(IntegrityError, match="is in the table already"):
            transaction.end_statement(ChangeKind.INSERT)
    with database.transaction([table]) as transaction:
        transaction.delete(table, np.array([0]))
        transaction.end_statement(ChangeKind.DELETE)
        write(transaction, table, [(1, "new"), (3, "c")])
        transaction.end_statement(ChangeKind.INSERT)
    assert rows_of(database, table) == [(1, "a"), (2, "b")]
    insert(database, table, [(3, "other"), (5, "row ids that were given back")])  # not in any index
    with pytest.raises(IntegrityError, match="is in the table already"):
        insert(database, table, [(1, "still there")])
    assert database.state().table(table).version == 3
    files = {path.name for path in (tmp_path / "tables" / str(table)).glob("*.arrow")} if inline_rows == "1" else set()
    assert len(files) == (2 if inline_rows == "1" else 0)
    database.close()
