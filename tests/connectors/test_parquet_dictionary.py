"""The dictionary of a column chunk is read when the first page needs it, and not before."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file

ROWS = 3000
NONE = np.zeros(0, np.uint32)


def written(path, array, **options):
    pq.write_table(pa.table({"c": array}), path, write_batch_size=100, data_page_size=500, **options)
    footer = read_footer(stat_file(str(path)))
    return footer.plan(0, footer.columns[0])


def opened(path, plan):
    with open(path, "rb") as file:
        return open_chunk(file.fileno(), plan)


ARRAYS = {
    "numbers": pa.array(np.arange(ROWS) // 3),
    "narrowed": pa.array(np.arange(ROWS) // 3 % 100, pa.int8()),
    "texts": pa.array([f"text {i // 3}" for i in range(ROWS)]),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_pages_that_nobody_wants_leave_it_alone(tmp_path, name, compression):
    path = tmp_path / "t.parquet"
    plan = written(path, ARRAYS[name], compression=compression)
    data = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start, end = chunk.dictionary_page_offset, chunk.data_page_offset
    data[start + (end - start) // 4 : end] = bytes([255]) * len(data[start + (end - start) // 4 : end])
    path.write_bytes(data)
    reader = opened(path, plan)
    reader.skip(ROWS // 2)
    assert len(reader.read_at(reader.left, NONE)) == 0
    assert reader.left == 0
    assert rows_or_refusal(opened(path, plan)) != ARRAYS[name].to_pylist()


def rows_or_refusal(reader):
    try:
        return values(reader.read(reader.left))
    except ValueError:
        return "damaged"


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("options", [{"compression": "none"}, {"compression": "snappy"}], ids=str)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_it_may_be_asked_for_at_any_time(tmp_path, name, options, version):
    path = tmp_path / "t.parquet"
    # a small limit: codes first, then values that stand for themselves
    plan = written(path, ARRAYS[name], dictionary_pagesize_limit=1000, data_page_version=version, **options)
    whole = ARRAYS[name].cast(pa.int8()) if name == "narrowed" else ARRAYS[name]
    entries = values(opened(path, plan).dictionary())
    for first in (0, 1, 1200, ROWS - 20):
        reader = opened(path, plan)
        reader.skip(first)
        got = values(reader.read_at(10, np.array([3, 9], np.uint32)))
        assert got == [whole[first + 3].as_py(), whole[first + 9].as_py()]
        assert values(reader.dictionary()) == entries
        assert values(reader.read(reader.left)) == whole.slice(first + 10).to_pylist()


def values(vector):
    return pa.array(vector).to_pylist()
