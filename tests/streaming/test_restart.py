"""A job that begins again shows what it showed before until it has passed where it was, whatever its sources are."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.managed import epoch_sink
from tests.front.command import COMMAND, environment

pytestmark = pytest.mark.slow

SETTINGS = {"parallelism.default": "2", "table.exec.epoch-interval": "10 ms"}


def _open(path: Path, **more: str) -> tableflow.Connection:
    return tableflow.connect(path, settings=SETTINGS | more)


def _number(connection: tableflow.Connection, sql: str = "SELECT n FROM s") -> int:
    rows = connection.execute(sql).fetchall()
    return int(rows[0][0]) if rows else 0


def _await(connection: tableflow.Connection, least: int) -> int:
    end = time.monotonic() + 30
    while (found := _number(connection)) < least:
        assert time.monotonic() < end, f"{found} is all"
        time.sleep(0.002)
    return found


def _check_never_back(connection: tableflow.Connection, before: int) -> int:
    """The table goes on from what it showed; what it shows when it has."""
    end = time.monotonic() + 30
    shown, versions = before, set()
    while shown == before:
        assert time.monotonic() < end
        shown = _number(connection)
        versions.add(shown)
        assert shown >= before, f"it showed {before}, and then {shown}"
        time.sleep(0.001)
    assert before in versions or shown > before
    return shown


@pytest.mark.parametrize(
    "source",
    [
        "(k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000')",
        pytest.param("(k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '0')", marks=pytest.mark.slow),
        pytest.param("WITH ('connector' = 'nexmark', 'table' = 'bid')", marks=pytest.mark.slow),
    ],
)
def test_rows_that_are_made_up(tmp_path: Path, source: str) -> None:
    with _open(tmp_path / "db") as connection:
        connection.execute(f"CREATE TABLE g {source}")
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM g")
        _await(connection, 2000)
        connection.execute("STOP JOB 1")
        before = _number(connection)
    for _ in range(2):
        with _open(tmp_path / "db") as connection:  # too short to pass anything
            assert _number(connection) == before
    with _open(tmp_path / "db") as connection:
        _check_never_back(connection, before)


@pytest.mark.parametrize("seed", ["", "3"])
def test_rows_that_come_at_a_rate_and_end(tmp_path: Path, seed: str) -> None:
    more = {"execution.scheduler-seed": seed} if seed else {}
    with _open(tmp_path / "db", **more) as connection:
        connection.execute(
            "CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3000', 'rows-per-second' = '6000')"
        )
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM g")
        end = time.monotonic() + 30
        while _number(connection) < 3000:
            connection.execute("FLUSH")
            assert time.monotonic() < end
    with _open(tmp_path / "db", **more) as connection:
        while connection.execute("SHOW JOBS").fetchall()[0][2] == "running":
            assert _number(connection) == 3000
            connection.execute("FLUSH")
            assert time.monotonic() < end + 30
        assert _number(connection) == 3000


def test_a_source_that_ends_earlier_has_passed(tmp_path: Path) -> None:
    with _open(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000')")
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM g")
        _await(connection, 1000)
        connection.execute("STOP JOB 1")
        connection.execute("DROP TABLE g")
        connection.execute(
            "CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'number-of-rows' = '50', 'rows-per-second' = '500')"
        )
    with _open(tmp_path / "db") as connection:
        end = time.monotonic() + 30
        while (found := _number(connection)) != 50:
            assert found >= 1000
            assert time.monotonic() < end


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, count(*) AS c FROM g GROUP BY k",
        "SELECT c FROM (SELECT k, count(*) AS c FROM g GROUP BY k) q",
        "SELECT k FROM g",
    ],
)
def test_changes_that_are_held_back_are_summed_up(tmp_path: Path, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the kind of the table: rows that came and went while the old ones were shown are not there."""
    monkeypatch.setattr(epoch_sink, "_HELD_ROWS", 8)
    with _open(tmp_path / "db") as connection:
        connection.execute(
            "CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000', 'fields.k.min' = '0', "
            "'fields.k.max' = '4')"
        )
        connection.execute(f"CREATE STREAMING TABLE t AS {query}")
        total = "SELECT count(*) FROM t" if query == "SELECT k FROM g" else "SELECT sum(c) FROM t"
        while _number(connection, total) < 1500:
            time.sleep(0.002)
        connection.execute("STOP JOB 1")
        before = _number(connection, total)
    with _open(tmp_path / "db") as connection:
        end = time.monotonic() + 30
        while (shown := _number(connection, total)) == before:
            assert time.monotonic() < end
        assert shown > before
        connection.execute("STOP JOB 1")
        assert _number(connection, "SELECT count(*) FROM t") == (5 if "GROUP" in query else _number(connection, total))
        assert _number(connection, total) >= shown


