"""Writes column chunks as inputs of ``parquet_fuzz.cc``: every type, encoding, page version and codec."""

import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tests.connectors.parquet_matrix import ENCODINGS, table_of, write_duckdb

CONVERSIONS = (
    "bool", "i32:i8", "i32:i16", "i32", "u8:i16", "u16:i32", "u32:i64", "i64", "i32*1000", "i64*1000", "f32", "f64", "u64:i128",
    "i96", "f16", "fixed:i64", "fixed:i128", "bytes:i64", "bytes:i128", "string", "fixed:string",
)  # fmt: skip
"""In the order of ``Conversion`` in native/parquet_column.h."""
CODECS = ("none", "snappy", "lz4_raw", "zstd")
SMALL = {"data_page_size": 400, "write_batch_size": 40, "dictionary_pagesize_limit": 1500}


def inputs(path):
    """The chunks of the first row group of a file."""
    data = path.read_bytes()
    footer = read_footer(stat_file(str(path)))
    for column in footer.columns:
        plan = footer.plan(0, column)
        if plan is None or plan.codec not in CODECS:
            continue
        numbers = (plan.num_values, int(plan.optional), CONVERSIONS.index(plan.conversion), plan.type_length)
        line = f"{' '.join(map(str, numbers))} {CODECS.index(plan.codec)} {plan.format}\n"
        yield column.name, line.encode() + data[plan.offset : plan.offset + plan.size]


def write_seeds(folder, rows=240):
    """One file an input; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    count = 0
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "t.parquet"

        def keep(name):
            nonlocal count
            for column, data in inputs(path):
                (folder / f"{name}-{column}").write_bytes(data)
                count += 1

        for codec, version, nulls in (
            ("snappy", "1.0", 0.2),
            ("lz4", "2.0", None),
            ("zstd", "1.0", 0.3),
            ("none", "2.0", 0.5),
        ):
            options = {"compression": codec, "data_page_version": version, **SMALL}
            pq.write_table(table_of(nulls, rows), path, use_deprecated_int96_timestamps=codec == "none", **options)
            keep(f"dictionary-{codec}")
            for encoding, names in ENCODINGS.items():
                table = table_of(nulls, rows, names)
                encodings = dict.fromkeys(table.column_names, encoding)
                pq.write_table(table, path, use_dictionary=False, column_encoding=encodings, **options)
                keep(f"{encoding}-{codec}")
        write_duckdb(table_of(0.1, rows), path, "COMPRESSION snappy, PARQUET_VERSION v2")
        keep("duckdb")
    return count


if __name__ == "__main__":
    print(write_seeds(Path(sys.argv[1])), "inputs")
