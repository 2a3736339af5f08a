"""A process that carries out statements of every kind is killed at random moments: each statement counts wholly or not at all.

What is expected is what the same statements give in a database in memory that nobody kills.  ``TABLEFLOW_KILLS`` says how often the
thorough test does it (500).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import tableflow
from tableflow.storage.check import check_database
from tableflow.storage.local_disk import LocalDisk

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TABLEFLOW_KILLS", "500"))
ROOT = Path(__file__).parents[2]
SETTINGS = {
    "storage.fold-commits": "12", "storage.inline-rows": "20", "storage.removal-delay": "0 s", "parallelism.default": "1",
}  # fmt: skip


def _append(con: tableflow.Connection, n: int) -> None:
    con.append("acct", {"k": [1000 + n, 2000 + n], "v": [n, -n]})


def _many(con: tableflow.Connection, n: int) -> None:
    upsert = "INSERT INTO acct (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = acct.v + excluded.v"
    con.cursor().executemany(upsert, [(i % 4, n + i) for i in range(12)])


def _copy(con: tableflow.Connection, n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        con.execute(f"COPY (SELECT k + 3000 + {n} AS k, v FROM acct WHERE k < 20) TO '{folder}/rows.parquet'")
        con.execute(f"COPY more (k, v) FROM '{folder}/rows.parquet'").close()


STEPS: list[Any] = [
    "INSERT INTO acct VALUES ({n} + 100, {n}, 'one') ON CONFLICT DO NOTHING",
    "INSERT INTO log SELECT {n}, 'row ' || k FROM acct WHERE k < 40",
    "INSERT INTO acct SELECT k + 5, v, 'again' FROM acct WHERE k < 60 ON CONFLICT (k) DO UPDATE SET v = excluded.v + acct.v",
    "UPDATE acct SET v = v + {n}, s = 'u{n}' WHERE k % 7 = {n} % 7",
    "CREATE TABLE extra AS SELECT k, v FROM acct WHERE k < 30",
    "DELETE FROM acct USING log WHERE acct.k = 40 + log.n % 13",
    _append,
    (
        "MERGE INTO acct USING (SELECT k + 3 AS k, max(v) AS v FROM acct WHERE k < 50 GROUP BY 1) src ON acct.k = src.k "
        "WHEN MATCHED AND src.v % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = src.v "
        "WHEN NOT MATCHED THEN INSERT (k, v, s) VALUES (src.k, src.v, 'merged')"
    ),
    "ALTER TABLE extra ADD COLUMN c INT DEFAULT {n}",
    "INSERT INTO extra (k, v) SELECT k + 1000, v FROM extra",
    _many,
    "CREATE OR REPLACE TABLE extra AS SELECT k, s, {n} AS n FROM acct WHERE v % 2 = 1",
    "ALTER TABLE extra RENAME COLUMN n TO number",
    "VACUUM",
    "UPDATE acct SET k = k + 500 WHERE k BETWEEN 53 AND 58",
    "CREATE TABLE more LIKE acct",
    _copy,
    "CREATE SCHEMA side",
    "CREATE TABLE side.a AS SELECT * FROM log",
    "CREATE TABLE side.b AS SELECT * FROM extra",
    "CREATE VIEW side.both AS SELECT count(*) AS n FROM side.a, side.b",
    "TRUNCATE log",
    "DROP SCHEMA side CASCADE",
    "ALTER TABLE extra DROP COLUMN number",
    "DROP TABLE extra, more",
    "DELETE FROM acct WHERE k > 60 + {n} % 50",
    "VACUUM acct",
]


def begin(con: tableflow.Connection) -> None:
    con.execute("CREATE TABLE acct (k INT PRIMARY KEY, v BIGINT, s STRING)")
    con.execute("CREATE TABLE log (n INT, t STRING)")
    tens = ", ".join(f"({i})" for i in range(10))
    con.execute(f"INSERT INTO acct SELECT a.i * 10 + b.i, a.i, 'start' FROM (VALUES {tens}) a(i), (VALUES {tens}) b(i)")


def step(con: tableflow.Connection, n: int) -> None:
    """Statement number ``n``."""
    what = STEPS[n % len(STEPS)]
    if callable(what):
        what(con, n)
    else:
        con.execute(what.format(n=n)).close()


def contents(con: tableflow.Connection) -> dict[str, Any]:
    """Everything that can be seen."""
    names = con.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
    found: dict[str, Any] = {
        "schemas": sorted(con.execute("SELECT schema_name FROM information_schema.schemata").fetchall())
    }
    for schema, name in names:
        cursor = con.execute(f"SELECT * FROM {schema}.{name}" if schema != "default" else f"SELECT * FROM {name}")
        found[f"{schema}.{name}"] = ([column[:2] for column in cursor.description], sorted(cursor.fetchall(), key=repr))
    return found


def write(place: str, n: int) -> None:
    """What is killed."""
    with tableflow.connect(place, settings=SETTINGS) as con:
        while True:
            step(con, n)
            n += 1
            os.write(1, b"%d\n" % n)  # in one piece, or not at all


PROGRAM = """
import os, sys
from tests.managed.test_kills import write
for line in sys.stdin:  # a process that has imported everything forks one that is killed
    child = os.fork()
    if not child:
        write(sys.argv[1], int(line))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("end", flush=True)
