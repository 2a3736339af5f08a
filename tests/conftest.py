"""Shared fixtures: TPC-H data at small scales, made once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tableflow.recursion  # noqa: F401 - raises the recursion limit, which hypothesis wants unchanged while a test runs
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


# The same examples on every machine: a failure is a change's, not the dice's; `HYPOTHESIS_PROFILE=search` draws new ones.
# No deadlines, since machines are shared.
settings.register_profile("fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_configure() -> None:
    """Interrupts interrupt, as at a terminal: shells start what runs behind with them ignored, and processes inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
