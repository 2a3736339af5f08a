"""Decompressed pages that are kept: what is read is the same with them and without, and they stay within their capacity."""

import os
import threading
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tableflow
from tableflow.columnar._native import PageCache
from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.config import MEMORY_LIMIT, PAGE_CACHE, Settings
from tableflow.connectors import file_provider
from tableflow.connectors.filesystem import page_cache as caching
from tableflow.connectors.filesystem.page_cache import SETTLED_NS, count_pages, resize_page_cache
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tests.connectors.scanning import scan

ROWS = 4000
COLUMNS = {
    "n": pa.array(range(ROWS), pa.int64()),
    "coded": pa.array([None if i % 7 == 0 else f"word {i % 50}" for i in range(ROWS)]),
    "text": pa.array([f"{i * 7919} is a text, and {i} is one, too" for i in range(ROWS)]),
}


def write(path, columns=COLUMNS, **options):
    options = {
        "compression": "snappy",
        "data_page_size": 2000,
        "write_batch_size": 100,
        "row_group_size": 1500,
        **options,
    }
    pq.write_table(pa.table(columns), path, **options)


def rows_of(columns=COLUMNS):
    return list(zip(*(column.to_pylist() for column in columns.values()), strict=True))


def read_chunk(path, name, cache, group=0):
    footer = read_footer(stat_file(str(path)))
    place = next(column for column in footer.columns if column.name == name)
    with path.open("rb") as file:
        reader = open_chunk(file.fileno(), footer.plan(group, place), cache)
        return pa.array(reader.read(reader.left)).to_pylist(), reader.pages


