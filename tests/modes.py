"""The modes under which one expectation must hold, and how a run proves that its mode was in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tableflow.planner.driver import RULES
from tableflow.runtime.counters import JobCounters, StageCounts


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the counters of all jobs of a run add up to."""

    exchanged_rows: int = 0
    exchanged_batches: int = 0
    fused_batches: int = 0
    most_tasks: int = 0
    narrowed_scans: int = 0

    def plus(self, counters: JobCounters) -> Evidence:
        """With another job's counters."""
        edges = [edge for stage in counters.stages for edge in stage.edges]
        named = [pair for stage in counters.stages for operator in stage.operators for pair in operator.named]
        return Evidence(
            self.exchanged_rows + sum(edge.rows for edge in edges),
            self.exchanged_batches + sum(edge.batches for edge in edges),
            self.fused_batches + sum(value for name, value in named if name == "fused_batches"),
            max([self.most_tasks, *(stage.tasks for stage in counters.stages)]),
            self.narrowed_scans + sum(1 for stage in counters.stages if _is_narrowed(stage)),
        )


def _is_narrowed(stage: StageCounts) -> bool:
    return stage.source is not None and dict(stage.source.named).get("runtime_filters", 0) > 0


@dataclass(frozen=True, slots=True)
class Mode:
    """Settings, and what must be seen after a whole corpus ran under them."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    proof: Callable[[Evidence], bool] = lambda evidence: True


def _rules_off() -> list[Mode]:
    return [
        Mode(f"without-{entry.name}", {"optimizer.disabled-rules": entry.name, "parallelism.default": "2"})
        for entry in RULES
        if entry.switchable
    ]


DEFAULT = Mode("default", {"parallelism.default": "2"}, lambda e: e.fused_batches > 0 and e.exchanged_rows > 0)
ONE_ROW = Mode(
    "one-row-batches",
    {"execution.batch-rows": "1", "parallelism.default": "2"},
    lambda e: 0 < e.exchanged_rows == e.exchanged_batches,
)
SHAPES = [
    Mode("parallelism-1", {"parallelism.default": "1"}, lambda e: e.most_tasks == 1),
    Mode("parallelism-4", {"parallelism.default": "4"}, lambda e: e.most_tasks == 4 and e.exchanged_rows > 0),
    Mode("batches-of-4096", {"execution.batch-rows": "4096", "parallelism.default": "2"}),
    Mode("channels-of-one", {"execution.channel-batches": "1", "parallelism.default": "2"}),
    Mode("unfused", {"execution.fusion": "off", "parallelism.default": "2"}, lambda e: e.fused_batches == 0),
    Mode("through-json", {"debug.serialize-plans": "on", "parallelism.default": "2"}),
    Mode("wide", {"debug.representation": "wide", "parallelism.default": "2"}),
    Mode("dictionaries", {"debug.representation": "dictionary", "parallelism.default": "2"}),
    Mode(
        "narrowed", {"optimizer.runtime-filters": "always", "parallelism.default": "2"}, lambda e: e.narrowed_scans > 0
    ),
    Mode(
        "never-narrowed",
        {"optimizer.runtime-filters": "off", "parallelism.default": "2"},
        lambda e: e.narrowed_scans == 0,
    ),
]
SEEDS = [
    Mode(f"seed-{seed}", {"execution.scheduler-seed": str(seed), "parallelism.default": "3"}) for seed in range(10)
]
RULES_OFF = _rules_off()
ALL = [DEFAULT, ONE_ROW, *SHAPES, *SEEDS, *RULES_OFF]
