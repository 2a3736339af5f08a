"""From a bound query to an optimised one: the ordered list of rewrite rules and what runs them.

Each rule is one line of :data:`RULES`.  The driver times rules, records which fired, leaves out those that are switched
off, and checks that the result's columns keep their ids and types.
"""

from __future__ import annotations

import enum
import importlib
import time
from collections.abc import Sequence
from typing import TypeAlias

from tableflow.config import DISABLED_RULES, Settings
from tableflow.errors import InternalError
from tableflow.nearest import nearest
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Node,
    Project,
    Query,
    Replicate,
    Scan,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.time_nodes import AsofJoin, AssignWatermarks, TemporalJoin, WindowTable
from tableflow.planner.logical.traversal import transform_plan, walk_plan
from tableflow.planner.rewriting import Rewriter, Rule, Trace
from tableflow.planner.statistics import Statistics
from tableflow.planner.stream_facts import is_streaming
from tableflow.planner.streaming_rules import NOT_FOR_STREAMS, ONLY_FOR_STREAMS
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable

_JOIN = (Join,)
_FILTER = (Filter,)


class Phase(enum.Enum):
    """Stages of the optimisation, in order; a whole-plan rule runs before the local ones of its phase."""

    PREPARE = "prepare"
    NORMALISE = "normalise"
    REWRITE = "rewrite"
    ORDER = "order"
    SHARE = "share"


