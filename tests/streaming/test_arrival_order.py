"""Results that depend on the order in which rows arrive: EXPLAIN marks who makes them, verify compares what does not depend on it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.replay import Replay
from tableflow.session import verification
from tableflow.shell.run import Target
from tableflow.shell.verify import run_verify

TABLE = """
CREATE TABLE t AS SELECT i % 5 AS k, i AS v FROM (
  SELECT a.n * 4 + b.n AS i FROM (VALUES (0), (1), (2), (3), (4)) a(n), (VALUES (0), (1), (2), (3)) b(n)) q;
CREATE TABLE u (id INT PRIMARY KEY, v INT);
INSERT INTO u SELECT v, k FROM t;
"""
ARRAYS = "SELECT k, array_agg(v) AS a, string_agg(CAST(v AS STRING), '-') AS s, first(v) AS f, count(*) AS n FROM t GROUP BY k"
NUMBERS = "SELECT k, v, row_number() OVER (ORDER BY k) AS n, rank() OVER (ORDER BY k) AS r FROM t"
FIRINGS = (
    "SELECT k, window_fire AS f, sum(v) AS s, count(*) AS n FROM GLOBAL(TABLE t PARTITION BY k) GROUP BY k, window_fire"
)
SOME = "(SELECT * FROM t LIMIT 7)"


def _verify(query: str) -> tuple[int, list[str]]:
    out, err = io.StringIO(), io.StringIO()
    code = run_verify(TABLE + query, Target(), out, err)
    assert err.getvalue() == ""
    return code, out.getvalue().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "notices"),
    [
        (
            "SELECT v FROM t LIMIT 3",
            [
                "arrival-ordered: LIMIT 3 without ORDER BY",
                "compared: the number of rows; not v",
                "compared: whether each row is one of those without LIMIT",
            ],
        ),
        (
            "SELECT k, v FROM t ORDER BY k LIMIT 3",
            [
                "arrival-ordered: LIMIT 3, of rows that tie in ORDER BY k",
                "compared: k; not v",
                "compared: whether each row is one of those without LIMIT",
            ],
        ),
        ("SELECT * FROM u ORDER BY id LIMIT 3", []),
        ("SELECT k FROM t ORDER BY k LIMIT 3", []),
        (
            ARRAYS,
            [
                "arrival-ordered: array_agg without ORDER BY",
                "arrival-ordered: string_agg without ORDER BY",
                "arrival-ordered: first without ORDER BY",
                "compared: k, n; not f",
                "compared without their order: the elements of a, s",
            ],
        ),
        ("SELECT k, array_agg(v ORDER BY v), last(k) FROM t GROUP BY k", []),
        (NUMBERS, ["arrival-ordered: row_number OVER, of rows that tie in ORDER BY k", "compared: k, v, r; not n"]),
        (
            "SELECT k, v FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY k) = 1",
            ["arrival-ordered: row_number OVER, of rows that tie in ORDER BY k", "compared: k; not v"],
        ),
        (
            f"SELECT count(*) AS n, sum(v) AS s FROM {SOME}",
            ["arrival-ordered: LIMIT 7 without ORDER BY", "compared: n; not s"],
        ),
        (f"SELECT count(*) AS n FROM {SOME}", []),
        (
            "SELECT window_start AS s, sum(v) AS v, count(*) AS n FROM TUMBLE(TABLE t, 3 ROWS) GROUP BY window_start, window_end",
            ["arrival-ordered: TUMBLE of rows without ORDER BY", "compared: s, n; not v"],
        ),
        ("SELECT sum(v) FROM TUMBLE(TABLE t ORDER BY v, 3 ROWS) GROUP BY window_start, window_end", []),
        (f"{FIRINGS} EMIT EVERY 2 ROWS", ["arrival-ordered: EMIT EVERY without ORDER BY", "compared: k, f, n; not s"]),
        (
            "SELECT t.k, w.n FROM t LEFT JOIN (SELECT v, row_number() OVER () AS n FROM t) w ON w.v = t.v",
            ["arrival-ordered: row_number OVER without ORDER BY", "compared: k; not n"],
        ),
    ],
)
def test_what_does_not_depend_on_arrival_is_compared(query: str, notices: list[str]) -> None:
    code, lines = _verify(query)
    assert (code, lines[-1]) == (0, "all 10 agree")
    assert lines[: len(notices)] == notices
    assert lines[len(notices)].startswith("batch ")


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT v FROM {SOME} WHERE v > 3",
        f"SELECT v, count(*) FROM {SOME} GROUP BY v",
        f"SELECT t.v FROM t JOIN {SOME} w ON w.v = t.v",
        "SELECT k FROM t WHERE random() < 0.5",
    ],
)
def test_nothing_is_compared_where_it_decides_which_rows_there_are(query: str) -> None:
    code, lines = _verify(query)
    assert code == 0
    assert lines[1] == "nothing is compared: which rows there are depends on the order in which rows arrive"
    assert lines[2].endswith("not compared")
    assert lines[-1] == "nothing was compared"


def _changed(change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Callable[[list[pa.RecordBatch]], Replay]:
    return lambda batches: Replay([change(batch) for batch in batches])


def _other(column: str) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        at = batch.schema.get_field_index(column)
        values = pa.array([1000 + value for value in batch.column(at).to_pylist()], batch.schema.field(at).type)
        return batch.set_column(at, batch.schema.field(at), values)

    return change


@pytest.mark.parametrize(
    ("query", "column", "said"),
    [
        ("SELECT v FROM t LIMIT 3", "v", "which is no row without LIMIT"),
        ("SELECT k, v FROM t ORDER BY k LIMIT 3", "v", "which is no row without LIMIT"),
        ("SELECT k, v FROM t ORDER BY k LIMIT 3", "k", "batch has (0,), the stream (1000,)"),
        (ARRAYS, "v", "batch has (0, "),
        (NUMBERS, "v", "batch has (0, 0, 1), the stream (0, 1000, 1)"),
        (FIRINGS + " EMIT EVERY 2 ROWS", "k", "the stream (1000, "),
    ],
)
def test_differences_are_found_in_what_is_compared(
    query: str, column: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "Replay", _changed(_other(column)))
    code, lines = _verify(query)
    assert code == 1
    assert said in next(line for line in lines if line.startswith("in order, 1 task"))
    assert lines[-1] == "9 of 10 differ"


def test_lost_rows_are_found_under_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "Replay", lambda batches: Replay(batches[:1]))
    code, lines = _verify(f"SELECT count(*) AS n, sum(v) AS s FROM {SOME}")
    assert (code, lines[-1]) == (1, "9 of 10 differ")


def _marked(connection: tableflow.Connection, query: str) -> list[str]:
    """The operators that EXPLAIN marks."""
    lines = (line.strip() for (line,) in connection.execute(f"EXPLAIN {query}").fetchall())
    return list(dict.fromkeys(line.split()[0] for line in lines if "arrival-ordered" in line))


def test_explain_marks_who_takes_rows_as_they_arrive() -> None:
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        for statement in TABLE.split(";\n")[:-1]:
            connection.execute(statement)
        rows = [(1, 2, datetime(2024, 1, 1))]
        connection.register_stream(
            "s", {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}, rows, watermark=("ts", timedelta(0))
        )
        for query, expected in (
            ("SELECT v FROM t LIMIT 3", ["LimitRows"]),
            ("SELECT v FROM t ORDER BY v LIMIT 3", []),
            ("SELECT v FROM t ORDER BY k LIMIT 3", ["TopN"]),
            ("SELECT id FROM u ORDER BY id LIMIT 3", []),
            ("SELECT k, any_value(v) FROM t GROUP BY k", ["HashAggregate"]),
            ("SELECT k, array_agg(v) FROM t GROUP BY k", ["CollectAggregate"]),
            ("SELECT v, lag(v) OVER (PARTITION BY k ORDER BY v) FROM t", []),
            ("SELECT v, sum(v) OVER (PARTITION BY k), rank() OVER (ORDER BY k) FROM t", []),
            ("SELECT v, lag(k) OVER (ORDER BY k) FROM t", ["WindowAggregate"]),
            ("SELECT * FROM (SELECT * FROM s LIMIT 3)", ["LimitRows"]),
            ("SELECT k, sum(v) FROM s GROUP BY k", []),
            ("SELECT k, last(v) FROM s GROUP BY k", ["ChangelogAggregate"]),
            ("SELECT v FROM s QUALIFY row_number() OVER (PARTITION BY k ORDER BY proctime()) = 1", ["ChangelogTopN"]),
            ("SELECT v FROM s QUALIFY row_number() OVER (PARTITION BY k ORDER BY v) = 1", []),
            ("SELECT sum(v) FROM TUMBLE(TABLE s, 3 ROWS) GROUP BY window_start, window_end", ["WindowedAggregate"]),
            ("SELECT sum(v) FROM TUMBLE(s, ts, INTERVAL '1' DAY) GROUP BY window_start, window_end", []),
            ("SELECT sum(v) FROM DELTA(TABLE s ORDER BY ts, v, 3) GROUP BY window_start, window_end", ["WindowedAggregate"]),
        ):  # fmt: skip
            assert _marked(connection, query) == expected, query
