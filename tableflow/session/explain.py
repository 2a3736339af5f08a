"""EXPLAIN and EXPLAIN ANALYZE."""

from __future__ import annotations

import json

from tableflow.errors import UnsupportedError
from tableflow.physical.exchange import Exchange
from tableflow.physical.node import PhysicalNode, positions
from tableflow.physical.text import explain_physical
from tableflow.planner.logical.text import explain_logical
from tableflow.runtime.counters import JobCounters
from tableflow.serialization import dumps
from tableflow.session.job_result import JobResult, counts_at
from tableflow.session.planned import Planned
from tableflow.session.watermark_text import behind_text, time_text
from tableflow.sql.statements import Explain, ExplainKind


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


def plan_with_counters(planned: Planned, counters: JobCounters, seconds: float | None = None) -> str:
    """The plan with what has happened so far; of a job that has been at work for some ``seconds``, also how it stands."""

    def annotate(node: PhysicalNode) -> str:
        actual = _actual(node, planned, counters)
        return actual and f"  ({actual}{'' if seconds is None else _standing(node, planned, counters, seconds)})"

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


def _standing(node: PhysicalNode, planned: Planned, counters: JobCounters, seconds: float) -> str:
    """Rows per second since the job began, what the operator holds, what waits in its exchange, and where its time is."""
    place = planned.lowered.places[id(node)]
    stage, counts = counters.stage(place[0]), counts_at(counters, place)
    assert counts is not None
    found = [f"{counts.rows_out / max(seconds, 1e-3):,.0f} rows/s"]
    if isinstance(node, Exchange) and stage.edges:
        edge = max(stage.edges, key=lambda one: one.queued)
        found.append(
            f"queue {edge.queued} of {edge.capacity}, {sum(one.waiting for one in stage.edges):,} rows waiting"
        )
    elif counts.state:
        found.append(f"state {counts.state:,} bytes")
    behind = behind_text(stage, counters)
    if behind is not None and not isinstance(node, Exchange):
        found.append(f"watermark {time_text(stage.watermark)}, {behind} behind")
    return "".join(f", {text}" for text in found)
