"""Many threads and processes at one database: queues, shared syncs, readers beside a writer, a writer that is killed.

``TABLEFLOW_KILLS`` says how often a writer is killed in the thorough test (500).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
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

KILLS = int(os.environ.get("TABLEFLOW_KILLS", "500"))
ACCOUNTS = 50
ROOT = Path(__file__).parents[2]


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


WRITER = """
    import os
    import sys
    from tableflow.storage.database import Database
    from tableflow.storage.description import ChangeKind
    from tableflow.storage.local_disk import LocalDisk
    from tests.storage.tables import KEYED, columns_of, settings

    def write(step):
        quick = settings(storage__fold_commits="20", storage__inline_rows="30", storage__removal_delay="0 s")
        database = Database.open(LocalDisk(sys.argv[1]), settings=quick)
        one, two = sorted(database.state().tables)
        while True:
            with database.transaction([one, two]) as transaction:
                for table, sign in ((one, 1), (two, -1)):
                    view = transaction.state.table(table).at()
                    key = (step * 7) % 50
                    found = view.find((0,), columns_of([(key, "")], KEYED)[:1])
                    value = int(view.fetch(found, [1])[0].to_pylist()[0])
                    transaction.delete(table, found)
                    writer = transaction.writer(table)
                    writer.write(columns_of([(key, str(value + sign * step))], KEYED), 1)
                    if step % 10 == 0:
                        many = [(1000 + step * 100 + each, "0") for each in range(50)]
                        writer.write(columns_of(many, KEYED), 50)
                    writer.finish()
                transaction.commit(ChangeKind.UPDATE)
            os.write(1, b"%d\\n" % step)  # in one piece, or not at all
            step += 1

    for line in sys.stdin:  # a process that has imported everything forks one that is killed
        child = os.fork()
        if not child:
            write(int(line))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("end", flush=True)
"""


class Writers:
    """Processes that write to the bank, one after the other."""

    def __init__(self, place: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(place)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._child = 0

    def start(self, step: int) -> None:
        self._in.write(f"{step}\n")
        self._in.flush()
        self._child = int(self._out.readline())

    def step(self) -> int:
        """The next step that was acknowledged."""
        return int(self._out.readline())

    def kill(self) -> list[int]:
        """Stops the writer; the steps that it acknowledged before that."""
        os.kill(self._child, signal.SIGKILL)
        return [int(line) for line in iter(self._out.readline, "end\n")]

    def close(self) -> None:
        self._in.close()
        self._process.wait()
        self._out.close()


def bank(place: Path) -> list[int]:
    database = Database.open(LocalDisk(place), background=False)
    tables = [create(database, name, KEYED) for name in ("one", "two")]
    for table in tables:
        insert(database, table, [(number, "0") for number in range(ACCOUNTS)])
    database.close()
    return tables


def expected_balances(steps: int) -> dict[int, int]:
    found = dict.fromkeys(range(ACCOUNTS), 0)
    for step in range(steps):
        found[step * 7 % ACCOUNTS] += step
    return found


def balances(database: Database, table: int, version: int | None = None) -> dict[int, int]:
    return {key: int(text) for key, text in rows_of(database, table, version) if key < 1000}


@pytest.mark.parametrize("kills", [8, pytest.param(KILLS, marks=pytest.mark.thorough)])
def test_a_writer_that_is_killed_loses_nothing(tmp_path: Path, kills: int) -> None:
    place = tmp_path / "db"
    one, two = bank(place)
    dice = random.Random(kills)
    writers = Writers(place)
    step = 0
    for kill in range(kills):
        writers.start(step)
        for _ in range(dice.randrange(1, 40)):
            step = writers.step() + 1
        time.sleep(dice.random() * 0.004)
        rest = writers.kill()
        step = rest[-1] + 1 if rest else step
        reader = Database.open(LocalDisk(place), writable=False)
        seen = balances(reader, one)
        assert seen in (expected_balances(step), expected_balances(step + 1)), f"after kill {kill}"
        assert balances(reader, two) == {key: -value for key, value in seen.items()}
        database = Database.open(LocalDisk(place), background=False)
        found = balances(database, one)
        if found == expected_balances(step + 1):
            step += 1  # it was whole, and the writer could not say so
        assert found == expected_balances(step), f"after kill {kill}"
        assert found == seen or seen == expected_balances(step - 1), "what a reader has seen stays"
        assert balances(reader, one) == found
        assert balances(database, two) == {key: -value for key, value in found.items()}
        database.close()
        if kill % 10 == 9 or kill == kills - 1:
            assert check_database(LocalDisk(place)).problems == ()
    writers.close()
    database = Database.open(LocalDisk(place), background=False, settings=settings(storage__removal_delay="0 s"))
    database.fold()
    database.collect()
    assert check_database(LocalDisk(place)).remarks == ()
    database.close()


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.thorough)])
def test_readers_beside_a_writer_see_whole_commits(tmp_path: Path, seconds: int) -> None:
    """The sum over both tables is always zero, whatever version; versions only go forward."""
    place = tmp_path / "db"
    one, two = bank(place)
    program = f"""
        import sys, time
        from tableflow.storage.database import Database
        from tableflow.storage.failure import StaleStateError
        from tableflow.storage.local_disk import LocalDisk
        from tests.storage.test_concurrency import balances, rows_of

        database = Database.open(LocalDisk({str(place)!r}), writable=False)
        end = time.monotonic() + float(sys.argv[1])
        seen, reads, version = set(), 0, 0
        while time.monotonic() < end:
            state = database.state()
            try:
                tables = state.table({one}), state.table({two})
                assert tables[0].version == tables[1].version >= version, "versions go forward together"
                version = tables[0].version
                for at in (version, max(tables[0].history[0].number, version - 9)):
                    sums = []
                    for table in tables:
                        view = table.at(at)
                        sums.append(sum(int(text) for batch in view.batches([1]) for text in selected(batch)))
                    assert sums[0] == -sums[1], (at, sums)
                    assert sums[0] > 0 or at < 5
            except StaleStateError:
                continue
            seen.add(version)
            reads += 1
        print(reads, len(seen))
    """
    selected = """
from tableflow.columnar.kernels.gather import compact
def selected(batch):
    return compact(batch).columns[0].to_pylist()
"""
    writers = Writers(place)
    writers.start(0)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", selected + textwrap.dedent(program), str(seconds)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        results = [reader.communicate(timeout=seconds + 60) for reader in readers]
        assert [reader.returncode for reader in readers] == [0, 0]
        for out, _ in results:
            reads, seen = map(int, out.split())
            assert reads > 5
            assert seen > 3
    finally:
        steps = writers.kill()
        writers.close()
    assert len(steps) > 10
    assert check_database(LocalDisk(place)).problems == ()


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
