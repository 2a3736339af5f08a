"""Pages that are written from the declarations of settings and options say what those say."""

from pathlib import Path

from tableflow.config import KEYS
from tableflow.session.reference import option_tables, settings_page, with_tables

DOCS = Path(__file__).parents[2] / "docs"
HOW = "run python -m tableflow.session.reference"


def test_settings():
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), HOW
    assert all(f"`{name}`" in page for name in KEYS)


def test_options_of_files():
    page = (DOCS / "files.md").read_text(encoding="utf-8")
    assert with_tables(page) == page, HOW
    assert all(table in page for table in option_tables().values())
