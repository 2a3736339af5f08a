"""Joins of streams that never forget rows are told of."""

from __future__ import annotations

from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.planner.implementation.search import Search


def warn_of_growth(search: Search, plan: ChangelogJoin) -> None:
    """Says of a join of rows without end that it never forgets some, and what would let it."""
    sides = plan.kept_for_ever
    if not sides:
        return
    which = "both sides" if len(sides) == 2 else f"its {sides[0]} side"
    warning = (
        f"a join keeps all rows of {which} for ever, so its memory grows as long as rows come: bound the time between "
        "both sides (r.ts BETWEEN l.ts - INTERVAL '1' HOUR AND l.ts), join windows, or say how long rows are kept with "
        "/*+ STATE_TTL('l' = '1 d', 'r' = '1 d') */ or SET 'table.exec.state.ttl'"
    )
    if warning not in search.warnings:
        search.warnings.append(warning)
