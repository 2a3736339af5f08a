"""The modes under which one expectation must hold, and how a run proves that its mode was in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tableflow.planner.driver import RULES
from tableflow.runtime.counts import JobCounters


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the plans and the counters of all jobs of a run add up to."""

    exchanged_rows: int = 0
    exchanged_batches: int = 0
    fused_batches: int = 0
    most_tasks: int = 0
    narrowed_scans: int = 0
    largest: int = 0
    """The most rows of any batch of a source."""
    fullest: int = 0
    """The most batches that waited in any channel."""
    drawn: int = 0
    """Steps whose order a seed has drawn."""
    serialized: int = 0
    """Characters of JSON that plans were read from."""
    stored: Counter[str] = field(default_factory=Counter)
    """Columns of sources by how they are stored, counted where that is forced."""
    fetched: int = 0
    """Rows of which columns were fetched by their positions."""
    groups_left_out: int = 0
    """Groups whose keys were not copied, because they were not among the first."""
    fired: frozenset[str] = frozenset()
    """Rules that fired."""
    held: int = 0
    """Changes that groups have held back until an epoch's end."""
    written: int = 0
    """Changes that jobs have written."""
    planned: int = 0
    """Jobs, or what was planned as one."""
    streamed: int = 0
    """Those whose plan is one of streams, for rows that come and go."""

    def plus(self, result: Any) -> Evidence:
        """With another query's; ``result`` may be of one that needed no job."""
        if not hasattr(result, "planned"):
            return self
        counters: JobCounters | None = result.counters()
        if counters is None:  # of a job that never ran
            return self
        edges = [edge for stage in counters.stages for edge in stage.edges]
        named = [pair for stage in counters.stages for operator in stage.operators for pair in operator.named]
        sources = [stage.source for stage in counters.stages if stage.source is not None]
        return Evidence(
            self.exchanged_rows + sum(edge.rows for edge in edges),
            self.exchanged_batches + sum(edge.batches for edge in edges),
            self.fused_batches + sum(value for name, value in named if name == "fused_batches"),
            max([self.most_tasks, *(stage.tasks for stage in counters.stages)]),
            self.narrowed_scans + sum(dict(source.named).get("runtime_filters", 0) > 0 for source in sources),
            max([self.largest, *(source.largest for source in sources)]),
            max([self.fullest, *(edge.fullest for edge in edges)]),
            self.drawn + counters.drawn,
            self.serialized + result.planned.serialized,
            self.stored + Counter({n: v for s in sources for n, v in s.named if n.endswith("_columns")}),
            self.fetched + sum(value for name, value in named if name == "fetched_rows"),
            self.groups_left_out + sum(value for name, value in named if name == "groups_left_out"),
            self.fired | {firing.rule for firing in result.planned.optimized.trace if firing.count},
            self.held + sum(value for name, value in named if name == "held_changes"),
            self.written + sum(value for name, value in named if name == "changes"),
            self.planned + 1,
            self.streamed + result.planned.optimized.streaming,
        )

    def and_of(self, other: Evidence) -> Evidence:
        """That of both."""
        pairs = {each.name: (getattr(self, each.name), getattr(other, each.name)) for each in fields(self)}
        most = {"most_tasks", "largest", "fullest"}
        joined = {
            name: max(a, b) if name in most else a | b if name == "fired" else a + b for name, (a, b) in pairs.items()
        }
        return Evidence(**joined)


@dataclass(frozen=True, slots=True)
class Mode:
    """Settings, and what must be seen after a whole corpus ran under them."""

    name: str
    settings: Mapping[str, str]
    proof: Callable[[Evidence], bool]
    one_by_one: bool = False
    """Streams are fed row by row."""
    kept: bool = False
    """Each query without end is also that of a streaming table."""
    files: bool = False
    """Tables of constants are Parquet files."""


def _rules_off() -> list[Mode]:
    return [
        Mode(
            f"without-{entry.name}",
            {"optimizer.disabled-rules": entry.name, "parallelism.default": "2"},
            lambda e, rule=entry.name: rule not in e.fired and len(e.fired) > 0,  # type: ignore[misc]
        )
        for entry in RULES
        if entry.switchable
    ]


