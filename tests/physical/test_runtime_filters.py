"""Runtime filters: scans leave out what the keys of a finished build rule out, and nothing that counts."""

from __future__ import annotations

import datetime as dt
import random
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.number_set import MOST_SPAN
from tableflow.connectors.filesystem.listed_values import ListedValues
from tableflow.connectors.part_matcher import may_match
from tableflow.connectors.pruning import ColumnRange
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.physical.key_values import (
    MOST_NUMBERS,
    KeyValues,
    can_be_described,
    key_values,
    united,
)
from tableflow.runtime.narrowing import MOST_IN_CONJUNCT

ROWS, GROUP = 4_000, 200


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``facts``: ordered by ``k``, in many row groups; ``few``: rows that meet some of them."""
    folder = tmp_path_factory.mktemp("files")
    rng = random.Random(7)
    keys = [i // 2 for i in range(ROWS)]
    day = dt.date(2020, 1, 1)

    def columns(of: list[int | None]) -> dict[str, pa.Array]:
        def made(function, type: pa.DataType) -> pa.Array:
            return pa.array([None if k is None else function(k) for k in of], type)

        return {
            "k": pa.array(of, pa.int64()),
            "i": made(lambda k: k, pa.int32()),
            "s": made(lambda k: f"key {k:05}", pa.string()),
            "d": made(lambda k: day + dt.timedelta(days=k), pa.date32()),
            "n": made(lambda k: Decimal(k) / 4, pa.decimal128(12, 2)),
            "m": made(lambda k: dt.datetime(2020, 1, 1) + dt.timedelta(hours=k), pa.timestamp("us")),
            "f": made(float, pa.float64()),
        }

    facts = columns(keys) | {"v": pa.array([rng.randrange(100) for _ in keys]), "x": pa.array([*keys[:-1], None])}
    pq.write_table(pa.table(facts), folder / "facts.parquet", row_group_size=GROUP)
    few = columns([1003, None, 1001, 1001, 5000, 1100]) | {"w": pa.array([1, 2, 3, 4, 5, 6])}
    pq.write_table(pa.table(few), folder / "few.parquet")
    return folder


def connected(files: Path, **settings: str) -> tableflow.dbapi.Connection:
    connection = tableflow.connect(settings={"parallelism.default": "2"} | settings)
    for name in ("facts", "few"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{files / name}.parquet'")
    return connection


def mode(files: Path, value: str, **settings: str) -> tableflow.dbapi.Connection:
    connection = connected(files, **settings)
    connection.execute(f"SET 'optimizer.runtime-filters' = '{value}'")
    return connection


def explained(connection: tableflow.dbapi.Connection, sql: str, how: str = "") -> str:
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {how} {sql}").fetchall())


def counted(text: str, table: str, name: str) -> int:
    line = next(line for line in text.splitlines() if "TableScan" in line and table in line)
    found = re.search(rf"{name} ([\d,]+)", line)
    return 0 if found is None else int(found.group(1).replace(",", ""))


def sorted_rows(connection: tableflow.dbapi.Connection, sql: str) -> list[tuple[object, ...]]:
    return sorted(connection.execute(sql).fetchall(), key=repr)


JOIN = "SELECT sum(v), count(*) FROM facts JOIN few ON facts.{0} = few.{1}"


@pytest.mark.parametrize(("probe", "build"), [(c, c) for c in "kisdnm"] + [("i", "k"), ("k", "i")])
def test_row_groups_without_keys_of_the_build_are_not_read(files: Path, probe: str, build: str) -> None:
    with mode(files, "auto") as narrowed, mode(files, "off") as plain:
        sql = JOIN.format(probe, build)
        text = explained(narrowed, sql, "ANALYZE")
        assert counted(text, "facts", "runtime_filters") > 0, text
        assert counted(text, "facts", "row_groups_pruned") == ROWS // GROUP - 2, text
        assert counted(text, "facts", "actual rows") <= 2 * GROUP, text
        assert "narrowed by" not in explained(plain, sql)
        assert counted(explained(plain, sql, "ANALYZE"), "facts", "actual rows") == ROWS
        assert narrowed.execute(sql).fetchall() == plain.execute(sql).fetchall()


NOT_NARROWED = {
    "rows without a partner are kept": "SELECT count(w), count(*) FROM facts LEFT JOIN few ON facts.k = few.k",
    "NULLs meet": "SELECT count(*) FROM facts JOIN few ON facts.x IS NOT DISTINCT FROM few.k",
    "-0.0 is 0.0": "SELECT count(*) FROM facts JOIN few ON facts.f = few.f",
    "computed": "SELECT count(*) FROM facts JOIN few ON facts.k + 1 = few.k",
    "the first rows are chosen before": "SELECT count(*) FROM (SELECT k FROM facts ORDER BY v, k LIMIT 2500) q JOIN few ON q.k = few.k",
    "a window sees all": "SELECT sum(c) FROM (SELECT k, count(*) OVER () AS c FROM facts) q JOIN few ON q.k = few.k",
    "another key may fail": "SELECT count(*) FROM facts JOIN few ON facts.k = few.k AND 10 / (facts.k + 1) = few.k - few.k",
    "a column may fail": "SELECT sum(c) FROM (SELECT k, 10 / (k + 1) AS c FROM facts) q JOIN few ON q.k = few.k",
    "anti": "SELECT count(*) FROM facts WHERE NOT EXISTS (SELECT 1 FROM few WHERE few.k = facts.k)",
}


@pytest.mark.parametrize("sql", NOT_NARROWED.values(), ids=NOT_NARROWED)
def test_what_must_see_all_rows_does(files: Path, sql: str) -> None:
    with mode(files, "always") as always, mode(files, "off") as off:
        lines = [line for line in explained(always, sql).splitlines() if "facts" in line]
        assert lines
        assert not any("narrowed by" in line for line in lines), lines
        assert always.execute(sql).fetchall() == off.execute(sql).fetchall()


AGREEING = [
    "SELECT facts.k, w FROM facts JOIN few ON facts.s = few.s WHERE v > 10",
    "SELECT facts.k, w FROM few LEFT JOIN facts ON facts.k = few.k AND v > 50",
    "SELECT k FROM facts WHERE k IN (SELECT k FROM few)",
    "SELECT k, w FROM few WHERE NOT EXISTS (SELECT 1 FROM facts WHERE facts.k = few.k)",
    "SELECT k, w, EXISTS (SELECT 1 FROM facts WHERE facts.d = few.d) FROM few",
    "SELECT facts.k, a.w, b.w FROM facts JOIN few a ON facts.k = a.k JOIN few b ON facts.n = b.n",
    "SELECT facts.k, a.w, b.w FROM facts LEFT JOIN few a ON facts.k = a.k + 1 JOIN few b ON facts.m = b.m",
    "SELECT count(*) FROM facts JOIN (SELECT k FROM few WHERE w > 100) q ON facts.k = q.k",
    "SELECT count(*) FROM facts JOIN (SELECT k FROM few WHERE k IS NULL) q ON facts.k = q.k",
    "SELECT count(*), sum(a.v) FROM facts a JOIN facts b ON a.k = b.k + 1000",
    "SELECT max(w) FROM (SELECT i AS j, v FROM facts WHERE v < 90) q JOIN few ON q.j = few.k AND q.v > few.w",
]


@pytest.mark.parametrize(
    "settings",
    [{}, {"parallelism.default": "1", "execution.batch-rows": "3"}, {"debug.representation": "dictionary"},
     {"debug.representation": "wide", "debug.serialize-plans": "true", "execution.scheduler-seed": "5"}],
    ids=str,
)  # fmt: skip
def test_results_do_not_depend_on_them(files: Path, settings: dict[str, str]) -> None:
    with mode(files, "always", **settings) as always, mode(files, "off") as off:
        for sql in AGREEING:
            assert sorted_rows(always, sql) == sorted_rows(off, sql), sql
        for sql in AGREEING[:2]:
            assert "narrowed by" in explained(always, sql), sql


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``sales`` of ``items`` in ``towns``; both know their town, and NULL is one of them."""
    folder = tmp_path_factory.mktemp("shop")
    rng = random.Random(13)
    towns: list[int | None] = [*range(50), None]
    items = [towns[i * len(towns) // 800] for i in range(800)]
    sold = [rng.randrange(800) for _ in range(6_000)]
    sales = {"item": sold, "town": [items[i] if i % 3 else rng.choice(towns) for i in sold], "v": list(range(6_000))}
    pq.write_table(pa.table(sales), folder / "sales.parquet")
    pq.write_table(pa.table({"id": list(range(800)), "at": items}), folder / "items.parquet", row_group_size=50)
    pq.write_table(
        pa.table({"t": towns, "n": [None if t is None else t // 10 for t in towns]}), folder / "towns.parquet"
    )
    return folder


SHOP = "FROM sales JOIN towns ON town = t {0} items ON id = item AND {1} WHERE n = 2"
PASSED_ON = {
    "inner": f"SELECT count(*), sum(v), sum(id) {SHOP.format('JOIN', 'at = town')}",
    "left": f"SELECT count(*), sum(v), sum(id) {SHOP.format('LEFT JOIN', 'at = t')}",
    "semi": "SELECT count(*), sum(v) FROM sales JOIN towns ON town = t WHERE n = 2"
    " AND EXISTS (SELECT 1 FROM items WHERE id = item AND at = town)",
    "below": "SELECT count(*), sum(v) FROM (SELECT item, town + 0 AS w, town AS x, v FROM sales) JOIN towns ON x = t"
    " JOIN items ON id = item AND at = x WHERE n = 2",
}
KEPT = {
    "the build that narrows is met later": "SELECT count(*), sum(v) FROM sales JOIN towns ON town = t WHERE n = 2"
    " AND NOT EXISTS (SELECT 1 FROM items WHERE id = item AND at = town)",
    "lone rows of the build": f"SELECT count(*), sum(v), sum(id) {SHOP.format('FULL JOIN', 'at = town').replace('WHERE', 'AND')}",
    "computed": f"SELECT count(*), sum(v), sum(id) {SHOP.format('JOIN', 'at + 1 = town')}",
    "NOT IN": "SELECT count(*) FROM sales JOIN towns ON town = t WHERE n = 2 AND town NOT IN (SELECT at FROM items)",
    "not met": "SELECT count(*), sum(v), sum(id) FROM sales LEFT JOIN towns ON town = t AND n = 2"
    " JOIN items ON id = item AND at = town",
}


@pytest.mark.parametrize("settings", [{}, {"parallelism.default": "1", "debug.serialize-plans": "true"}], ids=str)
@pytest.mark.parametrize(
    ("sql", "passed"), [(s, True) for s in PASSED_ON.values()] + [(s, False) for s in KEPT.values()]
)
def test_what_probe_rows_have_met_narrows_later_builds(
    shop: Path, sql: str, passed: bool, settings: dict[str, str]
) -> None:
    answers = []
    for value in ("auto", "always", "off"):
        with tableflow.connect(
            settings={"parallelism.default": "2", "optimizer.runtime-filters": value} | settings
        ) as con:
            for name in ("sales", "items", "towns"):
                con.execute(f"CREATE VIEW {name} AS SELECT * FROM '{shop / name}.parquet'")
            hinted = sql.replace("SELECT ", "SELECT /*+ BROADCAST(items), LEADING(sales, towns, items) */ ", 1)
            answers.append(con.execute(hinted).fetchall())
            if value != "auto":
                continue
            text = explained(con, hinted, "ANALYZE")
            narrowed = re.search(r"items[^{]* narrowed by [^{]*\bat in", text) is not None
            assert narrowed is passed, text
            if passed:
                assert counted(text, "items", "row_groups_pruned") > 8, text
                assert counted(text, "items", "actual rows") <= 200, text
    assert answers[0] == answers[1] == answers[2]


def test_managed_tables_are_looked_up_by_key_or_pruned_by_zones() -> None:
    with tableflow.connect(
        settings={"parallelism.default": "2", "storage.inline-rows": "0", "storage.chunk-rows": "500"}
    ) as con:
        con.register("numbers", {"n": list(range(20_000))})
        con.execute("CREATE TABLE t (k BIGINT PRIMARY KEY, z BIGINT, v STRING)")
        con.execute("INSERT INTO t SELECT n, n, 'old' FROM numbers")
        con.execute("CREATE TABLE s (k BIGINT, v STRING)")
        con.execute("INSERT INTO s VALUES (17, 'a'), (19999, 'b'), (30000, 'c'), (NULL, 'd')")
        text = explained(con, "SELECT t.v FROM t JOIN s ON t.k = s.k", "ANALYZE")
        assert counted(text, " t ", "keys_looked_up") == 3, text
        assert counted(text, " t ", "actual rows") == 2, text
        text = explained(con, "SELECT t.v FROM t JOIN s ON t.z = s.k WHERE s.k < 100", "ANALYZE")
        assert counted(text, " t ", "chunks_pruned") > 0, text
        assert counted(text, " t ", "actual rows") < 20_000, text
        writes = [
            "UPDATE t SET v = s.v FROM s WHERE t.k = s.k",
            "INSERT INTO t SELECT k, 0, v FROM s WHERE k > 0 ON CONFLICT (k) DO UPDATE SET v = excluded.v || t.v",
            "INSERT INTO t SELECT k, 0, v FROM s WHERE k > 0 ON CONFLICT DO NOTHING",
            "MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = t.v || 'm'",
            "DELETE FROM t USING s WHERE t.k = s.k AND s.k < 18",
        ]
        for sql in writes:
            assert "narrowed by k" in explained(con, sql), sql
        assert [con.execute(sql).rowcount for sql in writes] == [2, 3, 0, 3, 1]
        assert sorted_rows(con, "SELECT k, v FROM t WHERE v <> 'old'") == [(19999, "bbm"), (30000, "cm")]


def values_of(of: t.SqlType, *arrays: pa.Array) -> KeyValues:
    parts = []
    for array in arrays:
        part = key_values(of)
        part.add(Column(of, array), None)
        parts.append(part)
    return united(parts)


COLUMN = ColumnRef(t.BIGINT, 1, "k")


def test_values_are_listed_while_they_are_few_and_bounded_always() -> None:
    few = values_of(t.BIGINT, pa.array([5, None, 7]), pa.array([7, -1], pa.int8()), pa.array([None], pa.int64()))
    assert (few.minimum, few.maximum, few.listed(MOST_NUMBERS)) == (-1, 7, [-1, 5, 7])
    assert [one.function for one in few.conjuncts(COLUMN)] == ["ge", "le", "in"]
    assert [one.function for one in few.conjuncts(COLUMN, 1)] == ["ge", "le"]
    many = values_of(t.BIGINT, pa.array([1, 2]), pa.array(range(10, 11 + MOST_IN_CONJUNCT)))
    assert [one.function for one in many.conjuncts(COLUMN)] == ["ge", "le"]
    listed = many.key_list(COLUMN)
    assert listed is not None
    assert listed.values.tolist() == [1, 2, *range(10, 11 + MOST_IN_CONJUNCT)]
    most = values_of(t.BIGINT, pa.array([-5]), pa.array(range(MOST_NUMBERS)), pa.array([3]))
    assert (most.minimum, most.maximum, most.listed(MOST_NUMBERS), most.key_list(COLUMN)) == (
        -5,
        MOST_NUMBERS - 1,
        None,
        None,
    )
    texts = values_of(t.STRING, pa.array(["b", "é", "b"]).dictionary_encode(), pa.array(["a", None]))
    assert (texts.minimum, texts.maximum, texts.listed(MOST_NUMBERS), texts.key_list(COLUMN)) == (
        "a",
        "é",
        ["a", "b", "é"],
        None,
    )
    exact = values_of(t.DecimalType(6, 2), pa.array([Decimal("1.50"), Decimal("-2.25")]))
    assert (exact.minimum, exact.maximum, exact.listed(MOST_NUMBERS)) == (-225, 150, [-225, 150])
    wide = values_of(t.DecimalType(38, 0), pa.array([Decimal(10) ** 30, Decimal(1)], pa.decimal128(38, 0)))
    assert (wide.minimum, wide.maximum, wide.listed(MOST_NUMBERS)) == (1, 10**30, None)
    many = np.arange(2 << 20, dtype=np.int64)
    factor = MOST_SPAN // len(many)
    close, far = values_of(t.BIGINT, pa.array(many * (factor - 1))), values_of(t.BIGINT, pa.array(many * (factor + 1)))
    assert close.key_list(COLUMN) is not None
    assert (far.key_list(COLUMN), far.maximum) == (None, int(many[-1]) * (factor + 1))
    nothing = values_of(t.BIGINT, pa.array([None, None], pa.int64()))
    assert nothing.conjuncts(COLUMN) == (Literal(t.BOOLEAN, value=False),)
    assert not can_be_described(t.DOUBLE)
    assert not can_be_described(t.StringType(4, fixed=True))


def test_rows_without_listed_keys_are_not_decoded(tmp_path: Path) -> None:
    rng = random.Random(11)
    keys = list(range(60_000))
    rng.shuffle(keys)
    pq.write_table(pa.table({"k": keys, "v": keys}), tmp_path / "facts.parquet", use_dictionary=False)
    few = rng.sample(keys, 3_000)
    pq.write_table(pa.table({"k": few}), tmp_path / "few.parquet")
    with connected(tmp_path) as con:
        sql = "SELECT count(*), sum(v) FROM facts JOIN few ON facts.k = few.k"
        text = explained(con, sql, "ANALYZE")
        assert counted(text, "facts", "rows_filtered") == 57_000, text
        assert counted(text, "facts", "actual rows") == 3_000, text
        assert con.execute(sql).fetchall() == [(3_000, sum(few))]


def test_long_lists_prune_as_short_ones_do() -> None:
    def may(items: list[int], low: int, high: int) -> bool:
        arguments: tuple[Expression, ...] = tuple(Literal(t.BIGINT, item) for item in items)
        predicate = Call(t.BOOLEAN, "in", (ColumnRef(t.BIGINT, 1, "k"), *arguments))
        return may_match(predicate, {"k": ColumnRange(t.BIGINT, low, high, 0, 10)}.get)

    long = list(range(0, 1000, 10))
    random.Random(3).shuffle(long)
    for low, high in [(-5, -1), (-5, 0), (1, 9), (1, 10), (985, 2000), (991, 2000), (0, 999)]:
        assert may(long, low, high) is any(low <= value <= high for value in long), (low, high)


@pytest.mark.parametrize("spread", [50, 10**12])
def test_a_listed_value_is_found_and_no_other(spread: int) -> None:
    rng = random.Random(spread)
    for first in (-spread, 0, 2**62, -(2**63)):
        values = sorted({first + rng.randrange(spread) for _ in range(20)})
        listed = ListedValues(np.array(values, np.int64))
        assert listed.quick
        asked = [*values, *[v + d for v in values for d in (-1, 1) if v + d >= -(2**63)], -(2**63), 2**63 - 1, 0]
        rows = listed.rows(Column(t.BIGINT, pa.array(asked)), None, None)
        assert [asked[row] for row in rows] == [v for v in asked if v in set(values)]
        low, high = values[3] - (1 if values[3] > -(2**63) else 0), values[9]
        assert listed.between(low, high) == sum(low <= v <= high for v in values)
        assert listed.within(None, high) == (values[0], high)