_P, _N, _R, _O, _S = Phase.PREPARE, Phase.NORMALISE, Phase.REWRITE, Phase.ORDER, Phase.SHARE


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule: ``on`` are the node types a local rule looks at, none for a rule over the whole plan.

    ``function`` is the rule, or the module of the planner that has it under its name, which is loaded when a plan wants it.
    """

    name: str
    function: Rule | str
    phases: tuple[Phase, ...]
    on: tuple[type[Node], ...] = ()
    switchable: bool = True
    about: tuple[type[Node], ...] = ()
    """Of a rule over the whole plan: nodes without any of which it does nothing."""

    def rule(self) -> Rule:
        """The function."""
        if not isinstance(self.function, str):
            return self.function
        found: Rule = getattr(importlib.import_module(f"{__package__}.{self.function}"), self.name)
        return found


RULES: tuple[Entry, ...] = (
    Entry("collect_hints", "rules.hints", (_P,), switchable=False),
    Entry("unnest_dependent_joins", "unnesting", (_N,), switchable=False, about=_JOIN),
    Entry("rewrite_set_operations", "rules.set_operations", (_N,), (SetOperation,), switchable=False),
    Entry("merge_set_operations", "rules.set_operations", (_P, _R), (SetOperation,)),
    Entry("right_to_left", "rules.join_kinds", (_P, _N), _JOIN, switchable=False),
    Entry("settle_temporal_join", "rules.time_joins", (_P,), (TemporalJoin,), switchable=False),
    Entry("expand_asof_join", "rules.time_joins", (_P,), (AsofJoin,), switchable=False),
    Entry("settle_emission", "rules.emission", (_P,), (Aggregate,), switchable=False),
    Entry("settle_event_time", "rules.event_time", (_P,), (AssignWatermarks,), switchable=False),
    Entry("expand_window_table", "rules.window_tables", (_P,), (WindowTable,), switchable=False),
    Entry("fold_constants", "rules.fold", (_P, _R), (Filter, Project, Join, Aggregate, Window, Scan, Values)),
    Entry(
        "propagate_empty",
        "rules.empty",
        (_R,),
        (Filter, Project, Join, Aggregate, Window, Sort, Limit, SetOperation, Replicate),
    ),
    Entry("split_conjuncts", "rules.filters", (_P, _R), (Filter, Join)),
    Entry("factor_disjunctions", "rules.disjunctions", (_P, _R), (Filter, Join)),
    Entry("merge_filters", "rules.filters", (_P, _R), _FILTER),
    Entry("mark_to_semi", "rules.join_kinds", (_P, _R), _FILTER),
    Entry("outer_to_inner", "rules.join_kinds", (_R,), (Filter, Join)),
    Entry("push_filter_below_subquery", "rules.join_filters", (_P,), _FILTER, switchable=False),
    Entry("push_filter_into_join", "rules.join_filters", (_P, _R), _FILTER),
    Entry("push_filter_through_project", "rules.filters", (_P, _R), _FILTER),
    Entry("push_filter_through_aggregate", "rules.filters", (_P, _R), _FILTER),
    Entry("push_filter_through_set_operation", "rules.filters", (_P, _R), _FILTER),
    Entry("push_filter_through_window", "rules.windows", (_P, _R), _FILTER),
    Entry("push_filter_through_window_table", "rules.windowed_aggregates", (_P, _R), _FILTER),
    Entry("push_filter_through_sort", "rules.filters", (_P, _R), _FILTER),
    Entry("bound_row_number", "rules.windows", (_R,), _FILTER),
    Entry("push_filter_into_scan", "rules.filters", (_R,), _FILTER),
    Entry("push_join_condition_down", "rules.join_filters", (_P, _R), _JOIN),
    Entry("derive_side_disjunctions", "rules.disjunctions", (_R,), _JOIN),
    Entry("derive_join_predicates", "rules.join_predicates", (_R,), _JOIN),
    Entry("null_aware_to_plain_anti", "rules.join_kinds", (_R,), _JOIN),
    Entry("null_safe_to_equality", "rules.join_kinds", (_R,), (Filter, Join)),
    Entry("single_to_left", "rules.join_kinds", (_R,), _JOIN),
    Entry("drop_unused_join", "rules.join_kinds", (_R,), _JOIN),
    Entry("distinct_as_groups", "rules.distinct", (_R,), (Aggregate,)),
    Entry("eliminate_distinct", "rules.distinct", (_R,), (Aggregate, Join)),
    Entry("drop_dependent_keys", "rules.group_keys", (_R,), (Aggregate,)),
    Entry("take_constants_out_of_sums", "rules.sums", (_R,), (Aggregate,)),
    Entry("answer_from_known_values", "rules.known_values", (_R,), (Aggregate,)),
    Entry("drop_useless_sort", "rules.limits", (_R,), (Filter, Join, Aggregate, Window, SetOperation, Sort)),
    Entry("merge_limits", "rules.limits", (_R,), (Limit,)),
    Entry("push_limit", "rules.limits", (_R,), (Limit,)),
    Entry("merge_projects", "rules.projects", (_P, _R), (Project,)),
    Entry("prune_columns", "rules.prune", (_R,), (Scan, Project, Aggregate, Window, WindowTable, SetOperation, Values)),
    Entry(
        "remove_trivial_project",
        "rules.projects",
        (_P, _R),
        (Filter, Join, Aggregate, Window, Project, Sort, Limit, Replicate, SetOperation, Shared),
    ),
    Entry("compute_chance_once", "rules.chance", (_P, _R), (Join, Aggregate, Window), switchable=False),
    Entry("fire_when_closed", "rules.emission", (_O,), (Aggregate,), switchable=False),
    Entry("spell_interval_keys", "rules.interval_keys", (_O,), (Aggregate,), switchable=False),
    Entry("make_windowed_aggregate", "rules.windowed_aggregates", (_O,), (Aggregate,), switchable=False),
    Entry("close_groups_of_windows", "rules.closed_groups", (_O,), (Aggregate,), switchable=False),
    Entry("window_instead_of_second_join", "rules.whole_groups", (_O,), about=_JOIN),
    Entry("exists_with_inequality", "rules.exists", (_O,), about=_JOIN),
    Entry("order_joins", "join_order", (_O,), about=_JOIN),
    Entry("group_before_join", "rules.early_groups", (_O,), about=_JOIN),
    Entry("reduce_aggregate_by_semi_join", "rules.reduce_aggregate", (_O,), about=_JOIN),
    Entry("settle_limited_groups", "rules.limits", (_O,), about=(Limit,)),
    Entry("share_common_subplans", "rules.common_subplans", (_S,)),
    Entry("share_streams", "rules.common_subplans", (_S,), switchable=False),
    Entry("fetch_columns_late", "rules.late_columns", (_S,), (Limit,)),
    Entry("push_filter_into_stream", "rules.stream_filters", (_S,), _FILTER),
)


@serializable
@dataclass(frozen=True, slots=True)
class Firing:
    """How often a rule fired in one optimisation, and the microseconds it took in all."""

    rule: str
    count: int
    microseconds: float


@dataclass(frozen=True, slots=True)
class Optimized:
    """An optimised query, estimates for its nodes, what the user should know, and what the rules did."""

    query: Query
    statistics: Statistics
    warnings: tuple[str, ...]
    trace: tuple[Firing, ...]
    streaming: bool = False


def optimize(query: Query, settings: Settings) -> Optimized:
    """An equivalent query without dependent joins, cheaper by our estimates; columns keep their ids and types."""
    context = Context(query.root, settings)
    trace = Trace()
    streaming = is_streaming(query.root, settings)
    elsewhere = NOT_FOR_STREAMS.keys() if streaming else ONLY_FOR_STREAMS.keys()
    disabled = frozenset(_disabled(settings, context) | elsewhere)
    required = frozenset([f.id for f in query.columns])
    root = query.root
    for phase, whole, local in _by_phase(disabled):
        kinds = {type(node) for node in walk_plan(root)}
        for entry in whole:
            if entry.about and kinds.isdisjoint(entry.about):
                trace.tried.add(entry.name)
                continue
            root = _apply_to_whole(entry, root, required, context, trace)
        if local.names:
            trace.tried |= local.names
            root = Rewriter(local, context, trace).rewrite(root, required)
        root = _with_one_input_each(root)
        _check_columns(root, query, phase)
    statistics = context.hand_over_statistics()
    statistics.finish(root)
    return Optimized(Query(root, query.columns), statistics, tuple(context.warnings), _firings(trace), streaming)


def _disabled(settings: Settings, context: Context) -> frozenset[str]:
    wanted = settings.get(DISABLED_RULES)
    if not wanted:
        return frozenset()
    switchable = {entry.name for entry in RULES if entry.switchable}
    for name in sorted(wanted - switchable):
        if any(entry.name == name for entry in RULES):
            context.warn(f"rule {name!r} in {DISABLED_RULES.name!r} cannot be switched off: later stages rely on it")
            continue
        near = nearest(name, sorted(switchable))
        suggestion = f"; did you mean {near!r}?" if near else ""
        context.warn(f"unknown rule {name!r} in {DISABLED_RULES.name!r}{suggestion}")
    return wanted & switchable


def _apply_to_whole(entry: Entry, root: Node, required: frozenset[int], context: Context, trace: Trace) -> Node:
    start = time.perf_counter_ns()
    new = _RULES[entry](root, required, context)
    trace.nanoseconds[entry.name] += time.perf_counter_ns() - start
    if new is None or new is root:
        return root
    trace.fired[entry.name] += 1
    return new


class _Rules(dict[Entry, Rule]):
    """The functions of rules, loaded when they are first wanted."""

    def __missing__(self, entry: Entry) -> Rule:
        found = self[entry] = entry.rule()
        return found


_RULES = _Rules()


class _Local(dict[type[Node], tuple[tuple[str, Rule], ...]]):
    """Local rules by node type, loaded when a plan first has a node of the type."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self.names = frozenset([entry.name for entry in entries])

    def __missing__(self, kind: type[Node]) -> tuple[tuple[str, Rule], ...]:
        found = self[kind] = tuple([(entry.name, _RULES[entry]) for entry in self._entries if kind in entry.on])
        return found


