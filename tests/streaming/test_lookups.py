"""Joins with tables that are asked for the rows of keys: over finished data and streams, however slow the answers are."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.errors import BindError, CatalogError, ConnectorError, InterfaceError, UnsupportedError

SCHEMA = {"id": "INT", "name": "STRING"}
ROWS = [(i % 23 if i % 11 else None, i, datetime(2026, 1, 1) + timedelta(seconds=i)) for i in range(400)]
QUERY = "SELECT l.v, d.name FROM {table} l {kind} JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON l.k = d.id"


def found(keys: Any) -> list[tuple[int, str]]:
    """Two rows for some keys, none for others."""
    return [(k, f"{part}{k}") for part in "ab" for (k,) in keys if k % 3 and (part == "a" or k % 2)]


def expected(kind: str) -> list[tuple[Any, ...]]:
    rows = []
    for k, v, _ in ROWS:
        names = [name for _, name in sorted(found([(k,)]))] if k is not None else []
        rows += [(v, name) for name in names or ([None] if kind else [])]
    return rows


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "16"}) as opened:
        yield opened


def as_stream(connection: tableflow.Connection) -> None:
    shape = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
    connection.register_stream("s", shape, lambda: iter(ROWS), watermark=("ts", timedelta(seconds=5)))


def as_table(connection: tableflow.Connection) -> None:
    k, v, _ = zip(*ROWS, strict=True)
    connection.register("f", pa.table({"k": pa.array(k, pa.int32()), "v": pa.array(v, pa.int32())}))


def all_rows(cursor: tableflow.Cursor) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    while some := cursor.fetchmany(1000, timeout=20):
        rows += map(tuple, some)
    return rows


async def slowly(keys: Any) -> Any:
    await asyncio.sleep((keys[0][0] % 4) / 500)
    return [{"name": name, "id": k} for k, name in found(keys)]


def in_arrow(keys: pa.RecordBatch) -> pa.Table:
    assert keys.schema.names == ["id"]
    rows = found(list(zip(keys.column(0).to_pylist())))
    return pa.table({"name": [name for _, name in rows], "id": pa.array([k for k, _ in rows], pa.int64())})


def after_a_while(keys: Any) -> Any:
    time.sleep(0.001)
    return iter(found(keys))


@pytest.mark.parametrize("kind", ["", "LEFT"])
@pytest.mark.parametrize("fetch", [slowly, in_arrow, after_a_while])
def test_finished_data_and_streams_give_the_same(connection: tableflow.Connection, kind: str, fetch: Any) -> None:
    options = {"lookup.cache": "partial"} if fetch is slowly else {"lookup.batch-size": "3"}
    connection.register_lookup("d", SCHEMA, fetch, arrow=fetch is in_arrow, options=options)
    as_stream(connection)
    as_table(connection)
    wanted = expected(kind)
    for table in ("f", "s"):
        for mode in ("ordered", "allow_unordered"):
            connection.execute(f"SET 'table.exec.async-lookup.output-mode' = '{mode}'")
            got = all_rows(connection.execute(QUERY.format(table=table, kind=kind)))
            assert sorted(got, key=repr) == sorted(wanted, key=repr)
            if table == "s" and mode == "ordered":
                assert [v for v, _ in got] == [v for v, _ in wanted]


def test_no_watermark_overtakes_a_row_that_waits(connection: tableflow.Connection) -> None:
    connection.register_lookup("d", SCHEMA, slowly)
    as_stream(connection)
    query = """SELECT window_end, count(*), count(name) FROM TUMBLE(
        (SELECT l.ts, d.name FROM s l LEFT JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON l.k = d.id), ts, INTERVAL '10' SECOND)
        GROUP BY window_start, window_end"""
    for mode in ("ordered", "allow_unordered"):
        connection.execute(f"SET 'table.exec.async-lookup.output-mode' = '{mode}'")
        got = sorted(all_rows(connection.execute(query)))
        of_rows = dict.fromkeys((end for end, *_ in got), 0)
        for k, _, ts in ROWS:
            end = datetime(2026, 1, 1) + timedelta(seconds=10 * ((ts - datetime(2026, 1, 1)).seconds // 10 + 1))
            of_rows[end] += max(1, len(found([(k,)]))) if k is not None else 1
        assert {end: count for end, count, _ in got} == of_rows


def test_answers_come_back_while_others_are_waited_for(connection: tableflow.Connection) -> None:
    """One slow answer does not hold up those of other questions: all are open at a time."""
    together = threading.Barrier(4)

    def wait_for_others(keys: Any) -> Any:
        together.wait(timeout=20)
        return found(keys)

    connection.execute("SET 'parallelism.default' = '1'")
    connection.register_lookup("d", SCHEMA, wait_for_others, options={"lookup.calls": "4", "lookup.batch-size": "1"})
    connection.execute("CREATE TABLE four (k INT, v INT)")
    connection.execute("INSERT INTO four VALUES (1, 1), (2, 2), (4, 4), (5, 5)")
    assert len(connection.execute(QUERY.format(table="four", kind="")).fetchall()) == 6


def test_a_seed_decides_everything(connection: tableflow.Connection) -> None:
    connection.register_lookup("d", SCHEMA, slowly, options={"lookup.cache": "partial"})
    as_stream(connection)
    connection.execute("SET 'execution.scheduler-seed' = '3'")
    assert sorted(all_rows(connection.execute(QUERY.format(table="s", kind="LEFT"))), key=repr) == sorted(
        expected("LEFT"), key=repr
    )


def test_errors_name_the_table_and_the_key(connection: tableflow.Connection) -> None:
    def fails(keys: Any) -> Any:
        raise KeyError("no such thing")

    async def never(keys: Any) -> Any:
        await asyncio.sleep(60)

    connection.execute("CREATE TABLE one (k INT, v INT)")
    connection.execute("INSERT INTO one VALUES (7, 1)")
    query = QUERY.format(table="one", kind="")
    over = threading.Event()
    late = "no answer within 0.01 s (table.exec.async-lookup.timeout)"
    for fetch, said in (
        (fails, "KeyError"), (never, late), (lambda _: over.wait(60), late), (lambda _: [(1, 2, 3)], "3"),
    ):  # fmt: skip
        connection.execute(f"SET 'table.exec.async-lookup.timeout' = '{'10 ms' if said == late else '1 min'}'")
        connection.register_lookup("d", SCHEMA, fetch)
        with pytest.raises(ConnectorError, match="lookup table 'd' gave no rows for id = 7") as caught:
            connection.execute(query).fetchall()
        assert said in str(caught.value.detail)
    over.set()


def test_keys_and_types(connection: tableflow.Connection) -> None:
    asked: list[Any] = []

    def fetch(keys: Any) -> Any:
        asked.extend(keys)
        return [(k, kind, f"{k}-{kind}") for k, *_ in keys for kind in ("x", "y")]

    schema = {"id": "BIGINT", "kind": "STRING", "name": "STRING"}
    connection.execute("CREATE TABLE t (k INT, kind STRING)")
    connection.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    query = """SELECT t.k, d.name FROM t LEFT JOIN d FOR SYSTEM_TIME AS OF PROCTIME() AS d
        ON t.kind = d.kind AND t.k = d.id ORDER BY t.k"""
    connection.register_lookup("d", schema, fetch)
    assert connection.execute(query).fetchall() == [(1, "1-x"), (2, "2-y"), (3, None)]
    assert sorted(asked) == [(1, "x"), (2, "y"), (3, "z")]
    asked.clear()
    connection.register_lookup("d", schema, fetch, key=("id",))
    assert connection.execute(query).fetchall() == [(1, "1-x"), (2, "2-y"), (3, None)]
    assert sorted(asked) == [(1,), (2,), (3,)]
    assert connection.execute(query.replace("ORDER", "WHERE d.name LIKE '%x' ORDER")).fetchall() == [(1, "1-x")]


@pytest.mark.parametrize("stream", [False, True])
def test_constants_and_other_conditions(connection: tableflow.Connection, stream: bool) -> None:
    """Constants are part of the key; of what was found counts what satisfies the rest."""
    asked: list[Any] = []

    def fetch(keys: Any) -> Any:
        asked.extend(keys)
        return [(k, kind, f"{k}-{kind}-{n}", n) for k, kind in keys for n in (10, 20)]

    connection.register_lookup("d", {"id": "BIGINT", "kind": "STRING", "name": "STRING", "n": "INT"}, fetch, key=("id", "kind"))  # fmt: skip
    rows = [(1, 5), (2, 15), (3, None), (None, 1), (4, 25), (7, 0)]
    if stream:
        connection.register_stream("t", {"k": "INT", "v": "INT"}, rows)
    else:
        connection.execute("CREATE TABLE t (k INT, v INT)")
        connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", rows)
    on = "t.k = d.id AND d.kind = 'x' AND d.n > t.v AND t.k <> 7"
    found = [(1, "1-x-10"), (1, "1-x-20"), (2, "2-x-20")]
    for kind, alone in (("", []), ("LEFT", [(3, None), (4, None), (7, None), (None, None)])):
        query = f"SELECT t.k, d.name FROM t {kind} JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON {on}"
        assert sorted(all_rows(connection.execute(query)), key=repr) == sorted(found + alone, key=repr)
    assert set(asked) == {(k, "x") for k in (1, 2, 3, 4, 7)}
    (plan,) = [row[0] for row in connection.execute(f"EXPLAIN {query}").fetchall() if "LookupJoin" in row[0]]
    assert "'x' = kind and n > v and k <> 7" in plan


@pytest.mark.parametrize("how", ["function", "coroutine", "seed"])
def test_questions_are_asked_again(connection: tableflow.Connection, how: str) -> None:
    """What fails is asked as a whole, what is missing by its key, as often as the options say."""
    asked: list[list[int]] = []
    failures = 2

    def flaky(keys: Any) -> Any:
        asked.append(sorted(k for (k,) in keys))
        if len(asked) <= failures:
            raise OSError("gone")
        return [(k, f"n{k}") for (k,) in keys if len(asked) - failures >= k]

    async def waits(keys: Any) -> Any:
        await asyncio.sleep(0)
        return flaky(keys)

    connection.execute("CREATE TABLE t (k INT, v INT)")
    connection.execute("INSERT INTO t VALUES (1, 1), (2, 2), (9, 9)")
    if how == "seed":
        connection.execute("SET 'execution.scheduler-seed' = '1'")
    query = QUERY.format(table="t", kind="LEFT")
    fetch = waits if how == "coroutine" else flaky

    def register(retries: int, when: str) -> None:
        options = {"lookup.max-retries": str(retries), "lookup.retry-predicate": when, "lookup.retry-delay": "1 ms"}
        connection.register_lookup("d", SCHEMA, fetch, options=options)
        asked.clear()

    register(4, "any")
    assert sorted(connection.execute(query).fetchall()) == [(1, "n1"), (2, "n2"), (9, None)]
    assert asked == [[1, 2, 9]] * 3 + [[2, 9], [9]]
    register(2, "failure")
    assert sorted(connection.execute(query).fetchall()) == [(1, "n1"), (2, None), (9, None)]
    assert asked == [[1, 2, 9]] * 3
    for retries, when, times in ((1, "failure", 2), (5, "lookup_miss", 1)):
        register(retries, when)
        with pytest.raises(ConnectorError, match=r"lookup table 'd' gave no rows for id = 1, 2, 9") as caught:
            connection.execute(query).fetchall()
        assert str(caught.value.detail) == "OSError: gone" + (" (asked 2 times)" if times == 2 else "")
        assert len(asked) == times


@pytest.mark.parametrize(
    ("key", "column", "keys", "held"),
    [
        ("TIMESTAMP(3)", "DATE", ["2024-01-01 00:00:00", "2024-01-01 09:30:00"], [date(2024, 1, 1)]),
        ("TIMESTAMP(3)", "TIMESTAMP_LTZ(3)", ["2024-01-01 00:00:00"], [datetime(2024, 1, 1, tzinfo=UTC)]),
        ("BIGINT", "INT", ["5", "4294967301"], [5]),
        ("DOUBLE", "INT", ["2.5", "-0.0", "7.0"], [0, 7]),
        ("DECIMAL(10,3)", "DECIMAL(6,2)", ["1.500", "1.505"], [Decimal("1.50")]),
        ("STRING", "CHAR(3)", ["ab", "abcd"], ["ab "]),
    ],
)
def test_keys_of_other_types(
    connection: tableflow.Connection, key: str, column: str, keys: list[str], held: list[Any]
) -> None:
    """The table is asked for values of its column; what that cannot hold is in no row of it."""
    asked: list[Any] = []

    def fetch(wanted: Any) -> Any:
        asked.extend(k for (k,) in wanted)
        return [(k, "found") for k in held]  # also what is not asked for

    options = {"lookup.retry-predicate": "any", "lookup.max-retries": "3", "lookup.retry-delay": "1 ms"}
    connection.register_lookup("d", {"id": column, "name": "STRING"}, fetch, options={**options, "lookup.batch-size": "1"})  # fmt: skip
    connection.execute(f"CREATE TABLE t (k {key}, v INT)")
    for number, text in enumerate(keys):
        connection.execute(f"INSERT INTO t VALUES (CAST('{text}' AS {key}), {number}), (NULL, 9)")
    rows = connection.execute(QUERY.format(table="t", kind="LEFT")).fetchall()
    assert sorted(asked) == held
    assert [name for _, name in rows].count("found") == len(held)
    assert len(rows) == 2 * len(keys)


def test_rows_that_come_again_count_once(connection: tableflow.Connection) -> None:
    """A function that gives all it has when only some keys are asked for once more."""
    connection.execute("CREATE TABLE t (k INT, v INT)")
    connection.execute("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    options = {"lookup.retry-predicate": "lookup_miss", "lookup.max-retries": "2", "lookup.retry-delay": "1 ms"}
    connection.register_lookup("d", SCHEMA, lambda _: [(1, "a"), (1, "b"), (3, "c")], options=options)
    rows = connection.execute(QUERY.format(table="t", kind="LEFT")).fetchall()
    assert sorted(rows, key=repr) == [(1, "a"), (1, "b"), (2, None), (3, "c")]


def test_what_is_refused(connection: tableflow.Connection) -> None:
    connection.register_lookup("d", SCHEMA, found, key=("id",))
    connection.register_lookup("e", {"at": "TIMESTAMP(3)"}, found)
    connection.execute("CREATE TABLE t (k INT, name STRING, day DATE)")
    as_stream(connection)
    grouped = "(SELECT k, count(*) AS c FROM s GROUP BY k)"
    for query, error, text in (
        ("SELECT * FROM d", UnsupportedError, "can only be asked"),
        ("SELECT * FROM t JOIN d ON t.k = d.id", UnsupportedError, "can only be asked"),
        ("SELECT * FROM t JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON t.name = d.name", UnsupportedError, "asked by id"),
        ("SELECT * FROM t JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON t.k < d.id", UnsupportedError, "asked by id"),
        (
            "SELECT * FROM t JOIN e FOR SYSTEM_TIME AS OF PROCTIME() ON CAST(e.at AS DATE) = t.day",
            UnsupportedError,
            "asked by at",
        ),
        ("SELECT * FROM t JOIN t FOR SYSTEM_TIME AS OF PROCTIME() AS u ON t.k < u.k", BindError, "takes equalities"),
        (
            f"SELECT * FROM {grouped} t JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON t.k = d.id",
            UnsupportedError,
            "taken back",
        ),
    ):
        with pytest.raises(error, match=text):
            connection.execute(query).fetchall()
    with pytest.raises(InterfaceError, match="gives no rows"):
        connection.register_lookup("e", SCHEMA, 3)  # type: ignore[arg-type]
    with pytest.raises(InterfaceError, match="no column"):
        connection.register_lookup("e", SCHEMA, found, key=("x",))
    with pytest.raises(CatalogError, match="has no option"):
        connection.register_lookup("e", SCHEMA, found, options={"lookup.cash": "full"})


def test_a_question_that_is_never_answered_holds_nobody_up(connection: tableflow.Connection) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hangs(keys: Any) -> Any:
        asked.set()
        answer.wait(60)

    connection.register_lookup("d", SCHEMA, hangs)
    as_stream(connection)
    cursor = connection.execute(QUERY.format(table="s", kind=""))
    assert asked.wait(20)
    began = time.monotonic()
    cursor.close()
    assert time.monotonic() - began < 10
    answer.set()


def test_an_answer_that_does_not_fit_is_told_with_one_hint() -> None:
    with tableflow.connect() as connection:
        connection.register_stream("s", {"k": "INT"}, [(1,)])
        connection.register_lookup("l", {"k": "INT", "v": "STRING"}, lambda keys: [("x", "y")])
        sql = "SELECT q.v FROM (SELECT *, PROCTIME() AS p FROM s) t JOIN l FOR SYSTEM_TIME AS OF t.p AS q ON t.k = q.k"
        with pytest.raises(tableflow.Error, match="row 1 of the answer has 'x'") as caught:
            connection.execute(sql).fetchall()
        assert str(caught.value).count("give an int") == 1
