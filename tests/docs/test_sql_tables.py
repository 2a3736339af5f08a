"""The page about SQL on tables: its blocks are run in order."""

from __future__ import annotations

from pathlib import Path

import pytest

import tableflow
from tests.docs.pages import examples, run

PAGE = Path(__file__).parents[2] / "docs" / "sql-tables.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tableflow.connect() as connection:
        run(connection, examples(PAGE))


def test_there_are_examples() -> None:
    statements = examples(PAGE)
    assert len(statements) > 40
    assert sum(bool(expected) for _, expected in statements) > 15
