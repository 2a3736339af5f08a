"""Jobs of another process: seen, waited for and ended from outside; and what is said where it hangs or has been killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.script import Script
from tableflow.errors import CancelledError, CatalogError, ConnectorError, TableFlowError
from tableflow.session import job_asker
from tests.front.command import COMMAND, environment
from tests.front.test_bad_input import failure, marked

pytestmark = pytest.mark.slow

SCRIPT = """
    CREATE TABLE made (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '20000',
        'fields.k.kind' = 'sequence', 'fields.k.start' = '0', 'fields.k.end' = '100000000');
    CREATE STREAMING TABLE counts AS SELECT count(*) AS n, CAST(sum(k) AS BIGINT) AS total FROM made;
"""
QUERY = "SELECT count(*) AS n, CAST(sum(k) AS BIGINT) AS total FROM made"
STUCK = """
import sys, time, tableflow
connection = tableflow.connect(sys.argv[1])
connection.register_sink("outside", {"k": "INT"}, lambda batch: time.sleep(600))
connection.execute("CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000')")
connection.execute("INSERT INTO outside SELECT k FROM made")
print("running", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that jobs run in it."""
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment()) as process:
        try:
            stream = process.stderr if "run" in command else process.stdout
            assert stream is not None
            line = stream.readline()
            assert line.startswith("running"), line
            yield process
        finally:
            process.kill()


def _writer(folder: Path, script: str = SCRIPT) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return _process(*COMMAND, "run", "--database", str(folder), "--set", "parallelism.default=1", "-c", script)


def _reader(folder: Path) -> tableflow.Connection:
    return tableflow.connect(folder, read_only=True)


def _socket(folder: Path) -> Path | None:
    """Where the process with the jobs of a database can be asked, as its lease says."""
    text = (folder / "lease").read_text()
    return Path(json.loads(text)["address"]) if text else None


def _jobs(connection: tableflow.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SHOW JOBS").fetchall()


def _counts(connection: tableflow.Connection) -> tuple[int, int]:
    ((n, total),) = connection.execute("SELECT n, total FROM counts").fetchall() or [(0, 0)]
    return n, total or 0


def test_jobs_are_seen_and_stopped_from_outside_while_rows_flow(tmp_path: Path) -> None:
    with _writer(tmp_path / "d") as process, _reader(tmp_path / "d") as reader:
        cursor = reader.execute("SHOW JOBS")
        assert cursor.messages == []
        (job,) = cursor.fetchall()
        assert (job[0], job[1], job[2], job[4], job[5]) == (1, "counts", "running", None, QUERY)
        assert reader.execute("USE default").messages == []
        reader.execute("FLUSH")
        first = _counts(reader)[0]
        time.sleep(0.2)
        reader.execute("FLUSH")
        assert _counts(reader)[0] > first > 0
        marks = reader.execute("SHOW WATERMARKS")
        assert marks.description is not None
        assert [column[0] for column in marks.description][:3] == ["job", "operator", "watermark"]
        assert {row[0] for row in marks.fetchall()} == {1}
        assert any("source made" in row[0] for row in reader.execute("EXPLAIN WATERMARK JOB 1").fetchall())
        plan = "\n".join(row[0] for row in reader.execute("EXPLAIN ANALYZE JOB 1").fetchall())
        assert "rows/s" in plan
        assert "StreamWrite counts" in reader.execute("EXPLAIN JOB 1").fetchall()[0][0]
        reader.execute("STOP JOB 1")
        n, total = _counts(reader)
        assert total == n * (n - 1) // 2, "the table ends at an epoch: all rows up to one, each once"
        assert process.wait(30) == 0
        assert _counts(reader) == (n, total)
        cursor = reader.execute("SHOW JOBS")
        assert cursor.fetchall() == [(None, "counts", "waiting", None, None, QUERY)]
        assert "no process has the database open for writing: jobs begin when one does" in str(cursor.messages[0][1])
        assert _socket(tmp_path / "d") is None


def test_a_job_is_cancelled_from_outside(tmp_path: Path) -> None:
    with _writer(tmp_path / "d") as process, _reader(tmp_path / "d") as reader:
        reader.execute("FLUSH")
        reader.execute("CANCEL JOB 1")
        n, total = _counts(reader)
        assert total == n * (n - 1) // 2
        assert process.wait(30) == 0


def test_errors_are_those_of_the_process_that_has_the_jobs(tmp_path: Path) -> None:
    late = """
        CREATE TABLE t (v STRING); CREATE SCHEMA w;
        CREATE STREAMING TABLE numbers AS SELECT CAST(v AS INT) AS n FROM t;
        INSERT INTO t VALUES ('x');
    """
    with _writer(tmp_path / "d", f"{SCRIPT}{late}"), _reader(tmp_path / "d") as reader:
        with tableflow.connect() as alone:
            assert failure(alone, "-- who\nSTOP JOB 99") == failure(reader, "-- who\nSTOP JOB 99")
        limit = time.monotonic() + 30
        while (state := _jobs(reader)[1][2]) != "failed":
            assert time.monotonic() < limit, state
            time.sleep(0.05)
        for statement in ("STOP JOB 2", "CANCEL JOB  2"):
            with pytest.raises(CatalogError) as caught:
                reader.execute(statement)
            assert marked(str(caught.value)) == "2"
            assert caught.value.detail == "cannot cast 'x' to INT"
            assert "CREATE OR REPLACE STREAMING TABLE numbers AS" in str(caught.value.hint)
        reader.execute("USE w")
        assert [row[1] for row in _jobs(reader)] == ["default.counts", "default.numbers"]
        with pytest.raises(
            tableflow.OperationalError, match=r"which writes to 'default\.numbers', has failed"
        ) as failed:
            reader.execute("FLUSH")
        assert type(failed.value).__name__ == "JobError"


def test_who_waits_does_not_hold_up_others_and_can_be_cancelled(tmp_path: Path) -> None:
    with _process(sys.executable, "-c", STUCK, str(tmp_path / "d")) as process:
        with _reader(tmp_path / "d") as waiting, _reader(tmp_path / "d") as other:
            raised: list[BaseException] = []

            def flush(connection: tableflow.Connection) -> None:
                try:
                    cursor.execute("FLUSH")
                except TableFlowError as error:
                    raised.append(error)

            for end in ("cancel", "kill"):
                cursor = waiting.cursor()
                thread = threading.Thread(target=flush, args=(waiting,))
                thread.start()
                time.sleep(1.5)  # longer than between two signs of life
                began = time.monotonic()
                for _ in range(5):
                    assert [row[2] for row in _jobs(other)] == ["running"]
                assert time.monotonic() - began < 5
                assert thread.is_alive()
                began = time.monotonic()
                if end == "cancel":
                    cursor.cancel()
                else:
                    process.kill()
                thread.join(10)
                assert not thread.is_alive()
                assert time.monotonic() - began < 5
        cancelled, ended = raised
        assert isinstance(cancelled, CancelledError)
        assert isinstance(ended, ConnectorError)
        assert f"process {process.pid}, which had the jobs of database" in str(ended)
        assert "has ended before it answered" in str(ended)


def test_many_ask_at_once(tmp_path: Path) -> None:
    asked = ["SHOW JOBS", "EXPLAIN ANALYZE JOB 1", "FLUSH", "SHOW WATERMARKS"]
    wrong: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            with _reader(tmp_path / "d") as reader:
                for turn in range(8):
                    cursor = reader.execute(asked[(number + turn) % 4])
                    assert cursor.description is None or cursor.fetchall()
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            wrong.append(error)

    with _writer(tmp_path / "d"):
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert wrong == []


def test_a_killed_writer_is_named_and_the_next_one_answers(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with _reader_after_kill(folder) as (reader, pid):
        left = _socket(folder)
        assert left is not None
        assert left.is_socket()
        cursor = reader.execute("SHOW JOBS")
        assert cursor.fetchall() == [(None, "counts", "waiting", None, None, QUERY)]
        assert f"process {pid}, which had, has ended without closing it" in str(cursor.messages[0][1])
        for statement in ("STOP JOB 1", "CANCEL JOB 1", "EXPLAIN JOB 1", "EXPLAIN ANALYZE JOB 1"):
            error = failure(reader, statement)
            assert f"job 1 does not run: no process has the database open for writing (process {pid}" in error
            assert marked(error) == "1"
        assert f"FLUSH would wait for ever: no process has the database open for writing (process {pid}" in failure(
            reader, "FLUSH"
        )
        with _writer(folder, "SELECT 1;") as process:
            assert [row[:3] for row in _jobs(reader)] == [(1, "counts", "running")]
            assert not left.parent.exists(), "what a killed process has left is removed by the next"
            made = _socket(folder)
            assert made is not None
            assert stat.S_IMODE(made.stat().st_mode) == 0o600
            assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        assert not made.parent.exists()


@contextlib.contextmanager
def _reader_after_kill(folder: Path) -> Iterator[tuple[tableflow.Connection, int]]:
    with _writer(folder) as process:
        with _reader(folder) as reader:
            reader.execute("FLUSH")
        process.kill()
        process.wait(30)
    with _reader(folder) as reader:
        yield reader, process.pid


def test_a_writer_that_hangs_is_named_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_asker, "SILENCE_SECONDS", 2.0)
    with _writer(tmp_path / "d") as process, _reader(tmp_path / "d") as reader:
        process.send_signal(signal.SIGSTOP)
        try:
            for statement in ("SHOW JOBS", "FLUSH", "STOP JOB 1", "SHOW WATERMARKS"):
                began = time.monotonic()
                with pytest.raises(ConnectorError, match=f"process {process.pid}, which has the jobs of .* does not"):
                    reader.execute(statement)
                assert 1.9 < time.monotonic() - began < 5
            stopped = threading.Timer(0.3, reader.session.cancel)
            stopped.start()
            began = time.monotonic()
            with pytest.raises(CancelledError):
                reader.execute("FLUSH")
            assert time.monotonic() - began < 1.5
        finally:
            process.send_signal(signal.SIGCONT)
        assert [row[2] for row in _jobs(reader)] == ["running"]


def test_a_database_is_copied_while_its_jobs_run(tmp_path: Path) -> None:
    """The folder holds nothing but files; who opens the copy leaves the socket of the first one alone."""
    folder, copy = tmp_path / ("long" * 30), tmp_path / "copy"
    with _writer(folder) as process, _reader(folder) as reader:
        reader.execute("FLUSH")
        assert all(path.is_file() or path.is_dir() for path in folder.rglob("*"))
        shutil.copytree(folder, copy)
        with _writer(copy, "SELECT 1;") as other:
            with _reader(copy) as second:
                second.execute("FLUSH")
                n, total = _counts(second)
                assert total == n * (n - 1) // 2
            other.send_signal(signal.SIGTERM)
            other.wait(30)
        assert [row[2] for row in _jobs(reader)] == ["running"]
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_temporary_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = tmp_path / ("far" * 40)
    far.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "missing"))
    monkeypatch.setenv("TMPDIR", str(far))
    with _writer(tmp_path / "d"), _reader(tmp_path / "d") as reader:
        assert [row[2] for row in _jobs(reader)] == ["running"]
        assert list(far.iterdir()) == []


def test_a_reader_is_told_of_tables_that_show_old_rows(tmp_path: Path) -> None:
    """As a session is in the process with the jobs; while they run nothing is said."""
    script = """
        CREATE TABLE t (v STRING);
        CREATE STREAMING TABLE numbers AS SELECT CAST(v AS INT) AS n FROM t;
        CREATE STREAMING TABLE twice AS SELECT n * 2 AS n FROM numbers;
        CREATE STREAMING TABLE other AS SELECT v FROM t;
        INSERT INTO t VALUES ('1');
    """

    def told(query: str) -> str:
        return "; ".join(str(text) for _, text in reader.execute(query).messages)

    with _writer(tmp_path / "d", script + "INSERT INTO t SELECT '2';") as process, _reader(tmp_path / "d") as reader:
        reader.execute("FLUSH")
        assert told("SELECT * FROM numbers") == ""
        reader.execute("STOP JOB 3")
        time.sleep(1.1)  # what was said is known for a second
        assert "table 'other' is as of " in told("SELECT * FROM other")
        assert told("SELECT * FROM numbers") == ""
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(1.1)
            began = time.monotonic()
            assert told("SELECT * FROM other") == "", "what it says is not waited for"
            assert told("SELECT * FROM twice") == ""
            assert time.monotonic() - began < 4
        finally:
            process.send_signal(signal.SIGCONT)
    failing = "CREATE STREAMING TABLE wrong AS SELECT CAST(concat(v, 'x') AS INT) AS n FROM t; CREATE VIEW w AS SELECT n FROM wrong;"
    with _writer(tmp_path / "d", failing), _reader(tmp_path / "d") as reader:
        limit = time.monotonic() + 30
        while "has failed (cannot cast '1x'" not in told("SELECT * FROM w"):
            assert time.monotonic() < limit
            time.sleep(0.2)
        assert "table 'wrong' shows old rows" in told("SELECT * FROM w")
        assert told("SELECT * FROM numbers") == ""


def test_own_jobs_of_a_reader_have_numbers_of_their_own(tmp_path: Path) -> None:
    with _writer(tmp_path / "d"), _reader(tmp_path / "d") as reader:
        taken: list[int] = []
        rows = Script()
        reader.register_stream("s", {"k": "BIGINT"}, rows)
        reader.register_sink("taken", {"k": "BIGINT"}, lambda batch: taken.append(batch.num_rows))
        reader.execute("INSERT INTO taken SELECT k FROM s")
        rows.rows((1,), (2,))
        reader.execute("FLUSH")
        assert sum(taken) == 2
        assert [row[:3] for row in _jobs(reader)] == [(1, "counts", "running"), (1000001, "taken", "running")]
        assert {row[0] for row in reader.execute("SHOW WATERMARKS").fetchall()} == {1, 1000001}
        reader.execute("STOP JOB 1000001")
        assert [row[2] for row in _jobs(reader)] == ["running", "stopped"]


def test_what_is_no_question_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with _writer(folder), _reader(folder) as reader:
        reader.execute("FLUSH")
        for sent, told in [
            (b"G\0\0\0\0", b"no frame"),
            (b"J\0\0\0\x02{}", b"has format None"),
            (b"J\0\0\0\x0c" + b'{"format":2}', b"makes no sense"),
            (b"R\0\0\0\0", b"another frame"),
            (b"J\xff\xff\xff\xff", b"no frame"),
            (b"J\0\0\0\x05\xff\xff\xff\xff\xff", b"no JSON object"),
        ]:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.settimeout(30)
                raw.connect(os.fspath(_socket(folder) or ""))
                raw.sendall(sent)
                received = b""
                while more := raw.recv(1 << 16):
                    received += more
                assert told in received
                assert b'"SerializationError"' in received
        with socket.socket(socket.AF_UNIX) as silent:  # says nothing, and goes
            silent.connect(os.fspath(_socket(folder) or ""))
            assert [row[2] for row in _jobs(reader)] == ["running"]


def test_more_askers_than_there_are_places_are_told_so(tmp_path: Path) -> None:
    with _writer(tmp_path / "d") as process, _reader(tmp_path / "d") as reader:
        reader.execute("FLUSH")
        with contextlib.ExitStack() as silent:
            for _ in range(64):
                one = silent.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(os.fspath(_socket(tmp_path / "d") or ""))
            assert f"process {process.pid} carries out 64 statements about jobs already" in failure(reader, "SHOW JOBS")
        limit = time.monotonic() + 30
        while True:
            try:
                assert [row[2] for row in _jobs(reader)] == ["running"]
                break
            except ConnectorError:  # they have gone, and it has not noticed yet
                assert time.monotonic() < limit


def test_a_writer_on_another_machine_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _writer(tmp_path / "d") as process, _reader(tmp_path / "d") as reader:
        monkeypatch.setattr(socket, "gethostname", lambda: "another")
        cursor = reader.execute("SHOW JOBS")
        assert cursor.fetchall() == [(None, "counts", "elsewhere", None, None, QUERY)]
        assert f"process {process.pid} writes to the database, and cannot be asked" in str(cursor.messages[0][1])
        assert "jobs answer on their own machine only" in failure(reader, "STOP JOB 1")


def test_another_user_at_the_socket_is_told_nothing(tmp_path: Path) -> None:
    with _writer(tmp_path) as writer, _reader(tmp_path) as reader:
        writer.send_signal(signal.SIGSTOP)  # so that it does not say again who it is
        told = json.loads((tmp_path / "lease").read_text())
        assert told["user"] == os.getuid()
        (tmp_path / "lease").write_text(json.dumps({**told, "user": told["user"] + 1}))
        with pytest.raises(ConnectorError, match="cannot be asked") as raised:
            reader.execute("STOP JOB 1")
        assert "another user answers" in str(raised.value)
