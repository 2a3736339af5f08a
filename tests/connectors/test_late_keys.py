"""Keys that follow from another key of their files are fetched for the first groups, if that key is found to tell rows apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.connectors.test_fetched_columns import ALWAYS, NEVER, agree, run

pytestmark = pytest.mark.slow


def write(path: Path, numbers: Any, of: pa.DataType, **form: Any) -> str:
    """Shops with these numbers as a file."""
    values = pa.array(numbers, of)
    names = pa.array([f"shop {i} {'x' * (i % 40)}" for i in range(len(values))])
    pq.write_table(
        pa.table({"id": values, "name": names, "rent": pa.array([i % 3 for i in range(len(values))])}), path, **form
    )
    return f"'{path}'"


def query(shops: str) -> str:
    """The shops with the highest sums."""
    return f"""SELECT s.id, s.name, s.rent, sum(b.paid) AS total FROM {shops} s JOIN bought b ON b.shop = s.id
        GROUP BY s.id, s.name, s.rent ORDER BY total DESC, s.id LIMIT 7"""


BOUGHT = """CREATE VIEW bought AS SELECT * FROM (VALUES (3, 5), (30, 7), (3, 9), (600, 1), (900, 2), (901, 3), (33, 4), (36, 4),
    (39, 4), (42, 4), (45, 8), (NULL, 9)) v(shop, paid)"""


@pytest.mark.parametrize(
    "form", [{}, {"row_group_size": 100}, {"use_dictionary": False}], ids=["one", "groups", "plain"]
)
@pytest.mark.parametrize("of", [pa.int16(), pa.int32(), pa.int64()], ids=str)
def test_a_key_that_is_found(tmp_path: Path, of: pa.DataType, form: dict[str, Any]) -> None:
    shops = write(tmp_path / "shops.parquet", np.random.default_rng(4).permutation(400) * 3, of, **form)
    assert len(agree(query(shops), BOUGHT)) == 7


def test_a_key_that_is_sparse_and_negative(tmp_path: Path) -> None:
    numbers = [-(10**17), 3, 30, 600, 10**17]
    assert len(agree(query(write(tmp_path / "shops.parquet", numbers, pa.int64())), BOUGHT)) == 3


@pytest.mark.parametrize(
    "numbers",
    [[*range(300), 30], [*range(300), None], [3] * 9, [1 << 40, 3, 30, 600, 3]],
    ids=["one twice", "one missing", "all one", "sparse"],
)
def test_what_is_no_key(tmp_path: Path, numbers: list[int | None]) -> None:
    shops = write(tmp_path / "shops.parquet", numbers, pa.int64())
    rows, fetched = run(query(shops), ALWAYS, BOUGHT)
    assert not fetched
    assert rows == run(query(shops), NEVER, BOUGHT)[0]


def test_several_files_may_share_a_value(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", range(100), pa.int64())
    write(tmp_path / "2.parquet", range(99, 200), pa.int64())
    assert not run(query(f"'{tmp_path}/*.parquet'"), ALWAYS, BOUGHT)[1]
    write(tmp_path / "2.parquet", range(100, 201), pa.int64())
    assert agree(query(f"'{tmp_path}/*.parquet'"), BOUGHT)


def test_a_file_that_is_written_anew_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "shops.parquet"
    assert agree(query(write(path, range(100), pa.int64())), BOUGHT)
    write(path, [*range(100), 3], pa.int64())
    assert not run(query(f"'{path}'"), ALWAYS, BOUGHT)[1]


def test_it_is_done_where_it_pays(tmp_path: Path) -> None:
    shops = write(tmp_path / "shops.parquet", np.arange(60_000), pa.int64())
    many = write(tmp_path / "many.parquet", np.arange(250_000) % 60_000, pa.int64())
    few = query(shops).replace("bought b ON b.shop", f"(SELECT id AS shop, rent AS paid FROM {many}) b ON b.shop")
    auto = {"parallelism.default": "2"}
    found, fetched = run(few, auto)
    assert fetched
    assert found == run(few, NEVER)[0]
    assert not run(query(write(tmp_path / "few.parquet", np.arange(600), pa.int64())), auto, BOUGHT)[1]
