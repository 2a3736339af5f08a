"""Parquet files of a folder that is watched: each has its own columns and row groups."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow import types as t
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Watch
from tableflow.connectors.filesystem.formats import load_format
from tableflow.connectors.filesystem.watched import WatchedSource
from tableflow.runtime.source import Done

pytestmark = pytest.mark.usefixtures("row_groups_alone")

COLUMNS = (FileColumn("a", t.BIGINT), FileColumn("b", t.StringType()))


def test_files_differ_in_the_order_of_their_columns_and_in_their_rows(tmp_path):
    small = pa.table({"a": [1, 2], "b": ["x", "y"]})
    large = pa.table({"b": [str(i) for i in range(10)], "a": list(range(10))})
    for i, (table, rows) in enumerate([(small, 2), (large, 4), (small, 1)]):
        pq.write_table(table, tmp_path / f"{i}.parquet", row_group_size=rows)
    scan = FileScan("parquet", (), COLUMNS, (0, 1), watch=Watch(str(tmp_path), 1000, ("parquet",)))
    source = WatchedSource(scan, load_format("parquet"), "natural", 2)
    assigner = source.assigner()
    found = []
    for _ in range(6):
        reader = source.reader(assigner.next(0), 1000)
        while not isinstance(batch := reader.poll(), Done):
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    small_rows = [(1, "x"), (2, "y")]
    assert sorted(found) == sorted([*small_rows, *((i, str(i)) for i in range(10)), *small_rows])
