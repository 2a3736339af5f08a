"""A streaming table shows, in every version, all effects of a prefix of each of its inputs, however its tasks take turns.

The oracle is naive: the query is computed from scratch for each pair of prefixes.  A version has to equal one of them, and the
prefixes must not shrink from version to version.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

Row = tuple[Any, ...]
Oracle = Callable[[Sequence[Row], Sequence[Row]], Counter[Row]]
SCHEMA = {"k": "INT", "v": "INT"}


def upserted(rows: Sequence[Row]) -> list[Row]:
    """The newest row of each key."""
    return list({k: (k, v) for k, v in rows}.values())


def counted(rows: Sequence[Row]) -> dict[Any, int]:
    return Counter(k for k, _ in rows)


def joined(a: Sequence[Row], b: Sequence[Row]) -> Counter[Row]:
    return Counter((k, v, w) for k, v in a for other, w in upserted(b) if other == k)


def with_itself(a: Sequence[Row], b: Sequence[Row]) -> Counter[Row]:
    counts = counted(a)
    return Counter((k, v, counts[k]) for k, v in a)


def of_both(a: Sequence[Row], b: Sequence[Row]) -> Counter[Row]:
    counts, current = counted(a), dict(upserted(b))
    return Counter((k, v, counts[k], current.get(k)) for k, v in a)


def balance(a: Sequence[Row], b: Sequence[Row]) -> Counter[Row]:
    """What comes in and goes out of the same prefix is always nothing."""
    difference: defaultdict[Any, int] = defaultdict(int)
    for k, v in a:
        difference[k] += v - v
    return Counter((k, total) for k, total in difference.items())


def first(a: Sequence[Row], b: Sequence[Row]) -> Counter[Row]:
    largest: dict[Any, int] = {}
    for k, v in [*a, *upserted(b)]:
        largest[k] = max(v, largest.get(k, v))
    return Counter(largest.items())


QUERIES: dict[str, tuple[str, Oracle]] = {
    "two sources": ("SELECT a.k, a.v, b.v AS w FROM a JOIN b ON a.k = b.k", joined),
    "a self-join": (
        "SELECT a.k, a.v, t.c FROM a JOIN (SELECT k, count(*) AS c FROM a GROUP BY k) t ON t.k = a.k",
        with_itself,
    ),
    "both": (
        """SELECT a.k, a.v, t.c, b.v AS w FROM a JOIN (SELECT k, count(*) AS c FROM a GROUP BY k) t ON t.k = a.k
        LEFT JOIN b ON a.k = b.k""",
        of_both,
    ),
    "what cancels out": (
        "SELECT k, sum(v) AS total FROM (SELECT k, v FROM a UNION ALL SELECT k, -v FROM a) GROUP BY k",
        balance,
    ),
    "first rows": (
        """SELECT k, v FROM (SELECT k, v FROM a UNION SELECT k, v FROM b)
        QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC) = 1""",
        first,
    ),
    "set operations": (
        "SELECT k, v FROM a EXCEPT ALL (SELECT k, v FROM b INTERSECT SELECT k, v FROM a)",
        lambda a, b: Counter(a) - Counter(set(upserted(b)) & set(a)),
    ),
    "no partner": (
        "SELECT k, count(DISTINCT v) AS c FROM a WHERE k NOT IN (SELECT v FROM b) GROUP BY k",
        lambda a, b: Counter(
            Counter(k for k, _ in set(a) if k not in {v for _, v in upserted(b)}).items()  # pairs are different values
        ),
    ),
}


def versions(query: str, seed: int) -> tuple[list[Counter[Row]], list[Row], list[Row]]:
    """The table's rows, version by version, and all rows of the two inputs."""
    draw = random.Random(seed)
    settings = {
        "execution.scheduler-seed": str(seed), "parallelism.default": str(draw.choice([1, 2, 3])),
        "table.exec.epoch-interval": "1 ms", "table.exec.mini-batch.enabled": draw.choice(["true", "false"]),
        "execution.batch-rows": str(draw.choice([1, 2, 100])),
    }  # fmt: skip
    inputs: list[list[Row]] = []
    with tableflow.connect(settings=settings) as connection:
        for name in "ab":
            rows: list[Row] = []
            events: list[Any] = []
            for _ in range(6):
                part = [(draw.randrange(3), draw.randrange(4)) for _ in range(draw.randrange(1, 3))]
                rows += part
                events += [Rows(part), Delay(draw.choice([0, 300, 1500]))]
            inputs.append(rows)
            how: dict[str, Any] = {"key": ["k"], "changelog": "upsert"} if name == "b" else {}
            connection.register_stream(name, SCHEMA, Script([*events, Done()]), **how)
        connection.execute(f"CREATE STREAMING TABLE s AS {query}")
        assert connection.session.await_jobs(30)
        numbers = sorted(row[0] for row in connection.execute("SHOW VERSIONS s").fetchall())
        seen = [connection.execute(f"SELECT * FROM s FOR VERSION AS OF {number}").fetchall() for number in numbers]
    return [Counter(map(tuple, rows)) for rows in seen], inputs[0], inputs[1]


def check(name: str, seed: int) -> int:
    """How many versions there were, each of them of prefixes that are no shorter than those of the one before."""
    query, oracle = QUERIES[name]
    seen, a, b = versions(query, seed)
    prefixes = [(i, j) for i in range(len(a) + 1) for j in range(len(b) + 1)]
    states = {(i, j): oracle(a[:i], b[:j]) for i, j in prefixes}
    possible = {(0, 0)}
    for number, state in enumerate(seen):
        possible = {
            (i, j)
            for i, j in prefixes
            if states[i, j] == state and any(before[0] <= i and before[1] <= j for before in possible)
        }
        assert possible, f"version {number} of {name!r} under seed {seed} is of no prefixes: {state}"
    assert seen[-1] == states[len(a), len(b)]
    return len(seen)


@pytest.mark.parametrize("name", QUERIES)
def test_every_version_is_of_prefixes(name: str) -> None:
    assert sum(check(name, seed) for seed in range(3)) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_every_version_is_of_prefixes_under_many_seeds(name: str) -> None:
    counts = [check(name, seed) for seed in range(100, 112)]
    assert max(counts) > 1
