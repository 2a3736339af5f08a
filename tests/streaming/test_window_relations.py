"""Windows as relations: joins of windows, first rows of windows, windows of windows; one answer however rows come.

``tableflow verify`` runs each query as batch and as streams in many ways; what DuckDB can say, it says of the same rows.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import tableflow
from tableflow.session.verification import WAYS
from tableflow.shell.run import Target
from tableflow.shell.verify import run_verify

BASE = datetime(2026, 3, 28, 22, 58)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Declarations of two tables, with a query behind them."""
    folder = tmp_path_factory.mktemp("windows")
    chance = random.Random(7)
    declarations = ""
    for name in ("a", "b"):
        lines = ["k,v,ts"]
        for i in range(60):
            ts = BASE + timedelta(seconds=chance.randrange(240), milliseconds=i)
            lines.append(f"{chance.randrange(4)},{i},{ts.isoformat(sep=' ', timespec='milliseconds')}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        declarations += (
            f"CREATE TABLE {name} (k INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '20' SECOND)"
            f" WITH ('connector' = 'filesystem', 'path' = '{folder / name}.csv', 'format' = 'csv');\n"
        )
    return lambda query: declarations + query


def _agrees(script: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    code = run_verify(script, Target(), out, err)
    assert (code, err.getvalue()) == (0, ""), out.getvalue()
    assert out.getvalue().splitlines()[-1] == f"all {len(WAYS) + 1} agree"
    return out.getvalue()


def _answers(script: str, oracle: str | None) -> None:
    """The batch answer is DuckDB's."""
    *declarations, query = (part for part in script.split(";\n") if part.strip())
    with tableflow.connect() as connection:
        for declaration in declarations:
            connection.execute(declaration)
        found = sorted(connection.execute(query).fetchall(), key=repr)
    assert found
    if oracle is None:
        return
    with duckdb.connect() as other:
        for declaration in declarations:
            name, path = declaration.split()[2], declaration.split("'path' = '")[1].split("'")[0]
            other.execute(f"CREATE VIEW {name} AS SELECT k, v, ts FROM '{path}'")
        assert sorted(other.execute(oracle).fetchall(), key=repr) == found


W = "TUMBLE({}, ts, INTERVAL '30' SECOND)"
B = "time_bucket(INTERVAL '30' SECOND, {}.ts)"
QUERIES = {
    "join": (
        (
            f"SELECT l.k, l.v, r.v, l.window_start FROM {W.format('a')} l JOIN {W.format('b')} r"
            " ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k"
        ),
        f"SELECT a.k, a.v, b.v, {B.format('a')} FROM a JOIN b ON {B.format('a')} = {B.format('b')} AND a.k = b.k",
    ),
    "outer join": (
        (
            f"SELECT l.k, l.v, r.v FROM {W.format('a')} l LEFT JOIN {W.format('b')} r"
            " ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k"
        ),
        f"SELECT a.k, a.v, b.v FROM a LEFT JOIN b ON {B.format('a')} = {B.format('b')} AND a.k = b.k",
    ),
    "semi join": (
        (
            f"SELECT l.k, l.v FROM {W.format('a')} l WHERE EXISTS (SELECT 1 FROM {W.format('b')} r"
            " WHERE l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k)"
        ),
        f"SELECT a.k, a.v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE {B.format('a')} = {B.format('b')} AND a.k = b.k)",
    ),
    "first rows": (
        (
            f"SELECT * FROM (SELECT k, v, window_start, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS n"
            f" FROM {W.format('a')}) WHERE n <= 3"
        ),
        f"SELECT k, v, {B.format('a')} AS s, row_number() OVER (PARTITION BY s ORDER BY v DESC) AS n FROM a QUALIFY n <= 3",
    ),
    "last row of a key": (
        (
            f"SELECT k, v, window_end FROM {W.format('a')}"
            " QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY ts DESC) = 1"
        ),
        f"SELECT k, v, {B.format('a')} + INTERVAL '30' SECOND AS s FROM a QUALIFY row_number() OVER (PARTITION BY s, k ORDER BY ts DESC) = 1",
    ),
    "first keys": (
        (
            "SELECT window_start, k, n, r FROM (SELECT *, RANK() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) AS r FROM"
            f" (SELECT window_start, window_end, k, count(*) AS n FROM {W.format('a')} GROUP BY window_start, window_end, k))"
        ),
        f"SELECT *, rank() OVER (PARTITION BY s ORDER BY n DESC) FROM (SELECT {B.format('a')} AS s, k, count(*) AS n FROM a GROUP BY s, k)",
    ),
    "windows of first rows": (
        (
            "SELECT window_start, sum(v), count(*) FROM TUMBLE((SELECT v, window_time AS t FROM"
            f" {W.format('a')} QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v) <= 2), t, INTERVAL '1' MINUTE)"
            " GROUP BY window_start, window_end"
        ),
        (
            f"SELECT time_bucket(INTERVAL '1' MINUTE, s) AS m, sum(v), count(*) FROM (SELECT v, {B.format('a')} AS s FROM a"
            " QUALIFY row_number() OVER (PARTITION BY s ORDER BY v) <= 2) GROUP BY m"
        ),
    ),
    "windows of joined windows": (
        (
            "SELECT window_start, sum(x), count(*) FROM TUMBLE((SELECT l.v + r.v AS x, l.window_time AS t FROM"
            f" {W.format('a')} l JOIN {W.format('b')} r ON l.window_end = r.window_end AND l.k = r.k), t, INTERVAL '1' MINUTE)"
            " GROUP BY window_start, window_end"
        ),
        (
            f"SELECT time_bucket(INTERVAL '1' MINUTE, a.ts) AS m, sum(a.v + b.v), count(*) FROM a JOIN b"
            f" ON {B.format('a')} = {B.format('b')} AND a.k = b.k GROUP BY m"
        ),
    ),
    "slides that do not divide": (
        (
            "SELECT window_start, window_end, k, count(*), sum(v) FROM HOP(a, ts, INTERVAL '11' SECOND, INTERVAL '27' SECOND, INTERVAL '4' SECOND)"
            " GROUP BY window_start, window_end, k"
        ),
        None,
    ),
    "rows of sliding windows": ("SELECT * FROM HOP(a, ts, INTERVAL '11' SECOND, INTERVAL '27' SECOND)", None),
    "rows of sessions": (
        "SELECT k, v, window_start, window_end FROM SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), INTERVAL '15' SECOND)",
        (
            "WITH d AS (SELECT *, coalesce(ts - lag(ts) OVER (PARTITION BY k ORDER BY ts) >= INTERVAL '15' SECOND, true) AS n FROM a),"
            " s AS (SELECT *, sum(n::INT) OVER (PARTITION BY k ORDER BY ts) AS g FROM d)"
            " SELECT k, v, min(ts) OVER (PARTITION BY k, g), max(ts) OVER (PARTITION BY k, g) + INTERVAL '15' SECOND FROM s"
        ),
    ),
    "last rows of sessions": (
        (
            "SELECT k, v, window_end FROM SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), INTERVAL '15' SECOND)"
            " QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY ts DESC) = 1"
        ),
        None,
    ),
    "windows of sessions": (
        (
            "SELECT window_start, sum(n), count(*) FROM TUMBLE((SELECT window_time AS t, count(*) AS n FROM"
            " SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), INTERVAL '15' SECOND) GROUP BY k, window_start, window_end, window_time),"
            " t, INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
        ),
        None,
    ),
    "rows of windows of rows": (
        "SELECT k, v, window_start, window_end FROM TUMBLE(TABLE a PARTITION BY k ORDER BY ts, 4 ROWS)",
        (
            "SELECT k, v, (n - 1) // 4 * 4 + 1, ((n - 1) // 4 + 1) * 4 FROM"
            " (SELECT *, row_number() OVER (PARTITION BY k ORDER BY ts) AS n FROM a)"
        ),
    ),
    "windows of rows that may have no partner": (
        (
            "SELECT window_end, count(*), sum(x), sum(y) FROM TUMBLE((SELECT a.v AS x, a.ts, b.v AS y FROM a LEFT JOIN b ON a.k = b.k"
            " AND b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '3' SECOND), ts, INTERVAL '10' SECOND)"
            " GROUP BY window_start, window_end"
        ),
        (
            "SELECT time_bucket(INTERVAL '10' SECOND, a.ts) + INTERVAL '10' SECOND AS w, count(*), sum(a.v), sum(b.v) FROM a LEFT JOIN b"
            " ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '3' SECOND GROUP BY w"
        ),
    ),
    "joins in time of what may have no partner": (
        (
            "SELECT q.x, q.y, c.v FROM (SELECT a.k, a.v AS x, a.ts, b.v AS y FROM a LEFT JOIN b ON a.k = b.k"
            " AND a.ts BETWEEN b.ts + INTERVAL '1' SECOND AND b.ts + INTERVAL '4' SECOND) q"
            " FULL JOIN a c ON q.k = c.k AND c.ts BETWEEN q.ts - INTERVAL '3' SECOND AND q.ts"
        ),
        (
            "SELECT q.x, q.y, c.v FROM (SELECT a.k, a.v AS x, a.ts, b.v AS y FROM a LEFT JOIN b ON a.k = b.k"
            " AND a.ts BETWEEN b.ts + INTERVAL '1' SECOND AND b.ts + INTERVAL '4' SECOND) q"
            " FULL JOIN a c ON q.k = c.k AND c.ts BETWEEN q.ts - INTERVAL '3' SECOND AND q.ts"
        ),
    ),
    "groups of joined windows": (
        (
            f"SELECT l.window_start, count(*), sum(l.v + r.v) FROM {W.format('a')} l JOIN {W.format('b')} r"
            " ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k GROUP BY l.window_start, l.window_end"
        ),
        (
            f"SELECT {B.format('a')} AS s, count(*), sum(a.v + b.v) FROM a JOIN b ON {B.format('a')} = {B.format('b')} AND a.k = b.k GROUP BY s"
        ),
    ),
    "groups of windows joined in time": (
        (
            f"SELECT l.window_start, count(*), max(r.v) FROM {W.format('a')} l LEFT JOIN {W.format('b')} r"
            " ON l.k = r.k AND r.ts BETWEEN l.ts - INTERVAL '7' SECOND AND l.ts + INTERVAL '4' SECOND GROUP BY l.window_start, l.window_end"
        ),
        (
            f"SELECT {B.format('a')} AS s, count(*), max(b.v) FROM a LEFT JOIN b ON a.k = b.k"
            " AND b.ts BETWEEN a.ts - INTERVAL '7' SECOND AND a.ts + INTERVAL '4' SECOND GROUP BY s"
        ),
    ),
    "windows of groups of windows joined by their last moments": (
        (
            "SELECT window_start, sum(n), count(*) FROM TUMBLE((SELECT l.window_time AS t, count(*) AS n FROM"
            f" {W.format('a')} l JOIN {W.format('b')} r ON l.k = r.k AND r.window_time BETWEEN l.window_time - INTERVAL '30' SECOND"
            " AND l.window_time GROUP BY l.window_time), t, INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
        ),
        (
            f"SELECT time_bucket(INTERVAL '1' MINUTE, s) AS m, sum(n), count(*) FROM (SELECT {B.format('a')} AS s, count(*) AS n FROM a JOIN b"
            f" ON a.k = b.k AND {B.format('b')} BETWEEN {B.format('a')} - INTERVAL '30' SECOND AND {B.format('a')} GROUP BY s) GROUP BY m"
        ),
    ),
    "groups of first rows": (
        (
            "SELECT window_end, sum(v), count(*) FROM (SELECT v, k, window_end FROM"
            f" (SELECT * FROM {W.format('a')} UNION ALL SELECT * FROM {W.format('b')})"
            " QUALIFY ROW_NUMBER() OVER (PARTITION BY window_end, k ORDER BY v DESC) <= 2) GROUP BY window_end"
        ),
        (
            "SELECT s + INTERVAL '30' SECOND AS w, sum(v), count(*) FROM (SELECT v, k, time_bucket(INTERVAL '30' SECOND, ts) AS s"
            " FROM (SELECT * FROM a UNION ALL SELECT * FROM b) QUALIFY row_number() OVER (PARTITION BY s, k ORDER BY v DESC) <= 2) GROUP BY w"
        ),
    ),
    "rows in several windows of rows": ("SELECT * FROM HOP(TABLE a PARTITION BY k ORDER BY ts, 3 ROWS, 7 ROWS)", None),
    "growing windows": (
        (
            "SELECT window_start, window_end, count(*) FROM CUMULATE(a, ts, INTERVAL '10' SECOND, INTERVAL '60' SECOND)"
            " GROUP BY window_start, window_end"
        ),
        (
            "SELECT s, s + e * INTERVAL '10' SECOND AS w, count(*) FROM (SELECT *, time_bucket(INTERVAL '60' SECOND, ts) AS s FROM a),"
            " range(1, 7) r(e) WHERE s + e * INTERVAL '10' SECOND > ts GROUP BY s, w"
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_one_answer(script: Callable[[str], str], name: str) -> None:
    query, oracle = QUERIES[name]
    _agrees(script(query))
    _answers(script(query), oracle)


def test_a_day_with_another_length(tmp_path: Path) -> None:
    """Berlin puts its clocks forward on 2026-03-29: that day has 23 hours, and 02:00 to 03:00 is no hour."""
    hours = [datetime(2026, 3, 28, 20) + timedelta(minutes=30 * i) for i in range(80)]
    (tmp_path / "e.csv").write_text("v,ts\n" + "".join(f"{i},{ts.isoformat()}Z\n" for i, ts in enumerate(hours)))
    script = (
        "SET 'table.local-time-zone' = 'Europe/Berlin';\n"
        "CREATE TABLE e (v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '2' HOUR)"
        f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'e.csv'}', 'format' = 'csv');\n"
        "SELECT CAST(window_start AS STRING), count(*) FROM TUMBLE(e, ts, INTERVAL {}) GROUP BY window_start, window_end"
    )
    _agrees(script.replace("{}", "'1' DAY"))
    with tableflow.connect() as connection:
        for part in script.replace("{}", "'1' DAY").split(";\n")[:-1]:
            connection.execute(part)
        days = dict(connection.execute(script.replace("{}", "'1' DAY").split(";\n")[-1]).fetchall())
        hours_found = dict(connection.execute(script.replace("{}", "'1' HOUR").split(";\n")[-1]).fetchall())
    assert [count for _, count in sorted(days.items())] == [6, 46, 28]
    assert not any(start.startswith("2026-03-29 02:") for start in hours_found)
    assert set(hours_found.values()) == {2}


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "execution.scheduler-seed": "3"}) as opened:
        yield opened


def test_first_rows_come_when_their_window_closes_and_stay(connection: tableflow.Connection) -> None:
    def rows() -> Iterator[tuple[int, datetime]]:
        for i in range(95):
            yield (i * 37 % 100, BASE + timedelta(seconds=i))

    connection.register_stream("s", {"v": "INT", "ts": "TIMESTAMP(3)"}, rows, watermark=("ts", timedelta(0)))
    query = (
        "SELECT v, window_end FROM TUMBLE(s, ts, INTERVAL '10' SECOND)"
        " QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v) <= 2"
    )
    plan = "\n".join(str(row) for row in connection.execute(f"EXPLAIN {query}").fetchall())
    assert "ClosedWindows" in plan
    found = connection.execute(query).fetchall()
    assert len(found) == 20
    assert all(len(row) == 2 for row in found), "nothing is taken back, so rows have no kind"
