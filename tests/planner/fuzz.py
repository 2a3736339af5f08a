"""Many random queries at once, without shrinking: ``python -m tests.planner.fuzz FIRST_SEED COUNT [RULES-OFF]``.

Prints, for each kind of failure, the smallest query that showed it.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter

from tableflow.config import Settings
from tableflow.planner.driver import RULES, optimize
from tableflow.planner.logical.nodes import Scan
from tableflow.planner.logical.text import explain_logical
from tableflow.planner.logical.traversal import walk_plan
from tests.planner.interpreter import SKIPPED, TooManyRows, run
from tests.planner.plans import Seeded, query_from
from tests.planner.validation import check


def attempt(seed: int, options: Settings, fired: Counter[str]) -> str:
    """The outcome of one query."""
    query = query_from(Seeded(seed), 1 + seed % 4)
    check(query, allow_dependent=True)
    try:
        expected = run(query)
    except TooManyRows:
        return "fails by itself"
    found = optimize(query, options)
    fired.update(firing.rule for firing in found.trace if firing.count)
    check(found.query)
    may_fail = bool(SKIPPED)
    try:
        rows = run(found.query)
    except TooManyRows:
        if may_fail:
            return "fails where there is no outer row"
        raise
    if rows != expected:
        raise AssertionError(f"rows differ\nexpected {expected}\nfound {rows}\n{explain_logical(found.query.root)}")
    return "agrees"


def main(first: int, count: int, off: str) -> int:
    options = Settings()
    if off:
        names = ",".join(entry.name for entry in RULES if entry.switchable) if off == "all" else off
        options = options.with_value("optimizer.disabled-rules", names)
    outcomes: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    failures: dict[str, tuple[int, int, str]] = {}
    for seed in range(first, first + count):
        try:
            outcomes[attempt(seed, options, fired)] += 1
        except Exception as error:  # noqa: BLE001
            outcomes["fails"] += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {place.name}:{place.lineno}"
            size = sum(1 for _ in walk_plan(query_from(Seeded(seed), 1 + seed % 4).root))
            if kind not in failures or failures[kind][0] > size:
                failures[kind] = (size, seed, "".join(traceback.format_exception(error)[-4:]))
    print(dict(outcomes))
    print(dict(fired.most_common()))
    for kind, (size, seed, text) in sorted(failures.items(), key=lambda item: item[1]):
        query = query_from(Seeded(seed), 1 + seed % 4)
        print(f"=== {kind}: seed {seed}, {size} nodes\n{explain_logical(query.root)}")
        print({node.table: node.provider.rows for node in walk_plan(query.root) if isinstance(node, Scan)})
        print(text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
