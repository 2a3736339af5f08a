"""Row groups pruned by Bloom filters: never one too few."""

import random
from collections import Counter

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow import types as t
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors import Sources, file_provider
from tableflow.expressions.nodes import Literal
from tests.connectors.parquet_matrix import every_type
from tests.connectors.pruned_scans import file_column, scanned
from tests.connectors.scanning import spec_of, splits_of
from tests.connectors.test_parquet import call, column, literal

BLOOM = ["i8", "i16", "i32", "i64", "u16", "u32", "u64", "f32", "f64", "date", "time", "time_us", "ms", "us", "ns",
         "zoned", "d9", "d18", "d38", "text", "bytes", "fixed", "few"]  # fmt: skip


def storage_values(array):
    """The values as literals of their SQL type."""
    of = from_arrow_type(array.type)
    source = file_column(array)
    return of, [value for value in source if value is not None]


@pytest.mark.parametrize("name", BLOOM)
@pytest.mark.parametrize("writer", ["pyarrow", "integers", "duckdb"])
def test_bloom_filters(tmp_path, name, writer):
    rows = 400
    array = every_type(0.1, 2 * rows)[name]
    path, options = tmp_path / "t.parquet", {"bloom_filter_options": {name: {"ndv": rows, "fpp": 0.001}}}
    table = pa.table({name: array.slice(0, rows)})
    if writer == "duckdb":
        with duckdb.connect() as connection:
            connection.register("t", table)
            connection.execute(f"COPY t TO '{path}' (FORMAT parquet, BLOOM_FILTER_FALSE_POSITIVE_RATIO 0.001)")
    else:
        pq.write_table(table, path, store_decimal_as_integer=writer == "integers", **options)
    of, present = storage_values(array.slice(0, rows))
    of = next(c.type for c in file_provider(str(path)).schema.columns)
    for value in random.Random(1).sample(present, 40):
        found, counts = scanned(path, [name], [call("eq", column(name, of), Literal(of, value))])
        assert counts["row_groups_pruned_by_bloom"] == counts["row_groups_pruned"] == 0
        assert found.num_rows
    absent = [v for v in storage_values(array.slice(rows))[1] if v not in set(present)][:30]
    pruned = Counter()
    for value in absent:
        _, counts = scanned(path, [name], [call("eq", column(name, of), Literal(of, value))])
        pruned.update(counts)
    has_filter = writer != "duckdb" or pruned["row_groups_pruned_by_bloom"]
    if absent and has_filter:
        assert pruned["row_groups_pruned_by_bloom"] + pruned["row_groups_pruned"] >= len(absent) - 2
        assert name in {"i8", "few"} or pruned["row_groups_pruned_by_bloom"]


def test_bloom_filters_of_lists_and_other_scales(tmp_path):
    path = tmp_path / "t.parquet"
    numbers = list(range(0, 3000, 3))
    table = pa.table({"d": pa.array(numbers, pa.decimal128(9, 2)), "r": pa.array([-0.0, 1.0] * 500)})
    pq.write_table(table, path, bloom_filter_options={"d": True, "r": True})
    d, r = column("d", t.DecimalType(9, 2)), column("r", t.DOUBLE)

    def groups(predicate):
        return len(splits_of(Sources().open(spec_of(file_provider(str(path)), ["d"], [predicate]))))

    other = t.DecimalType(12, 4)
    assert groups(call("eq", d, literal(30000, other))) == 1
    assert groups(call("eq", d, literal(10000, other))) == 0
    assert groups(call("eq", d, literal(30001, other))) == 0
    assert groups(call("in", d, literal(100, d.type), literal(200, d.type))) == 0
    assert groups(call("in", d, literal(100, d.type), literal(300, d.type))) == 1
    assert groups(call("eq", r, literal(0.0, t.DOUBLE))) == 1
    assert groups(call("eq", r, literal(0.5, t.DOUBLE))) == 0
