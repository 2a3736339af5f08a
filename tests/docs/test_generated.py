"""Pages that are written from the declarations of settings and options say what those say."""

from pathlib import Path

import pytest

from tableflow.config import KEYS
from tableflow.session.reference import TABLES, settings_page, with_tables

DOCS = Path(__file__).parents[2] / "docs"
HOW = "run python -m tableflow.session.reference"


def test_settings():
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), HOW
    assert all(f"`{name}`" in page for name in KEYS)


@pytest.mark.parametrize("name", TABLES)
def test_options(name):
    page, tables = (DOCS / name).read_text(encoding="utf-8"), TABLES[name]()
    assert with_tables(page, tables) == page, HOW
    assert all(table in page for table in tables.values())
