"""TPC-H over hostile data: the data are as bad as promised, and all answers are DuckDB's."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.side_by_side.compare import difference
from benchmarks.side_by_side.engines import DuckDB, TableFlow
from tests import modes
from tpch.hostile import LAYOUTS, LEAST_ROWS, MONEY, generate_hostile
from tpch.queries import NUMBERS, TABLES, query_text
from tpch.suite import SUITE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scale 0.003: 450 customers, 4,500 orders."""
    place = tmp_path_factory.mktemp("hostile")
    generate_hostile(0.003, place)
    return place


def test_keys_are_sparse_and_unique_and_references_lead_somewhere(data: Path) -> None:
    orders, lines = (pq.read_table(data / f"{table}.parquet") for table in ("orders", "lineitem"))
    keys = orders.column("o_orderkey")
    assert pc.count_distinct(keys).as_py() == len(keys)
    span = pc.max(keys).as_py() - pc.min(keys).as_py()
    assert span > 10**6 * len(keys)
    numbered = ["l_orderkey", "l_linenumber"]
    assert lines.select(numbered).group_by(numbered).aggregate([]).num_rows == lines.num_rows
    assert pc.all(pc.is_in(lines.column("l_orderkey"), keys.combine_chunks())).as_py()
    pairs = pq.read_table(data / "partsupp.parquet").select(["ps_partkey", "ps_suppkey"])
    whole = (
        lines.select(["l_partkey", "l_suppkey"])
        .drop_null()
        .rename_columns(pairs.column_names)
        .group_by(pairs.column_names)
        .aggregate([])
    )
    assert whole.join(pairs, pairs.column_names, join_type="left anti").num_rows == 0


def test_references_are_skewed(data: Path) -> None:
    counts = pc.value_counts(pq.read_table(data / "orders.parquet").column("o_custkey").drop_null()).field("counts")
    shares = sorted((count / 4500 for count in counts.to_pylist()), reverse=True)
    # The sum of k^-1.1 over 450 customers is 5.2: the first has 19 % of what is not NULL, the second 1 / 2^1.1 of that.
    assert 0.16 < shares[0] < 0.21
    assert 0.4 < shares[1] / shares[0] < 0.53


def test_columns_hold_nulls_and_money_has_many_digits(data: Path) -> None:
    lines = pq.read_table(data / "lineitem.parquet")
    for name in lines.column_names:
        share = lines.column(name).null_count / lines.num_rows
        assert share == 0 if name in {"l_orderkey", "l_linenumber"} else 0.045 < share < 0.055
    assert lines.schema.field("l_extendedprice").type == MONEY
    assert pc.min(lines.column("l_extendedprice")).as_py() > 10**20


@pytest.mark.parametrize("table", TABLES)
def test_files_have_their_layouts(data: Path, table: str) -> None:
    file, layout = pq.ParquetFile(data / f"{table}.parquet"), LAYOUTS[table]
    rows = file.metadata.num_rows
    assert file.num_row_groups == min(layout.groups, -(-rows // LEAST_ROWS)) or rows < 2 * LEAST_ROWS
    for position in range(file.metadata.num_columns):
        chunk = file.metadata.row_group(0).column(position)
        encodings = set(chunk.encodings)
        assert ("RLE_DICTIONARY" in encodings) == layout.dictionary
        assert chunk.compression == {"none": "UNCOMPRESSED"}.get(layout.compression, layout.compression.upper())


@pytest.mark.parametrize(
    "mode",
    [modes.DEFAULT, *(pytest.param(mode, marks=pytest.mark.thorough) for mode in modes.SHAPES)],
    ids=lambda mode: mode.name,
)
def test_answers_equal_duckdbs(data: Path, mode: modes.Mode) -> None:
    ours, theirs = TableFlow(SUITE.files(data), 2, mode.settings), DuckDB(SUITE.files(data), 2)
    found = {
        number: difference(ours.run(query_text(number)), theirs.run(query_text(number)), ordered=False)
        for number in NUMBERS
    }
    assert {number: problem for number, problem in found.items() if problem} == {}


def test_what_is_there_is_kept(data: Path) -> None:
    before = {table: (data / f"{table}.parquet").stat().st_mtime_ns for table in TABLES}
    generate_hostile(0.003, data)
    assert before == {table: (data / f"{table}.parquet").stat().st_mtime_ns for table in TABLES}


def test_one_seed_makes_the_same_data(data: Path, tmp_path: Path) -> None:
    generate_hostile(0.003, tmp_path)
    same: list[pa.Table] = [pq.read_table(place / "customer.parquet") for place in (data, tmp_path)]
    assert same[0].equals(same[1])
