"""Queries whose plans could be diamonds run with channels of one batch, and agree with DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from benchmarks.side_by_side.compare import difference
from tableflow.session import Session

SHAPES = {
    "self join": "SELECT count(*) AS n, sum(a.o_totalprice) AS s FROM orders a JOIN orders b ON a.o_orderkey = b.o_orderkey",
    "shuffled self join": "SELECT /*+ SHUFFLE_HASH(a, b) */ count(*) AS n FROM orders a JOIN orders b ON a.o_custkey = b.o_custkey",
    "shared subplan": (
        "WITH t AS (SELECT o_custkey AS k, sum(o_totalprice) AS s FROM orders GROUP BY o_custkey) "
        "SELECT count(*) AS n FROM t a JOIN t b ON a.s <= b.s AND a.k = b.k WHERE a.s > (SELECT avg(s) FROM t)"
    ),
    "union of one source": (
        "SELECT count(*) AS n, sum(p) AS s FROM (SELECT o_orderkey AS k, o_totalprice AS p FROM orders "
        "UNION ALL SELECT o_orderkey, o_totalprice FROM orders) u JOIN orders o ON o.o_orderkey = u.k"
    ),
}


@pytest.mark.parametrize("seed", ["-1", "3", "11"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_deadlock(shape: str, seed: str, tpch_data: dict[str, Path]) -> None:
    view = f"CREATE VIEW orders AS SELECT * FROM '{tpch_data['0.01'] / 'orders'}.parquet'"
    session = Session(
        {
            "parallelism.default": "2",
            "execution.channel-batches": "1",
            "execution.batch-rows": "500",
            "execution.scheduler-seed": seed,
        }
    )
    session.execute(view)
    result = session.execute(SHAPES[shape]).result
    assert result is not None
    found = pa.Table.from_batches(list(iter(result.next_batch, None)), schema=result.schema)
    session.close()
    connection = duckdb.connect()
    connection.execute(view)
    assert difference(found, connection.sql(SHAPES[shape]).to_arrow_table()) is None
