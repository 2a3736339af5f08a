"""min and max of intervals that are equal and written differently: one answer in any order of rows, at any parallelism, finished or not.

What is said once is spelled alike, too.  A result that changes keeps its spelling while an equal one takes its place, since a row that equals another is
no change: which spelling it has is a matter of when rows came, and it is compared by length.
"""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa
import pytest

import tableflow

SPELLINGS = [(0, 0, 24), (0, 1, 0), (0, 30, 0), (1, 0, 0), (0, 29, 24), None]
FRAME = "RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND CURRENT ROW"
QUERIES = {
    "all": "SELECT min(i), max(i) FROM s",
    "keys": "SELECT k, min(i), max(i) FROM s GROUP BY k",
    "distinct": "SELECT k, min(DISTINCT i), max(DISTINCT i) FROM s GROUP BY k",
    "tumble": "SELECT window_start, min(i), max(i) FROM TUMBLE(s, at, INTERVAL '2' SECOND) GROUP BY window_start",
    "hop": "SELECT window_start, min(i), max(i) FROM HOP(s, at, INTERVAL '1' SECOND, INTERVAL '2' SECOND) GROUP BY window_start",
    "session": "SELECT window_start, min(i), max(i) FROM SESSION(TABLE s, DESCRIPTOR(at), INTERVAL '2' SECOND) GROUP BY window_start",
    "peers": "SELECT n, min(i) OVER (ORDER BY at), max(i) OVER (ORDER BY at) FROM s",
    "range": f"SELECT n, min(i) OVER (PARTITION BY k ORDER BY at {FRAME}), max(i) OVER (PARTITION BY k ORDER BY at {FRAME}) FROM s",
    "whole": "SELECT n, min(i) OVER (PARTITION BY k), max(i) OVER (PARTITION BY k) FROM s",
    "groups of groups": "SELECT max(a), min(b) FROM (SELECT k, min(i) AS a, max(i) AS b FROM s GROUP BY k)",
}

CHANGING = {"all", "keys", "distinct", "whole", "groups of groups"}
_DAY = 86_400 * 10**9


def _rows(seed):
    made = [
        (n, None if spelling is None else pa.MonthDayNano([*spelling[:2], spelling[2] * 3600 * 10**9]), n % 2)
        for n, spelling in enumerate(SPELLINGS * 3)
    ]
    rows = [(*row, dt.datetime(2024, 1, 1, 0, 0, row[0] // 6)) for row in made]
    random.Random(seed).shuffle(rows)
    return rows


def _summed(rows, shown=repr):
    """What is left of changes, or of rows."""
    left: list[str] = []
    for row in rows:
        changed = isinstance(row[0], str)
        text = repr([shown(value) for value in (row[1:] if changed else row)])
        left.remove(text) if changed and row[0] in {"-U", "-D"} else left.append(text)
    return sorted(left)


def _length(value):
    return (value.months * 30 + value.days) * _DAY + value.nanoseconds if isinstance(value, pa.MonthDayNano) else value


@pytest.mark.parametrize("query", QUERIES)
def test_one_answer(query):
    names, kinds = ["n", "i", "k", "at"], [pa.int32(), pa.month_day_nano_interval(), pa.int32(), pa.timestamp("ms")]
    spelled, equal = [], []
    for seed in range(4):
        rows = _rows(seed)
        columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
        for parallelism in ("1", "3"):
            with tableflow.connect(settings={"parallelism.default": parallelism}) as connection:
                connection.register("s", pa.table(columns, names))
                finished = connection.execute(QUERIES[query]).fetchall()
            with tableflow.connect(settings={"parallelism.default": parallelism}) as connection:
                schema = {"n": "INT", "i": "INTERVAL", "k": "INT", "at": "TIMESTAMP(3)"}
                connection.execute("SET 'execution.runtime-mode' = 'streaming'")
                connection.execute("SET 'table.exec.epoch-interval' = '1 h'")  # the end is shown, and nothing before
                connection.register_stream("s", schema, rows, watermark=("at", dt.timedelta(minutes=1)))
                streamed = connection.execute(QUERIES[query]).fetchall()
            spelled += [_summed(finished)] if query in CHANGING else [_summed(finished), _summed(streamed)]
            equal += [_summed(finished, _length), _summed(streamed, _length)]
    assert all(answer == spelled[0] for answer in spelled)
    assert all(answer == equal[0] for answer in equal)
