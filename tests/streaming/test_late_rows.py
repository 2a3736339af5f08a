"""LATE INTO: rows that come too late for a window go to a table, nothing is lost, and nothing comes twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

BASE = datetime(2026, 1, 1)
COLUMNS = {"k": "BIGINT", "v": "BIGINT", "ts": "TIMESTAMP(3)"}
Row = tuple[int, int, datetime]


def at(second: float) -> datetime:
    return BASE + timedelta(seconds=second)


FEW: list[Row] = [(1, 0, at(1)), (2, 1, at(2)), (1, 2, at(12)), (1, 3, at(3)), (2, 4, at(25)), (1, 5, at(14))]
"""Under a watermark without delay the rows 3 and 5 are late."""
TOLD = [Delay(1), *(Rows([row]) for row in FEW)]
"""Each row is a batch, behind which time moves: a reader that is silent for a moment is known to be the only one."""
LATE = [
    (1, 3, at(3), at(0), at(10), at(12)),
    (1, 5, at(14), at(10), at(20), at(25)),
]
WINDOW = "FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY k, window_start, window_end"
COUNTS = f"SELECT k, window_start, count(*) AS n {WINDOW}"
ON_TIME = [(1, at(0), 1), (1, at(10), 1), (2, at(0), 1), (2, at(20), 1)]


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    """One task, row after row: between tasks a watermark waits with its rows, and what is late depends on when it comes."""
    with tableflow.connect(settings={"execution.batch-rows": "1", "parallelism.default": "1"}) as opened:
        opened.register_stream("s", COLUMNS, Script([*TOLD, Done()]), watermark=("ts", timedelta(0)))
        yield opened


def rows_of(connection: tableflow.Connection, sql: str) -> list[tuple[Any, ...]]:
    return sorted(connection.execute(sql).fetchall())


def test_a_query_writes_its_late_rows(connection: tableflow.Connection) -> None:
    """The table is made if there is none; what is there stays."""
    assert rows_of(connection, f"{COUNTS} EMIT ON WINDOW CLOSE LATE INTO late") == ON_TIME
    assert rows_of(connection, "SELECT * FROM late") == LATE
    names = [row[:2] for row in connection.execute("DESCRIBE late").fetchall()]
    assert names[-4:-1] == [(name, "TIMESTAMP(3)") for name in ("window_start", "window_end", "watermark")]
    assert rows_of(connection, f"{COUNTS} EMIT LATE INTO late") == ON_TIME
    assert rows_of(connection, "SELECT * FROM late") == sorted(LATE * 2)


def test_a_job_writes_them_to_a_sink_of_its_own(connection: tableflow.Connection) -> None:
    """Columns are cast as INSERT casts them."""
    late: list[pa.RecordBatch] = []
    rows: list[pa.RecordBatch] = []
    types = {"k": "STRING", "v": "INT", "ts": "DATE", "a": "TIMESTAMP(3)", "b": "TIMESTAMP(3)", "mark": "STRING"}
    connection.register_sink("late", types, late.append)
    connection.register_sink("counts", {"k": "BIGINT", "start": "TIMESTAMP(3)", "n": "BIGINT"}, rows.append)
    connection.execute(f"INSERT INTO counts {COUNTS} EMIT LATE INTO late")
    assert connection.session.await_jobs(20)
    found = [tuple(row.values()) for batch in late for row in batch.to_pylist()]
    assert sorted(found) == [("+I", str(k), v, ts.date(), start, end, str(mark)) for k, v, ts, start, end, mark in LATE]
    assert sum(batch.num_rows for batch in rows) == len(ON_TIME)


@pytest.mark.parametrize("window", ["TUMBLE(s, ts, INTERVAL '10' SECOND)", "SESSION(s, ts, INTERVAL '3' SECOND)"])
def test_a_row_is_late_once_for_all_grouping_sets(connection: tableflow.Connection, window: str) -> None:
    for groups in ("window_start, window_end, k", "window_start, window_end, CUBE (k, v)"):
        cursor = connection.execute(f"SELECT k, count(*) FROM {window} GROUP BY {groups}")
        cursor.fetchall()
        (message,) = [str(message) for _, message in cursor.messages]
        assert "2 rows came too late" in message


def test_a_streaming_table_writes_them(connection: tableflow.Connection, tmp_path: Path) -> None:
    execute = connection.execute
    execute("CREATE TABLE late (k INT, v INT, ts TIMESTAMP(3), a TIMESTAMP(3), b TIMESTAMP(3), mark TIMESTAMP(3))")
    execute("CREATE STREAMING TABLE seen AS SELECT v, mark FROM late")
    execute(f"CREATE STREAMING TABLE counts AS {COUNTS} EMIT ON UPDATE LATE INTO late")
    execute(
        f"CREATE TABLE files (k INT, v INT, ts TIMESTAMP(3), a TIMESTAMP(3), b TIMESTAMP(3), mark TIMESTAMP(3)) "
        f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'late'}', 'format' = 'json')"
    )
    execute("""CREATE TABLE nowhere (k BIGINT, t TIMESTAMP(3), n BIGINT) WITH ('connector' = 'blackhole')""")
    execute(f"EXECUTE STATEMENT SET BEGIN INSERT INTO nowhere {COUNTS} EMIT LATE INTO files; END")
    for job in connection.session.storage.shared.keeper.jobs[1:]:
        assert job.wait(20)
        assert job.error is None
    execute("FLUSH")
    assert rows_of(connection, "SELECT * FROM counts") == ON_TIME
    assert rows_of(connection, "SELECT * FROM late") == LATE
    assert rows_of(connection, "SELECT * FROM seen") == [(row[1], row[-1]) for row in LATE]
    assert rows_of(connection, "SELECT * FROM files") == LATE


def test_rows_of_files_can_be_read_while_a_query_goes_on(tmp_path: Path) -> None:
    """Nothing waits in a file that is open for whoever reads a query and leaves."""
    with tableflow.connect(settings={"execution.batch-rows": "1", "parallelism.default": "1"}) as connection:
        connection.register_stream("s", COLUMNS, Script(TOLD), watermark=("ts", timedelta(0)))
        connection.execute(
            "CREATE TABLE late (k INT, v INT, ts TIMESTAMP(3), a TIMESTAMP(3), b TIMESTAMP(3), mark TIMESTAMP(3)) "
            f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'late'}', 'format' = 'json')"
        )
        cursor = connection.execute(f"{COUNTS} EMIT LATE INTO late")
        for _ in range(600):
            if sum(path.read_text().count("\n") for path in (tmp_path / "late").glob("part-*")) == len(LATE):
                break
            cursor.fetchmany(1, timeout=0.05)
        cursor.close()
        assert rows_of(connection, "SELECT * FROM late") == LATE


@pytest.mark.parametrize(
    ("window", "emit"),
    [
        ("TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)", "ON WINDOW CLOSE"),
        ("HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)", "ON UPDATE"),
        ("CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)", "EVERY 3 ROWS"),
        ("TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)", "WITH LATENESS INTERVAL '7' SECOND"),
    ],
)
@pytest.mark.parametrize("mode", [{"parallelism.default": "3"}, {"execution.scheduler-seed": "2"}])
def test_every_row_is_in_its_windows_or_late_for_them(window: str, emit: str, mode: dict[str, str]) -> None:
    rng = random.Random(7)
    rows: list[Row] = [(i % 3, i, at(i / 4)) for i in range(300)]
    shuffled = sorted(rows, key=lambda row: row[2] + timedelta(seconds=rng.uniform(0, 20)))
    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "16"} | mode) as connection:
        every = pa.table({name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)})
        connection.register("s", every)
        wanted = connection.execute(f"SELECT v, window_start, window_end FROM {window}").fetchall()
        told = Script([Delay(1), *(Rows(shuffled[i : i + 8]) for i in range(0, len(shuffled), 8)), Done()])
        connection.register_stream("s", COLUMNS, told, watermark=("ts", timedelta(seconds=3)))
        query = (
            f"SELECT k, window_start, window_end, array_agg(v) AS vs FROM {window} GROUP BY k, window_start, window_end"
        )
        connection.execute(f"CREATE STREAMING TABLE counts AS {query} EMIT {emit} LATE INTO late")
        assert connection.session.await_jobs(20)
        inside = connection.execute("SELECT vs, window_start, window_end FROM counts").fetchall()
        late = connection.execute("SELECT v, window_start, window_end, watermark FROM late").fetchall()
    found = Counter((v, start, end) for values, start, end in inside for v in values)
    found.update((v, start, end) for v, start, end, _ in late)
    assert found == Counter(wanted)
    assert all(mark >= end for _, _, end, mark in late)
    assert late


def test_rows_that_go_nowhere_are_told_of(connection: tableflow.Connection) -> None:
    cursor = connection.execute(COUNTS)
    cursor.fetchall()
    assert [str(warning) for _, warning in cursor.messages] == [
        "2 rows came too late for a window, and counted nowhere: LATE INTO keeps such rows, LATENESS lets them correct results"
    ]
    cursor = connection.execute(f"{COUNTS} EMIT LATE INTO late")
    cursor.fetchall()
    assert cursor.messages == []


def test_over_finished_data_no_row_is_late() -> None:
    with tableflow.connect() as connection:
        connection.register("s", pa.table({name: [row[i] for row in FEW] for i, name in enumerate(COLUMNS)}))
        everything = [(1, at(0), 2), (1, at(10), 2), (2, at(0), 1), (2, at(20), 1)]
        assert rows_of(connection, f"{COUNTS} EMIT LATE INTO late") == everything
        assert rows_of(connection, "SELECT * FROM late") == []
        legs = list(connection.session.verify(f"{COUNTS} EMIT LATE INTO elsewhere"))
        assert all(leg.difference is None for leg in legs)
        assert connection.execute("SHOW TABLES").fetchall() == [("late",), ("s",)]


def test_what_is_asked_of_results_leaves_no_late_row_out(connection: tableflow.Connection) -> None:
    sql = f"SELECT * FROM ({COUNTS} EMIT LATE INTO late) WHERE k = 2"
    assert rows_of(connection, sql) == [row for row in ON_TIME if row[0] == 2]
    assert rows_of(connection, "SELECT * FROM late") == LATE
    # What is left out before the windows is not late for them.
    where = "FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND) WHERE v <> 3 GROUP BY k, window_start"
    connection.execute(f"SELECT DISTINCT k {where}, window_end EMIT LATE INTO others").fetchall()
    assert rows_of(connection, "SELECT * FROM others") == LATE[1:]


def test_sessions_and_group_windows(connection: tableflow.Connection) -> None:
    sessions = (
        "SELECT k, SESSION_START(ts, INTERVAL '5' SECOND), count(*) FROM s GROUP BY k, SESSION(ts, INTERVAL '5' SECOND)"
    )
    found = rows_of(connection, f"{sessions} EMIT LATE INTO late")
    late = rows_of(connection, "SELECT v, window_start, window_end FROM late")
    assert late == [(3, at(3), at(8)), (5, at(14), at(19))]
    assert sum(row[2] for row in found) + len(late) == len(FEW)


@pytest.mark.slow
def test_a_job_that_begins_again_writes_late_rows_at_least_once(tmp_path: Path) -> None:
    """What was late may be in time when all files are there at once: every row is in its window or late in each run."""

    def put(number: int, second: int) -> None:
        (tmp_path / ".new").write_text(f'{{"k": {number}, "ts": "{at(second)}"}}\n')
        (tmp_path / ".new").rename(tmp_path / f"{number}.json")

    settings = {"parallelism.default": "1", "execution.batch-rows": "1"}
    counted = (
        "SELECT window_start, count(*) AS n FROM TUMBLE(t, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end"
    )
    path = str(tmp_path / "database")
    with tableflow.connect(path, settings=settings) as connection:
        connection.execute("CREATE TABLE t (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', "
                           f"'path' = '{tmp_path}/*.json', 'format' = 'json', 'source.monitor-interval' = '2 ms')")  # fmt: skip
        put(1, 25)
        connection.execute(f"CREATE STREAMING TABLE c AS {counted} EMIT ON WINDOW CLOSE LATE INTO late")
        put(2, 45)
        _until(lambda: rows_of(connection, "SELECT * FROM c") == [(at(20), 1)])
        put(3, 26)
        _until(lambda: rows_of(connection, "SELECT k FROM late") == [(3,)])
        assert rows_of(connection, "SELECT * FROM c") == [(at(20), 1)]
    with tableflow.connect(path, settings=settings) as connection:

        def everywhere() -> int:
            ((_, count),) = rows_of(connection, "SELECT * FROM c")
            late = rows_of(connection, "SELECT k FROM late")
            assert set(late) == {(3,)}
            return int(count) + len(late)

        _until(lambda: everywhere() == 1 + 2)  # that of before, and both of the window in this run


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


ERRORS = [
    ("LATE INTO narrow", r"a late row has 6 columns, table 'narrow' takes 2"),
    ("LATE INTO wrong", r"column 'k' is BOOLEAN, the value is BIGINT"),
    ("LATE INTO checked", r"generated columns or CHECK constraints"),
    ("LATE INTO kept", r"streaming table 'kept' cannot be written to"),
    ("LATE INTO seen", r"'seen' is a view"),
    ("LATE INTO finished", r"table 'finished' cannot be changed"),
    ("LATE INTO nowhere.late", r"nowhere"),
]


@pytest.mark.parametrize(("clause", "message"), ERRORS)
def test_tables_that_do_not_fit(connection: tableflow.Connection, clause: str, message: str) -> None:
    execute = connection.execute
    execute("CREATE TABLE narrow (k INT, v INT)")
    execute("CREATE TABLE wrong (k BOOLEAN, b INT, c TIMESTAMP, d TIMESTAMP, e TIMESTAMP, f TIMESTAMP)")
    execute("CREATE TABLE checked (a INT CHECK (a > 0), b INT, c TIMESTAMP, d TIMESTAMP, e TIMESTAMP, f TIMESTAMP)")
    execute("CREATE STREAMING TABLE kept AS SELECT b AS k, b, c, d, e, f FROM wrong")
    execute("CREATE VIEW seen AS SELECT k FROM narrow")
    connection.register("finished", pa.table({"k": [1]}))
    with pytest.raises(tableflow.Error, match=message) as raised:
        execute(f"{COUNTS} EMIT {clause}")
    if "nowhere" not in clause:
        assert "^" in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"WITH w AS ({COUNTS} EMIT LATE INTO late) SELECT * FROM w JOIN w AS x USING (k)", "is read twice"),
        (f"SELECT DISTINCT window_start {WINDOW.split(' GROUP')[0]} EMIT LATE INTO late", "needs GROUP BY"),
        ("SELECT k, count(*) FROM s GROUP BY k EMIT ON UPDATE LATE INTO late", "needs a window of time"),
        (
            (
                "SELECT window_start, count(*) FROM TUMBLE((SELECT ts, k FROM s EXCEPT SELECT ts, v FROM s), ts, "
                "INTERVAL '1' SECOND) GROUP BY window_start, window_end EMIT LATE INTO late"
            ),
            "LATE INTO needs rows that are only added",
        ),
        (
            (
                "SELECT k, (SELECT max(n) FROM (SELECT count(*) AS n FROM TUMBLE(s, ts, INTERVAL '1' SECOND) AS i "
                "WHERE i.k = s.k GROUP BY window_start, window_end EMIT LATE INTO late)) FROM s"
            ),
            "refers to the query around it",
        ),
    ],
)
def test_queries_whose_late_rows_are_not_clear(connection: tableflow.Connection, sql: str, message: str) -> None:
    with pytest.raises(tableflow.Error, match=message):
        connection.execute(sql).fetchall()


def test_a_table_is_not_dropped_while_late_rows_go_to_it() -> None:
    with tableflow.connect() as connection:
        connection.register_stream("s", COLUMNS, Script(TOLD[:2]), watermark=("ts", timedelta(0)))
        connection.execute(f"CREATE STREAMING TABLE counts AS {COUNTS} EMIT LATE INTO late")
        with pytest.raises(tableflow.Error, match="while job 1 writes its late rows to it"):
            connection.execute("DROP TABLE late")
        connection.execute("DROP TABLE counts")
        connection.execute("DROP TABLE late")
