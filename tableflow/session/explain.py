"""EXPLAIN and EXPLAIN ANALYZE."""

from __future__ import annotations

import json

from tableflow.errors import UnsupportedError
from tableflow.physical.exchange import Exchange
from tableflow.physical.node import PhysicalNode, positions
from tableflow.physical.text import explain_physical
from tableflow.planner.logical.text import explain_logical
from tableflow.runtime.counts import JobCounters, OperatorCounts
from tableflow.serialization import dumps
from tableflow.session.job_result import JobResult, counts_at
from tableflow.session.planned import Planned
from tableflow.session.watermark_text import behind_text, time_text
from tableflow.sql.statements import Explain, ExplainKind

_LONG_WAIT = 100_000
"""Microseconds after which it is said what an operator stands still for."""


def explain(statement: Explain, planned: Planned) -> str:
    """The plan as text (or JSON: result columns by position in the rows, plan, job graph), without running it."""
    match statement.kind:
        case ExplainKind.LOGICAL:
            return explain_logical(planned.optimized.query.root)
        case ExplainKind.PLAIN | ExplainKind.PHYSICAL | ExplainKind.COST | ExplainKind.CHANGELOG:
            return explain_physical(planned.root)
        case ExplainKind.JSON:
            where = positions(planned.root.fields)
            document = {
                "columns": [{"name": f.name, "type": str(f.type), "position": where[f.id]} for f in planned.columns],
                "plan": json.loads(dumps(planned.root)),
                "job": json.loads(dumps(planned.lowered.graph)),
            }
            return json.dumps(document, indent=1)
        case _:
            raise UnsupportedError(
                f"EXPLAIN {statement.kind.value.upper()} is not there yet",
                hint="EXPLAIN [LOGICAL | PHYSICAL | COST | CHANGELOG | JSON | WATERMARK | ANALYZE] query",
                span=statement.span,
            )


def explain_analyzed(planned: Planned, result: JobResult) -> str:
    """Runs the query to its end and shows the plan with what happened."""
    while result.next_batch() is not None:
        pass
    return plan_with_counters(planned, result.counters())


def plan_with_counters(
    planned: Planned,
    counters: JobCounters,
    seconds: float | None = None,
    before: tuple[float, JobCounters] | None = None,
) -> str:
    """The plan with what has happened so far; of a job that has been at work for some ``seconds``, also how it stands.

    ``before``: what it had done so many seconds ago, from which its present speed follows; None: the speed since the beginning.
    """

    def annotate(node: PhysicalNode) -> str:
        actual = _actual(node, planned, counters)
        return (
            actual and f"  ({actual}{'' if seconds is None else _standing(node, planned, counters, seconds, before)})"
        )

    text = explain_physical(planned.root, annotate)
    moved = sum(edge.rows for stage in counters.stages for edge in stage.edges)
    held = sum(stage.backpressured for stage in counters.stages) if planned.endless else 0
    slow = f", tasks waited {held / 1e6:.1f} s for those that take their rows" if held >= 100_000 else ""
    return f"{text}\n\n{moved:,} rows exchanged, memory peak {counters.memory_peak / 2**20:.1f} MiB{slow}"


def _actual(node: PhysicalNode, planned: Planned, counters: JobCounters) -> str:
    place = planned.lowered.places.get(id(node))
    counts = None if place is None else counts_at(counters, place)
    if counts is None:
        return ""
    named = "".join(f", {name} {value:,}" for name, value in counts.named)
    if counts.longest:
        named += f", longest step {counts.longest / 1e3:.1f} ms"
    return f"actual rows {counts.rows_out:,}, busy {counts.busy / 1e3:.2f} ms{named}"


def _standing(
    node: PhysicalNode,
    planned: Planned,
    counters: JobCounters,
    seconds: float,
    before: tuple[float, JobCounters] | None,
) -> str:
    """Rows per second, what it stands still for, what the operator holds, what waits in its exchange, and where its time is."""
    place = planned.lowered.places[id(node)]
    stage, counts = counters.stage(place[0]), counts_at(counters, place)
    assert counts is not None
    found = [f"{_speed(counts, place, seconds, before):,.0f} rows/s"]
    if counts.waits is not None and counts.waits[1] >= _LONG_WAIT:
        found.append(f"waiting {counts.waits[1] / 1e6:.1f} s for {counts.waits[0]}")
    if isinstance(node, Exchange) and stage.edges:
        edge = max(stage.edges, key=lambda one: one.queued)
        found.append(
            f"queue {edge.queued} of {edge.capacity}, {sum(one.waiting for one in stage.edges):,} rows waiting"
        )
    elif counts.state:
        found.append(f"state {counts.state_rows:,} rows, {counts.state:,} bytes")
    behind = behind_text(stage, counters)
    if behind is not None and not isinstance(node, Exchange):
        found.append(f"watermark {time_text(stage.watermark)}, {behind} behind")
    return "".join(f", {text}" for text in found)


def _speed(
    counts: OperatorCounts, place: tuple[int, int], seconds: float, before: tuple[float, JobCounters] | None
) -> float:
    """Rows per second of late."""
    since, known = (seconds, 0)
    if before is not None:
        earlier = counts_at(before[1], place)
        since, known = before[0], 0 if earlier is None else earlier.rows_out
    return (counts.rows_out - known) / max(since, 1e-3)
