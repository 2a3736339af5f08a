"""From a bound query to an optimised one: the ordered list of rewrite rules and what runs them.

Each rule is one line of :data:`RULES`.  The driver times rules, records which fired, leaves out those that are switched
off, and checks that the result's columns keep their ids and types.
"""

from __future__ import annotations

import enum
import time
from typing import TypeAlias

from tableflow.config import DISABLED_RULES, Settings
from tableflow.errors import InternalError
from tableflow.nearest import nearest
from tableflow.planner.join_order import order_joins
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
from tableflow.planner.rules.chance import compute_chance_once
from tableflow.planner.rules.closed_groups import close_groups_of_windows
from tableflow.planner.rules.common_subplans import share_common_subplans, share_streams
from tableflow.planner.rules.disjunctions import derive_side_disjunctions, factor_disjunctions
from tableflow.planner.rules.distinct import distinct_as_groups, eliminate_distinct
from tableflow.planner.rules.early_groups import group_before_join
from tableflow.planner.rules.emission import fire_when_closed, settle_emission
from tableflow.planner.rules.empty import propagate_empty
from tableflow.planner.rules.event_time import settle_event_time
from tableflow.planner.rules.exists import exists_with_inequality
from tableflow.planner.rules.filters import (
    merge_filters,
    push_filter_into_scan,
    push_filter_through_aggregate,
    push_filter_through_project,
    push_filter_through_set_operation,
    push_filter_through_sort,
    split_conjuncts,
)
from tableflow.planner.rules.fold import fold_constants
from tableflow.planner.rules.group_keys import drop_dependent_keys
from tableflow.planner.rules.hints import collect_hints
from tableflow.planner.rules.interval_keys import spell_interval_keys
from tableflow.planner.rules.join_filters import (
    push_filter_below_subquery,
    push_filter_into_join,
    push_join_condition_down,
)
from tableflow.planner.rules.join_kinds import (
    drop_unused_join,
    mark_to_semi,
    null_aware_to_plain_anti,
    null_safe_to_equality,
    outer_to_inner,
    right_to_left,
    single_to_left,
)
from tableflow.planner.rules.join_predicates import derive_join_predicates
from tableflow.planner.rules.known_values import answer_from_known_values
from tableflow.planner.rules.late_columns import fetch_columns_late
from tableflow.planner.rules.limits import drop_useless_sort, merge_limits, push_limit, settle_limited_groups
from tableflow.planner.rules.projects import merge_projects, remove_trivial_project
from tableflow.planner.rules.prune import prune_columns
from tableflow.planner.rules.reduce_aggregate import reduce_aggregate_by_semi_join
from tableflow.planner.rules.set_operations import merge_set_operations, rewrite_set_operations
from tableflow.planner.rules.stream_filters import push_filter_into_stream
from tableflow.planner.rules.sums import take_constants_out_of_sums
from tableflow.planner.rules.time_joins import expand_asof_join, settle_temporal_join
from tableflow.planner.rules.whole_groups import window_instead_of_second_join
from tableflow.planner.rules.window_tables import expand_window_table
from tableflow.planner.rules.windowed_aggregates import make_windowed_aggregate, push_filter_through_window_table
from tableflow.planner.rules.windows import bound_row_number, push_filter_through_window
from tableflow.planner.statistics import Statistics
from tableflow.planner.stream_facts import is_streaming
from tableflow.planner.streaming_rules import NOT_FOR_STREAMS, ONLY_FOR_STREAMS
from tableflow.planner.unnesting import unnest_dependent_joins
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
    """A rule: ``on`` are the node types a local rule looks at, none for a rule over the whole plan."""

    name: str
    function: Rule
    phases: tuple[Phase, ...]
    on: tuple[type[Node], ...] = ()
    switchable: bool = True


