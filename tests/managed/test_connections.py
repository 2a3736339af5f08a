"""Databases in directories: several connections and threads, reopening, reading only, cancelling."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest

import tableflow
from tableflow.columnar.column import Column
from tableflow.config import Settings
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.failure import StaleStateError, taken_back
from tableflow.storage.folding import Folder
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.maintenance import Maintenance
from tableflow.storage.memory_disk import MemoryDisk
from tableflow.storage.table_view import TableView
from tableflow.storage.transaction import Transaction
from tableflow.types import INT


def rows(con, sql, parameters=()):
    return con.execute(sql, parameters).fetchall()


def test_tables_views_and_connector_tables_are_there_again(tmp_path):
    data = tmp_path / "numbers.csv"
    data.write_text("n\n1\n2\n")
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE SCHEMA s")
        con.execute("CREATE TABLE s.t (a INT PRIMARY KEY, b STRING DEFAULT 'x')")
        con.execute("INSERT INTO s.t (a) VALUES (1), (2)")
        con.execute("CREATE VIEW v AS SELECT sum(a) AS total FROM s.t")
        con.execute(f"CREATE TABLE numbers (n INT) WITH ('connector' = 'filesystem', 'path' = '{data}')")
        con.execute("CREATE TEMPORARY TABLE gone (a INT)")
    for read_only in (False, True):
        with tableflow.connect(tmp_path / "db", read_only=read_only) as con:
            assert rows(con, "SELECT * FROM s.t ORDER BY a") == [(1, "x"), (2, "x")]
            assert rows(con, "SELECT total FROM v") == [(3,)]
            assert rows(con, "SELECT sum(n) FROM numbers") == [(3,)]
            assert rows(con, "SHOW TABLES") == [("numbers",)]
            assert rows(con, "SELECT b FROM s.t WHERE a = 2") == [("x",)]


def test_connections_of_a_process_share_a_database(tmp_path):
    first, second = tableflow.connect(tmp_path / "db"), tableflow.connect(tmp_path / "db")
    reader = tableflow.connect(tmp_path / "db", read_only=True)
    first.execute("CREATE TABLE t (a INT PRIMARY KEY)")
    second.execute("INSERT INTO t VALUES (1)")
    assert rows(first, "SELECT a FROM t") == rows(reader, "SELECT a FROM t") == [(1,)]
    with pytest.raises(tableflow.OperationalError, match="open for reading only"):
        reader.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(tableflow.OperationalError, match="open for reading only"):
        reader.execute("CREATE TABLE u (a INT)")
    with pytest.raises(tableflow.OperationalError, match="open for reading only"):
        reader.execute("VACUUM")
    reader.execute("CREATE TEMPORARY TABLE own AS SELECT a + 1 AS a FROM t")
    assert rows(reader, "SELECT a FROM own") == [(2,)]
    first.close()
    second.execute("INSERT INTO t VALUES (2)")
    second.close()
    assert rows(reader, "SELECT count(*) FROM t") == [(2,)]
    reader.close()
    with tableflow.connect(tmp_path / "db") as con:
        assert rows(con, "SELECT count(*) FROM t") == [(2,)]


@pytest.mark.slow
def test_another_process_may_read_but_not_write(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        con.execute("INSERT INTO t VALUES (1), (2)")
        script = (
            "import sys, tableflow\n"
            "con = tableflow.connect(sys.argv[1], read_only=True)\n"
            "print(con.execute('SELECT sum(a) FROM t').fetchone()[0], flush=True)\n"
            "sys.stdin.readline()\n"
            "print(con.execute('SELECT sum(a) FROM t').fetchone()[0], flush=True)\n"
            "try:\n    tableflow.connect(sys.argv[1])\n"
            "except tableflow.OperationalError as error:\n    print('refused')\n"
        )
        command = [sys.executable, "-c", script, str(tmp_path / "db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            assert other.stdout.readline() == "3\n"
            con.execute("INSERT INTO t VALUES (10)")
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.read() == "13\nrefused\n"


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(tableflow.Error, match="is a file"):
        tableflow.connect(tmp_path / "file")
    with pytest.raises(tableflow.Error, match="does not exist"):
        tableflow.connect(tmp_path / "missing", read_only=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing.txt").write_text("x")
    with pytest.raises(tableflow.Error):
        tableflow.connect(tmp_path / "other")


def test_threads_increment_one_counter(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (k INT PRIMARY KEY, n INT)")
        con.execute("INSERT INTO t VALUES (1, 0)")
        failures = []

        def work(number):
            try:
                with tableflow.connect(tmp_path / "db", settings={"parallelism.default": "1"}) as own:
                    for i in range(8):
                        own.execute("UPDATE t SET n = n + 1 WHERE k = 1")
                        own.execute("INSERT INTO t VALUES (?, ?)", (1000 * number + i, 0))
                        assert rows(own, "SELECT count(*) FROM t WHERE k = ?", (1000 * number + i,)) == [(1,)]
            except BaseException as error:  # noqa: BLE001 - it is the test's to judge
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failures == []
        assert rows(con, "SELECT n FROM t WHERE k = 1") == [(32,)]
        assert rows(con, "SELECT count(*) FROM t") == [(33,)]


def test_a_table_that_is_replaced_while_others_insert(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        failures = []
        done = threading.Event()

        def insert():
            try:
                with tableflow.connect(tmp_path / "db", settings={"parallelism.default": "1"}) as own:
                    while not done.is_set():
                        own.execute("INSERT INTO t (a) VALUES (?)", (1,))
                        own.execute("INSERT INTO t (a) SELECT 2")
            except BaseException as error:  # noqa: BLE001 - as above
                failures.append(error)

        thread = threading.Thread(target=insert)
        thread.start()
        for i in range(10):
            con.execute(f"CREATE OR REPLACE TABLE t (a {'INT' if i % 2 else 'BIGINT'})")
            con.execute("ALTER TABLE t ADD COLUMN b INT")
        done.set()
        thread.join(60)
        assert failures == []


def endless(con):
    con.register("numbers", {"n": list(range(2000))})
    return "SELECT a.n FROM numbers a, numbers b, numbers c, numbers d WHERE a.n + b.n + c.n + d.n > 1"


@pytest.mark.slow
def test_cancelling_in_the_middle_leaves_nothing(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        con.execute("INSERT INTO t VALUES (1), (2)")
        query = endless(con)
        for sql in (f"INSERT INTO t {query}", f"CREATE TABLE u AS {query}", f"DELETE FROM t WHERE a IN ({query})"):
            cursor = con.cursor()
            timer = threading.Timer(0.5, cursor.cancel)
            timer.start()
            began = time.monotonic()
            with pytest.raises(tableflow.OperationalError, match="cancelled"):
                cursor.execute(sql)
            assert time.monotonic() - began < 20
            timer.join()
        assert rows(con, "SELECT count(*) FROM t") == [(2,)]
        assert rows(con, "SHOW TABLES") == [("numbers",), ("t",)]
        con.execute("INSERT INTO t VALUES (3)")
        assert rows(con, "SELECT count(*) FROM t") == [(3,)]


def test_a_statement_that_waits_can_be_cancelled(tmp_path):
    with tableflow.connect(tmp_path / "db") as con, tableflow.connect(tmp_path / "db") as other:
        con.execute("CREATE TABLE t (a INT)")
        table = con.session.catalog.find(("t",)).table
        with con.session.storage.shared.database.transaction([table]):
            cursor = other.cursor()
            threading.Timer(0.3, cursor.cancel).start()
            with pytest.raises(tableflow.OperationalError, match="cancelled"):
                cursor.execute("INSERT INTO t VALUES (1)")
        other.execute("INSERT INTO t VALUES (1)")
        assert rows(con, "SELECT count(*) FROM t") == [(1,)]


def test_an_open_result_keeps_what_it_began_with(tmp_path):
    with tableflow.connect(tmp_path / "db", settings={"execution.batch-rows": "100"}) as con:
        con.register("numbers", {"n": list(range(20_000))})
        con.execute("CREATE TABLE t AS SELECT n FROM numbers")
        cursor = con.execute("SELECT n FROM t")
        first = cursor.fetchmany(10)
        con.execute("DELETE FROM t WHERE n > 5")
        con.execute("VACUUM t")
        assert len(first) + len(cursor.fetchall()) == 20_000
        assert rows(con, "SELECT count(*) FROM t") == [(6,)]


def test_autocommit(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        con.execute("INSERT INTO t VALUES (1)")
        con.commit()
        assert con.autocommit is True
        with pytest.raises(tableflow.NotSupportedError):
            con.rollback()
        assert rows(con, "SELECT count(*) FROM t") == [(1,)]


def test_what_fails_because_of_others_is_tried_once_more(tmp_path, monkeypatch):
    failures = []
    commit = Transaction.commit

    def flaky(self, kind):
        if len(failures) < 1:
            failures.append(kind)
            self.abort()
            raise taken_back(MemoryDisk())
        return commit(self, kind)

    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        monkeypatch.setattr(Transaction, "commit", flaky)
        con.execute("INSERT INTO t SELECT 1 UNION ALL SELECT 2")
        assert len(failures) == 1
        assert rows(con, "SELECT count(*) FROM t") == [(2,)]
        failures.clear()
        with pytest.raises(tableflow.OperationalError, match="on top of a commit that failed"):
            con.append("t", {"a": [3]})  # a stream cannot be read again
        assert rows(con, "SELECT count(*) FROM t") == [(2,)]


def test_a_reader_whose_files_are_gone_takes_a_newer_state(tmp_path, monkeypatch):
    with tableflow.connect(tmp_path / "db", settings={"storage.inline-rows": "0"}) as con:
        con.execute("CREATE TABLE t (a INT PRIMARY KEY)")
        con.execute("INSERT INTO t SELECT * FROM (VALUES (1), (2))")
        left = []

        def stale(original):
            def read(*arguments):
                if left:
                    left.pop()
                    raise StaleStateError("a file is gone")
                return original(*arguments)

            return read

        for name in ("read", "fetch"):
            monkeypatch.setattr(TableView, name, stale(getattr(TableView, name)))
        for sql, found in {"SELECT sum(a) FROM t": [(3,)], "SELECT a FROM t WHERE a = 2": [(2,)]}.items():
            left[:] = [1, 1]
            assert rows(con, sql) == found
            assert left == []
            left[:] = [1] * 50
            with pytest.raises(tableflow.OperationalError, match="a file is gone"):
                rows(con, sql)
        left[:] = [1]
        assert con.execute("INSERT INTO t SELECT a + 10 FROM t").rowcount == 2
        left[:] = [1]
        assert con.execute(f"COPY t TO '{tmp_path}/t.csv'").rowcount == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    ["SELECT sum(a) FROM t", "SELECT a FROM t WHERE a = 6", "SHOW VERSIONS t", "DESCRIBE t", "EXPLAIN SELECT a FROM t"],
)
def test_a_reader_whose_files_go_while_it_binds_takes_newer_ones(tmp_path, query):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT PRIMARY KEY)")
        con.execute("INSERT INTO t VALUES (1), (2)")
        con.execute("VACUUM")
    settings = Settings().with_value("storage.removal-delay", "0 s")
    reader = tableflow.connect(tmp_path / "db", read_only=True)
    pin, moves = reader.session.storage.pin, []

    def pin_and_wait():
        pinned = pin()
        if not moves:  # it has the root, and no manifest yet
            moves.append(tuple((tmp_path / "db").glob("tables/*/manifest*")))
            writer = Database.open(LocalDisk(tmp_path / "db"), settings=settings, background=False)
            table = writer.state().schemas["default"].permanent["t"].table
            with writer.transaction([table]) as transaction:
                rows = transaction.writer(table)
                rows.write([Column(INT, pa.array([6], pa.int32()))], 1)
                rows.finish()
                transaction.commit(ChangeKind.INSERT)
            writer.fold()
            writer.collect()
            writer.close()
        return pinned

    reader.session.storage.pin = pin_and_wait
    assert rows(reader, query)
    assert moves
    assert not any(path.exists() for path in moves[0])
    assert rows(reader, "SELECT sum(a) FROM t") == [(9,)]
    reader.close()


@pytest.mark.slow
def test_a_manifest_that_is_lost_is_an_error_and_no_endless_search(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (a INT)")
        con.execute("VACUUM")
    for path in (tmp_path / "db").glob("tables/*/manifest*"):
        path.unlink()
    con = tableflow.connect(tmp_path / "db", read_only=True)
    with con, pytest.raises(tableflow.OperationalError, match="is missing"):
        con.execute("SELECT * FROM t")


@pytest.mark.slow
def test_what_goes_wrong_behind_is_told(tmp_path, monkeypatch):
    folded = threading.Event()
    try_fold = Maintenance._try_fold

    def tried(self):
        try_fold(self)
        folded.set()

    monkeypatch.setattr(Maintenance, "_try_fold", tried)
    settings = {"storage.inline-rows": "2", "storage.fold-commits": "10"}
    with tableflow.connect(tmp_path / "db", settings=settings) as con:
        con.execute("CREATE TABLE t (a INT)")
        con.execute("CREATE TABLE u (a INT)")
        con.execute("INSERT INTO t SELECT * FROM (VALUES (1), (2), (3), (4))")
        con.execute("VACUUM")
        query = "SELECT table_name, files, rows_in_log, maintenance_error FROM information_schema.storage ORDER BY 1"
        assert rows(con, query) == [("t", 1, 0, None), ("u", 0, 0, None)]
        monkeypatch.setattr(Folder, "fold", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        cursor = con.cursor()
        told = []
        for again in (True, False, False):
            while again and not folded.is_set():
                cursor.execute("INSERT INTO u VALUES (?)", (1,))
                told += [str(warning) for _, warning in cursor.messages]
            cursor.execute("SELECT 1")
            told += [str(warning) for _, warning in cursor.messages]
        assert all("could not be written into files" in text and "no space" in text for text in told)
        assert len(told) == 1, "once"
        assert all("no space" in row[3] for row in rows(con, query))
        monkeypatch.undo()
        con.execute("VACUUM")
