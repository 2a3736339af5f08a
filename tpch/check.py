"""All 22 answers against DuckDB's over the same files."""

from __future__ import annotations

import time
from pathlib import Path

from tpch.compare import difference
from tpch.engines import DuckDB, TableFlow
from tpch.queries import NUMBERS


def check(data: Path, threads: int, *, ordered: bool = True) -> int:
    """Prints a line a query; returns how many differ.  Without ``ordered`` answers are compared as bags."""
    ours, theirs = TableFlow(data, threads), DuckDB(data, threads)
    wrong = 0
    for number in NUMBERS:
        start = time.perf_counter()
        try:
            problem = difference(ours.run(number), theirs.run(number), ordered=ordered)
        except Exception as error:  # noqa: BLE001 - the line names it, the count fails the check
            problem = f"{type(error).__name__}: {error}"
        took = (time.perf_counter() - start) * 1e3
        wrong += problem is not None
        print(f"q{number:02d} {'ok' if problem is None else 'WRONG'} {took:8.1f} ms {problem or ''}", flush=True)
    print(f"{len(NUMBERS) - wrong} of {len(NUMBERS)} agree with DuckDB")
    return wrong
