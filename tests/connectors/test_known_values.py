"""Counts and extremes that footers of Parquet files tell are those that reading gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar.kernels.parquet_metadata import Leaf
from tableflow.connectors import file_provider
from tableflow.connectors.filesystem.parquet_bounds import bounds_are_values
from tableflow.errors import ConnectorError
from tableflow.session import Session
from tableflow.types import BIGINT, DOUBLE, STRING, DecimalType, SqlType
from tests.connectors.scanning import all_types

RULE = "answer_from_known_values"


def run(sql: str, settings: dict[str, str], *before: str) -> tuple[tuple[Any, ...], bool, str]:
    """The one row, whether the rule fired, and the optimised plan."""
    session = Session(settings)
    try:
        for each in before:
            session.execute(each)
        plan = session.execute(f"EXPLAIN {sql}").result
        assert plan is not None
        batch = plan.next_batch()
        assert batch is not None
        text = "\n".join(batch.columns[0].to_pylist())
        result = session.execute(sql).result
        assert result is not None
        rows: list[tuple[Any, ...]] = []
        while (batch := result.next_batch()) is not None:
            rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        result.close()
        assert len(rows) == 1
        fired = any(one.rule == RULE and one.count for one in result.planned.optimized.trace)
        return rows[0], fired, text
    finally:
        session.close()


def agree(sql: str, *before: str, reads: bool = False) -> tuple[Any, ...]:
    """The row, which is the same without the rule; nothing is read for it, unless it is said that something is."""
    found, fired, plan = run(sql, {}, *before)
    expected, never, _ = run(sql, {"optimizer.disabled-rules": RULE}, *before)
    assert not never
    assert repr(found) == repr(expected), sql  # NaN does not equal itself
    assert fired
    assert ("ValuesScan" not in plan) is reads, plan
    return found


def calls(columns: list[str]) -> str:
    return ", ".join(f"min({c}), max({c}), count({c})" for c in columns)


def test_every_type_of_several_files_with_groups_of_nulls(tmp_path: Path) -> None:
    rows = all_types(300)
    nothing = pa.table({f.name: pa.nulls(50, f.type) for f in rows.schema}).cast(rows.schema)
    pq.write_table(pa.concat_tables([rows.slice(0, 100), nothing]), tmp_path / "0.parquet", row_group_size=50)
    pq.write_table(rows.slice(100), tmp_path / "1.parquet", row_group_size=70)
    pq.write_table(rows.slice(0, 0), tmp_path / "2.parquet")
    columns = [name for name in rows.column_names if name not in {"single", "real"}]
    found = agree(f"SELECT count(*), {calls(columns)} FROM '{tmp_path}/*.parquet'")
    assert found[:4] == (350, 0, 299, 300)
    agree(f"SELECT {calls(['single', 'id'])} FROM '{tmp_path}/*.parquet'", reads=True)


def test_casts_that_keep_the_order(tmp_path: Path) -> None:
    pq.write_table(all_types(200), tmp_path / "t.parquet", row_group_size=90)
    agree(
        "SELECT min(CAST(at AS DATE)), max(CAST(day AS TIMESTAMP)), min(CAST(medium AS DOUBLE)), max(CAST(small AS BIGINT)), "
        f"min(CAST(tiny AS DECIMAL(10, 2))) FROM '{tmp_path}/t.parquet'"
    )


@pytest.mark.parametrize("rows", [0, 5])
def test_no_rows_and_nothing_but_null(tmp_path: Path, rows: int) -> None:
    pq.write_table(pa.table({"n": pa.nulls(rows, pa.int64())}), tmp_path / "t.parquet")
    assert agree(f"SELECT count(*), {calls(['n'])} FROM '{tmp_path}/t.parquet'") == (rows, None, None, 0)


def test_floats_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0, float("nan"), -0.0, 0.0]}), tmp_path / "t.parquet")
    found = agree(f"SELECT count(*), min(x), max(x) FROM '{tmp_path}/t.parquet'", reads=True)
    assert repr(found[::2]) == "(4, nan)"
    assert found[1] == 0


def test_a_row_group_without_statistics_is_read_with_all_others(tmp_path: Path) -> None:
    one = pa.table({"n": [5, 7], "m": [1, None]})
    pq.write_table(one, tmp_path / "0.parquet")
    pq.write_table(one, tmp_path / "1.parquet", write_statistics=["m"])
    source = f"FROM '{tmp_path}/*.parquet'"
    assert agree(f"SELECT min(n), count(m), max(m) {source}", reads=True) == (5, 2, 1)
    assert agree(f"SELECT count(m), max(m) {source}") == (2, 1)


def test_types_that_were_declared(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": pa.array([300, -4], pa.int16()), "t": ["b", "a"]}), tmp_path / "t.parquet")
    declared = (
        "CREATE TEMPORARY TABLE declared (N DECIMAL(20, 2), t CHAR(3)) "
        f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
    )
    agree("SELECT min(N), max(N), count(N) FROM declared", declared)


def test_columns_of_directories(tmp_path: Path) -> None:
    for part, rows in (("3", 2), ("11", 4), ("__HIVE_DEFAULT_PARTITION__", 3), ("99", 0)):
        (tmp_path / f"part={part}").mkdir()
        pq.write_table(pa.table({"n": pa.array(range(rows), pa.int64())}), tmp_path / f"part={part}" / "x.parquet")
    declared = (
        "CREATE TEMPORARY TABLE parts (n BIGINT, part INT) PARTITIONED BY (part) "
        f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
    )
    found = agree("SELECT count(*), count(part), min(part), max(part), max(n) FROM parts", declared)
    assert found == (9, 6, 3, 11, 3)
    (tmp_path / "part=x").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "part=x" / "x.parquet")
    with pytest.raises(ConnectorError, match="is no INT"):
        run("SELECT max(part) FROM parts", {}, declared)


def test_other_formats_know_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n\n1\n2\n")
    row, fired, _ = run(f"SELECT count(*), max(n) FROM '{tmp_path}/t.csv'", {})
    assert row == (2, 2)
    assert not fired


def test_a_file_that_has_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), path)
    provider = file_provider(str(path))
    assert provider.known_rows(("n",)) is not None
    pq.write_table(pa.table({"n": [1, 2, 3]}), path)
    with pytest.raises(ConnectorError, match="was changed"):
        provider.known_rows(("n",))


INT = Leaf("n", "INT64", 0, 1, 0, ordered=True)
TEXT = Leaf("t", "BYTE_ARRAY", 0, 1, 0, ordered=True)
BOUNDS = {5: b"b", 6: b"a"}


@pytest.mark.parametrize(
    ("said", "leaf", "of", "expected"),
    [
        ({}, INT, BIGINT, True),
        ({7: False}, INT, BIGINT, False),
        ({7: True, 8: True}, INT, BIGINT, True),
        ({}, TEXT, STRING, False),
        ({7: True}, TEXT, STRING, False),
        ({7: True, 8: True}, TEXT, STRING, True),
        ({7: True, 8: False}, TEXT, STRING, False),
        ({}, TEXT, DecimalType(30, 2), False),
        ({7: True, 8: True}, Leaf("n", "INT64", 0, 1, 0, ordered=False), BIGINT, False),
        ({7: True, 8: True}, Leaf("x", "DOUBLE", 0, 1, 0, ordered=True), DOUBLE, False),
    ],
)
def test_bounds_that_are_values(said: dict[int, bool], leaf: Leaf, of: SqlType, expected: bool) -> None:
    assert bounds_are_values({**BOUNDS, **said}, leaf, of) is expected
    assert not bounds_are_values({**said, 5: b"b"}, leaf, of)


def test_casts_that_give_null_where_a_value_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"n": pa.array([300, -4, 5], pa.int64())}), path)
    tried = "TRY_CAST(n AS TINYINT)"
    found, fired, _ = run(f"SELECT min({tried}), max({tried}), count({tried}) FROM '{path}'", {})
    assert found == (-4, 5, 2)
    assert not fired


def test_nulls_that_the_declaration_rules_out_are_an_error_still(tmp_path: Path) -> None:
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"n": pa.array([3, None, 5], pa.int64())}), path)
    declared = (
        f"CREATE TABLE d (n BIGINT NOT NULL) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet')"
    )
    for call in ("max(n)", "count(n)"):
        with pytest.raises(ConnectorError, match="has a NULL in column 'n'"):
            run(f"SELECT {call} FROM d", {}, declared)
