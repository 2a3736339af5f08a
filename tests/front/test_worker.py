"""A job graph is all that a worker needs: EXPLAIN JSON's, run in a process that never heard of SQL."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import tableflow
from benchmarks.side_by_side.compare import difference
from tableflow import worker
from tableflow.errors import SerializationError
from tableflow.runtime.scheduler import WorkerPool
from tests.front import worker_process
from tests.front.command import environment
from tpch.queries import NUMBERS, TABLES, query_text

pytestmark = pytest.mark.slow

FORBIDDEN = (
    "sqlglot",
    "lark",
    "tableflow.sql",
    "tableflow.planner",
    "tableflow.session",
    "tableflow.dbapi",
    "prompt_toolkit",
)


def test_every_tpch_query_in_another_process(tpch_data, tmp_path):
    expected, order = {}, {}
    with tableflow.connect(settings={"parallelism.default": "2"}) as con:
        for table in TABLES:
            con.execute(f"CREATE VIEW {table} AS SELECT * FROM '{tpch_data['0.001'] / table}.parquet'")
        for number in NUMBERS:
            document = json.loads("\n".join(row[0] for row in con.execute(f"EXPLAIN JSON {query_text(number)}")))
            (tmp_path / f"{number}.json").write_text(json.dumps(document["job"]))
            expected[number] = con.execute(query_text(number)).fetch_arrow_table()
            order[number] = [str(column["position"]) for column in document["columns"]]
    done = subprocess.run(
        [sys.executable, worker_process.__file__, str(tmp_path)],
        capture_output=True, encoding="utf-8", env=environment(), timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "tableflow.worker" in loaded
    assert [name for name in loaded if name.startswith(FORBIDDEN)] == []
    for number in NUMBERS:
        path = tmp_path / f"{number}.arrow"
        assert path.exists() == (expected[number].num_rows > 0)
        if path.exists():
            found = feather.read_table(path).select(order[number])
            assert difference(found, expected[number]) is None, f"query {number}"
    assert sum(table.num_rows > 0 for table in expected.values()) > 10


def test_columns_that_are_fetched_late(tmp_path):
    pq.write_table(pa.table({"n": [3, 1, 2], "t": ["c", "a", None]}), tmp_path / "t.parquet")
    with tableflow.connect(settings={"optimizer.late-columns": "always"}) as con:
        query = f"EXPLAIN JSON SELECT n, t FROM '{tmp_path}/t.parquet' ORDER BY n DESC LIMIT 2"
        document = json.loads("\n".join(row[0] for row in con.execute(query)))
    assert "FetchColumns" in json.dumps(document["job"])
    pool = WorkerPool(1)
    try:
        (batch,) = worker_process.run(json.dumps(document["job"]), pool)
    finally:
        pool.close()
    assert batch.to_pydict() == {"0": [3, 2], "1": ["c", None]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("no JSON", "is not JSON"),
        ('{"version": 99, "root": null}', "version 99"),
        ('{"version": 1, "root": {"$": "Nothing"}}', "names 'Nothing'"),
        ('{"version": 1, "root": {"$": "INT"}}', "damaged|names"),
        ('{"version": 1, "root": [1, 2]}', "a job graph is expected, not a tuple"),
        ('{"version": 1, "root": {"$": "JobGraph", "stages": []}}', "damaged at 'JobGraph'"),
        ('{"version": 1, "root": {"$": "Span", "start": 1, "end": 2}}', "a job graph is expected, not a Span"),
    ],
)
def test_documents_that_are_no_job(document, message):
    pool = WorkerPool(1)
    try:
        with pytest.raises(SerializationError, match=message):
            worker.start(document, lambda spec: None, pool)
    finally:
        pool.close()