@pytest.mark.parametrize("codec", ["snappy", "zstd", "lz4", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_second_reading_decompresses_nothing(tmp_path, codec, version):
    path = tmp_path / "t.parquet"
    write(path, compression=codec, data_page_version=version, row_group_size=ROWS)
    cache = PageCache(1 << 24, 0)
    for name, column in COLUMNS.items():
        first, (decompressed, cached) = read_chunk(path, name, cache)
        again, (decompressed_again, cached_again) = read_chunk(path, name, cache)
        assert first == again == column.to_pylist()
        assert decompressed >= 1 and cached == 0
        # pages of version 2 that do not shrink are not compressed, so not all of a column need be
        assert (decompressed_again, cached_again) == (0, decompressed)
    assert cache.pages == cache.hits == cache.misses


def test_what_is_not_compressed_is_left_to_the_operating_system(tmp_path):
    path = tmp_path / "t.parquet"
    write(path, compression="none")
    cache = PageCache(1 << 24, 0)
    for _ in range(2):
        assert read_chunk(path, "n", cache)[1] == (0, 0)
    assert cache.pages == cache.hits == cache.misses == 0


def test_a_file_that_is_written_again_is_another(tmp_path):
    path = tmp_path / "t.parquet"
    cache = PageCache(1 << 24, 0)
    write(path, {"n": pa.array([1] * 100)})
    status = path.stat()
    assert read_chunk(path, "n", cache)[0] == [1] * 100
    other = tmp_path / "other.parquet"
    write(other, {"n": pa.array([2] * 100)})
    assert other.stat().st_size == status.st_size
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)  # as large and as old as before, and the path is the same
    assert read_chunk(path, "n", cache)[0] == [2] * 100


def test_a_file_that_was_changed_just_now_is_not_kept_yet(tmp_path):
    path = tmp_path / "t.parquet"
    write(path)
    young, old = PageCache(1 << 24, SETTLED_NS), PageCache(1 << 24, 0)
    for cache in (young, old):
        read_chunk(path, "n", cache)
    assert young.pages == 0 and old.pages > 0


def test_a_capacity_is_kept_and_nothing_fits_into_none(tmp_path):
    path = tmp_path / "t.parquet"
    write(path)
    cache = PageCache(40_000, 0)
    for _ in range(3):
        for name, column in COLUMNS.items():
            for group, start in enumerate(range(0, ROWS, 1500)):
                assert read_chunk(path, name, cache, group)[0] == column.slice(start, 1500).to_pylist()
                assert 0 < cache.bytes <= 40_000
    full = cache.bytes
    cache.resize(full - 1)
    assert cache.bytes < full
    cache.resize(0)
    assert cache.bytes == cache.pages == 0
    assert read_chunk(path, "n", cache)[1][1] == 0
    assert cache.bytes == 0


def test_reading_more_than_fits_again_and_again_finds_what_fits(tmp_path):
    """Where the page that was used least recently made room, none would be found."""
    paths = [tmp_path / f"{i}.parquet" for i in range(8)]
    columns = {"text": pa.array(np.random.default_rng(1).integers(0, 1 << 60, 20_000).astype(str))}
    for path in paths:
        write(path, columns, row_group_size=20_000, data_page_size=20_000, use_dictionary=False)
    whole = PageCache(1 << 28, 0)
    for path in paths:
        read_chunk(path, "text", whole)
    cache = PageCache(whole.bytes // 2, 0)
    for _ in range(2):
        for path in paths:
            read_chunk(path, "text", cache)
    before = cache.hits
    for path in paths:
        read_chunk(path, "text", cache)
    assert (cache.hits - before) * 4 > whole.pages


def test_what_is_read_no_more_often_does_not_take_the_place_of_what_is_here(tmp_path):
    """Columns of pages of many sizes, three times what fits: a page whose turn comes early would else push out one whose turn comes late."""
    rng = np.random.default_rng(2)
    columns = {
        "narrow": pa.array(rng.integers(0, 4, 30_000)),
        "wide": pa.array(rng.integers(0, 1 << 40, 30_000)),
        "text": pa.array([f"{i * 7919} is a text of {'some ' * (i % 7)} words" for i in range(30_000)]),
    }
    path = tmp_path / "t.parquet"
    write(path, columns, row_group_size=30_000, data_page_size=8000)
    whole = PageCache(1 << 28, 0)
    for name in columns:
        read_chunk(path, name, whole)
    cache = PageCache(whole.bytes // 3, 0)
    for name in columns:
        read_chunk(path, name, cache)
    assert cache.evictions == 0
    for _ in range(10):
        for name in columns:
            read_chunk(path, name, cache)
    assert cache.evictions < whole.pages < cache.hits


def test_pages_that_are_used_more_take_the_place_of_others(tmp_path):
    seldom, often = tmp_path / "seldom.parquet", tmp_path / "often.parquet"
    for path in (seldom, often):
        write(path)
    whole = PageCache(1 << 28, 0)
    read_chunk(often, "text", whole)
    cache = PageCache(whole.bytes, 0)
    read_chunk(seldom, "text", cache)
    pages = 0, 1
    for _ in range(60):
        pages = read_chunk(often, "text", cache)[1]
    assert pages[1] > pages[0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 120_000),
    st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), st.integers(0, 2), st.booleans()), min_size=1, max_size=30),
)
def test_any_order_of_readings_at_any_capacity(tmp_path_factory, capacity, readings):
    path = tmp_path_factory.getbasetemp() / "readings.parquet"
    if not path.exists():
        write(path)
    cache = PageCache(capacity, 0)
    for name, group, shrink in readings:
        values, (decompressed, cached) = read_chunk(path, name, cache, group)
        assert values == COLUMNS[name].slice(group * 1500, 1500).to_pylist()
        assert decompressed + cached > 0 and 0 <= cache.bytes <= cache.capacity
        if shrink:
            cache.resize(cache.capacity // 2)


def test_threads_share_it(tmp_path):
    path = tmp_path / "t.parquet"
    write(path)
    cache = PageCache(60_000, 0)
    wrong = []

    def read_all(seed):
        random = np.random.default_rng(seed)
        for _ in range(60):
            name, group = sorted(COLUMNS)[random.integers(3)], int(random.integers(3))
            if read_chunk(path, name, cache, group)[0] != COLUMNS[name].slice(group * 1500, 1500).to_pylist():
                wrong.append((name, group))

    threads = [threading.Thread(target=read_all, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and cache.hits > 0 and cache.bytes <= 60_000


def test_scans_read_from_it_and_say_so(tmp_path, page_cache):
    path = tmp_path / "t.parquet"
    write(path)
    expected = rows_of()
    assert scan(file_provider(str(path)), batch_rows=700) == expected
    missed = page_cache.misses
    assert page_cache.hits == 0 and page_cache.pages == missed > 0
    assert scan(file_provider(str(path)), batch_rows=700) == expected
    assert (page_cache.hits, page_cache.misses) == (missed, missed)
    with tableflow.connect() as connection:
        text = "\n".join(
            row[0] for row in connection.execute(f"EXPLAIN ANALYZE SELECT sum(n), min(text) FROM '{path}'").fetchall()
        )
    assert "pages_cached" in text and "pages_decompressed" not in text


def test_a_setting_says_how_large_it_is(tmp_path, page_cache):
    path = tmp_path / "t.parquet"
    write(path)
    with tableflow.connect() as connection:
        query = f"SELECT count(*), sum(n) FROM '{path}' WHERE text <> ''"
        wanted = [(ROWS, sum(range(ROWS)))]
        assert connection.execute(query).fetchall() == wanted
        assert page_cache.capacity == PAGE_CACHE.default and page_cache.pages > 0
        connection.execute("SET 'scan.page-cache' = '20kb'")
        assert connection.execute(query).fetchall() == wanted
        assert page_cache.capacity == 20 << 10 and 0 < page_cache.bytes <= 20 << 10
        connection.execute("SET 'scan.page-cache' = '0'")
        assert connection.execute(query).fetchall() == wanted
        assert page_cache.bytes == 0


def test_queries_that_may_use_little_memory_leave_it_little(page_cache):
    resize_page_cache(Settings().with_value(MEMORY_LIMIT.name, "8mb"))
    assert page_cache.capacity == 1 << 20
    resize_page_cache(Settings())
    assert page_cache.capacity == min(PAGE_CACHE.default, MEMORY_LIMIT.default // 8)


def test_counts_name_only_what_happened():
    counts = Counter()
    count_pages((0, 0), counts)
    assert not counts
    count_pages((2, 0), counts)
    count_pages((1, 3), counts)
    assert counts == {"pages_decompressed": 3, "pages_cached": 3}


def test_the_process_has_one():
    assert caching.page_cache() is caching.page_cache()
