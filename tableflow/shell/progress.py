"""What is said to somebody who waits for a statement over rows that end, but come at a rate: how many have come."""

from __future__ import annotations

import threading
import time
from typing import TextIO

from tableflow.catalog.provider import is_made_up
from tableflow.planner.logical.nodes import Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.session import Session
from tableflow.session.job_result import JobResult

FIRST_SECONDS = 2.0
"""How long a statement may take before anything is said; each time it takes twice as long again."""
_LOOK_SECONDS = 0.5


def tell_progress(session: Session, err: TextIO, done: threading.Event) -> None:
    """Tells until all is done; on a thread of its own, beside the one that runs the statements."""
    known: JobResult | None = None
    since, pause = time.monotonic(), FIRST_SECONDS
    while not done.wait(_LOOK_SECONDS):
        job = next((one for one in session.jobs.running if _paced(one)), None)
        if job is not known:
            known, since, pause = job, time.monotonic(), FIRST_SECONDS
        if job is not None and time.monotonic() - since >= pause:
            pause *= 2
            print(_line(job), file=err, flush=True)


def _paced(job: JobResult) -> list[Scan]:
    """What a statement waits for, if it has an end and waits for rows that are made in their time."""
    if job.endless:
        return []
    scans = [node for node in walk_plan(job.planned.optimized.query.root) if isinstance(node, Scan)]
    return [scan for scan in scans if is_made_up(scan.provider)]


def _line(job: JobResult) -> str:
    tables = {scan.table: scan.provider.statistics().rows for scan in _paced(job)}
    counters = job.counters()
    sources = [] if counters is None else [stage.source for stage in counters.stages if stage.source is not None]
    come = f"{sum(source.rows_out for source in sources):,}"
    if len(sources) == len(tables) and all(rows is not None for rows in tables.values()):
        come += f" of {sum(int(rows or 0) for rows in tables.values()):,}"
    names = ", ".join(map(repr, tables))
    return f"waiting for {names}, whose rows come at a rate: {come} so far; Ctrl-C ends the statement"
