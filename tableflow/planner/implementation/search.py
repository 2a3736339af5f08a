"""The search for the cheapest physical plan, top-down with memo.

``best(node, required)`` asks the implementation rules of the node's type for alternatives, adds the enforcers that
each lacks, and keeps the cheapest; results are kept per node and requirement, so shared work is done once.
After Graefe, "The Cascades Framework for Query Optimization" (1995), without transformation: join orders and
rewrites were decided on the logical plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from tableflow.catalog.provider import TableProvider
from tableflow.config import PARALLELISM, STATE_TTL, Settings
from tableflow.errors import InternalError, UnsupportedError
from tableflow.expressions.intervals import Domain
from tableflow.physical.node import Facts, PhysicalNode
from tableflow.physical.properties import ANYWHERE, Estimate, OrderingKey, Partitioning, PartitioningKind, Properties
from tableflow.planner.arrival_order import RowFacts, arrival_reasons
from tableflow.planner.implementation.enforcers import enforce, enforcing_cost
from tableflow.planner.implementation.needed import needed_columns
from tableflow.planner.implementation.requirements import NOTHING, Required
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.structure import inputs, output, place
from tableflow.planner.stream_facts import StreamFacts, Streams
from tableflow.planner.window_closings import closing_column
from tableflow.records import dataclass, replace
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

    def groups(self, node: logical.Aggregate) -> float:
        """Expected groups, where the choice of how to aggregate depends on them."""
        ...

    def row_bytes(self, node: logical.Node, columns: Iterable[int]) -> float:
        """Expected bytes of these columns in one row."""
        ...

    def state_ttl(self, below: logical.Node) -> int | None:
        """What hints say of how long state about a node's rows is kept."""
        ...

    def keys(self, node: logical.Node) -> tuple[frozenset[int], ...]:
        """Sets of columns that are unique together."""
        ...

    @property
    def domains(self) -> Mapping[int, Domain]:
        """Bounds by column id, sound."""
        ...


@dataclass(slots=True)
class Draft:
    """An alternative that is priced; only the cheapest one is built.  ``cost`` is that of the built plan."""

    cost: float
    partitioning: Partitioning
    rows: float
    row_bytes: float
    build: Callable[[], PhysicalNode]


Rule: TypeAlias = "Callable[[Search, Any, Required], Iterable[PhysicalNode | Draft]]"


