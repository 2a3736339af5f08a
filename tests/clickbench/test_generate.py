"""The table is the same for the same seed, has the published columns, and what the queries look for."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.clickbench.generate import NAMED_REFERER, NAMED_URL, NAMED_USER, generate, row_groups
from benchmarks.clickbench.schema import HITS
from benchmarks.clickbench.texts import HOSTS


def test_facts_of_the_seed(hits):
    """Whoever changes a draw sees it here; figures of the benchmark cannot be compared over such a change."""
    found = duckdb.sql(
        f"""SELECT count(*), count(DISTINCT WatchID), count(DISTINCT UserID), count(DISTINCT URL), count(DISTINCT Title),
            count(DISTINCT Referer), count(DISTINCT SearchPhrase), count(DISTINCT CounterID), min(EventDate), max(EventDate),
            count(*) FILTER (CounterID = 62), count(*) FILTER (URL LIKE '%google%'), count(*) FILTER (Title LIKE '%Google%'),
            count(*) FILTER (SearchPhrase <> ''), count(*) FILTER (MobilePhoneModel <> ''),
            count(*) FILTER (UserID = {NAMED_USER}), count(*) FILTER (RefererHash = {NAMED_REFERER}),
            count(*) FILTER (URLHash = {NAMED_URL}), sum(strlen(URL)), sum(length(URL)), sum(strlen(Title)), sum(length(Title)),
            sum(ClientIP::BIGINT), sum(extract(epoch FROM EventTime))::BIGINT FROM '{hits}/hits.parquet'"""
    ).fetchall()[0]
    assert [str(value) for value in found] == FACTS


def test_schema_and_row_groups(hits):
    file = pq.ParquetFile(hits / "hits.parquet")
    assert file.schema_arrow.remove_metadata() == HITS
    assert len(HITS) == 105
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [1500] * 6 + [1000]
    assert all(column.null_count == 0 for column in file.read().columns)


def test_parts_are_ordered_by_counter_and_day():
    """And what follows from a page or a user is the same in all its rows."""
    table = pa.concat_tables(row_groups(4_000, 1, 1_000))
    keys = list(zip(table["CounterID"].to_pylist(), table["EventDate"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    for of, what in FOLLOWS:
        pairs = set(zip(table[of].to_pylist(), table[what].to_pylist(), strict=True))
        assert 1 < len(pairs) == len({value for value, _ in pairs}), (of, what)


def test_seed_decides(tmp_path):
    first, again, other = (generate(700, tmp_path / name, seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert first.read_bytes() == again.read_bytes()
    assert pq.read_table(first) != pq.read_table(other)


def test_hosts_differ():
    assert len(set(HOSTS.to_pylist())) == len(HOSTS)


FOLLOWS = [("UserID", "RegionID"), ("UserID", "MobilePhoneModel"), ("URL", "Title"), ("URLHash", "URL")]
FACTS = [
    "10000",
    "10000",
    "2299",
    "6135",
    "5510",
    "1608",
    "476",
    "2242",
    "2013-07-01",
    "2013-07-31",
    "546",
    "17",
    "25",
    "1305",
    "565",
    "67",
    "448",
    "80",
    "434291",
    "434291",
    "666861",
    "408427",
    "302585442544",
    "13739918414475",
]
