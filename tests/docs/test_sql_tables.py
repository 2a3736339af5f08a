"""The pages about SQL on tables and on files: their blocks are run in order."""

from __future__ import annotations

from pathlib import Path

import pytest

import tableflow
from tests.docs.pages import examples, run

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"sql-tables.md": (40, 15), "files.md": (12, 7), "streaming-tables.md": (13, 4), "connectors.md": (10, 3)}
"""How many statements a page has at least, and how many of them say what they give."""


@pytest.mark.parametrize("page", PAGES)
def test_examples(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tableflow.connect() as connection:
        run(connection, examples(DOCS / page))


@pytest.mark.parametrize("page", PAGES)
def test_there_are_examples(page: str) -> None:
    statements = examples(DOCS / page)
    least, checked = PAGES[page]
    assert len(statements) >= least
    assert sum(bool(expected) for _, expected in statements) >= checked
