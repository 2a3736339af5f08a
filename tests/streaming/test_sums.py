"""What comes out of a query over changes adds up to its answer over what has come in, whatever came in between.

Rows come and go in any order, a row's -1 before its +1, in batches of any size, with NULLs everywhere; the answer is that of the same
query in batch mode over the rows that are left.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

Row = tuple[Any, ...]
SCHEMA = {"k": "INT", "v": "INT", "s": "STRING"}
SETS = [
    f"SELECT k, v FROM a {first} (SELECT k, v FROM b {second} SELECT v, k FROM a)"
    for first in ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")
    for second in ("UNION ALL", "EXCEPT ALL", "INTERSECT ALL")
]
JOINS = [
    "SELECT * FROM a JOIN b ON a.k = b.k AND a.v < b.v",
    "SELECT a.s, b.s FROM a LEFT JOIN b ON a.k = b.k AND a.s = b.s",
    "SELECT a.v, b.v FROM a RIGHT JOIN b USING (k)",
    "SELECT a.k, b.v FROM a FULL JOIN b ON a.k = b.k",
    "SELECT a.k, b.v FROM a FULL JOIN b ON a.k IS NOT DISTINCT FROM b.k AND a.s = 'x'",
    "SELECT a.v, b.v FROM a CROSS JOIN b WHERE a.v + b.v > 2",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.v > a.v)",
    "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE k IN (SELECT v FROM b)",
    "SELECT * FROM a WHERE k NOT IN (SELECT v FROM b WHERE v IS NOT NULL)",
    "SELECT * FROM a WHERE (k IN (SELECT k FROM b)) IS NOT TRUE",
    "SELECT k, (SELECT max(v) FROM b WHERE b.k = a.k) AS top FROM a",
    "SELECT x.k, y.v FROM a x JOIN a y ON x.k = y.k JOIN b z ON y.v = z.v",
]
GROUPS = [
    "SELECT k, count(*), sum(v), min(v), max(s), avg(v) FROM a GROUP BY k",
    "SELECT k, count(DISTINCT v), sum(DISTINCT v) FILTER (WHERE s = 'x'), min(s) FILTER (WHERE v > 0) FROM a GROUP BY k",
    "SELECT count(*), max(v), array_agg(v ORDER BY v) FROM a",
    "SELECT k, string_agg(s, ',' ORDER BY s), median(v) FROM a GROUP BY k HAVING count(*) > 1",
    "SELECT k, s, sum(v) FROM a GROUP BY GROUPING SETS ((k), (s), ())",
    "SELECT DISTINCT s, v FROM a",
    "SELECT c, count(*) FROM (SELECT k, count(*) AS c FROM a GROUP BY k) GROUP BY c",
    "SELECT a.k, t.c FROM a JOIN (SELECT k, count(*) AS c, max(v) AS m FROM b GROUP BY k) t ON t.k = a.k AND t.m > a.v",
]
ORDERS = [
    "SELECT k, v, s FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY v, s) = 1",
    "SELECT k, v, s FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC, s DESC) <= 2",
    "SELECT k, v, s, row_number() OVER (PARTITION BY k ORDER BY v NULLS FIRST, s) AS n FROM a QUALIFY n <= 3",
    "SELECT * FROM (SELECT k, v, s FROM a ORDER BY v DESC, k, s LIMIT 3 OFFSET 1)",
    "SELECT k, v, s, sum(v) OVER (PARTITION BY k ORDER BY v, s ROWS UNBOUNDED PRECEDING) FROM a",
    "SELECT k, v, lag(v) OVER (PARTITION BY k ORDER BY v, s), rank() OVER (PARTITION BY k ORDER BY v) FROM a",
    "SELECT k, v, count(*) OVER (ORDER BY v RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM a",
    "SELECT k, max(v) FROM (SELECT k, v, s FROM a QUALIFY dense_rank() OVER (PARTITION BY s ORDER BY v) = 1) GROUP BY k",
]


def drawn(draw: random.Random) -> list[tuple[Row, int]]:
    """Changes whose sums are not negative in the end."""
    rows = [
        (draw.choice([None, 1, 2]), draw.choice([None, 0, 1, 2, 3]), draw.choice([None, "x", "y"]))
        for _ in range(draw.randrange(14))
    ]
    made = [(row, draw.choice([1, 1, 2])) for row in rows]
    total: Counter[Row] = Counter()
    for row, weight in made:
        total[row] += weight
    for row, count in sorted(total.items(), key=repr):
        if draw.random() < 0.6:
            made.append((row, -draw.randint(1, count)))
    draw.shuffle(made)
    return made


def told(made: list[tuple[Row, int]], draw: random.Random) -> Script:
    """The changes in batches, with epochs between some of them."""
    events: list[Any] = []
    while made:
        size = draw.randint(1, 5)
        part, made = made[:size], made[size:]
        events.append(Rows([row for row, _ in part], [weight for _, weight in part]))
        events.append(Delay(draw.choice([0, 2000])))
    return Script([*events, Done()])


def left_over(made: list[tuple[Row, int]]) -> pa.Table:
    total: Counter[Row] = Counter()
    for row, weight in made:
        total[row] += weight
    rows = [row for row, count in total.items() for _ in range(count)]
    columns = [pa.array([row[i] for row in rows], of) for i, of in enumerate((pa.int32(), pa.int32(), pa.string()))]
    return pa.table(dict(zip(SCHEMA, columns, strict=True)))


def plain(rows: Any) -> Counter[Any]:
    return Counter(tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows)


def check(query: str, seed: int) -> None:
    draw = random.Random(f"{query} {seed}")
    inputs = {name: drawn(draw) for name in "ab"}
    settings = {
        "execution.scheduler-seed": str(seed), "parallelism.default": str(draw.choice([1, 2])),
        "table.exec.epoch-interval": "1 ms", "table.exec.mini-batch.enabled": draw.choice(["true", "false"]),
        "execution.batch-rows": str(draw.choice([1, 3, 100])),
    }  # fmt: skip
    with tableflow.connect(settings=settings) as connection:
        for name, made in inputs.items():
            connection.register_stream(name, SCHEMA, told(made, draw), changelog="retract")
        cursor = connection.execute(query)
        changes: Counter[Any] = Counter()
        while some := cursor.fetch_changes(timeout=30):
            for kind, row in some:
                (key,) = plain([row])
                changes[key] += 1 if kind.startswith("+") else -1
        for name, made in inputs.items():
            connection.register(name, left_over(made))
        expected = plain(connection.execute(query).fetchall())
    assert Counter({row: count for row, count in changes.items() if count}) == expected, f"{query} under seed {seed}"


@pytest.mark.parametrize("queries", [SETS, JOINS, GROUPS, ORDERS], ids=["sets", "joins", "groups", "orders"])
def test_changes_add_up_to_the_answer(queries: list[str]) -> None:
    for query in queries:
        check(query, 1)


@pytest.mark.slow
@pytest.mark.parametrize("queries", [SETS, JOINS, GROUPS, ORDERS], ids=["sets", "joins", "groups", "orders"])
def test_changes_add_up_to_the_answer_under_more_seeds(queries: list[str]) -> None:
    for query in queries:
        for seed in range(2, 6):
            check(query, seed)
