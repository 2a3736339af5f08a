"""All answers of a suite against DuckDB's over the same files, as far as the queries determine them."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.side_by_side.answers import difference
from benchmarks.side_by_side.engines import DuckDB, TableFlow
from benchmarks.side_by_side.suite import Suite


def check(suite: Suite, data: Path, threads: int) -> int:
    """Prints a line a query; returns how many differ."""
    ours, theirs = TableFlow(suite.files(data), threads), DuckDB(suite.files(data), threads)
    wrong = 0
    for number in suite.numbers:
        start = time.perf_counter()
        try:
            problem = difference(suite.text(number, 0), ours.run, theirs.run)
        except Exception as error:  # noqa: BLE001 - the line names it, the count fails the check
            problem = f"{type(error).__name__}: {error}"
        took = (time.perf_counter() - start) * 1e3
        wrong += problem is not None
        print(f"q{number:02d} {'ok' if problem is None else 'WRONG'} {took:8.1f} ms {problem or ''}", flush=True)
    print(f"{len(suite.numbers) - wrong} of {len(suite.numbers)} agree with DuckDB")
    return wrong