def _by_default(seen: Evidence) -> bool:
    """Nothing is forced: what modes force is not there without them."""
    return (
        seen.fused_batches > 0
        and seen.exchanged_rows > 0
        and seen.largest > FEW
        and seen.drawn == 0
        and seen.serialized == 0
        and not seen.stored
    )


FEW = 4096
DEFAULT = Mode("default", {"parallelism.default": "2"}, _by_default)
ONE_ROW = Mode(
    "one-row-batches",
    {"execution.batch-rows": "1", "parallelism.default": "2"},
    lambda e: 0 < e.exchanged_rows == e.exchanged_batches and e.largest == 1,
)
SHAPES = [
    Mode("parallelism-1", {"parallelism.default": "1"}, lambda e: e.most_tasks == 1),
    Mode("parallelism-4", {"parallelism.default": "4"}, lambda e: e.most_tasks == 4 and e.exchanged_rows > 0),
    Mode(
        "batches-of-4096",
        {"execution.batch-rows": str(FEW), "parallelism.default": "2"},
        lambda e: FEW // 2 < e.largest <= FEW,
    ),
    Mode(
        "channels-of-one",
        {"execution.channel-batches": "1", "parallelism.default": "2"},
        lambda e: e.fullest == 1 and e.exchanged_batches > 0,
    ),
    Mode("unfused", {"execution.fusion": "off", "parallelism.default": "2"}, lambda e: e.fused_batches == 0),
    Mode("through-json", {"debug.serialize-plans": "on", "parallelism.default": "2"}, lambda e: e.serialized > 0),
    Mode(
        "wide",
        {"debug.representation": "wide", "parallelism.default": "2"},
        lambda e: set(e.stored) == {"canonical_columns"},
    ),
    Mode(
        "dictionaries",
        {"debug.representation": "dictionary", "parallelism.default": "2"},
        lambda e: e.stored["dictionary_columns"] > 0,
    ),
    Mode(
        "narrowed", {"optimizer.runtime-filters": "always", "parallelism.default": "2"}, lambda e: e.narrowed_scans > 0
    ),
    Mode(
        "never-narrowed",
        {"optimizer.runtime-filters": "off", "parallelism.default": "2"},
        lambda e: e.narrowed_scans == 0,
    ),
    Mode(
        "late-columns",
        {"optimizer.late-columns": "always", "parallelism.default": "2"},
        lambda e: e.fetched > 0,
        files=True,
    ),
    Mode(
        "never-late",
        {"optimizer.late-columns": "off", "parallelism.default": "2"},
        lambda e: e.fetched == 0 and e.groups_left_out == 0,
    ),
]
SEEDS = [
    Mode(
        f"seed-{seed}",
        {"execution.scheduler-seed": str(seed), "parallelism.default": "3"},
        lambda e: e.drawn > 0 and e.exchanged_rows > 0,
    )
    for seed in range(10)
]
RULES_OFF = _rules_off()
STREAMS = [
    Mode("default", {"parallelism.default": "2"}, lambda e: e.largest > 1 and e.most_tasks == 2),
    Mode(
        "one-row-batches",
        {"execution.batch-rows": "1", "parallelism.default": "2"},
        lambda e: 0 < e.exchanged_rows == e.exchanged_batches and e.largest == 1,
        one_by_one=True,
    ),
]
MORE_STREAMS = [
    Mode("parallelism-1", {"parallelism.default": "1"}, lambda e: e.most_tasks == 1),
    Mode("parallelism-4", {"parallelism.default": "4"}, lambda e: e.most_tasks == 4),
    Mode(
        "mini-batches",
        {"table.exec.mini-batch.enabled": "true", "parallelism.default": "2"},
        lambda e: e.held > 0,
        one_by_one=True,
    ),
    Mode("unfused", {"execution.fusion": "off", "parallelism.default": "2"}, lambda e: e.fused_batches == 0),
    Mode("kept-as-tables", {"parallelism.default": "2"}, lambda e: e.written > 0, kept=True),
    SHAPES[5],
    *SEEDS[:3],
]
ALL = [DEFAULT, ONE_ROW, *SHAPES, *SEEDS, *RULES_OFF]
