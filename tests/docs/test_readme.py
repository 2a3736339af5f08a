"""The README's example of streams runs as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import tableflow
from tableflow.dbapi.cursor import Change

README = Path(__file__).parents[2] / "README.md"


def test_streams() -> None:
    section = README.read_text().split("## Streams\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {"tableflow": tableflow}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, names)
    names["con"].close()
    minutes, counts, totals, first, later = (
        eval(line, {"datetime": __import__("datetime"), "Change": Change}) for line in out.getvalue().splitlines()
    )
    assert {row[1:] for row in minutes} <= {(datetime(2024, 1, 1, 0, 1), 20.0)}
    assert {change.kind for change in counts} <= {"+I", "-U", "+U"}
    assert {change.row[0] for change in counts} <= {"a", "b"}
    assert sorted(totals) == [("ann", 10), ("bob", 20)]
    assert sorted(first) == [Change("+I", ("ann", 10)), Change("+I", ("bob", 20))]
    assert Change("-D", ("ann", 10)) in later
