"""The known name that a misspelt one was most likely meant to be.

Names are compared without regard to case by the number of letters to insert, delete, exchange or swap with their neighbour
(optimal string alignment, after Damerau, 1964).  About one slip in three letters is forgiven, none in two: a hint that is
far off costs more than none.
"""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that is closest, as it is spelled there; None if none is close."""
    found = nearest_names(word, known, 1)
    return found[0] if found else None


def nearest_names(word: str, known: Iterable[str], most: int) -> list[str]:
    """The closest names first; of equally close ones those with the same letters, then the one that is known first."""
    folded = word.casefold()
    bound = _bound(len(folded))
    found: list[tuple[float, bool, int, str]] = []
    for order, name in enumerate(known):
        other = name.casefold()
        same = sorted(other) == sorted(folded)
        if abs(len(other) - len(folded)) <= bound and (slips := _distance(folded, other, bound)) <= bound:
            # of two letters one is too much to exchange
            if len(folded) > 2 or len(other) != len(folded) or same:
                found.append((slips, not same, order, name))
        elif _is_part(folded, other):
            found.append((bound + 0.5, not same, order, name))
    return list(dict.fromkeys(name for *_, name in sorted(found)))[:most]


def _bound(length: int) -> int:
    return 0 if length < 2 else max(1, length // 3)


def _is_part(word: str, other: str) -> bool:
    """``custkey`` of ``c_custkey``, ``date`` of ``order_date``."""
    return len(word) > 2 and (other.startswith(f"{word}_") or other.endswith(f"_{word}"))


def _distance(a: str, b: str, bound: int) -> int:
    """How many slips there are between two words; more than ``bound`` if there are more."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        following = [i]
        for j, other in enumerate(b, 1):
            slips = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                slips = min(slips, before[j - 2] + 1)
            following.append(slips)
        if min(following) > bound:
            return bound + 1
        before, row = row, following
    return row[-1]
