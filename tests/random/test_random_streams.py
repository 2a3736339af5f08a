"""Random queries over tables with event time have one answer: as batch, as streams in every way of ``verify``, over rows that a
program goes on giving, and in DuckDB; and streaming tables are at every moment what their queries say."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

import tableflow
from tableflow.session.comparison import difference
from tests.random.stream_expressions import DISORDER, literal
from tests.random.stream_queries import StreamQueryMaker

COLUMNS = {"k": "INT", "v": "INT", "s": "STRING", "ts": "TIMESTAMP(3)"}
MODES = (
    {"parallelism.default": "2"},
    {"parallelism.default": "3", "execution.scheduler-seed": "5", "execution.batch-rows": "2"},
    {"parallelism.default": "2", "table.exec.mini-batch.enabled": "true", "execution.batch-rows": "3"},
)


def _arrivals(maker: StreamQueryMaker) -> list[tuple]:
    """Rows in an order in which none is late."""
    return sorted(maker.rows(), key=lambda row: row[3].timestamp() + maker.random.random() * DISORDER * 0.9)


def _theirs(tables: dict[str, list[tuple]]) -> duckdb.DuckDBPyConnection:
    theirs = duckdb.connect()
    for name, rows in tables.items():
        theirs.execute(f"CREATE TABLE {name} (k INT, v INT, s VARCHAR, ts TIMESTAMP)")
        if rows:
            theirs.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", rows)
    return theirs


def _sum(cursor: tableflow.Cursor) -> list[tuple]:
    rows = cursor.fetchall()
    if cursor.description[0][0] != "op":
        return rows
    counts: Counter[tuple] = Counter()
    for op, *row in rows:
        counts[tuple(row)] += 1 if op[0] == "+" else -1
        assert counts[tuple(row)] >= 0, "a row goes that has not come"
    return list(counts.elements())


def _check_live(seed: int, queries: int, depth: int) -> None:
    maker = StreamQueryMaker(seed)
    tables = {name: _arrivals(maker) for name in "efd"}
    theirs = _theirs(tables)
    with tableflow.connect(settings=MODES[seed % len(MODES)]) as ours:
        for name, rows in tables.items():
            event_time = None if name == "d" else ("ts", timedelta(seconds=DISORDER))
            ours.register_stream(name, COLUMNS, rows, watermark=event_time)
        for _ in range(queries):
            query = maker.query(depth)
            try:
                found = _sum(ours.execute(query.ours))
            except tableflow.NotSupportedError:
                continue
            expected = theirs.execute(query.theirs).fetchall()
            assert difference(expected, found) is None, f"{query.ours}\n{query.theirs}"


def _check_verified(seed: int, queries: int, depth: int, folder: Path) -> None:
    maker = StreamQueryMaker(seed)
    tables = {name: _arrivals(maker) for name in "efd"}
    theirs = _theirs(tables)
    with tableflow.connect() as ours:
        for name, rows in tables.items():
            path = folder / f"{name}.json"
            lines = [json.dumps(dict(zip(COLUMNS, (*row[:3], str(row[3])), strict=True))) for row in rows]
            path.write_text("\n".join(lines))
            time = "" if name == "d" else f", WATERMARK FOR ts AS ts - INTERVAL '{DISORDER}' SECOND"
            ours.execute(
                f"CREATE TABLE {name} (k INT, v INT, s STRING, ts TIMESTAMP(3){time})"
                f" WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"
            )
        for _ in range(queries):
            query = maker.query(depth)
            expected = theirs.execute(query.theirs).fetchall()
            found = ours.execute(query.ours).fetchall()
            assert difference(expected, found) is None, f"{query.ours}\n{query.theirs}"
            try:
                for leg in ours.session.verify(query.ours):
                    assert leg.difference is None, f"{leg.name}\n{query.ours}"
            except tableflow.NotSupportedError:
                continue


def _check_kept(seed: int, tables: int, statements: int, folder: Path) -> None:
    """Streaming tables over managed tables equal their queries after every statement, and in the database opened again."""
    maker = StreamQueryMaker(seed)
    mode = MODES[seed % len(MODES)]
    history: list[str] = []
    ours = tableflow.connect(folder / "db", settings=mode)
    for name in "efd":
        ours.execute(f"CREATE TABLE {name} (k INT, v INT, s STRING, ts TIMESTAMP(3))")
    queries: dict[str, str] = {}
    while len(queries) < tables:
        text = maker.query(2).ours
        if "DESCRIPTOR" not in text and "ASOF" not in text:
            name = f"kept{len(queries)}"
            ours.execute(f"CREATE STREAMING TABLE {name} AS {text}")
            queries[name] = text
    for number in range(statements):
        if number == statements // 2:
            ours.close()
            ours = tableflow.connect(folder / "db", settings=mode)
        history.append(maker.statement())
        ours.execute(history[-1])
        for name, text in queries.items():
            found = difference(ours.execute(text).fetchall(), ours.execute(f"SELECT * FROM {name}").fetchall())
            assert found is None, "\n".join([f"{name}: {found}", text, *history])
    ours.close()


def test_random_streams() -> None:
    _check_live(1, queries=5, depth=2)


def test_random_verified_queries(tmp_path: Path) -> None:
    _check_verified(2, queries=2, depth=1, folder=tmp_path)


def test_random_streaming_tables(tmp_path: Path) -> None:
    _check_kept(3, tables=3, statements=4, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 13))
def test_more_random_streams(seed: int, tmp_path: Path) -> None:
    _check_live(seed, queries=12, depth=3)
    _check_kept(seed, tables=4, statements=5, folder=tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_random_streams(seed: int, tmp_path: Path) -> None:
    _check_live(seed, queries=25, depth=3)
    _check_verified(seed, queries=5, depth=2, folder=tmp_path)
    _check_kept(seed, tables=5, statements=12, folder=tmp_path)


def test_literals() -> None:
    assert [literal(value) for value in (None, 5, "x")] == ["NULL", "5", "'x'"]
