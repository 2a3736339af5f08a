"""What the binder makes of a query means what the query means: interpreted by definition, compared with DuckDB."""

from __future__ import annotations

import random
from collections import Counter

import duckdb
import pytest

from tableflow.errors import BindError
from tests.planner.interpreter import TooManyRows, run
from tests.sql.binding import query
from tests.sql.random_queries import TABLES, QueryMaker
from tests.sql.tables import DeclaredCatalog, declared


def filled(seed: int, connection: duckdb.DuckDBPyConnection) -> DeclaredCatalog:
    """Random rows with many NULLs and duplicates, in DuckDB and for the interpreter."""
    draw = random.Random(seed)
    tables = {}
    for name, columns in TABLES.items():
        rows = [(draw.choice([None, 1, 2, 3]), draw.choice([None, 1, 2, 3, 4])) for _ in range(draw.randint(0, 4))]
        described = f"{columns[0]} INT, {columns[1]} {'BIGINT' if name == 'u' else 'INT'}"
        connection.execute(f"CREATE TABLE {name} ({described})")
        if rows:
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?)", rows)
        tables[name] = declared(described, rows)
    return DeclaredCatalog(tables)


def misplaced(error: BindError) -> bool:
    """Whether an aggregate over columns of an outer query stands where that query takes none, or makes groups of it."""
    return error.span is not None and any(part in error.message for part in ("outer query", "neither grouped"))


def compare(seed: int, count: int) -> Counter:
    """How many queries gave equal rows, could not be compared, and so on; a difference is an assertion."""
    made = QueryMaker(seed)
    connection = duckdb.connect()
    tables = filled(seed, connection)
    seen: Counter = Counter()
    for _ in range(count):
        text = made.query(made.random.randint(1, 3), made.random.randint(1, 2))
        try:
            plan = query(text, given=tables)
        except BindError as error:
            assert misplaced(error), text
            with pytest.raises(duckdb.Error):
                connection.execute(text)
            seen["misplaced aggregate"] += 1
            continue
        try:
            expected = connection.execute(text).fetchall()
        except duckdb.Error:
            # it refuses some correlated subqueries, and some crash it for good
            seen["not comparable"] += 1
            connection = duckdb.connect()
            tables = filled(seed, connection)
            continue
        try:
            found = run(plan)
        except TooManyRows:
            seen["second row"] += 1
            continue
        if found != Counter(expected):
            # some of its rewrites change answers (2.0.1): what it says without them counts then
            connection.execute("PRAGMA disable_optimizer")
            expected = connection.execute(text).fetchall()
            connection.execute("PRAGMA enable_optimizer")
        assert found == Counter(expected), text
        seen["equal"] += 1
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_queries(seed):
    seen = compare(seed, 40)
    assert seen["equal"] >= 25, seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(120, 122))
def test_more_random_queries(seed):
    assert compare(seed, 200)["equal"] >= 150


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_queries(seed):
    assert compare(seed, 500)["equal"] >= 400


@pytest.mark.slow
def test_every_random_query_binds():
    made = QueryMaker(999)
    for _ in range(150):
        text = made.query(4, 2)
        try:
            query(text)
        except BindError as error:
            assert misplaced(error), text
