"""From a bound query to a job graph, with everything EXPLAIN wants to show kept on the way."""

from __future__ import annotations

from typing import TypeVar

from tableflow.config import SERIALIZE_PLANS, TIME_ZONE, Settings
from tableflow.physical.lowering import Lowered, lower
from tableflow.physical.node import PhysicalNode
from tableflow.planner.driver import Optimized, optimize
from tableflow.planner.implementation.rules import plan_physical
from tableflow.planner.logical.nodes import Query
from tableflow.records import dataclass, replace
from tableflow.recursion import roomy
from tableflow.runtime.diamonds import check_diamonds
from tableflow.serialization import dumps, loads
from tableflow.session.collection import collection_held
from tableflow.types import Field

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A query ready to run; result column i is the column ``columns[i].id`` of ``root``'s output, instants in ``zone``."""

    optimized: Optimized
    root: PhysicalNode
    lowered: Lowered
    columns: tuple[Field, ...]
    warnings: tuple[str, ...]
    zone: str = "UTC"
    serialized: int = 0
    """How many characters of JSON the plan and its job graph were written as and read from again."""

    @property
    def endless(self) -> bool:
        """Whether some input has no end."""
        return not self.root.facts.properties.bounded

    @property
    def stays(self) -> bool:
        """Whether rows may come for ever: an input has no end, and no LIMIT above it ends the query."""
        node = self.root
        while len(node.inputs) == 1:
            if type(node).__name__ == "LimitRows" and getattr(node, "limit", None) is not None:
                return False
            (node,) = node.inputs
        return self.endless

    @property
    def changes(self) -> bool:
        """Whether the first column says what each row does to those before it."""
        return type(self.root).__name__ == "ChangelogResult"

    @property
    def waits_for_epochs(self) -> bool:
        """Whether some rows come out, or count, only when an epoch ends."""
        if not self.optimized.streaming:
            return False
        from tableflow.physical.changelog_aggregate import ChangelogAggregate
        from tableflow.physical.current_join import CurrentJoin
        from tableflow.physical.epoch_time import EpochTime
        from tableflow.physical.windowed_aggregate import WindowedAggregate

        return self.changes or any(
            isinstance(node, (CurrentJoin, EpochTime))
            or (isinstance(node, ChangelogAggregate) and node.per_epoch)
            or (isinstance(node, WindowedAggregate) and node.late is not None)
            for node, _ in self.lowered.nodes()
        )


@dataclass(frozen=True, slots=True)
class Computed:
    """A plan that is not cut into stages yet, so that something can be put on top of it."""

    optimized: Optimized
    root: PhysicalNode
    columns: tuple[Field, ...]
    warnings: tuple[str, ...]
    serialized: int = 0


def plan(query: Query, settings: Settings) -> Planned:
    """Optimises, finds the cheapest physical plan, fuses and lowers."""
    computed = compute(query, settings)
    return finish(computed, computed.root, computed.columns, settings)


@roomy
@collection_held()
def compute(query: Query, settings: Settings, *, anywhere: bool = False, changes: bool = False) -> Computed:
    """Everything but lowering; ``anywhere``: the rows may come in any tasks, unless the query sorts them.

    ``changes``: what comes out of a stream are its changes, with weights.
    """
    optimized = optimize(query, settings)
    physical = plan_physical(
        optimized.query,
        optimized.statistics,
        settings,
        anywhere=anywhere,
        streaming=optimized.streaming,
        changes=changes,
    )
    root, serialized = physical.root, 0
    if root.inputs:
        from tableflow.physical.fusion import fuse

        if _has_joins(root):
            from tableflow.physical.runtime_filters import place_runtime_filters

            root = place_runtime_filters(root, settings)
        root, serialized = _through_json(root, settings)
        root = fuse(root, settings)
    warnings = (*optimized.warnings, *physical.warnings)
    return Computed(optimized, root, physical.columns, warnings, serialized)


@roomy
@collection_held()
def finish(computed: Computed, root: PhysicalNode, columns: tuple[Field, ...], settings: Settings) -> Planned:
    """The job graph of ``root``, which is the computed plan or stands on it."""
    root, fused = _through_json(root, settings)
    lowered = lower(root, settings)
    graph, lowest = _through_json(lowered.graph, settings)
    if len(graph.stages) > 1:
        heads = {stage.id: stage.operators[0].definition for stage in graph.stages if stage.operators}
        check_diamonds(graph, {stage: getattr(head, "prefers_port", False) for stage, head in heads.items()})
    return Planned(
        computed.optimized, root, replace(lowered, graph=graph), columns, computed.warnings, settings.get(TIME_ZONE),
        computed.serialized + fused + lowest,
    )  # fmt: skip


def _has_joins(node: PhysicalNode) -> bool:
    return type(node).__name__ == "HashJoin" or any(map(_has_joins, node.inputs))


def _through_json(value: _T, settings: Settings) -> tuple[_T, int]:
    """If the settings want it: the value as read again from its JSON, and how many characters that was."""
    if not settings.get(SERIALIZE_PLANS):
        return value, 0
    written = dumps(value)
    return loads(written), len(written)
