"""The one traversal that applies local rules to a plan until none applies.

``required`` travels downwards: the ids that are read above a node.  A node is finished when no rule applies to it and its
inputs are finished; finished nodes are remembered by identity and never looked at again under the same requirement.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import field

from tableflow.errors import InternalError
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Join,
    Node,
    Project,
    Replicate,
    SetOperation,
    Shared,
    Sort,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.records import dataclass

Rule = Callable[[Node, frozenset[int], Context], Node | None]
MOST_FIRINGS = 20_000


@dataclass(slots=True)
class Trace:
    """What the rules did: firings and nanoseconds by rule name.

    A node's rules are timed together, for that one of them that fires: most fire nowhere, and a clock for each would take as long.
    """

    fired: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    nanoseconds: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tried: set[str] = field(default_factory=set)


def required_of_inputs(of: Node, required: frozenset[int], context: Context) -> tuple[frozenset[int], ...]:
    """What a node needs of each input so that it can give ``required``."""
    kind = type(of)
    if kind in _KEEPS_COLUMNS:
        return (required | context.references(of),)
    if kind in _OWN_COLUMNS:
        return (context.references(of),)
    match of:
        case Join(dependent=dependent, right=right):
            needed = required | context.references(of)
            return (needed | context.free(right) if dependent else needed, needed)
        case TemporalJoin() | AsofJoin():
            return (required | context.references(of),) * 2
        case Fetch(fields=fields):
            return ((required | context.references(of)) - {f.id for f in fields},)
        case SetOperation(columns=columns):
            return tuple([frozenset([f.id for f in own]) for own in columns])
        case _:
            return (required,) * len(inputs(of))


_KEEPS_COLUMNS = frozenset({Filter, Sort, Replicate, Window, AssignWatermarks, WindowTable})
_OWN_COLUMNS = frozenset({Project, Aggregate, WindowedAggregate, Shared})


class Rewriter:
    """Applies local rules, given per node type in order, to a fixpoint."""

    def __init__(
        self, rules: Mapping[type[Node], tuple[tuple[str, Rule], ...]], context: Context, trace: Trace
    ) -> None:
        self._rules = rules
        self._context = context
        self._trace = trace
        self._finished: dict[int, tuple[Node, frozenset[int]]] = {}
        self._firings = 0

    def rewrite(self, node: Node, required: frozenset[int]) -> Node:
        """The plan to which no rule applies any more."""
        while True:
            known = self._finished.get(id(node))
            if known is not None and known[1] == required:
                return node
            new = self._apply(node, required)
            if new is None:
                new = self._rewrite_inputs(node, required)
            if new is node:
                self._finished[id(node)] = (node, required)
                return node
            node = new

    def _rewrite_inputs(self, node: Node, required: frozenset[int]) -> Node:
        children = inputs(node)
        if not children:
            return node
        needed = required_of_inputs(node, required, self._context)
        return with_inputs(node, tuple([self.rewrite(c, n) for c, n in zip(children, needed, strict=True)]))

    def _apply(self, node: Node, required: frozenset[int]) -> Node | None:
        start = time.perf_counter_ns()
        context = self._context
        for name, rule in self._rules[type(node)]:
            new = rule(node, required, context)
            if new is not None and new is not node:
                self._trace.nanoseconds[name] += time.perf_counter_ns() - start
                self._trace.fired[name] += 1
                self._check(name, node, new, required)
                return new
        return None

    def _check(self, name: str, old: Node, new: Node, required: frozenset[int]) -> None:
        self._firings += 1
        if self._firings > MOST_FIRINGS:
            fired = ", ".join(sorted(self._trace.fired))
            raise InternalError("rewrite rules undo each other", detail=f"rules that fired: {fired}")
        lost = (required & self._context.output_ids(old)) - self._context.output_ids(new)
        if lost:
            raise InternalError(f"rule {name!r} dropped a column that is read", detail=f"ids {sorted(lost)}")
