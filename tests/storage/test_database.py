"""A database from the outside: create, insert, delete, read, time travel, changes, reopen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tableflow.errors import CatalogError, IntegrityError, InterfaceError
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.disk import Disk
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.memory_disk import MemoryDisk
from tests.storage.tables import KEYED, columns_of, counter, create, delete, insert, replace_rows, rows_of


@pytest.fixture(params=["local", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return LocalDisk(tmp_path / "db") if request.param == "local" else MemoryDisk()


def test_what_is_committed_is_there_after_reopening(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database)
    insert(database, table, [(1, "a"), (2, "b")])
    insert(database, table, [(3, None)])
    delete(database, table, lambda row: row[0] == 1)
    expected = rows_of(database, table)
    assert expected == [(2, "b"), (3, None)]
    database.close()
    again = Database.open(disk, clock=counter())
    assert rows_of(again, table) == expected
    insert(again, table, [(4, "d")])
    assert rows_of(again, table) == [*expected, (4, "d")]
    again.close()


def test_every_version_can_be_read(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database)
    insert(database, table, [(1, "a"), (2, "b")])
    replace_rows(database, table, lambda row: row[0] == 1, [(1, "A")])
    with database.transaction([table]) as transaction:
        transaction.truncate(table)
        transaction.commit(ChangeKind.TRUNCATE)
    insert(database, table, [(9, "z")])
    expected = {1: [], 2: [(1, "a"), (2, "b")], 3: [(1, "A"), (2, "b")], 4: [], 5: [(9, "z")]}
    assert {version: rows_of(database, table, version) for version in expected} == expected
    state = database.state().table(table)
    assert [facts.rows for facts in state.versions()] == [0, 2, 2, 0, 1]
    assert [facts.kind.value for facts in state.versions()] == ["create", "insert", "update", "truncate", "insert"]
    times = [facts.time for facts in state.versions()]
    assert state.at_time(times[2] + 1).version.number == 3
    assert state.at_time(times[2]).version.number == 3
    with pytest.raises(CatalogError, match="no version that old"):
        state.at_time(times[0] - 1)
    with pytest.raises(CatalogError, match="version 6"):
        state.at(6)
    database.close()


def test_changes_between_versions(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database)
    insert(database, table, [(1, "a"), (2, "b")])
    replace_rows(database, table, lambda row: row[0] == 1, [(1, "A")])
    delete(database, table, lambda row: row[0] == 2)
    with database.transaction([table]) as transaction:
        transaction.truncate(table)
        transaction.commit(ChangeKind.TRUNCATE)
    state = database.state().table(table)

    def changes(after: int, last: int) -> Counter[tuple[object, ...]]:
        found: Counter[tuple[object, ...]] = Counter()
        for batch, versions in state.changes(after, last, [0, 1]):
            lists = [column.to_pylist() for column in batch.columns]
            found.update(zip(versions.tolist(), batch.weights.tolist(), *lists, strict=True))
        return found

    first = Counter([(2, 1, 1, "a"), (2, 1, 2, "b")])
    second = Counter([(3, -1, 1, "a"), (3, 1, 1, "A")])
    assert changes(1, 2) == first == changes(0, 2)
    assert changes(2, 3) == second
    assert changes(1, 3) == first + second
    assert changes(3, 5) == Counter([(4, -1, 2, "b"), (5, -1, 1, "A")])
    assert changes(3, 3) == Counter()
    with pytest.raises(CatalogError):
        changes(3, 9)
    database.close()


def test_a_key_is_unique_against_the_table_and_within_a_commit(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database, "accounts", KEYED)
    insert(database, table, [(1, "a"), (2, "b")])
    with pytest.raises(IntegrityError, match="'accounts': primary key 't_pkey'") as error:
        insert(database, table, [(3, "c"), (2, "other")])
    assert error.value.detail == "(k) = (2) is in the table already"
    with pytest.raises(IntegrityError) as error:
        insert(database, table, [(3, "c"), (3, "d")])
    assert error.value.detail == "(k) = (3) occurs twice"
    assert rows_of(database, table) == [(1, "a"), (2, "b")]
    replace_rows(database, table, lambda row: row[0] == 2, [(2, "B"), (3, "c")])
    delete(database, table, lambda row: row[0] == 1)
    insert(database, table, [(1, "again")])
    assert rows_of(database, table) == [(1, "again"), (2, "B"), (3, "c")]
    view = database.state().table(table).at()
    found = view.find((0,), columns_of([(3, ""), (7, ""), (1, "")], KEYED)[:1])
    assert (found >= 0).tolist() == [True, False, True]
    held = view.fetch(found[[0, 2]], [1, 0, None])
    assert [column.to_pylist() for column in held] == [["c", "again"], [3, 1], found[[0, 2]].tolist()]
    old = database.state().table(table).at(2)
    assert old.fetch(old.find((0,), columns_of([(1, "")], KEYED)[:1]), [1])[0].to_pylist() == ["a"]
    database.close()


def test_nothing_stays_of_a_transaction_that_is_given_up(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database)
    with database.transaction([table]) as transaction:
        writer = transaction.writer(table)
        writer.write(columns_of([(number, "x") for number in range(10_000)]), 10_000)
        writer.finish()
        assert disk.names(f"tables/{table}"), "so many rows are in a file"
    assert disk.names(f"tables/{table}") == []
    assert rows_of(database, table) == []
    with pytest.raises(InterfaceError):
        transaction.commit(ChangeKind.INSERT)
    database.close()


def test_many_rows_go_to_a_file_and_are_read_back(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database, description=KEYED)
    rows = [(number, f"text {number % 7}") for number in range(20_000)]
    insert(database, table, rows)
    insert(database, table, [(-1, "small")])
    with pytest.raises(IntegrityError):
        insert(database, table, [(19_999, "there already")])
    delete(database, table, lambda row: row[0] % 2 == 1)
    expected = sorted([row for row in rows if row[0] % 2 == 0], key=repr)
    database.close()
    again = Database.open(disk, clock=counter())
    assert rows_of(again, table) == expected
    assert len(rows_of(again, table, 3)) == 20_001
    again.close()


def test_a_row_is_deleted_once(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    table = create(database)
    insert(database, table, [(1, "a"), (2, "b")])
    with database.transaction([table]) as transaction, pytest.raises(IntegrityError, match="more than once"):
        transaction.delete(table, np.array([0, 0]))
    delete(database, table, lambda row: row[0] == 1)
    with database.transaction([table]) as transaction, pytest.raises(IntegrityError, match="more than once"):
        transaction.delete(table, np.array([0]))
    with database.transaction([table]) as transaction, pytest.raises(IndexError):
        transaction.delete(table, np.array([2]))
    database.close()


def test_one_statement_changes_two_tables_or_none(disk: Disk) -> None:
    database = Database.open(disk, clock=counter())
    one, two = create(database, "one", KEYED), create(database, "two", KEYED)
    insert(database, two, [(1, "there")])
    with database.transaction([one, two]) as transaction:
        for table in (one, two):
            writer = transaction.writer(table)
            writer.write(columns_of([(1, "new")], KEYED), 1)
            writer.finish()
        with pytest.raises(IntegrityError, match="'two'"):
            transaction.commit(ChangeKind.INSERT)
    assert rows_of(database, one) == []
    assert database.state().table(one).version == 1
    database.close()