def test_after_a_crash_what_was_noted_last_counts(tmp_path: Path) -> None:
    with _open(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000')")
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM g")
        _await(connection, 2000)
        shutil.copytree(
            tmp_path / "db", tmp_path / "crashed", ignore=shutil.ignore_patterns("*.socket")
        )  # as if the process had ended here
    with _open(tmp_path / "crashed") as connection:
        before = _number(connection)
        assert before >= 1000
        _check_never_back(connection, before)


def test_a_process_that_is_killed_does_not_take_its_table_back(tmp_path: Path) -> None:
    folder = str(tmp_path / "db")
    script = (
        "CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000');"
        "CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM g"
    )
    command = [*COMMAND, "run", "--database", folder, "-c", script]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment()) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("running")
        with tableflow.connect(folder, read_only=True) as reader:
            seen = _await(reader, 3000)
        process.kill()
        process.wait(30)
    with _open(tmp_path / "db") as connection:
        before = _number(connection)
        assert before >= seen
        _check_never_back(connection, before)


def test_files_are_read_to_their_end_first(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.csv").write_text("1\n" * 5000)
    with _open(tmp_path / "db") as connection:
        connection.execute(
            f"CREATE TABLE f (k INT) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'csv', "
            "'csv.header' = 'false', 'source.monitor-interval' = '5 ms')"
        )
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM f")
        connection.execute("FLUSH")
        assert _number(connection) == 100_000
    (folder / "more.csv").write_text("1\n" * 10)
    with _open(tmp_path / "db") as connection:
        assert _check_never_back(connection, 100_000) == 100_010
    for number in range(10):
        (folder / f"{number}.csv").unlink()
    with _open(tmp_path / "db") as connection:
        connection.execute("FLUSH")
        assert _number(connection) == 50_010, "what is gone cannot come again, and nobody waits for it"


def test_a_change_is_seen_by_the_next_statement_although_the_job_has_just_begun_again(tmp_path: Path) -> None:
    with _open(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("INSERT INTO t VALUES (1), (2)")
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM t")
        connection.execute("CREATE STREAMING TABLE r AS SELECT n * 2 AS m FROM s")
    for number in range(3, 8):
        with _open(tmp_path / "db") as connection:
            connection.execute(f"INSERT INTO t VALUES ({number})")
            assert _number(connection, "SELECT m FROM r") == 2 * number
            assert _number(connection) == number


def test_what_reads_a_table_that_is_behind_goes_on_from_what_it_shows(tmp_path: Path) -> None:
    with _open(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5000')")
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("CREATE STREAMING TABLE a AS SELECT count(*) AS n FROM g")
        connection.execute("CREATE STREAMING TABLE s AS SELECT a.n + t.k AS n FROM a, t")
        _await(connection, 1500)
        connection.execute("STOP JOB 1")
        connection.execute("STOP JOB 2")
        before = _number(connection)
    with _open(tmp_path / "db") as connection:
        _check_never_back(connection, before)
