"""What a fresh process loads: people at a prompt feel every module."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
import tableflow
assert "pyarrow" not in sys.modules, "import tableflow"
tableflow.connect().execute("SELECT 1").fetchall()
print(*sorted({"asyncio", "ssl", "duckdb", "pandas", "lark"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_small_query_loads_nothing_that_it_does_not_need():
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
    assert done.returncode == 0