class Search:
    """State of planning one query; not reused."""

    def __init__(
        self,
        root: logical.Node,
        wanted: frozenset[int],
        cardinality: Cardinality,
        settings: Settings,
        rules: Callable[[type], Rule | None],
        *,
        streaming: bool = False,
    ) -> None:
        self.streaming = streaming
        self.cardinality = cardinality
        self.settings = settings
        self.parallelism = settings.get(PARALLELISM)
        self.warnings: list[str] = []
        self.shared: dict[int, PhysicalNode] = {}
        self.scanned: dict[int, tuple[TableProvider, str]] = {}
        """Columns of tables, by id."""
        self.alternatives: dict[int, Any] = {}
        """What the rule of a join found, by node, as far as it does not depend on what is required."""
        self._needed = needed_columns(root, wanted)
        self._adopted: list[logical.Node] = []  # nodes are known by identity, so they must not go
        self._rules = rules
        self._rows = RowFacts(cardinality.keys, self.needed)
        self._memo: dict[tuple[int, Required], PhysicalNode] = {}
        self._output: dict[int, dict[int, Field]] = {}
        self._fresh = itertools.count(_highest_id(root) + 1)
        self._publications = itertools.count(1)
        self._streams = Streams(root) if streaming else None
        self.ordered: logical.Node | None = None
        """The sort of a stream whose rows are given in its order, as time passes them."""

    def best(self, node: logical.Node, required: Required) -> PhysicalNode:
        """The cheapest plan of ``node`` that delivers ``required``."""
        key = (id(node), required)
        known = self._memo.get(key)
        if known is None:
            rule = self._rules(type(node))
            if rule is None and self.streaming:
                raise UnsupportedError(
                    f"{type(node).__name__} over streams is not there yet",
                    hint="SET 'execution.runtime-mode' = 'batch' where all data is finished",
                    span=place(node),
                )
            if rule is None:
                raise InternalError(f"no implementation rule for {type(node).__name__}")
            try:
                known = self._memo[key] = self._cheapest(list(rule(self, node, required)), required)
            except UnsupportedError as error:
                raise error.at(place(node)) from None
        return known

    def dispose(self) -> None:
        """Forgets what refers to the search itself, so that it goes with its last user."""
        self.alternatives.clear()
        del self._rows

    def settle(self, node: logical.Node, plan: PhysicalNode) -> None:
        """What asks for ``node`` as it comes gets this plan."""
        self._memo[(id(node), NOTHING)] = plan

    def _cheapest(self, candidates: Sequence[PhysicalNode | Draft], required: Required) -> PhysicalNode:
        chosen = candidates[0]
        if len(candidates) > 1:
            prices = [self._price(candidate, required) for candidate in candidates]
            chosen = candidates[prices.index(min(prices))]
        return enforce(self, chosen.build() if isinstance(chosen, Draft) else chosen, required)

    def _price(self, of: PhysicalNode | Draft, required: Required) -> float:
        if isinstance(of, Draft):
            return of.cost + enforcing_cost(self, of.partitioning, (), of.rows, of.row_bytes, required)
        properties, estimate = of.facts.properties, of.facts.estimate
        return estimate.cost + enforcing_cost(
            self, properties.partitioning, properties.ordering, estimate.rows, estimate.row_bytes, required, of
        )

    def stream(self, node: logical.Node) -> StreamFacts:
        """Whether the node's rows end, and how they change, in a streaming plan."""
        assert self._streams is not None
        return self._streams.of(node)

    def state_ttl(self, below: logical.Node) -> int:
        """For how many microseconds state about a node's rows is kept that does not change; 0: for ever."""
        hinted = self.cardinality.state_ttl(below)
        return self.settings.get(STATE_TTL) if hinted is None else hinted

    def finishes(self, node: logical.Node) -> bool:
        """Whether a streaming plan does this when all has come."""
        return self._streams is not None and self._streams.finishing is node

    def needed(self, node: logical.Node) -> frozenset[int]:
        """Ids of the node's columns that its parents read."""
        return self._needed[id(node)]

    def adopt(self, new: logical.Node, old: logical.Node, more: frozenset[int] = frozenset()) -> None:
        """``new``, which gives the same columns and those of ``more``, is planned in the place of a node of the plan."""
        self._needed[id(new)] = self._needed[id(old)] | more
        self._adopted.append(new)

    def output(self, node: logical.Node) -> dict[int, Field]:
        """The node's output columns by id, in order."""
        known = self._output.get(id(node))
        if known is None:
            known = self._output[id(node)] = {f.id: f for f in output(node)}
        return known

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
        cost = self.cost(children, work, partitioning)
        keys = tuple([key for key in self.cardinality.keys(node) if key <= ids])
        properties = Properties(
            visible(partitioning, ids), ordering, keys=keys, arrival_ordered=self._takes_arrival_order(node)
        )
        if self.streaming:
            stream = self.stream(node)
            properties = replace(
                properties, bounded=stream.bounded, changelog=stream.changelog, event_time=stream.event_time & ids
            )
        return Facts(properties, Estimate(expected, self.cardinality.row_bytes(node, ids), cost))

    def _takes_arrival_order(self, node: logical.Node) -> bool:
        # Operators over changelogs, and those that wait for event time, tell rows that tie apart by their other columns.
        told_apart = self.streaming and not self.finishes(node)
        if told_apart and self.stream(node).appends:
            told_apart = isinstance(node, logical.Window) and closing_column(node, self.stream) is None
        return any(arrival_reasons(node, self._rows, told_apart=told_apart))

    def cost(self, children: Sequence[PhysicalNode], work: float, partitioning: Partitioning) -> float:
        """Children's cost plus ``work``, divided among the tasks."""
        return sum([child.facts.estimate.cost for child in children]) + work / self.share(partitioning)


def visible(partitioning: Partitioning, ids: Collection[int]) -> Partitioning:
    """A partitioning by columns that are not in the output any more is of no use to anybody."""
    if not partitioning.keys or all(key in ids for key in partitioning.keys):
        return partitioning
    return ANYWHERE


def _highest_id(root: logical.Node) -> int:
    highest = max((f.id for f in output(root)), default=0)
    match root:
        case logical.Scan(fields=fields) | logical.Values(fields=fields):
            highest = max([highest, *(f.id for f in fields)])
    return max([highest, *(_highest_id(child) for child in inputs(root))])
