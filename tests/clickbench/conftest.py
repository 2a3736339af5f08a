"""The table at a small scale, made once, in several row groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.clickbench.generate import generate

ROWS = 10_000


@pytest.fixture(scope="session")
def hits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``hits.parquet``."""
    out = tmp_path_factory.mktemp("clickbench")
    generate(ROWS, out, group_rows=1_500)
    return out
