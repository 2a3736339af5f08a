"""Results as the corpus writes them, and whether they are what it expects."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tableflow.shell.rendering import text_of
from tests.slt.records import Record


def cell(value: Any) -> str:
    """A value as the corpus spells it: one line, no runs of spaces, decimals without trailing zeros."""
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = " ".join(text_of(value).split("\n"))
    return "(empty)" if text == "" else text.replace("  ", "\\s\\s").strip() or "(blank)"


def mismatch(record: Record, rows: Iterable[tuple[Any, ...]]) -> str | None:
    """The first difference from the expectation in words, or None."""
    assert record.rows is not None
    got = [tuple(cell(value) for value in row) for row in rows]
    expected = list(record.rows)
    if record.sort == "rowsort":
        got.sort()
        expected.sort()
    if len(got) != len(expected):
        return f"{len(got)} rows, expected {len(expected)}: {got[:5]}"
    for number, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        if len(ours) != len(theirs):
            return f"row {number}: {len(ours)} columns {ours}, expected {len(theirs)} {theirs}"
        for kind, a, b in zip(record.types, ours, theirs, strict=True):
            if a != b and not (kind == "R" and _close(a, b)):
                return f"row {number}: {ours}, expected {theirs}"
    return None


def _close(a: str, b: str) -> bool:
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
    except ValueError:
        return False
