"""Too little memory: every TPC-H query gives the right answer or says who wanted how much, and gives everything back."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

import tableflow
from benchmarks.side_by_side.compare import difference
from benchmarks.side_by_side.engines import DuckDB
from tableflow.errors import MemoryLimitError
from tpch.queries import NUMBERS, TABLES, query_text
from tpch.suite import SUITE

pytestmark = pytest.mark.slow

LIMITS = ("1 kb", "64 kb", "1 mb", "4 mb", "16 mb")
REFUSAL = re.compile(r"operator '\w+' \([\w ]+\) was refused \d+ bytes of memory")


@pytest.fixture(scope="module")
def answers(tpch_data: dict[str, Path]) -> DuckDB:
    return DuckDB(SUITE.files(tpch_data["0.01"]), 2)


@pytest.mark.parametrize("number", NUMBERS)
def test_right_or_refused(tpch_data, answers, number):
    expected = answers.run(query_text(number))
    outcomes = []
    for limit in LIMITS:
        with tableflow.connect(settings={"parallelism.default": "2", "memory.limit": limit}) as con:
            for table in TABLES:
                con.execute(f"CREATE VIEW {table} AS SELECT * FROM '{tpch_data['0.01'] / table}.parquet'")
            cursor = con.execute(query_text(number))
            job = cursor._outcome.result.running._job
            watch = threading.Timer(
                60, cursor.cancel
            )  # a query that hangs ends as cancelled, which is neither of the two
            watch.start()
            try:
                assert difference(cursor.fetch_arrow_table(), expected) is None
                outcomes.append(True)
            except MemoryLimitError as error:
                assert REFUSAL.search(str(error)), error
                assert "memory.limit is" in str(error)
                outcomes.append(False)
            finally:
                watch.cancel()
            assert job.memory.used == 0
            assert con.execute("SELECT 1").fetchall() == [(1,)]
    assert not outcomes[0], "1 kb is not enough for anything"
    assert outcomes[-1], "16 mb are enough at this scale"


@pytest.mark.parametrize(
    ("sql", "operator"),
    [
        ("SELECT r, count(*) FROM big GROUP BY r", "groups"),
        ("SELECT count(DISTINCT r) FROM big", "groups"),
        ("SELECT * FROM big ORDER BY r", "Sort"),
        ("SELECT count(*) FROM big a JOIN big b ON a.r = b.r", "build"),
        ("SELECT count(*) FROM big a FULL JOIN big b ON a.n * b.n < 0", ""),
        ("SELECT r FROM big UNION SELECT r + 1 FROM big", "groups"),
        ("SELECT sum(r % 7) OVER (PARTITION BY n % 2) FROM big", "Sort"),
        ("SELECT sum(r % 7) OVER () FROM big", "partitions"),
    ],
)
def test_what_grows_is_named(sql, operator):
    with tableflow.connect(settings={"parallelism.default": "2", "memory.limit": "4 mb"}) as con:
        con.register("big", {"n": np.arange(1_000_000), "r": np.random.default_rng(0).integers(0, 1 << 60, 1_000_000)})
        with pytest.raises(tableflow.OperationalError) as caught:
            con.execute(sql).fetchall()
        assert isinstance(caught.value, MemoryLimitError)
        assert REFUSAL.search(str(caught.value))
        assert operator in str(caught.value)
        assert "hint: raise memory.limit" in str(caught.value)
        con.execute("SET memory.limit = '1 gb'")
        assert con.execute("SELECT count(*) FROM big").fetchall() == [(1_000_000,)]


def test_a_large_result_needs_no_memory():
    """Rows are read as they are made: 100 million of them pass under a limit of 16 mb."""
    with tableflow.connect(settings={"parallelism.default": "2", "memory.limit": "16 mb"}) as con:
        con.register("small", {"n": np.arange(10_000)})
        cursor = con.execute("SELECT a.n + b.n AS x FROM small a, small b")
        rows = sum(batch.num_rows for batch in iter(cursor.fetch_record_batch, None))
        assert rows == 100_000_000
        assert cursor._outcome.result.counters().memory_peak <= 16 * 2**20
