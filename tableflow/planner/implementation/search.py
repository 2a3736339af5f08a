"""The search for the cheapest physical plan, top-down with memo.

``best(node, required)`` asks the implementation rules of the node's type for alternatives, adds the enforcers that
each lacks, and keeps the cheapest; results are kept per node and requirement, so shared work is done once.
After Graefe, "The Cascades Framework for Query Optimization" (1995), without transformation: join orders and
rewrites were decided on the logical plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from tableflow.config import PARALLELISM, Settings
from tableflow.errors import InternalError
from tableflow.expressions.intervals import Domain
from tableflow.physical.node import Facts, PhysicalNode
from tableflow.physical.properties import Estimate, OrderingKey, Partitioning, PartitioningKind, Properties
from tableflow.planner.implementation.enforcers import enforce
from tableflow.planner.implementation.needed import needed_columns
from tableflow.planner.implementation.requirements import Required
from tableflow.planner.logical import nodes as logical
from tableflow.types import Field


class Cardinality(Protocol):
    """Estimates of the logical plan, by node."""

    def rows(self, node: logical.Node) -> float:
        """Expected output rows."""
        ...

    def table_rows(self, scan: logical.Scan) -> float:
        """Rows of a scan's table before its predicates."""
        ...

    def distinct(self, node: logical.Node, columns: Sequence[int]) -> float:
        """Expected distinct combinations of these columns."""
        ...

    def row_bytes(self, node: logical.Node, columns: Iterable[int]) -> float:
        """Expected bytes of these columns in one row."""
        ...

    def keys(self, node: logical.Node) -> tuple[frozenset[int], ...]:
        """Sets of columns that are unique together."""
        ...

    @property
    def domains(self) -> Mapping[int, Domain]:
        """Bounds by column id, sound."""
        ...


Rule: TypeAlias = "Callable[[Search, Any, Required], Iterable[PhysicalNode]]"


class Search:
    """State of planning one query; not reused."""

    def __init__(
        self,
        root: logical.Node,
        wanted: frozenset[int],
        cardinality: Cardinality,
        settings: Settings,
        rules: Mapping[type, Rule],
    ) -> None:
        self.cardinality = cardinality
        self.settings = settings
        self.parallelism = settings.get(PARALLELISM)
        self.warnings: list[str] = []
        self.shared: dict[int, PhysicalNode] = {}
        self._needed = needed_columns(root, wanted)
        self._rules = rules
        self._memo: dict[tuple[int, Required], PhysicalNode] = {}
        self._fresh = itertools.count(_highest_id(root) + 1)
        self._publications = itertools.count(1)

    def best(self, node: logical.Node, required: Required) -> PhysicalNode:
        """The cheapest plan of ``node`` that delivers ``required``."""
        key = (id(node), required)
        known = self._memo.get(key)
        if known is None:
            rule = self._rules.get(type(node))
            if rule is None:
                raise InternalError(f"no implementation rule for {type(node).__name__}")
            candidates = [enforce(self, plan, required) for plan in rule(self, node, required)]
            known = min(candidates, key=lambda plan: plan.facts.estimate.cost)
            self._memo[key] = known
        return known

    def needed(self, node: logical.Node) -> frozenset[int]:
        """Ids of the node's columns that its parents read."""
        return self._needed[id(node)]

    def fresh_id(self) -> int:
        """A column id that is not in the plan yet."""
        return next(self._fresh)

    def publication(self, what: str) -> str:
        """A key for a published build."""
        return f"{what}-{next(self._publications)}"

    def share(self, partitioning: Partitioning) -> float:
        """By how much work under this partitioning is divided."""
        return 1.0 if partitioning.kind is PartitioningKind.SINGLE else float(self.parallelism)

    def facts(
        self,
        node: logical.Node,
        fields: tuple[Field, ...],
        children: Sequence[PhysicalNode],
        work: float,
        partitioning: Partitioning,
        ordering: tuple[OrderingKey, ...] = (),
        rows: float | None = None,
    ) -> Facts:
        """Facts of a plan for ``node``: children's cost plus ``work`` (of all tasks together), divided."""
        ids = {f.id for f in fields}
        expected = self.cardinality.rows(node) if rows is None else rows
        cost = sum(child.facts.estimate.cost for child in children) + work / self.share(partitioning)
        keys = tuple(key for key in self.cardinality.keys(node) if key <= ids)
        return Facts(
            Properties(_visible(partitioning, ids), ordering, keys=keys),
            Estimate(expected, self.cardinality.row_bytes(node, ids), cost),
        )


def _visible(partitioning: Partitioning, ids: set[int]) -> Partitioning:
    """A partitioning by columns that are not in the output any more is of no use to anybody."""
    if all(key in ids for key in partitioning.keys):
        return partitioning
    return Partitioning(PartitioningKind.ARBITRARY)


def _highest_id(root: logical.Node) -> int:
    highest = max((f.id for f in logical.output(root)), default=0)
    match root:
        case logical.Scan(fields=fields) | logical.Values(fields=fields):
            highest = max([highest, *(f.id for f in fields)])
    return max([highest, *(_highest_id(child) for child in logical.inputs(root))])
