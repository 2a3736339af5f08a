"""The list of implementation rules, one per logical node type, and the entry of physical planning."""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.config import Settings
from tableflow.physical.node import PhysicalNode
from tableflow.planner.implementation.aggregates import implement_aggregate, implement_replicate
from tableflow.planner.implementation.event_time import check_late_rows
from tableflow.planner.implementation.fetching import implement_fetch
from tableflow.planner.implementation.joins import implement_join
from tableflow.planner.implementation.leaves import (
    implement_filter,
    implement_hinted,
    implement_project,
    implement_scan,
    implement_values,
)
from tableflow.planner.implementation.lookup_joins import implement_lookup_join
from tableflow.planner.implementation.ordering import implement_limit, implement_sort, ordering_of
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING
from tableflow.planner.implementation.search import Cardinality, Rule, Search
from tableflow.planner.implementation.streaming import STREAMING_RULES, plan_changes, plan_stream
from tableflow.planner.implementation.time_windows import implement_window_table
from tableflow.planner.implementation.unions import implement_set_operation, implement_shared
from tableflow.planner.implementation.windows import implement_window
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.time_nodes import TemporalJoin, WindowTable
from tableflow.records import dataclass, replace
from tableflow.types import Field

RULES: Mapping[type, Rule] = {
    logical.Scan: implement_scan,
    logical.Values: implement_values,
    logical.Filter: implement_filter,
    logical.Project: implement_project,
    logical.Join: implement_join,
    logical.Aggregate: implement_aggregate,
    logical.Replicate: implement_replicate,
    logical.Window: implement_window,
    logical.Sort: implement_sort,
    logical.Limit: implement_limit,
    logical.SetOperation: implement_set_operation,
    logical.Shared: implement_shared,
    logical.Fetch: implement_fetch,
    logical.Hinted: implement_hinted,
    WindowTable: implement_window_table,
    TemporalJoin: implement_lookup_join,
}


@dataclass(frozen=True, slots=True)
class PhysicalPlan:
    """A plan, as a rule of one task in the query's order; result column i is the column ``columns[i].id``."""

    root: PhysicalNode
    columns: tuple[Field, ...]
    warnings: tuple[str, ...] = ()


def plan_physical(
    query: logical.Query,
    cardinality: Cardinality,
    settings: Settings,
    *,
    anywhere: bool = False,
    streaming: bool = False,
    changes: bool = False,
) -> PhysicalPlan:
    """The cheapest physical plan of an optimised query; ``anywhere``: its rows may come in any tasks, unless it sorts.

    ``changes``: of a stream its changes as they come, for an operator that takes them.
    """
    wanted = frozenset(f.id for f in query.columns)
    if streaming:
        check_late_rows(query.root)
        search = Search(query.root, wanted, cardinality, settings, STREAMING_RULES, streaming=True)
        planned = plan_changes if changes else plan_stream
        plan, columns = planned(search, query, anywhere=anywhere)
        search.dispose()
        return PhysicalPlan(plan, columns, tuple(search.warnings))
    search = Search(query.root, wanted, cardinality, settings, RULES)
    required = NOTHING if anywhere else IN_ONE_TASK
    if isinstance(query.root, logical.Sort):
        required = replace(IN_ONE_TASK, ordering=ordering_of(query.root))
    root = search.best(query.root, required)
    search.dispose()
    return PhysicalPlan(root, query.columns, tuple(search.warnings))
