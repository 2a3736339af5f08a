"""Every file that the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_PATH = re.compile(r"`((?:tableflow|native|tests|tpch|docs|examples)/[\w./]+)`|\]\((?!http)([\w./]+)\)")


def _paths(document: Path) -> list[Path]:
    found = _PATH.findall(document.read_text())
    return [ROOT / inside if inside else document.parent / link for inside, link in found]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    missing = [str(path.relative_to(ROOT)) for path in _paths(document) if not path.exists()]
    assert missing == []


def test_the_documents_name_files() -> None:
    assert sum(len(_paths(document)) for document in DOCUMENTS) > 30
