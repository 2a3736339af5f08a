"""How far time has come in a running job, operator by operator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tableflow.runtime.counters import StageCounts
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME
from tableflow.session.background import BackgroundJob

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def watermark_rows(job: BackgroundJob) -> list[list[str | None]]:
    """A row per stage: what it begins with, the least watermark of its inputs, late rows."""
    counters = job.counters()
    if counters is None:
        return []
    return [[_name(stage), time_text(stage.watermark), None, str(_late(stage))] for stage in counters.stages]


def time_text(time: int) -> str | None:
    """A watermark as people read it; None before anything is known."""
    if time == START_OF_TIME:
        return None
    if time == END_OF_TIME:
        return "end"
    try:
        return (_ZERO + timedelta(microseconds=time)).replace(tzinfo=None).isoformat(" ", "milliseconds")
    except OverflowError:
        return str(time)


def _name(stage: StageCounts) -> str:
    names = [operator.name for operator in stage.operators]
    return " > ".join(names if stage.source is None else [f"source {stage.source.name}", *names])


def _late(stage: StageCounts) -> int:
    return sum(value for operator in stage.operators for name, value in operator.named if name == "late_rows")
