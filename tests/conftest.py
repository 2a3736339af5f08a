"""Shared fixtures: TPC-H data at small scales, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpch.generate import generate


@pytest.fixture(scope="session")
def tpch_data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories of TPC-H Parquet files by scale: "0.001" and "0.01"."""
    root = tmp_path_factory.mktemp("tpch")
    found = {}
    for scale in ("0.001", "0.01"):
        generate(float(scale), root / scale)
        found[scale] = root / scale
    return found