RULES: tuple[Entry, ...] = (
    Entry("collect_hints", collect_hints, (_P,), switchable=False),
    Entry("unnest_dependent_joins", unnest_dependent_joins, (_N,), switchable=False),
    Entry("rewrite_set_operations", rewrite_set_operations, (_N,), (SetOperation,), switchable=False),
    Entry("merge_set_operations", merge_set_operations, (_P, _R), (SetOperation,)),
    Entry("right_to_left", right_to_left, (_P, _N), _JOIN, switchable=False),
    Entry("settle_temporal_join", settle_temporal_join, (_P,), (TemporalJoin,), switchable=False),
    Entry("expand_asof_join", expand_asof_join, (_P,), (AsofJoin,), switchable=False),
    Entry("settle_emission", settle_emission, (_P,), (Aggregate,), switchable=False),
    Entry("settle_event_time", settle_event_time, (_P,), (AssignWatermarks,), switchable=False),
    Entry("expand_window_table", expand_window_table, (_P,), (WindowTable,), switchable=False),
    Entry("fold_constants", fold_constants, (_P, _R), (Filter, Project, Join, Aggregate, Window, Scan, Values)),
    Entry(
        "propagate_empty",
        propagate_empty,
        (_R,),
        (Filter, Project, Join, Aggregate, Window, Sort, Limit, SetOperation, Replicate),
    ),
    Entry("split_conjuncts", split_conjuncts, (_P, _R), (Filter, Join)),
    Entry("factor_disjunctions", factor_disjunctions, (_P, _R), (Filter, Join)),
    Entry("merge_filters", merge_filters, (_P, _R), _FILTER),
    Entry("mark_to_semi", mark_to_semi, (_P, _R), _FILTER),
    Entry("outer_to_inner", outer_to_inner, (_R,), (Filter, Join)),
    Entry("push_filter_below_subquery", push_filter_below_subquery, (_P,), _FILTER, switchable=False),
    Entry("push_filter_into_join", push_filter_into_join, (_P, _R), _FILTER),
    Entry("push_filter_through_project", push_filter_through_project, (_P, _R), _FILTER),
    Entry("push_filter_through_aggregate", push_filter_through_aggregate, (_P, _R), _FILTER),
    Entry("push_filter_through_set_operation", push_filter_through_set_operation, (_P, _R), _FILTER),
    Entry("push_filter_through_window", push_filter_through_window, (_P, _R), _FILTER),
    Entry("push_filter_through_window_table", push_filter_through_window_table, (_P, _R), _FILTER),
    Entry("push_filter_through_sort", push_filter_through_sort, (_P, _R), _FILTER),
    Entry("bound_row_number", bound_row_number, (_R,), _FILTER),
    Entry("push_filter_into_scan", push_filter_into_scan, (_R,), _FILTER),
    Entry("push_join_condition_down", push_join_condition_down, (_P, _R), _JOIN),
    Entry("derive_side_disjunctions", derive_side_disjunctions, (_R,), _JOIN),
    Entry("derive_join_predicates", derive_join_predicates, (_R,), _JOIN),
    Entry("null_aware_to_plain_anti", null_aware_to_plain_anti, (_R,), _JOIN),
    Entry("null_safe_to_equality", null_safe_to_equality, (_R,), (Filter, Join)),
    Entry("single_to_left", single_to_left, (_R,), _JOIN),
    Entry("drop_unused_join", drop_unused_join, (_R,), _JOIN),
    Entry("distinct_as_groups", distinct_as_groups, (_R,), (Aggregate,)),
    Entry("eliminate_distinct", eliminate_distinct, (_R,), (Aggregate, Join)),
    Entry("drop_dependent_keys", drop_dependent_keys, (_R,), (Aggregate,)),
    Entry("take_constants_out_of_sums", take_constants_out_of_sums, (_R,), (Aggregate,)),
    Entry("answer_from_known_values", answer_from_known_values, (_R,), (Aggregate,)),
    Entry("drop_useless_sort", drop_useless_sort, (_R,), (Filter, Join, Aggregate, Window, SetOperation, Sort)),
    Entry("merge_limits", merge_limits, (_R,), (Limit,)),
    Entry("push_limit", push_limit, (_R,), (Limit,)),
    Entry("merge_projects", merge_projects, (_P, _R), (Project,)),
    Entry("prune_columns", prune_columns, (_R,), (Scan, Project, Aggregate, Window, WindowTable, SetOperation, Values)),
    Entry(
        "remove_trivial_project",
        remove_trivial_project,
        (_P, _R),
        (Filter, Join, Aggregate, Window, Project, Sort, Limit, Replicate, SetOperation, Shared),
    ),
    Entry("compute_chance_once", compute_chance_once, (_P, _R), (Join, Aggregate, Window), switchable=False),
    Entry("fire_when_closed", fire_when_closed, (_O,), (Aggregate,), switchable=False),
    Entry("spell_interval_keys", spell_interval_keys, (_O,), (Aggregate,), switchable=False),
    Entry("make_windowed_aggregate", make_windowed_aggregate, (_O,), (Aggregate,), switchable=False),
    Entry("close_groups_of_windows", close_groups_of_windows, (_O,), (Aggregate,), switchable=False),
    Entry("window_instead_of_second_join", window_instead_of_second_join, (_O,)),
    Entry("exists_with_inequality", exists_with_inequality, (_O,)),
    Entry("order_joins", order_joins, (_O,)),
    Entry("group_before_join", group_before_join, (_O,)),
    Entry("reduce_aggregate_by_semi_join", reduce_aggregate_by_semi_join, (_O,)),
    Entry("settle_limited_groups", settle_limited_groups, (_O,)),
    Entry("share_common_subplans", share_common_subplans, (_S,)),
    Entry("share_streams", share_streams, (_S,), switchable=False),
    Entry("fetch_columns_late", fetch_columns_late, (_S,), (Limit,)),
    Entry("push_filter_into_stream", push_filter_into_stream, (_S,), _FILTER),
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
        for entry in whole:
            root = _apply_to_whole(entry, root, required, context, trace)
        if local:
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
    new = entry.function(root, required, context)
    trace.nanoseconds[entry.name] += time.perf_counter_ns() - start
    if new is None or new is root:
        return root
    trace.fired[entry.name] += 1
    return new


_Local: TypeAlias = dict[type[Node], tuple[tuple[str, Rule], ...]]
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
    types = {kind for entry in entries for kind in entry.on}
    local = {kind: tuple([(entry.name, entry.function) for entry in entries if kind in entry.on]) for kind in types}
    return phase, tuple([entry for entry in entries if not entry.on]), local


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
