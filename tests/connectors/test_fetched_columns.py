"""Columns that are fetched for the first rows by position are those that would have come with the rows."""

from __future__ import annotations

import datetime as dt
import os
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem import parquet
from tableflow.errors import ConnectorError, MemoryLimitError
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.runtime.graph import SourceSpec
from tableflow.serialization import dumps, loads
from tableflow.session import Session
from tableflow.types import BIGINT, BOOLEAN
from tests.connectors.scanning import all_types, rows_of, scan

pytestmark = pytest.mark.slow

ALWAYS = {"optimizer.late-columns": "always", "parallelism.default": "2"}
NEVER = {"optimizer.disabled-rules": "fetch_columns_late", "parallelism.default": "2"}
FORMS = [
    {"row_group_size": 700, "data_page_size": 1000, "write_page_index": True},
    {"row_group_size": 700, "data_page_size": 1000, "use_dictionary": False, "compression": "zstd"},
    {"data_page_size": 500, "data_page_version": "2.0", "use_dictionary": False, "compression": "none"},
]


def table(rows: int, first: int = 0) -> pa.Table:
    """Numbers from ``first`` on in an order of their own, and columns that follow from them, with NULLs."""
    numbers = list(range(first, first + rows))
    random.Random(first).shuffle(numbers)

    def column(make: Any, of: pa.DataType) -> pa.Array:
        return pa.array([None if n % 7 == 3 else make(n) for n in numbers], of)

    return pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "small": column(lambda n: n % 100, pa.int16()),
            "text": column(lambda n: f"text {n % 50}", pa.string()),
            "long": column(lambda n: f"{n:x}" * 20, pa.string()),
            "money": column(lambda n: Decimal(n) / 4, pa.decimal128(12, 2)),
            "day": column(lambda n: dt.date(2020, 1, 1) + dt.timedelta(n % 300), pa.date32()),
            "at": column(lambda n: dt.datetime(2020, 1, 1) + dt.timedelta(seconds=n), pa.timestamp("us")),
            "yes": column(lambda n: n % 2 == 0, pa.bool_()),
            "list": column(lambda n: [n, None], pa.list_(pa.int64())),
            "real": column(lambda n: n / 8, pa.float64()),
        }
    )


def run(sql: str, settings: dict[str, str], *before: str) -> tuple[list[tuple[Any, ...]], bool]:
    """The rows in order, and whether any columns were fetched."""
    session = Session(settings)
    try:
        for each in before:
            session.execute(each)
        result = session.execute(sql).result
        assert result is not None
        rows: list[tuple[Any, ...]] = []
        while (batch := result.next_batch()) is not None:
            rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        result.close()
        return rows, any(one.rule == "fetch_columns_late" and one.count for one in result.planned.optimized.trace)
    finally:
        session.close()


