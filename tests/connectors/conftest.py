"""A table with every type that all formats have, and small row groups that are read alone."""

import pytest

from tableflow.connectors.filesystem import parquet
from tests.connectors.scanning import all_types


@pytest.fixture
def table():
    return all_types()


@pytest.fixture
def row_groups_alone(monkeypatch):
    """Small row groups of Parquet files are splits of their own, as large ones are."""
    monkeypatch.setattr(parquet, "MIDDLING_ROWS", 0)
