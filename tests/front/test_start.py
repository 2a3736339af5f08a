"""What a fresh process loads: people at a prompt feel every module.

How many modules there are does not depend on the machine, how long they take does: that is shown, not judged.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

_LOADED = """
import json, sys, time
{code}
ours = [name for name in sys.modules if name.split(".")[0] == "tableflow"]
print(json.dumps({{"ours": len(ours), "all": len(sys.modules), "seconds": time.process_time(), "names": sorted(sys.modules)}}))
"""
_SELECT = """
import tableflow
assert tableflow.connect().execute("SELECT 1").fetchall() == [(1,)]
"""
_STREAM = """
import tableflow
cursor = tableflow.connect().cursor()
cursor.execute("CREATE TABLE made (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence', 'fields.n.start' = '7', 'fields.n.end' = '1000000')")
cursor.execute("SELECT n FROM made")
assert cursor.fetchone() >= (7,)  # which of two splits comes first is open
"""


def loaded(code: str) -> dict[str, Any]:
    """What a process has loaded that has run this, and the processor time it took."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED.format(code=code)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"{found['ours']} modules of {found['all']}, {found['seconds']:.3f} s of processor time")
    return found


@pytest.mark.slow
def test_importing_the_package_loads_next_to_nothing():
    found = loaded("import tableflow")
    assert found["ours"] <= 3
    assert found["all"] <= 80


@pytest.mark.slow
def test_a_small_query_loads_nothing_that_it_does_not_need():
    found = loaded(_SELECT)
    assert found["ours"] <= 412
    unwanted = {"asyncio", "ssl", "duckdb", "pandas", "lark", "prompt_toolkit", "datasketches",
                "pyarrow.compute", "pyarrow.parquet", "pyarrow.flight", "concurrent.futures", "numpy.random", "secrets"}  # fmt: skip
    assert not unwanted & set(found["names"])
    connectors = {
        f"tableflow.connectors.{name}" for name in ("nexmark.source", "datagen.connector", "filesystem.table", "socket")
    }
    assert not connectors & set(found["names"])
    assert not {
        "tableflow.sql.binder.merge", "tableflow.sql.binder.ddl", "tableflow.session.verification",
        "tableflow.physical.hash_join", "tableflow.physical.changelog_join", "tableflow.planner.join_order",
        "tableflow.expressions.functions.patterns", "tableflow.session.explain", "importlib.metadata",
    } & set(found["names"])  # fmt: skip


@pytest.mark.slow
def test_a_stream_loads_its_connector_alone():
    found = loaded(_STREAM)
    assert found["ours"] <= 450
    assert "tableflow.connectors.datagen.connector" in found["names"]
    assert not {"tableflow.connectors.nexmark.connector", "pyarrow.parquet", "asyncio", "ssl"} & set(found["names"])
