"""A table with every type that all formats have."""

import pytest

from tests.connectors.scanning import all_types


@pytest.fixture
def table():
    return all_types()
