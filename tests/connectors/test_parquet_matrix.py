"""Everything that pyarrow, DuckDB and Polars write is decoded natively and equals what pyarrow reads."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tests.connectors.parquet_matrix import (
    CODECS,
    DENSITIES,
    DUCKDB_OPTIONS,
    ENCODINGS,
    POLARS_OPTIONS,
    assert_same,
    table_of,
    write_duckdb,
    write_polars,
)
from tests.connectors.test_parquet_native import no_fallback  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


def not_native(path):
    """Columns that are left to pyarrow."""
    footer = read_footer(stat_file(str(path)))
    return [c.name for c in footer.columns for g in range(len(footer.group_rows)) if footer.plan(g, c) is None]


@pytest.fixture(autouse=True)
def keeps_pages(page_cache):
    """Every file is read again with the pages that the first reading left in the cache."""


def check_native(path, batch_rows=333, reference=None):
    assert not_native(path) == []
    for _ in range(2):
        assert_same(path, batch_rows, reference=reference)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("nulls", DENSITIES)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_encodings(tmp_path, encoding, nulls, version, no_fallback):  # noqa: F811
    names = ENCODINGS[encoding]
    path = tmp_path / "t.parquet"
    table = table_of(nulls, 1500, names)
    pq.write_table(
        table, path, use_dictionary=False, column_encoding=dict.fromkeys(table.column_names, encoding),
        row_group_size=1100, data_page_size=2000, write_batch_size=64, data_page_version=version,
        store_decimal_as_integer=False,
    )  # fmt: skip
    used = read_footer(stat_file(str(path))).arrow.row_group(0).column(0).encodings
    assert encoding in used
    check_native(path)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("nulls", DENSITIES)
def test_codecs_and_types(tmp_path, codec, nulls, no_fallback):  # noqa: F811
    path = tmp_path / "t.parquet"
    pq.write_table(
        table_of(nulls, 700), path, compression=codec, row_group_size=500, dictionary_pagesize_limit=3000,
        data_page_size=900, write_batch_size=50, write_page_index=True, write_page_checksum=True,
    )  # fmt: skip
    check_native(path)


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("nulls", [None, 0.0, 1.0])
@pytest.mark.parametrize("codec", CODECS)
def test_few_rows(tmp_path, rows, nulls, codec, no_fallback):  # noqa: F811
    path = tmp_path / "t.parquet"
    pq.write_table(table_of(nulls, rows), path, compression=codec, data_page_version="2.0")
    check_native(path, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"use_deprecated_int96_timestamps": True},
        {"coerce_timestamps": "ms", "allow_truncated_timestamps": True},
        {"coerce_timestamps": "us", "allow_truncated_timestamps": True},
        {"version": "1.0"},
        {"version": "2.4"},
        {"store_schema": False},
        {"store_decimal_as_integer": True},
        {"max_rows_per_page": 17},
        {"use_byte_stream_split": ["f32", "f64"], "use_dictionary": ["word"]},
        {"write_statistics": False, "use_content_defined_chunking": True},
    ],
    ids=str,
)
def test_writer_options(tmp_path, options, no_fallback):  # noqa: F811
    path = tmp_path / "t.parquet"
    pq.write_table(table_of(0.2, 600), path, row_group_size=400, **options)
    check_native(path)


@pytest.mark.parametrize("options", DUCKDB_OPTIONS)
@pytest.mark.parametrize("nulls", [None, 0.01, 0.5, 1.0])
def test_files_of_duckdb(tmp_path, options, nulls, no_fallback):  # noqa: F811
    path = tmp_path / "t.parquet"
    table = table_of(nulls, 3000)
    write_duckdb(table, path, options)
    # pyarrow does not read some pages of differences that DuckDB writes.
    reference = tmp_path / "reference.parquet"
    write_duckdb(table, reference, "PARQUET_VERSION v1")
    check_native(path, 1000, reference)


@pytest.mark.parametrize("options", POLARS_OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("nulls", [None, 0.01, 0.5, 1.0])
def test_files_of_polars(tmp_path, options, nulls, no_fallback):  # noqa: F811
    path = tmp_path / "t.parquet"
    write_polars(table_of(nulls, 700), path, **options)
    check_native(path)


def test_other_logical_types(tmp_path, no_fallback):  # noqa: F811
    import duckdb

    path = tmp_path / "t.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (SELECT CASE i % 3 WHEN 0 THEN 'yes' WHEN 1 THEN 'no' END::ENUM('yes', 'no') AS choice,
                         ('{{"a":' || i || '}}')::JSON AS document, gen_random_uuid() AS id, 'x'::BLOB AS bytes,
                         (i * 3)::UTINYINT AS u8, TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_seconds(i) AS at
                  FROM range(50) AS r(i)) TO '{path}' (FORMAT parquet)""")
    check_native(path)


def test_nested_columns_and_hadoop_frames_are_left_to_pyarrow(tmp_path):
    table = pa.table({"n": [1, 2, None], "l": [[1], None, []], "s": [{"a": 1}, None, {"a": None}]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    assert sorted(set(not_native(path))) == ["l", "s"]
    assert_same(path, 2)
