"""Folding: what it writes, that commits go on meanwhile, that versions are forgotten, that garbage goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tableflow.catalog.change import RemoveEntry
from tableflow.errors import CatalogError, IntegrityError
from tableflow.storage import folding, maintenance
from tableflow.storage.compaction import Part, choose
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.disk import Disk
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.memory_disk import MemoryDisk
from tableflow.storage.root import Root, read_root, write_root
from tableflow.storage.transaction import Transaction
from tests.storage.tables import (
    KEYED,
    PLAIN,
    columns_of,
    counter,
    create,
    delete,
    insert,
    replace_rows,
    rows_of,
    settings,
)


def memory(n: int) -> Part:
    return Part(n, 0, in_memory=True)


def file(n: int, dead: int = 0, fixed: bool = False) -> Part:
    return Part(n, dead, in_memory=False, fixed=fixed)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([file(100)], []),
        ([memory(1)], [(0, 1)]),
        ([file(100), memory(1), memory(2)], [(1, 3)]),
        ([file(100), file(10), memory(3), memory(2)], [(1, 4)]),
        ([file(20), file(10), memory(5)], [(0, 3)]),
        ([memory(5), file(8), memory(1)], [(0, 3)]),
        ([memory(5), file(80), memory(1)], [(0, 1), (2, 3)]),
        ([file(100, dead=31)], [(0, 1)]),
        ([file(100, dead=30)], []),
        ([file(900), memory(500)], [(1, 2)]),  # together they would be more than a file holds
        ([file(10), Part(5, 0, in_memory=True, fixed=True)], [(1, 2)]),
        ([memory(5), file(3, fixed=True)], [(0, 1)]),
        ([file(10)] * 3, []),
        ([file(10)] * 4, [(0, 4)]),
        ([file(900), *[file(10)] * 5], [(1, 6)]),
        ([file(80), file(40), file(20), file(10)], [(0, 4)]),
        ([file(100), *[file(10)] * 3], []),
        ([file(300)] * 8, []),  # four would be more than a file holds
        ([*[file(250)] * 4, *[file(10)] * 4], [(0, 8)]),  # the writer begins a new file where one is full
        ([file(10), file(10), file(10, fixed=True), file(10), file(10)], []),
    ],
)
def test_what_is_written_anew(parts: list[Part], expected: list[tuple[int, int]]) -> None:
    assert choose(parts, 1000) == expected


def test_commits_go_on_while_a_transaction_is_open_and_the_log_is_folded() -> None:
    disk = MemoryDisk()
    database = Database.open(disk, clock=counter(), background=False)
    one, two = create(database, "one", KEYED), create(database, "two")
    insert(database, one, [(1, "a"), (2, "b"), (3, "c")])
    database.fold()
    insert(database, one, [(4, "d")])
    with database.transaction([one]) as transaction:
        view = transaction.state.table(one).at()
        transaction.delete(one, view.find((0,), columns_of([(1, ""), (4, "")], KEYED)[:1]))
        writer = transaction.writer(one)
        writer.write(columns_of([(1, "A")]), 1)
        writer.finish()
        insert(database, two, [(7, "z")])
        database.fold([one])
        transaction.commit(ChangeKind.UPDATE)
    insert(database, one, [(4, "D")])
    expected = {2: [(1, "a"), (2, "b"), (3, "c")], 4: [(1, "A"), (2, "b"), (3, "c")]}
    for _ in range(2):
        assert rows_of(database, one) == [(1, "A"), (2, "b"), (3, "c"), (4, "D")]
        assert {version: rows_of(database, one, version) for version in expected} == expected
        database.close()
        database = Database.open(disk, clock=counter(), background=False)
        database.fold()
    assert rows_of(database, two) == [(7, "z")]
    database.close()


def test_a_transaction_that_begins_while_a_fold_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    database = Database.open(disk, clock=counter(), background=False)
    table = create(database, description=KEYED)
    insert(database, table, [(1, "a")])
    begun: list[Transaction] = []

    def write_late(where: Disk, root: Root) -> None:
        insert(database, table, [(2, "b")])
        begun.append(database.transaction([table]))
        write_root(where, root)

    monkeypatch.setattr(folding, "write_root", write_late)
    database.fold()
    monkeypatch.undo()
    with begun.pop() as transaction:
        writer = transaction.writer(table)
        writer.write(columns_of([(3, "c")], KEYED), 1)
        writer.finish()
        transaction.commit(ChangeKind.INSERT)
    for _ in range(2):
        view = database.state().table(table).at()
        assert (view.find((0,), columns_of([(1, ""), (2, ""), (3, "")], KEYED)[:1]) >= 0).all()
        for key in (1, 2, 3):
            with pytest.raises(IntegrityError):
                insert(database, table, [(key, "again")])
        assert rows_of(database, table, 2) == [(1, "a")]
        database.close()
        database = Database.open(disk, clock=counter(), background=False)
    database.close()


def test_ten_thousand_commits_are_few_files() -> None:
    """With the thresholds a fifth of what they are, and a fifth of the commits."""
    disk = MemoryDisk()
    database = Database.open(disk, settings=settings(storage__fold_commits="1_000"), background=False)
    table = create(database, description=KEYED)
    for number in range(2_000):
        insert(database, table, [(number, "x")])
        if number % 1_000 == 999:
            assert database.maintenance is not None
            assert database.maintenance._is_due(1)  # what the thread looks at
            database.fold()
    assert len(disk.names(f"tables/{table}")) <= 20
    assert len(rows_of(database, table)) == 2_000
    assert len(database.state().table(table).segments) == 1
    database.close()


def test_a_table_may_keep_its_versions_longer() -> None:
    clock = counter()
    database = Database.open(MemoryDisk(), settings=settings(storage__retention="8 s"), clock=clock, background=False)
    longer = replace(PLAIN, options=(("retention", "1 h"),))
    short, long = create(database), create(database, "long", longer)
    for table in (short, long):
        insert(database, table, [(1, "a")])
        delete(database, table, lambda row: True)
    for _ in range(20):
        clock()
    database.fold([short, long])
    assert [len(list(database.state().table(table).history)) for table in (short, long)] == [1, 3]
    database.close()


def test_versions_are_forgotten_and_their_rows_swept_away() -> None:
    clock = counter()
    disk = MemoryDisk()
    kept = settings(storage__retention="8 s")  # the clock goes on by a second at each look
    database = Database.open(disk, settings=kept, clock=clock, background=False)
    table = create(database)
    insert(database, table, [(number, "x" * 50) for number in range(1000)])
    database.fold()
    delete(database, table, lambda row: row[0] >= 10)
    size = _bytes(disk, table)
    for _ in range(10):
        clock()
    database.fold()
    database.collect()
    state = database.state().table(table)
    with pytest.raises(CatalogError, match="the table has no version 2") as error:
        state.at(2)
    assert error.value.detail == "only version 3 is kept"
    assert state.segments[0].rows == 10
    assert not state.deletes.layers
    assert _bytes(disk, table) < size / 4
    assert rows_of(database, table) == [(number, "x" * 50) for number in range(10)]
    database.close()


def _bytes(disk: MemoryDisk, table: int) -> int:
    return sum(len(disk.read(name)) for name in disk.names(f"tables/{table}"))


def test_files_stay_while_somebody_in_this_process_may_read_them() -> None:
    database = Database.open(MemoryDisk(), clock=counter(), background=False)
    table = create(database)
    insert(database, table, [(1, "a")])
    database.fold()
    pinned = database.state()
    replace_rows(database, table, lambda row: True, [(1, "b")])
    database.fold([table])
    database.collect()
    view = pinned.table(table).at()
    assert [batch.columns[1].to_pylist() for batch in view.batches([0, 1])] == [["a"]]
    before = len(database.disk.names(f"tables/{table}"))
    del pinned, view
    database.collect()
    assert len(database.disk.names(f"tables/{table}")) < before
    database.close()


def test_files_of_a_process_that_stopped_are_removed(tmp_path: Path) -> None:
    disk = LocalDisk(tmp_path / "db")
    database = Database.open(disk, background=False)
    table = create(database)
    insert(database, table, [(1, "a")])
    database.fold()
    database.close()
    named = disk.names(f"tables/{table}")
    left = f"tables/{table}/dead-1.arrow"
    disk.create(left).close()
    again = Database.open(disk, background=False)
    again.collect()
    assert left in disk.names(f"tables/{table}"), "its time has not come"
    again.close()
    again = Database.open(disk, background=False, settings=settings(storage__removal_delay="0 s"))
    again.collect()
    assert disk.names(f"tables/{table}") == named
    assert rows_of(again, table) == [(1, "a")]
    again.close()


def test_files_of_a_dropped_table_are_removed() -> None:
    database = Database.open(MemoryDisk(), clock=counter(), background=False)
    table = create(database)
    insert(database, table, [(number, "a") for number in range(10_000)])
    database.fold()
    pinned = database.state()
    with database.transaction([table], catalog=True) as transaction:
        transaction.change_catalog(RemoveEntry("default", "t"))
        transaction.commit(ChangeKind.ALTER)
    with pytest.raises(CatalogError):
        database.state().table(table)
    database.fold()
    database.collect()
    assert sum(batch.rows for batch in pinned.table(table).at().batches([0])) == 10_000
    del pinned, transaction
    database.collect()
    assert database.disk.names(f"tables/{table}") == []
    assert create(database) > table, "ids are never used again"
    database.close()


def test_a_reader_keeps_open_what_a_fold_did_not_touch() -> None:
    disk = MemoryDisk()
    database = Database.open(disk, clock=counter(), background=False)
    table = create(database)
    insert(database, table, [(number, "a") for number in range(10_000)])
    database.fold()
    reader = Database.open(disk, writable=False)
    first = reader.state().table(table)
    assert len(rows_of(reader, table)) == 10_000
    insert(database, table, [(-1, "b")])
    database.fold()
    second = reader.state().table(table)
    assert len(rows_of(reader, table)) == 10_001
    assert second.version == first.version + 1
    assert len(second.segments) == 2
    assert second.segments[0] is first.segments[0]
    database.close()


def test_a_fold_that_fails_is_tried_again_by_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "HEARTBEAT", 0.01)
    database = Database.open(MemoryDisk(), settings=settings(storage__fold_commits="3"))
    table = create(database)
    work = database.maintenance
    assert work is not None

    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(folding, "write_root", fails)
    for number in range(5):
        insert(database, table, [(number, "a")])
    _until(lambda: work.error is not None)
    assert work.folds == 0
    monkeypatch.setattr(folding, "write_root", write_root)
    for number in range(5):
        insert(database, table, [(number, "b")])
    _until(lambda: work.folds > 0 and work.error is None)
    assert len(rows_of(database, table)) == 10
    database.close()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_commits_of_earlier_processes_count() -> None:
    """Each process writes one row and goes: the log is folded all the same, not when it has become long."""
    disk = MemoryDisk()
    quick = settings(storage__fold_commits="64")
    database = Database.open(disk, settings=quick)
    table = create(database, description=KEYED)
    database.close()
    for number in range(20):
        database = Database.open(disk, settings=quick)
        insert(database, table, [(number, "a")])
        database.close()
    root = read_root(disk)
    assert root.sequence >= 8  # an eighth of the limit is enough when a database is closed
    database = Database.open(disk, settings=quick, background=False)
    assert database.committer.records == database.state().sequence - root.sequence < 8
    assert sorted(rows_of(database, table)) == [(number, "a") for number in range(20)]
    database.close()
