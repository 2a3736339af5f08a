"""Verification with late rows: streams leave out and count exactly those for which the watermark had passed the window."""

from __future__ import annotations

import io
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.physical.late_rows import LateRows
from tableflow.runtime.source import Done
from tableflow.session import verification
from tableflow.session.late_verification import passed_before, straggling
from tableflow.session.verification import LATE_WAYS, WAYS
from tableflow.shell.run import Target
from tableflow.shell.verify import run_verify

BEGIN = datetime(2024, 1, 1)
WINDOW = "GROUP BY k, window_start, window_end"
QUERIES = {
    "tumbling": f"SELECT k, window_start, count(*), sum(v) FROM TUMBLE(e, ts, INTERVAL '10' SECOND) {WINDOW}",
    "sliding, corrected": f"""SELECT k, window_end, count(*) FROM HOP(e, ts, INTERVAL '3' SECOND, INTERVAL '9' SECOND)
        WHERE v > 3 {WINDOW} EMIT ON WINDOW CLOSE WITH LATENESS INTERVAL '3' SECOND""",
    "on update, corrected": f"""SELECT k, window_end, max(v) FROM TUMBLE(e, ts, INTERVAL '5' SECOND) {WINDOW}
        EMIT ON UPDATE WITH LATENESS INTERVAL '4' SECOND""",
    "growing": """SELECT window_start, window_end, count(DISTINCT k), median(v)
        FROM CUMULATE(e, ts, INTERVAL '3' SECOND, INTERVAL '9' SECOND) GROUP BY window_start, window_end
        EMIT EVERY 3 ROWS LATE INTO late""",
    "last rows, corrected": f"""SELECT k, window_start, window_fire, count(*), sum(v) FROM TUMBLE(e, ts, INTERVAL '10' SECOND)
        {WINDOW}, window_fire EMIT EVERY 2 ROWS KEEP LAST 3 ROWS WITH LATENESS INTERVAL '4' SECOND""",
    "last rows of intervals, corrected": f"""SELECT k, window_end, window_fire, array_agg(v) FROM HOP(e, ts, INTERVAL '3' SECOND,
        INTERVAL '9' SECOND) {WINDOW}, window_fire
        EMIT EVERY INTERVAL '2' SECOND OF EVENT TIME KEEP LAST INTERVAL '2' SECOND WITH LATENESS INTERVAL '2' SECOND""",
    "some windows": f"""SELECT n, count(*) FROM (SELECT k, window_end, count(*) AS n FROM TUMBLE(
        (SELECT k, ts, v + 1 AS w FROM e WHERE v <> 2), ts, INTERVAL '5' SECOND)
        WHERE window_end > TIMESTAMP '2024-01-01 00:00:10' {WINDOW}) q GROUP BY n""",
    "two windows": """SELECT a.window_end, a.n, b.n FROM
        (SELECT window_end, count(*) AS n FROM TUMBLE(e, ts, INTERVAL '5' SECOND) GROUP BY window_start, window_end) a LEFT JOIN
        (SELECT window_end, sum(v) AS n FROM TUMBLE(e, ts, INTERVAL '5' SECOND) WHERE k = 2 GROUP BY window_start, window_end) b
        ON a.window_end = b.window_end""",
    "windows of windows": """SELECT window_end, sum(n) FROM TUMBLE((SELECT window_time AS t, count(*) AS n
        FROM TUMBLE(e, ts, INTERVAL '5' SECOND) GROUP BY window_start, window_end, window_time), t, INTERVAL '15' SECOND)
        GROUP BY window_start, window_end""",
    "some groups": f"""SELECT k, n FROM (SELECT k, window_end, count(*) AS n FROM TUMBLE(e, ts, INTERVAL '5' SECOND) {WINDOW}) q
        WHERE k > 1""",
    "a limit": """SELECT window_start, count(*) FROM TUMBLE(e, ts, INTERVAL '2' SECOND) GROUP BY window_start, window_end
        ORDER BY 2 DESC LIMIT 3""",
}


@pytest.fixture
def table(tmp_path: Path) -> str:
    chance = random.Random(3)
    rows = ["k,ts,v"]
    for _ in range(120):
        time = BEGIN + timedelta(milliseconds=chance.randint(0, 60_000))
        rows.append(f"{chance.randint(1, 3)},{time.isoformat(' ', 'milliseconds')},{chance.randint(0, 9)}")
    (tmp_path / "e.csv").write_text("\n".join(rows) + "\n")
    return (
        "CREATE TABLE e (k INT, ts TIMESTAMP(3), v INT, WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)"
        f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'e.csv'}', 'format' = 'csv');"
    )


