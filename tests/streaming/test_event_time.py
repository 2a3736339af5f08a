"""Tables with event time: several readers of one, each of other columns, get their own; windows close without rows too."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

import tableflow

START = datetime(2024, 1, 1)
ROWS = [(i % 3, 10 * i, str(i), START + timedelta(seconds=i)) for i in range(6)]
WINDOW = "TUMBLE(s, ts, INTERVAL '1' SECOND)"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT k, ts FROM s UNION ALL SELECT v, ts FROM s", [(x, ts) for k, v, _, ts in ROWS for x in (k, v)]),
        ("SELECT 'k', sum(k) FROM s UNION ALL SELECT 'v', sum(v) FROM s", [("k", 6), ("v", 150)]),
        (
            f"SELECT a.k, b.v, b.name FROM {WINDOW} a JOIN (SELECT v, name, window_end FROM {WINDOW}) b USING (window_end)",
            [(k, v, name) for k, v, name, _ in ROWS],
        ),
        (
            f"SELECT k, window_end FROM {WINDOW} UNION ALL SELECT v, window_start FROM {WINDOW}",
            [pair for k, v, _, ts in ROWS for pair in ((k, ts + timedelta(seconds=1)), (v, ts))],
        ),
        (
            f"SELECT a.k, b.n FROM {WINDOW} a JOIN (SELECT v, count(name) AS n FROM {WINDOW} GROUP BY v) b ON a.v = b.v",
            [(k, 1) for k, *_ in ROWS],
        ),
        (
            "SELECT k FROM (SELECT k FROM s EXCEPT ALL SELECT v FROM s) l WHERE k < (SELECT max(v) FROM s WHERE k IS NOT DISTINCT FROM l.k)",
            [(k,) for k in (0, 1, 1, 2, 2)],
        ),
    ],
)
def test_readers_get_their_own_columns(query: str, expected: list[tuple[object, ...]]) -> None:
    columns = {"k": "INT", "v": "INT", "name": "STRING", "ts": "TIMESTAMP(3)"}
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.register_stream("s", columns, ROWS, watermark=("ts", timedelta(seconds=2)))
        cursor = connection.execute(query)
        found: Counter[tuple[object, ...]] = Counter()
        changes = cursor.description[0][0] == "op"
        for row in cursor.fetchall():
            found[row[1:] if changes else row] += 1 if not changes or row[0].startswith("+") else -1
        assert +found == Counter(expected)


def test_windows_without_rows_close() -> None:
    """Tasks that have got no row see the end of time as well."""
    query = (
        f"SELECT k FROM (SELECT k, row_number() OVER (PARTITION BY window_start, window_end ORDER BY v) AS r FROM {WINDOW})"
        " WHERE r = 1"
    )
    for rows in ([], ROWS[:1]):
        with tableflow.connect(settings={"parallelism.default": "3"}) as connection:
            connection.register_stream("s", {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"},
                                       [(k, v, ts) for k, v, _, ts in rows], watermark=("ts", 0))  # fmt: skip
            assert connection.execute(query).fetchall() == [row[:1] for row in rows]
