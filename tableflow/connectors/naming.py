"""Column names of data that does not know our rule that names differ in more than case."""

from __future__ import annotations

from collections.abc import Sequence


def distinct_names(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The names made different without regard to case (``A``, ``a`` become ``A``, ``a_1``), and warnings about it."""
    taken = {name.lower() for name in names}
    seen: set[str] = set()
    result: list[str] = []
    warnings: list[str] = []
    for name in names:
        chosen = name
        number = 0
        while chosen.lower() in seen or (number and chosen.lower() in taken):
            number += 1
            chosen = f"{name}_{number}"
        if chosen != name:
            warnings.append(f"column {name!r} is called {chosen!r}, because another one has that name")
        seen.add(chosen.lower())
        result.append(chosen)
    return result, tuple(warnings)