"""


class Model:
    """The same statements in memory."""

    def __init__(self) -> None:
        self.con = tableflow.connect(settings={"parallelism.default": "1"})
        begin(self.con)
        self.done = 0

    def after(self, n: int) -> dict[str, Any]:
        while self.done < n:
            step(self.con, self.done)
            self.done += 1
        return contents(self.con)


@pytest.mark.parametrize("kills", [20, pytest.param(KILLS, marks=pytest.mark.thorough)])
def test_a_process_that_is_killed_loses_no_statement(tmp_path: Path, kills: int) -> None:
    place = tmp_path / "db"
    with tableflow.connect(place) as con:
        begin(con)
    model, dice, done = Model(), random.Random(kills), 0
    undecided = 0
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for kill in range(kills):
            process.stdin.write(f"{done}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            for _ in range(dice.randrange(1, 12)):
                done = int(process.stdout.readline())
            time.sleep(dice.random() * 0.02)
            os.kill(child, signal.SIGKILL)
            done = max([done, *map(int, iter(process.stdout.readline, "end\n"))])
            with tableflow.connect(place, read_only=True) as reader:
                seen = contents(reader)
            with tableflow.connect(place) as con:
                found = contents(con)
            expected = model.after(done)
            seen_is_old = seen == expected
            if found != expected:  # it was whole, and the process could not say so
                expected = model.after(done + 1)
                done += 1
                undecided += 1
            assert found == expected, f"after kill {kill}, statement {done}: {STEPS[(done - 1) % len(STEPS)]}"
            assert seen_is_old or seen == expected
            if kill % 10 == 9 or kill == kills - 1:
                assert check_database(LocalDisk(place)).problems == ()
        process.stdin.close()
    model.con.close()
    print(f"\n{kills} kills in {done} statements, {undecided} of them decided by the next process")
    with tableflow.connect(place) as con:
        for table in ("acct", "log"):
            total = con.execute(f"SELECT sum(_change_weight) FROM table_changes('{table}', 0)").fetchall()[0][0]
            assert (total or 0) == con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]


def test_the_statements_are_of_every_kind() -> None:
    texts = " ".join(each if isinstance(each, str) else "" for each in STEPS)
    for word in (
        "INSERT", "ON CONFLICT (k) DO UPDATE", "DO NOTHING", "UPDATE", "DELETE", "MERGE", "CREATE TABLE extra AS",
        "CREATE OR REPLACE", "ALTER", "TRUNCATE", "DROP TABLE", "DROP SCHEMA", "VACUUM", "VIEW",
    ):  # fmt: skip
        assert word in texts
    model = Model()
    before = None
    for n in range(2 * len(STEPS)):
        now = model.after(n + 1)
        what = STEPS[n % len(STEPS)]
        assert now != before or (isinstance(what, str) and what.startswith("VACUUM")), what
        before = now
    model.con.close()
