"""What a script's jobs did, as a file of JSON: ``tableflow run FILE --metrics FILE``.

Times are from the first row that a source gave to the last one that a job put out, over all jobs of the script; rows that are out are those
that were written or shown.  There are no checkpoints yet, so their figures are 0.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tableflow.records import dataclass
from tableflow.runtime.counts import JobCounters
from tableflow.session import Session

_WRITING = {"changes", "inserted", "updated", "deleted"}
"""Counters of operators that write."""


@dataclass(frozen=True, slots=True)
class JobFigures:
    """One job: when its first row came and its last one went (nanoseconds of the performance counter, 0: none did)."""

    first: int
    last: int
    events: int
    rows_out: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """The content of the file."""

    job_s: float
    events: int
    rows_out: int
    jobs: int
    checkpoints: int
    checkpoint_mb: float
    peak_rss_mb: float


def figures_of(counters: JobCounters, shown: int, ended: int) -> JobFigures:
    """The figures of a job that gave so many rows as its result and ended then (0: it did not)."""
    sources = [stage.source for stage in counters.stages if stage.source is not None]
    operators = [operator for stage in counters.stages for operator in stage.operators]
    writers = [one for one in operators if any(name in _WRITING for name, _ in one.named)]
    written = sum(count for one in writers for name, count in one.named if name in _WRITING)
    return JobFigures(
        first=min((source.first for source in sources if source.first), default=0),
        last=ended or max((writer.last for writer in writers), default=0),
        events=sum(source.rows_out for source in sources),
        rows_out=shown + written,
    )


def summed(jobs: Sequence[JobFigures]) -> Metrics:
    """All jobs together."""
    first = min((job.first for job in jobs if job.first), default=0)
    last = max((job.last for job in jobs if job.first), default=0)
    return Metrics(
        job_s=max(0, last - first) / 1e9,
        events=sum(job.events for job in jobs),
        rows_out=sum(job.rows_out for job in jobs),
        jobs=len(jobs),
        checkpoints=0,
        checkpoint_mb=0.0,
        peak_rss_mb=_peak_megabytes(),
    )


def write_metrics(session: Session, path: str) -> None:
    """Writes the file; what the session's jobs have done so far."""
    jobs = [figures_of(run.counters(), run.shown, run.last) for run in session.jobs.remembered or ()]
    for job in session.storage.shared.keeper.jobs:
        counters = job.counters()
        if counters is not None:
            jobs.append(figures_of(counters, 0, job.ended))
    Path(path).write_text(json.dumps(asdict(summed(jobs)), indent=1) + "\n")


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
