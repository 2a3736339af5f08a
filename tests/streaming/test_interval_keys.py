"""Equal intervals in several spellings are one group in streams too, which shows what finished rows would."""

from __future__ import annotations

import random
from collections import Counter

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Rows, Script
from tableflow.runtime.source import Done

SPELLINGS = ["30 days", "1 month", "720 hours", "24 hours", "1 day", "1 month -31 days", "-1 day", "1 year", None]
QUERIES = [
    "SELECT CAST(i AS STRING), n FROM (SELECT CAST(s AS INTERVAL) AS i, count(*) AS n FROM c GROUP BY i)",
    "SELECT CAST(i AS STRING), k FROM (SELECT DISTINCT CAST(s AS INTERVAL) AS i, k FROM c)",
    "SELECT CAST(i AS STRING) FROM (SELECT CAST(s AS INTERVAL) AS i FROM c UNION SELECT INTERVAL '30' DAY)",
    "SELECT CAST(i AS STRING), extract(day FROM i), l FROM (SELECT CAST(s AS INTERVAL) AS i, array_agg(k ORDER BY k) AS l FROM c GROUP BY i)",
]


def summed(rows: list[tuple[object, ...]]) -> Counter[str]:
    left: Counter[str] = Counter()
    for row in rows:
        kind, values = (row[0], row[1:]) if row[0] in {"+I", "-U", "+U", "-D"} else ("+I", row)
        left[repr(values)] += 1 if str(kind).startswith("+") else -1
    assert all(count >= 0 for count in left.values())
    return +left


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("mini_batch", ["false", "true"])
def test_a_group_shows_one_spelling(query: str, mini_batch: str) -> None:
    rng = random.Random(3)
    rows = [(spelling, number % 3) for number, spelling in enumerate(SPELLINGS * 4)]
    rng.shuffle(rows)
    gone = [row for row in rows if row[0] in {"1 month", "1 day"}][:5]
    left = Counter(rows) - Counter(gone)
    settings = {"parallelism.default": "2", "table.exec.mini-batch.enabled": mini_batch}
    with tableflow.connect(settings=settings) as connection:
        kept = list(left.elements())
        connection.register("c", pa.table({"s": [row[0] for row in kept], "k": [row[1] for row in kept]}))
        expected = summed(connection.execute(query).fetchall())
        told = [Rows(rows[i : i + 3]) for i in range(0, len(rows), 3)]
        taken = [Rows([row], [-1]) for row in gone]
        for events, name in (([*told, *taken], "retract"), ([Rows([row]) for row in kept], "append")):
            script = Script([*events, Done()])
            connection.register_stream("c", {"s": "STRING", "k": "BIGINT"}, script, changelog=name)
            assert summed(connection.execute(query).fetchall()) == expected, name
