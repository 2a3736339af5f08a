"""After every row that comes, what a query over streams has said adds up to its answer over the rows so far, which is computed from scratch.

DuckDB computes it: it knows nothing of streams, and nothing of what we have said before.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tableflow
from tableflow.connectors.rows import rows
from tableflow.connectors.script import Rows
from tableflow.session import Session
from tableflow.session.comparison import difference
from tableflow.session.live_tables import LiveDescription
from tests.random.stream_expressions import DISORDER
from tests.random.stream_queries import StreamQueryMaker
from tests.slt.stream_run import Told
from tests.streaming.test_sums import GROUPS, JOINS, ORDERS, SCHEMA, SETS

Change = tuple[tuple[Any, ...], int]
NEVER = "30 d"
MODES = (
    {"parallelism.default": "1"},
    {"parallelism.default": "2", "table.exec.mini-batch.enabled": "true"},
    {"parallelism.default": "3", "execution.scheduler-seed": "9"},
)


def drawn(draw: random.Random, count: int) -> list[tuple[str, Change]]:
    """Rows that come to one of two tables, and go if they are there."""
    there: dict[str, Counter[tuple[Any, ...]]] = {"a": Counter(), "b": Counter()}
    made = []
    for _ in range(count):
        name = draw.choice("ab")
        present = sorted(there[name].elements(), key=repr)
        if present and draw.random() < 0.35:
            row, weight = draw.choice(present), -1
        else:
            row = (draw.choice([None, 1, 2]), draw.choice([None, 0, 1, 2, 3]), draw.choice([None, "x", "y"]))
            weight = 1
        there[name][row] += weight
        made.append((name, (row, weight)))
    return made


def plain(row: Any) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


class Naive:
    """DuckDB with the rows that are there."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        for name in "ab":
            self._connection.execute(f"CREATE TABLE {name} (k INT, v INT, s VARCHAR)")

    def change(self, name: str, row: tuple[Any, ...], weight: int) -> None:
        if weight > 0:
            self._connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?)", row)
            return
        same = " AND ".join(f"{column} IS NOT DISTINCT FROM ?" for column in SCHEMA)
        self._connection.execute(f"DELETE FROM {name} WHERE rowid = (SELECT min(rowid) FROM {name} WHERE {same})", row)

    def answer(self, query: str) -> Counter[Any]:
        return Counter(map(plain, self._connection.execute(query).fetchall()))


def check(query: str, seed: int, count: int = 14) -> None:
    draw = random.Random(f"{query} {seed}")
    session = Session({**MODES[seed % len(MODES)], "table.exec.epoch-interval": NEVER})
    naive, scripts = Naive(), {name: Told([]) for name in "ab"}
    for name, script in scripts.items():
        session.registrations.stream(name, LiveDescription(SCHEMA, None, (), "retract"), script)
    result = session.execute(query).result.running  # type: ignore[union-attr]
    total: Counter[Any] = Counter()
    try:
        for name, (row, weight) in drawn(draw, count):
            scripts[name].tell(Rows([row], [weight]), 0)
            naive.change(name, row, weight)
            for batch in result.settled():
                for kind, *values in rows(batch):
                    total[plain(values)] += 1 if kind[0] == "+" else -1
            found = Counter({shown: count for shown, count in total.items() if count})
            assert found == naive.answer(query), f"{query} under seed {seed} after {name} {row} {weight}"
    finally:
        result.close()
        session.close()


@pytest.mark.slow
@pytest.mark.parametrize("queries", [SETS, JOINS, GROUPS, ORDERS], ids=["sets", "joins", "groups", "orders"])
def test_every_prefix_of_changes(queries: list[str]) -> None:
    for number, query in enumerate(queries):
        check(query, number)


def test_a_prefix_of_changes() -> None:
    for number, queries in enumerate((SETS, JOINS, GROUPS, ORDERS)):
        check(queries[0], number)


def write(path: Path, given: list[tuple[Any, ...]]) -> None:
    names = ("k", "v", "s", "ts")
    path.write_text("".join(json.dumps(dict(zip(names, (*row[:3], str(row[3])), strict=True))) + "\n" for row in given))


def check_verified(seed: int, queries: int, folder: Path, most: int = 5) -> int:
    """How many answers were compared: of queries with event time, which streams give at the end of each prefix, in all ways of ``verify``."""
    maker = StreamQueryMaker(seed)
    tables = {name: sorted(maker.rows(), key=lambda row: row[3])[:most] for name in "efd"}
    compared = 0
    with tableflow.connect() as ours:
        for name in tables:
            (folder / f"{name}.json").write_text("")
            time = "" if name == "d" else f", WATERMARK FOR ts AS ts - INTERVAL '{DISORDER}' SECOND"
            ours.execute(
                f"CREATE TABLE {name} (k INT, v INT, s STRING, ts TIMESTAMP(3){time})"
                f" WITH ('connector' = 'filesystem', 'path' = '{folder / name}.json', 'format' = 'json')"
            )
        for query in [maker.query(2) for _ in range(queries)]:
            for cut in range(most + 1):
                theirs = duckdb.connect()
                for name, given in tables.items():
                    theirs.execute(f"CREATE TABLE {name} (k INT, v INT, s VARCHAR, ts TIMESTAMP)")
                    write(folder / f"{name}.json", given[:cut])
                    for row in given[:cut]:
                        theirs.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", row)
                expected = theirs.execute(query.theirs).fetchall()
                assert difference(expected, ours.execute(query.ours).fetchall()) is None, query.ours
                try:
                    for leg in ours.session.verify(query.ours):
                        assert leg.difference is None, f"{leg.name} of {cut} rows\n{query.ours}"
                        compared += leg.compared
                except tableflow.NotSupportedError:
                    break
    return compared


@pytest.mark.slow
def test_every_prefix_in_all_ways_of_verify(tmp_path: Path) -> None:
    assert check_verified(0, 2, tmp_path) > 0


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 6))
def test_every_prefix_of_more_queries_in_all_ways_of_verify(seed: int, tmp_path: Path) -> None:
    assert check_verified(seed, 4, tmp_path) > 0