_Phases: TypeAlias = tuple[tuple[Phase, tuple[Entry, ...], _Local], ...]
_KNOWN: dict[frozenset[str], tuple[tuple[Entry, ...], _Phases]] = {}


def _by_phase(disabled: frozenset[str]) -> _Phases:
    """Of each phase the rules over the whole plan, and the others by node type; made once per set of rules."""
    known = _KNOWN.get(disabled)
    if known is None or known[0] is not RULES:
        known = _KNOWN[disabled] = (RULES, tuple([_of_phase(phase, disabled) for phase in Phase]))
    return known[1]


def _of_phase(phase: Phase, disabled: frozenset[str]) -> tuple[Phase, tuple[Entry, ...], _Local]:
    entries = [e for e in RULES if phase in e.phases and e.name not in disabled]
    return phase, tuple([entry for entry in entries if not entry.on]), _Local([entry for entry in entries if entry.on])


def _with_one_input_each(root: Node) -> Node:
    """All readers of a shared plan read the very same one, also after each was rewritten by itself."""
    if not [node for node in walk_plan(root) if type(node) is Shared]:
        return root
    first: dict[int, Node] = {}

    def unify(node: Node) -> Node:
        return replace(node, input=first.setdefault(node.key, node.input)) if isinstance(node, Shared) else node

    return transform_plan(root, unify)


def _check_columns(root: Node, query: Query, phase: Phase) -> None:
    types = {f.id: f.type for f in output(root)}
    for column in query.columns:
        if types.get(column.id) != column.type:
            raise InternalError(
                f"phase {phase.value!r} changed the result column {column.name!r}",
                detail=f"{types.get(column.id)} instead of {column.type}",
            )


def _firings(trace: Trace) -> tuple[Firing, ...]:
    names = [entry.name for entry in RULES if entry.name in trace.nanoseconds or entry.name in trace.tried]
    return tuple([Firing(name, trace.fired.get(name, 0), trace.nanoseconds[name] / 1000) for name in names])
