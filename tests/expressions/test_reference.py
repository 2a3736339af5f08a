"""The page of functions is what the registry says."""

from __future__ import annotations

from pathlib import Path

from tableflow.expressions.reference import page
from tableflow.expressions.registry import AGGREGATES, FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tableflow.expressions.reference"


def test_the_page_names_every_function():
    text = page()
    for entry in FUNCTIONS:
        assert f"`{entry.signature}`".replace("|", "\\|") in text
    for aggregate in AGGREGATES:
        assert aggregate.doc in text
