"""A table with every type that all formats have, and small row groups that are read alone."""

import pytest

from tableflow.columnar._native import PageCache
from tableflow.connectors.filesystem import page_cache as caching
from tableflow.connectors.filesystem import parquet
from tests.connectors.scanning import all_types


@pytest.fixture
def table():
    return all_types()


@pytest.fixture
def row_groups_alone(monkeypatch):
    """Small row groups of Parquet files are splits of their own, as large ones are."""
    monkeypatch.setattr(parquet, "MIDDLING_ROWS", 0)


@pytest.fixture
def page_cache(monkeypatch):
    """A cache of its own, in which pages of files are kept that were written just now."""
    found = PageCache(1 << 28, 0)
    monkeypatch.setattr(caching, "_cache", found)
    return found