def agree(sql: str, *before: str, more: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    """The rows, which are the same without the rule."""
    more = more or {}
    found, fetched = run(sql, ALWAYS | more, *before)
    expected, fetched_never = run(sql, NEVER | more, *before)
    assert fetched and not fetched_never
    assert found == expected, sql
    return found


@pytest.mark.parametrize("form", FORMS, ids=["indexed", "zstd", "plain"])
def test_rows_of_several_files(tmp_path: Path, form: dict[str, Any]) -> None:
    for i in range(3):
        pq.write_table(table(2000, 2000 * i), tmp_path / f"{i}.parquet", **form)
    files = f"'{tmp_path}/*.parquet'"
    for sql in [
        f"SELECT * FROM {files} WHERE text LIKE '%1%' ORDER BY n LIMIT 10",
        f"SELECT * FROM {files} ORDER BY small DESC NULLS LAST, n LIMIT 25 OFFSET 13",
        f"SELECT long, money, n + 1 FROM {files} WHERE yes ORDER BY n DESC LIMIT 3",
        f"SELECT upper(long) AS u, length(text) + small AS l, n AS m, n FROM {files} WHERE yes ORDER BY n % 1000, n LIMIT 7",
        f"SELECT n, long, day FROM {files} WHERE n > 1000000 ORDER BY n LIMIT 3",
        f"SELECT text, at, real, yes FROM {files} WHERE small < 50 OR day IS NULL ORDER BY day, n LIMIT 3000",
        f"SELECT a.long, b.money FROM (SELECT * FROM {files} ORDER BY n LIMIT 5) a JOIN {files} b ON a.n = b.n - 1 ORDER BY a.n",
    ]:
        rows = agree(sql)
        assert bool(rows) is ("1000000" not in sql)
    agree(f"SELECT * FROM {files} ORDER BY n LIMIT 9", more={"execution.scheduler-seed": "3"})
    agree(
        f"SELECT * FROM {files} ORDER BY n DESC LIMIT 90",
        more={"debug.serialize-plans": "on", "execution.batch-rows": "7"},
    )


def test_rows_are_found_by_what_a_scan_says_of_them(tmp_path: Path) -> None:
    pq.write_table(table(100), tmp_path / "t.parquet")
    provider = file_provider(str(tmp_path / "t.parquet"))
    positions = [row[1] for row in scan(provider, ["n", provider.position])]
    assert positions == sorted(set(positions))
    rows = scan(provider, ["text", "n"])
    spec = loads(dumps(SourceSpec(*provider.fetch(("text", "n")))))
    lookup = Sources().open_lookup(spec)
    wanted = [0, 3, 4, 99]
    found = lookup.fetch(Batch([Column(BIGINT, pa.array([positions[i] for i in wanted], pa.int64()))], len(wanted)))
    assert rows_of(found) == [rows[i] for i in wanted]
    lookup.close()


@pytest.mark.parametrize("alone", [False, True], ids=["together", "alone"])
def test_positions_are_places_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    if alone:
        monkeypatch.setattr(parquet, "MIDDLING_ROWS", 0)
    numbers = table(3000).append_column("part", pa.array(np.arange(3000) // 100 % 3, pa.int64()))
    with pq.ParquetWriter(tmp_path / "t.parquet", numbers.schema) as writer:
        for start in range(0, 3000, 100):
            writer.write_table(numbers.slice(start, 100))
            writer.write_table(numbers.slice(0, 0))
    provider = file_provider(str(tmp_path / "t.parquet"))
    stored = numbers["n"].to_pylist()
    part = Call(BOOLEAN, "lt", (ColumnRef(BIGINT, 1, "part"), Literal(BIGINT, 1)))
    few = Call(BOOLEAN, "lt", (ColumnRef(BIGINT, 2, "n"), Literal(BIGINT, 300)))
    for predicates, least in ([], 3000), ([part], 1000), ([few], 300), ([part, few], 50):
        for rows in 70, 5000:
            found = scan(provider, ["part", "n", provider.position], predicates, batch_rows=rows)
            assert least <= len(found) <= (1000 if part in predicates else 3000)
            assert all(stored[place] == n for _, n, place in found)
            assert len({place for *_, place in found}) == len(found)
    assert [place for (place,) in scan(provider, [provider.position], batch_rows=70)] == list(range(3000))


def test_columns_of_directories_and_files_that_are_ruled_out(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"part={i}").mkdir()
        pq.write_table(table(500, 500 * i).drop_columns(["list"]), tmp_path / f"part={i}" / "x.parquet")
    declared = (
        "CREATE TEMPORARY TABLE parts (n BIGINT, small BIGINT, text STRING, money DECIMAL(20, 2), part INT) "
        f"PARTITIONED BY (part) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
    )
    rows = agree("SELECT * FROM parts WHERE part >= 2 ORDER BY n DESC LIMIT 4 OFFSET 498", declared)
    assert {row[-1] for row in rows} == {2, 3}
    agree("SELECT part, money, text FROM parts WHERE part <> 1 ORDER BY small, n LIMIT 7", declared)


def test_every_type_in_every_representation(tmp_path: Path) -> None:
    types = all_types(300)
    numbered = types.append_column("number", pa.array([n * 7 % 300 for n in range(300)], pa.int64()))
    pq.write_table(numbered, tmp_path / "t.parquet", row_group_size=90)
    for representation in ("natural", "wide", "dictionary"):
        agree(
            f"SELECT * FROM '{tmp_path}/t.parquet' ORDER BY number LIMIT 50",
            more={"debug.representation": representation},
        )


def test_fetched_columns_are_used_above(tmp_path: Path) -> None:
    for i in range(2):
        pq.write_table(table(3000, 3000 * i), tmp_path / f"{i}.parquet", row_group_size=1000)
    source = f"(SELECT * FROM '{tmp_path}/*.parquet' WHERE n BETWEEN 3500 AND 3700 ORDER BY n LIMIT 150)"
    assert agree(f"SELECT count(*), min(long), sum(money) FROM {source}")[0][0] == 150


def test_a_file_that_has_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(100), path)
    provider = file_provider(str(path))
    lookup = Sources().open_lookup(SourceSpec(*provider.fetch(("text",))))
    keys = Batch([Column(BIGINT, pa.array([5], pa.int64()))], 1)
    assert lookup.fetch(keys).length == 1
    os.utime(path, ns=(1, 1))
    with pytest.raises(ConnectorError, match=r"t\.parquet' was changed while it was being read"):
        lookup.fetch(keys)
    path.unlink()
    with pytest.raises(ConnectorError, match=r"t\.parquet' does not exist"):
        lookup.fetch(keys)


def test_a_damaged_page_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": range(1000), "text": [f"text {n}" for n in range(1000)]}), path, use_dictionary=False)
    start = pq.read_metadata(path).row_group(0).column(1).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 200] = bytes([0xFF]) * 200
    path.write_bytes(data)
    for settings in (ALWAYS, NEVER):
        with pytest.raises(ConnectorError, match=r"t\.parquet' is damaged or incomplete"):
            run(f"SELECT * FROM '{path}' ORDER BY n DESC LIMIT 3", settings)


def test_a_null_where_none_is_declared_is_an_error(tmp_path: Path) -> None:
    pq.write_table(table(100), tmp_path / "t.parquet")
    declared = (
        "CREATE TEMPORARY TABLE t (n BIGINT, small SMALLINT NOT NULL) "
        f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
    )
    for settings in (ALWAYS, NEVER):
        with pytest.raises(ConnectorError, match="has a NULL in column 'small'"):
            run("SELECT * FROM t ORDER BY n LIMIT 10", settings, declared)


def test_what_is_closed_reads_no_more(tmp_path: Path) -> None:
    pq.write_table(table(100), tmp_path / "t.parquet")
    lookup = Sources().open_lookup(SourceSpec(*file_provider(str(tmp_path / "t.parquet")).fetch(("text",))))
    lookup.close()
    assert lookup.fetch(Batch([Column(BIGINT, pa.array([5], pa.int64()))], 1)).length == 0


def test_what_is_fetched_is_accounted(tmp_path: Path) -> None:
    long = pa.table({"n": range(3000), "text": ["x" * 5000 + str(n) for n in range(3000)]})
    pq.write_table(long, tmp_path / "t.parquet", use_dictionary=False, row_group_size=100)
    with pytest.raises(MemoryLimitError, match="fetched rows"):
        run(f"SELECT * FROM '{tmp_path}/t.parquet' ORDER BY n LIMIT 2000", ALWAYS | {"memory.limit": "16MB"})


def test_formats_that_do_not_tell_positions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n,t\n1,a\n2,b\n")
    pq.write_table(pa.table({"n": [2, 1], "l": [[1], [2]]}), tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        rows, fetched = run(f"SELECT * FROM '{tmp_path / name}' ORDER BY n LIMIT 1", ALWAYS)
        assert not fetched
        assert rows[0][0] == 1
