"""Many threads at one database: queues, shared syncs, readers beside writers and folds."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tableflow.errors import CancelledError, ConnectorError, InterfaceError
from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.local_disk import LocalDisk, LocalFile
from tableflow.storage.log import LogWriter
from tableflow.storage.memory_disk import MemoryDisk
from tests.storage.tables import KEYED, columns_of, create, delete, insert, replace_rows, rows_of, settings

pytestmark = pytest.mark.slow


def test_writers_of_one_table_take_turns_in_order() -> None:
    database = Database.open(MemoryDisk(), background=False)
    table = create(database)
    first = database.transaction([table])
    order: list[int] = []

    def write(number: int) -> None:
        with database.transaction([table]) as transaction:
            order.append(number)
            writer = transaction.writer(table)
            writer.write(columns_of([(number, "x")]), 1)
            writer.finish()
            transaction.commit(ChangeKind.INSERT)

    threads = []
    for number in range(6):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
        while len(database._queues._queues[table]) < number + 2:
            time.sleep(0.001)
    first.abort()
    for thread in threads:
        thread.join()
    assert order == list(range(6))
    assert [row[0] for row in rows_of(database, table)] == list(range(6))
    database.close()


def test_waiting_for_a_table_ends_by_time_or_cancellation() -> None:
    database = Database.open(MemoryDisk(), background=False)
    one, two = create(database, "one"), create(database, "two")
    with database.transaction([one]):
        with pytest.raises(ConnectorError, match="another statement is writing") as error:
            database.transaction([one, two], timeout=0.01)
        assert error.value.retryable
        asked = iter([False, False, True])
        with pytest.raises(CancelledError):
            database.transaction([two, one], cancelled=lambda: next(asked))
        database.transaction([two], timeout=0).abort()
    database.transaction([one, two], timeout=0).abort()
    database.close()


def test_commits_that_wait_together_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(LocalDisk(tmp_path / "db"), settings=settings(commit__delay="20ms"), background=False)
    tables = [create(database, f"t{number}") for number in range(4)]
    syncs = []
    sync = LogWriter.sync
    monkeypatch.setattr(LogWriter, "sync", lambda self: (syncs.append(1), sync(self))[1])

    def write(number: int) -> None:
        for each in range(5):
            insert(database, tables[number % 4], [(number * 100 + each, "x")])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(rows_of(database, table)) for table in tables) == 40
    assert len(syncs) <= 15, "eight threads wait for each"
    database.close()
    again = Database.open(LocalDisk(tmp_path / "db"), background=False)
    assert sum(len(rows_of(again, table)) for table in tables) == 40
    again.close()


def test_nothing_is_seen_before_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(MemoryDisk(), background=False)
    table = create(database)
    syncing, go = threading.Event(), threading.Event()

    def sync(_: LogWriter) -> None:
        syncing.set()
        assert go.wait(10)

    monkeypatch.setattr(LogWriter, "sync", sync)
    thread = threading.Thread(target=insert, args=(database, table, [(1, "a")]))
    thread.start()
    assert syncing.wait(10)
    assert rows_of(database, table) == []
    with database.transaction([table]) as following:
        assert following.state.table(table).version == 2, "the next one begins on top of it"
    go.set()
    thread.join()
    assert rows_of(database, table) == [(1, "a")]
    database.close()


def test_a_failed_sync_takes_all_with_it_that_built_on_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    database = Database.open(LocalDisk(tmp_path / "db"), background=False)
    table, other = create(database, "t", KEYED), create(database, "o", KEYED)
    insert(database, table, [(1, "a")])
    syncing, go = threading.Event(), threading.Event()

    def sync(_: LogWriter) -> None:
        syncing.set()
        assert go.wait(10)
        raise OSError(5, "input/output error")

    failures: list[ConnectorError] = []

    def write(into: int, rows: list[tuple[int, str]]) -> None:
        try:
            replace_rows(database, into, lambda row: row[0] == 1, rows)
        except ConnectorError as error:
            failures.append(error)

    monkeypatch.setattr(LogWriter, "sync", sync)
    threads = [threading.Thread(target=write, args=(table, [(1, "b"), (2, "c")]))]
    threads[0].start()
    assert syncing.wait(10)
    pinned = database.transaction([other])
    threads.append(threading.Thread(target=write, args=(table, [(1, "d"), (3, "e")])))
    threads[1].start()
    while database.committer.tip.table(table).version < 4:
        time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    assert len(failures) == 2
    with pinned, pytest.raises(ConnectorError, match="on top of a commit that failed") as error:
        writer = pinned.writer(other)
        writer.write(columns_of([(9, "z")], KEYED), 1)
        writer.finish()
        pinned.commit(ChangeKind.INSERT)
    assert error.value.retryable
    assert rows_of(database, table) == [(1, "a")]
    insert(database, table, [(2, "mine")])
    replace_rows(database, table, lambda row: row[0] == 1, [(1, "again"), (3, "new")])
    expected = [(1, "again"), (2, "mine"), (3, "new")]
    assert rows_of(database, table) == expected
    assert rows_of(database, table, 2) == [(1, "a")]
    view = database.state().table(table).at()
    assert (view.find((0,), columns_of([(2, ""), (3, "")], KEYED)[:1]) >= 0).all()
    database.close()
    again = Database.open(LocalDisk(tmp_path / "db"), background=False)
    assert rows_of(again, table) == expected
    again.close()


def test_an_interrupt_while_waiting_leaves_a_whole_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a sync: the commit is taken back or comes to be, and the next one goes on."""
    for moment in ("sync", "delay"):
        place = tmp_path / moment
        database = Database.open(LocalDisk(place), settings=settings(commit__delay="1 ms"), background=False)
        table = create(database)

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        if moment == "sync":
            monkeypatch.setattr(LogWriter, "sync", interrupt)
        else:
            monkeypatch.setattr(time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            insert(database, table, [(number, "many") for number in range(10_000)])
        monkeypatch.undo()
        insert(database, table, [(-1, "next")])
        expected = 1 if moment == "sync" else 10_001
        assert len(rows_of(database, table)) == expected
        database.close()
        with pytest.raises(InterfaceError, match="closed"):
            database.transaction([table])
        again = Database.open(LocalDisk(place), background=False)
        assert len(rows_of(again, table)) == expected
        again.close()
        assert check_database(LocalDisk(place)).problems == ()


def test_folds_get_their_turn_between_many_writers(tmp_path: Path) -> None:
    database = Database.open(LocalDisk(tmp_path / "db"), background=False, settings=settings(commit__delay="1 ms"))
    tables = [create(database, f"t{number}") for number in range(6)]
    stop = threading.Event()

    def write(table: int) -> None:
        number = 0
        while not stop.is_set():
            insert(database, table, [(number, "x")])
            number += 1

    threads = [threading.Thread(target=write, args=(table,)) for table in tables]
    for thread in threads:
        thread.start()
    for _ in range(5):
        database.fold()
    stop.set()
    for thread in threads:
        thread.join()
    counts = [len(rows_of(database, table)) for table in tables]
    database.close()
    again = Database.open(LocalDisk(tmp_path / "db"), background=False)
    assert [len(rows_of(again, table)) for table in tables] == counts
    again.close()


def test_threads_that_write_while_the_log_is_folded() -> None:
    """Folds happen by the thread of the database, every few commits; transfers keep the sum."""
    database = Database.open(MemoryDisk(), settings=settings(storage__fold_commits="7", storage__inline_rows="20"))
    table = create(database, description=KEYED)
    insert(database, table, [(number, "0") for number in range(100)])
    stop = threading.Event()
    problems: list[str] = []

    def read() -> None:
        while not stop.is_set():
            rows = rows_of(database, table)
            if len(rows) != 100 or sum(int(row[1]) for row in rows) != 0:
                problems.append(f"{len(rows)} rows")

    def write(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(40):
            one, two = dice.sample(range(100), 2)
            with database.transaction([table]) as transaction:
                view = transaction.state.table(table).at()
                found = view.find((0,), columns_of([(one, ""), (two, "")], KEYED)[:1])
                values = view.fetch(found, [1])[0].to_pylist()
                transaction.delete(table, found)
                writer = transaction.writer(table)
                added = [(one, str(int(values[0]) - 1)), (two, str(int(values[1]) + 1))]
                writer.write(columns_of(added, KEYED), 2)
                writer.finish()
                transaction.commit(ChangeKind.UPDATE)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert problems == []
    assert database.maintenance is not None
    assert database.maintenance.error is None
    assert database.maintenance.folds > 2
    assert database.state().table(table).version == 122
    database.close()


def test_a_full_disk_fails_the_statement_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(LocalDisk(tmp_path / "db"), background=False)
    table = create(database)
    insert(database, table, [(1, "a")])
    write = LocalFile.write

    def full(self: LocalFile, data: bytes) -> int:
        write(self, bytes(data)[: len(data) // 2])
        raise OSError(28, "No space left on device")

    for rows in (1, 10_000):
        monkeypatch.setattr(LocalFile, "write", full)
        with pytest.raises(ConnectorError, match="no space is left"):
            insert(database, table, [(number, "b") for number in range(rows)])
        monkeypatch.undo()
        assert rows_of(database, table) == [(1, "a")]
        assert database.disk.names(f"tables/{table}") == []
    insert(database, table, [(2, "b")])
    delete(database, table, lambda row: row[0] == 1)
    database.close()
    again = Database.open(LocalDisk(tmp_path / "db"), background=False)
    assert rows_of(again, table) == [(2, "b")]
    assert np.array_equal([version.rows for version in again.state().table(table).history], [0, 1, 2, 1])
    again.close()
