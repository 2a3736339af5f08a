"""The page about SQL on streams: its blocks are run in order, over finished files."""

from __future__ import annotations

from pathlib import Path

import pytest

import tableflow
from tests.docs.pages import examples, run

PAGE = Path(__file__).parents[2] / "docs" / "streaming-sql.md"
BIDS = """auction,price,ts
1,1.00,2024-01-01 09:00:01
2,2.50,2024-01-01 09:00:04
1,1.75,2024-01-01 09:00:12
1,4.00,2024-01-01 09:00:31
"""
RATES = """auction,since,factor
1,2024-01-01 09:00:00,1
1,2024-01-01 09:00:10,2
"""


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bids.csv").write_text(BIDS)
    (tmp_path / "rate.csv").write_text(RATES)
    monkeypatch.chdir(tmp_path)
    with tableflow.connect() as connection:
        run(connection, examples(PAGE))


def test_there_are_examples() -> None:
    assert sum(bool(expected) for _, expected in examples(PAGE)) > 12
