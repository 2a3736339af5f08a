"""Row groups that follow each other in a column: where ranges are cut, and answers that do not depend on it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.connectors import file_provider
from tableflow.connectors.filesystem.table import FileTable

ROWS = 400_000
FEW = 40_000


def write(path, keys, rows_per_group=50_000, **more):
    values = np.arange(len(keys)) % 1000
    pq.write_table(pa.table({"k": keys, "v": values, **more}), path, row_group_size=rows_per_group)
    return path


def boundaries(path, column="k"):
    return file_provider(str(path)).boundaries(column)


def test_ranges_are_about_as_large_as_a_split(tmp_path):
    keys = np.arange(ROWS) // 4
    assert boundaries(write(tmp_path / "groups.parquet", keys, 131_072)) == (32_768, 65_536, 98_304)
    small = boundaries(write(tmp_path / "small.parquet", keys, 10_000))
    assert len(small) == 3 and all(boundary % 2500 == 0 for boundary in small)
    large = boundaries(write(tmp_path / "large.parquet", keys, 200_000))
    assert large[1] == 50_000 and len(large) == 3


def test_the_order_of_row_groups_does_not_matter(tmp_path):
    keys = np.concatenate([np.arange(start, start + 131_072) for start in (262_144, 0, 131_072)])
    assert boundaries(write(tmp_path / "t.parquet", keys, 131_072)) == (131_072, 262_144)


@pytest.mark.parametrize(
    "keys",
    [
        np.random.default_rng(1).permutation(ROWS),
        np.arange(ROWS) % 5000,
        np.full(ROWS, 7),
        np.arange(ROWS) / 4.0,
        [f"{i:07}" for i in range(ROWS)],
    ],
    ids=["shuffled", "overlapping", "constant", "floating", "texts"],
)
def test_other_columns_have_none(tmp_path, keys):
    assert boundaries(write(tmp_path / "t.parquet", keys, 131_072)) == ()


def test_without_statistics_nothing_is_known(tmp_path):
    table = pa.table({"k": np.arange(ROWS)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=50_000, write_statistics=False)
    assert boundaries(tmp_path / "t.parquet") == ()


QUERIES = [
    "SELECT k, count(*), sum(v), min(v) FROM {t} GROUP BY k",
    "SELECT k, other, sum(v) FROM {t} WHERE v < 900 GROUP BY k, other",
    "SELECT count(DISTINCT v), k FROM {t} GROUP BY k",
    "SELECT DISTINCT k FROM {t}",
    "SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v, other) FROM {t}",
    "SELECT renamed, max(v) FROM (SELECT k AS renamed, v + 1 AS v FROM {t}) GROUP BY renamed",
    "SELECT t.k, sum(d.w) FROM {t} t JOIN (VALUES (1, 5), (2, 6), (3, 7)) d (n, w) ON t.v = d.n GROUP BY t.k",
]


@pytest.fixture(scope="module")
def clustered(tmp_path_factory):
    rng = np.random.default_rng(3)
    keys = pa.array(np.arange(FEW) // 7, mask=rng.random(FEW) < 0.01)
    path = tmp_path_factory.mktemp("clustered") / "t.parquet"
    return write(path, keys, 4_000, other=rng.integers(0, 3, FEW))


def answer(path, query, parallelism):
    with tableflow.connect(settings={"parallelism.default": str(parallelism)}) as connection:
        cursor = connection.cursor()
        cursor.execute(query.format(t=f"'{path}'"))
        return sorted(cursor.fetchall(), key=repr)


def exchanges(path, query, parallelism=2):
    with tableflow.connect(settings={"parallelism.default": str(parallelism)}) as connection:
        lines = connection.cursor().execute("EXPLAIN " + query.format(t=f"'{path}'")).fetchall()
    return [line.split("  {")[0].strip() for (line,) in lines if "Exchange" in line]


@pytest.mark.parametrize("query", QUERIES)
def test_groups_are_put_together_once(clustered, query, monkeypatch):
    monkeypatch.setattr("tableflow.connectors.filesystem.parquet_clusters._RANGE_ROWS", 4_000)
    from tableflow.connectors.filesystem.parquet import _boundaries

    _boundaries.cache_clear()
    plan = exchanges(clustered, query)
    assert any(line.startswith("Exchange range by [") for line in plan), plan
    assert not any(line.startswith("Exchange hash") for line in plan), plan
    expected = answer(clustered, query, 1)
    assert answer(clustered, query, 2) == expected
    assert answer(clustered, query, 3) == expected
    _boundaries.cache_clear()


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    "lie", [tuple(range(-50, 0)), tuple(range(20)), tuple(range(0, 10**9, 10**7)), (5, 6, 7, 2**62, 2**63 - 1)]
)
def test_wherever_statistics_say_that_rows_lie(clustered, query, lie, monkeypatch):
    """Cut at the wrong places rows are moved, and answers are the same."""
    monkeypatch.setattr(FileTable, "boundaries", lambda self, column: lie if column == "k" else ())
    assert any(line.startswith("Exchange range by [") for line in exchanges(clustered, query))
    assert answer(clustered, query, 2) == answer(clustered, query, 1)


def test_too_few_ranges_for_the_tasks(clustered, monkeypatch):
    monkeypatch.setattr(FileTable, "boundaries", lambda self, column: (10, 20, 30, 40, 50))
    assert "Exchange range by [k]" in exchanges(clustered, QUERIES[0], 2)
    assert "Exchange range by [k]" not in exchanges(clustered, QUERIES[0], 3)


@pytest.mark.parametrize("limit", ["", " LIMIT 20000", " LIMIT 100 OFFSET 2000"])
def test_ranges_are_dealt_out_in_turn_so_an_order_is_merged(clustered, limit, monkeypatch):
    """Of ten ranges each task has several, so that its rows one after the other are in no order of all."""
    monkeypatch.setattr(FileTable, "boundaries", lambda self, column: tuple(range(600, 6000, 600)))
    query = "SELECT k, sum(v) FROM {t} WHERE k IS NOT NULL GROUP BY k ORDER BY k" + limit
    assert any(line.startswith("Exchange range by [") for line in exchanges(clustered, query))
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        keys = [key for key, _ in connection.cursor().execute(query.format(t=f"'{clustered}'")).fetchall()]
    assert keys == sorted(keys) and len(keys) > 90
