"""Comparison with golden files; ``TABLEFLOW_UPDATE_GOLDEN=1`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

UPDATING = os.environ.get("TABLEFLOW_UPDATE_GOLDEN") == "1"


def compare(found: str, path: Path) -> None:
    """Fails where the text differs from the file."""
    if UPDATING:
        path.write_text(found)
    assert path.exists(), f"{path} is missing; make it with TABLEFLOW_UPDATE_GOLDEN=1"
    assert found == path.read_text()
