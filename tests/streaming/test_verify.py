"""Verification: agreement where there is one answer, the first difference where there is none."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest

from tableflow.connectors.replay import Replay
from tableflow.session import verification
from tableflow.session.comparison import difference
from tableflow.session.verification import WAYS
from tableflow.shell.run import Target
from tableflow.shell.verify import run_verify

TABLES = """
CREATE TABLE t AS SELECT i % 5 AS k, i AS v, i / 4.0 AS x FROM (
  SELECT a.n * 4 + b.n AS i FROM (VALUES (0), (1), (2), (3), (4)) a(n), (VALUES (0), (1), (2), (3)) b(n)) q;
"""
EVENTS = """k,ts,v
1,2024-01-01 00:00:01,5
2,2024-01-01 00:00:03,7
1,2024-01-01 00:00:02,1
1,2024-01-01 00:00:12,4
2,2024-01-01 00:00:31,2
1,2024-01-01 00:00:29,2
"""


def _verify(script: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = run_verify(script, Target(), out, err)
    return code, out.getvalue(), err.getvalue()


def test_changing_results_have_one_answer() -> None:
    code, out, err = _verify(
        f"{TABLES} SELECT t.k, count(*), sum(t.v), max(u.v), avg(t.x) FROM t LEFT JOIN t AS u ON t.k = u.k + 1"
        " GROUP BY t.k HAVING count(*) > 2 ORDER BY 1"
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"all {len(WAYS) + 1} agree"
    assert out.splitlines()[0].split() == ["batch", "5", "rows", "agrees"]


def test_windows_have_one_answer_however_late_rows_come(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS)
    code, out, err = _verify(
        "CREATE TABLE e (k INT, ts TIMESTAMP(3), v INT, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)"
        f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'events.csv'}', 'format' = 'csv');"
        "SELECT k, window_start, count(*), sum(v) FROM TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '10' SECOND)"
        " GROUP BY k, window_start, window_end"
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["batch", "5", "rows", "agrees"]


def test_windows_of_what_is_no_event_time_have_none(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS)
    table = (
        "(k INT, ts TIMESTAMP(3), v INT, WATERMARK FOR ts AS ts)"
        f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'events.csv'}', 'format' = 'csv');"
    )
    windows = (
        "TUMBLE((SELECT window_time AS t FROM TUMBLE((SELECT ts + INTERVAL '1' SECOND AS u FROM e), u, INTERVAL '5' SECOND)"
        " GROUP BY window_start, window_end, window_time), t, INTERVAL '5' SECOND)"
    )
    code, out, err = _verify(
        f"CREATE TABLE e {table} CREATE TABLE f {table}"
        f"SELECT a.t, b.v FROM {windows} a LEFT JOIN TUMBLE(f, ts, INTERVAL '5' SECOND) b ON a.window_end = b.window_end"
    )
    assert (code, err) == (0, ""), out


def test_nanoseconds_are_verified(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(
        "ts\n2024-01-01 00:00:01.000000001\n2024-01-01 00:00:01\n1969-12-31 23:59:59.999999999\n"
    )
    code, out, err = _verify(
        "CREATE TABLE e (ts TIMESTAMP(9), WATERMARK FOR ts AS ts)"
        f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'events.csv'}', 'format' = 'csv');"
        "SELECT ts, count(*) OVER (ORDER BY ts) FROM e"
    )
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize(
    "query",
    [
        "SELECT window_fire, sum(n) FROM {} ORDER BY (n, k)) GROUP BY window_fire EMIT ON UPDATE",
        "SELECT window_fire, sum(n) FROM {} ORDER BY (n, k)) GROUP BY window_fire EMIT EVERY 2 ROWS",
        "SELECT sum(n) FROM {} ORDER BY (n, k)) EMIT EVERY 2 ROWS",
        "SELECT sum(n) FROM {} ORDER BY (n, k)) WHERE n > 1",
        "SELECT k, window_start, sum(n) FROM {} PARTITION BY k) GROUP BY k, window_start, window_end",
    ],
)
def test_one_window_for_ever_over_changing_rows_has_one_answer(query: str) -> None:
    changing = "GLOBAL(TABLE (SELECT k, count(*) AS n FROM t WHERE v < 13 GROUP BY k)"
    code, out, err = _verify(TABLES + query.format(changing))
    assert (code, err) == (0, ""), out


def test_firings_of_changing_rows_need_an_order() -> None:
    changing = "GLOBAL(TABLE (SELECT k, count(*) AS n FROM t GROUP BY k))"
    code, _, err = _verify(f"{TABLES} SELECT window_fire, sum(n) FROM {changing} GROUP BY window_fire EMIT ON UPDATE")
    assert code == 1
    assert "rows that may be taken back are not known without an order" in err
    assert "GLOBAL(TABLE t ... ORDER BY ...)" in err


def test_rows_of_a_generator_are_drawn_once() -> None:
    code, out, err = _verify(
        "CREATE TABLE g (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH"
        " ('connector' = 'datagen', 'number-of-rows' = '200', 'rows-per-second' = '0', 'fields.ts.max-past' = '60 s');"
        "SELECT k, ts, count(*) FROM g GROUP BY k, ts"
    )
    assert (code, err) == (0, ""), out


def test_the_first_difference_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "Replay", lambda batches: Replay(batches[1:]))
    code, out, _ = _verify(f"{TABLES} SELECT k, sum(v) FROM t GROUP BY k")
    assert code == 1
    assert "batch has (" in out
    assert out.splitlines()[-1].endswith("differ")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("SELECT x FROM nothing", "'nothing'"),
        ("CREATE TABLE t (a INT)", "only a query can be verified"),
        ("", ""),
    ],
)
def test_what_cannot_be_verified_is_said(script: str, message: str) -> None:
    code, _, err = _verify(script)
    assert code == 1
    assert message in err


def test_bags_are_compared_with_care() -> None:
    assert difference([(1, 0.1 + 0.2), (2, None)], [(2, None), (1, 0.3)]) is None
    assert difference([([math.nan, 0.3], {"x": (math.nan,)})], [([math.nan, 0.1 + 0.2], {"x": (math.nan,)})]) is None
    assert difference([(-0.0, "b"), (0.0, "a"), ([-0.0], "d")], [(0.0, "b"), (-0.0, "a"), ([0.0], "d")]) is None
    assert difference([([1.0],)], [([2.0],)]) == "batch has ([1.0],), the stream ([2.0],)"
    assert difference([(1,), (2,)], [(2,)]) == "batch has (1,), the stream (2,)"
    assert difference([(1,)], [(1,), (1,)]) == "the stream has (1,) too"
    assert difference([(1,), (3,)], [(1,)]) == "the stream lacks (3,)"
