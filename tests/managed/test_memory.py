"""What a statement that writes holds is inside memory.limit: rows go into files early, or an error names operator and bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tableflow

ROWS = 400_000


@pytest.fixture
def con(tmp_path):
    settings = {"memory.limit": "24 mb", "parallelism.default": "1"}
    with tableflow.connect(tmp_path / "db", settings=settings) as connection:
        numbers = np.arange(ROWS, dtype=np.int64)
        connection.register("source", pa.table({"a": numbers * 7_919_017, "b": numbers * 104_729_003, "c": numbers}))
        yield connection


def test_rows_go_into_files_early_where_there_is_little_memory(con, tmp_path):
    con.execute("CREATE TABLE t (a BIGINT, b BIGINT, c BIGINT PRIMARY KEY)")
    con.execute("SET memory.limit = '10 mb'")
    assert con.execute("INSERT INTO t SELECT * FROM source").rowcount == ROWS
    assert len(list((tmp_path / "db").glob("tables/*/*.arrow"))) > 1, "all of it needs 14 MB"
    con.execute("RESET memory.limit")
    assert con.execute("SELECT count(*), sum(c) FROM t").fetchall() == [(ROWS, ROWS * (ROWS - 1) // 2)]
    con.execute("CREATE TABLE u AS SELECT * FROM source")
    assert con.execute("SELECT count(*) FROM u").fetchall() == [(ROWS,)]


def test_rows_of_returning_are_accounted_for(con):
    con.execute("CREATE TABLE t (a BIGINT, b BIGINT, c BIGINT)")
    con.execute("SET memory.limit = '6 mb'")
    with pytest.raises(
        tableflow.OperationalError, match=r"operator 'TableWrite' \(rows of RETURNING\) was refused \d+ bytes"
    ):
        con.execute("INSERT INTO t SELECT * FROM source RETURNING a, b, c")
    values = ", ".join(f"({i}, repeat('x', 400000))" for i in range(40))
    con.execute("CREATE TABLE texts (i INT, s STRING)")
    with pytest.raises(tableflow.OperationalError, match=r"operator 'TableWrite' .* was refused \d+ bytes"):
        con.execute(f"INSERT INTO texts VALUES {values} RETURNING s")
    assert con.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM texts)").fetchall() == [(0, 0)]
    con.execute("RESET memory.limit")
    assert con.execute("INSERT INTO t SELECT * FROM source WHERE c < 10 RETURNING c").fetchall() == [
        (i,) for i in range(10)
    ]
