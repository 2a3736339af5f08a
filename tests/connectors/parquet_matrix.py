"""Data of every type, and files as pyarrow, DuckDB and Polars write them, for comparing the decoder with pyarrow."""

import itertools
import uuid
from decimal import Decimal

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tableflow.columnar.representation import boundary
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.storage import column_from_arrow
from tests.connectors.scanning import batches_of, spec_of
from tests.connectors.test_parquet_native import columns as basic_columns

DENSITIES = (None, 0.0, 0.01, 0.5, 1.0)
CODECS = ("snappy", "none", "zstd", "lz4", "gzip", "brotli")


def every_type(nulls, rows, seed=1):
    """The columns of :func:`basic_columns` and the types that fewer files have."""
    source = np.random.default_rng(seed)
    mask = None if nulls is None else source.random(rows) < nulls

    def make(values, of=None):
        return pa.array(values, of, mask=mask)

    few = source.integers(0, 5, rows)
    halves = np.array([0.0, -0.0, 1.5, -2.25, np.inf, -np.inf, 2.0**-24, 65504.0], np.float16)
    real = source.standard_normal(rows)
    real[::7] = np.nan
    wide = [int(v) * 10**16 + 7 for v in source.integers(-(10**17), 10**17, rows)]
    found = basic_columns(nulls, rows, seed)
    found |= {
        "u64": make(source.integers(0, 2**64 - 1, rows, np.uint64, endpoint=True)),
        "f16": make(halves[source.integers(0, len(halves), rows)], pa.float16()),
        "nan": make(real),
        "nan32": make(real.astype(np.float32)),
        "fixed": make([bytes([v, 0, 255, v, v]) for v in few], pa.binary(5)),
        "uuid": make([uuid.UUID(int=int(v)).bytes for v in source.integers(0, 2**63, rows)], pa.binary(16)),
        "d1": make([Decimal(int(v)) for v in few], pa.decimal128(1, 0)),
        "d28": make([Decimal(v % 10**28).scaleb(-3) for v in wide], pa.decimal128(28, 3)),
        "prefixes": make([f"https://example.org/{v // 3:06}/{v}" for v in range(rows)], pa.string()),
        "long": make(["x" * (int(v) * 997) for v in few], pa.string()),
        "time_ns": make(source.integers(0, 86_399_999_999_999, rows)).cast(pa.time64("ns")),
        "zoned_ms": make(source.integers(-(10**12), 10**12, rows)).cast(pa.timestamp("ms", "UTC")),
        "climbing": make(np.cumsum(source.integers(-3, 9, rows))),
    }
    return found


def table_of(nulls, rows, only=None, seed=1):
    """These columns, or those named in ``only``; NOT NULL if ``nulls`` is None."""
    arrays = every_type(nulls, rows, seed)
    fields = [pa.field(n, a.type, nullable=nulls is not None) for n, a in arrays.items() if only is None or n in only]
    return pa.table([arrays[field.name] for field in fields], schema=pa.schema(fields))


INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "few", "one", "sorted", "climbing", "date", "time",
            "time_us", "time_ns", "ms", "us", "ns", "zoned")  # fmt: skip
BYTES = ("word", "text", "bytes", "prefixes", "long")
FIXED = ("fixed", "uuid", "d9", "d18", "d28", "d38", "f16")
REALS = ("f32", "f64", "nan", "nan32")
ENCODINGS = {
    "DELTA_BINARY_PACKED": INTEGERS,
    "DELTA_LENGTH_BYTE_ARRAY": BYTES,
    "DELTA_BYTE_ARRAY": BYTES + FIXED,
    "BYTE_STREAM_SPLIT": INTEGERS + FIXED + REALS,
    "RLE": ("bool", "runs"),
    "PLAIN": (*INTEGERS, *BYTES, *FIXED, *REALS, "bool"),
}


def assert_same(path, batch_rows=333, names=None, reference=None):
    """Scans the file and compares every value, NaN and zeros by their bits, with what pyarrow reads (of the reference)."""
    provider = file_provider(str(path))
    expected = pq.read_table(path if reference is None else reference)
    names = expected.column_names if names is None else names
    got = list(batches_of(Sources().open(spec_of(provider, names)), batch_rows))
    types = {column.name: column.type for column in provider.schema.columns}
    for i, name in enumerate(names):
        whole = expected.column(name).combine_chunks()
        whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        wanted = boundary(column_from_arrow(whole, types[name], types[name], "natural"))
        parts = [boundary(batch.columns[i]) for batch in got]
        found = pa.concat_arrays(parts) if parts else wanted.slice(0, 0)
        assert found.type == wanted.type, name
        assert len(found) == len(wanted), name
        assert bits(found).equals(bits(wanted)), (name, found, wanted)


def bits(array):
    width = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}.get(array.type)
    return array if width is None else array.view(width)


def write_duckdb(table, path, options):
    with duckdb.connect() as connection:
        connection.register("t", table.drop_columns("f16"))  # a type it does not have
        connection.execute("SET threads = 1")
        connection.execute(f"COPY (SELECT * FROM t) TO '{path}' (FORMAT parquet, {options})")


def write_polars(table, path, **options):
    pl.from_arrow(table).write_parquet(path, **options)


DUCKDB_OPTIONS = [
    f"COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE {rows}{extra}"
    for (codec, version), rows, extra in zip(
        itertools.product(["snappy", "uncompressed", "zstd", "lz4_raw", "gzip", "brotli"], ["v1", "v2"]),
        itertools.cycle([2048, 122880]),
        itertools.cycle(["", ", DICTIONARY_SIZE_LIMIT 0", ", STRING_DICTIONARY_PAGE_SIZE_LIMIT 1000"]),
        strict=False,
    )
]
POLARS_OPTIONS = [
    {"compression": codec, "statistics": statistics, "row_group_size": rows, "data_page_size": size}
    for codec, statistics, rows, size in zip(
        ["snappy", "uncompressed", "zstd", "lz4", "gzip", "brotli"],
        itertools.cycle([True, "full", False]),
        itertools.cycle([400, None]),
        itertools.cycle([None, 1000, 300]),
        strict=False,
    )
]