def _verify(script: str) -> tuple[int, list[str], str]:
    out, err = io.StringIO(), io.StringIO()
    code = run_verify(script, Target(), out, err, late=True)
    return code, out.getvalue().splitlines(), err.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_answer_is_that_of_rows_that_are_on_time(table: str, query: str) -> None:
    code, out, err = _verify(table + query)
    assert (code, err) == (0, ""), out
    assert out[-1] == f"all {1 + len(WAYS) + len(LATE_WAYS)} agree"
    for line in out[-1 - len(LATE_WAYS) : -1]:
        name, counts = line[:34].strip(), line[34:].split()
        assert name.startswith("late rows (")
        assert counts[1].rstrip(",") == "rows"
        assert int(counts[2]) > 0
        assert counts[3:] == ["late", "agrees"]


def test_a_stream_that_takes_late_rows_is_found_out(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "WAYS", ())
    monkeypatch.setattr(verification, "LATE_WAYS", LATE_WAYS[:1])
    monkeypatch.setattr(verification, "passed_before", lambda marks, size, unit: [None] * len(marks))
    code, out, _ = _verify(table + QUERIES["tumbling"])
    assert code == 1
    assert "batch has (" in out[-2]
    assert out[-1] == "1 of 2 differ"


def test_a_stream_that_does_not_count_them_is_found_out(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "WAYS", ())
    monkeypatch.setattr(verification, "LATE_WAYS", LATE_WAYS[:1])
    monkeypatch.setattr(LateRows, "judge", lambda *given: None)
    code, out, _ = _verify(table + QUERIES["tumbling"])
    assert code == 1
    assert "rows are late, the stream counts 0" in out[-2]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT k, sum(v) FROM e GROUP BY k", "they are not in windows of its event time"),
        ("SELECT sum(v) OVER (ORDER BY ts) FROM e", "they are not in windows of its event time"),
        ("SELECT k FROM TUMBLE(e, ts, INTERVAL '1' SECOND)", "they are not grouped by their windows"),
        (
            f"""SELECT k, count(*), window_fire FROM TUMBLE(e, ts, INTERVAL '9' SECOND) {WINDOW}, window_fire
            EMIT EVERY 2 ROWS KEEP LAST 2 ROWS""",
            "they are in windows with KEEP LAST",
        ),
        ("SELECT 1", "no row can be late"),
    ],
)
def test_what_becomes_of_late_rows_is_not_always_known(table: str, query: str, why: str) -> None:
    code, out, err = _verify(table + query)
    assert (code, out) == (1, [])
    assert why in err
    assert "hint: verify" in err


def test_rows_in_are_rows_that_count_and_rows_that_are_late() -> None:
    """LATE INTO takes what the counter counts, which is what the watermark had passed."""
    chance = random.Random(9)
    times = sorted(chance.randint(0, 60) for _ in range(200))
    order = straggling([float(time) * 1_000_000 for time in times], 3_000_000, chance)
    rows = [(number, BEGIN + timedelta(seconds=times[number])) for number in order]
    marks = [round((time - BEGIN).total_seconds()) - 3 for _, time in rows]
    passed = passed_before(marks, 1, 1)
    late = {
        number
        for (number, time), mark in zip(rows, passed, strict=True)
        if mark is not None and (time - BEGIN).seconds // 10 * 10 + 10 <= mark
    }
    assert 5 < len(late) < 100
    settings = {"execution.batch-rows": "1", "parallelism.default": "1"}
    with tableflow.connect(settings=settings) as connection:
        told = Script([Delay(1), *(Rows([row]) for row in rows), Done()])
        connection.register_stream(
            "s", {"n": "INT", "ts": "TIMESTAMP(3)"}, told, watermark=("ts", timedelta(seconds=3))
        )
        counted = connection.execute(
            """SELECT count(*) FROM TUMBLE(s, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end
            EMIT ON WINDOW CLOSE LATE INTO late"""
        ).fetchall()
        assert {row[0] for row in connection.execute("SELECT n FROM late").fetchall()} == late
        assert sum(row[0] for row in counted) + len(late) == len(rows)


def test_watermarks_before_batches() -> None:
    assert passed_before([None, 5, 3, 9, None, 1], 1, 1) == [None, None, 5, 5, 9, 9]
    assert passed_before([None, 5, 3, 9, 20, 1], 2, 4) == [None, None, 8, 8, 12, 12]
    assert passed_before([], 3, 1) == []
    order = straggling([float("inf"), 2.0, 1.0], 0, random.Random(0))
    assert sorted(order) == [0, 1, 2]
    assert order[-1] == 0, "what has no time comes last"
