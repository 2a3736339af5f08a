"""The list of implementation rules, one per logical node type, and the entry of physical planning."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from tableflow.config import Settings
from tableflow.physical.node import PhysicalNode
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING
from tableflow.planner.implementation.search import Cardinality, Rule, Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.time_nodes import TemporalJoin, WindowTable
from tableflow.records import dataclass, replace
from tableflow.types import Field

_PLACES: Mapping[type, tuple[str, str]] = {
    logical.Scan: ("leaves", "implement_scan"),
    logical.Values: ("leaves", "implement_values"),
    logical.Filter: ("leaves", "implement_filter"),
    logical.Project: ("leaves", "implement_project"),
    logical.Join: ("joins", "implement_join"),
    logical.Aggregate: ("aggregates", "implement_aggregate"),
    logical.Replicate: ("aggregates", "implement_replicate"),
    logical.Window: ("windows", "implement_window"),
    logical.Sort: ("ordering", "implement_sort"),
    logical.Limit: ("ordering", "implement_limit"),
    logical.SetOperation: ("unions", "implement_set_operation"),
    logical.Shared: ("unions", "implement_shared"),
    logical.Fetch: ("fetching", "implement_fetch"),
    logical.Hinted: ("leaves", "implement_hinted"),
    WindowTable: ("time_windows", "implement_window_table"),
    TemporalJoin: ("lookup_joins", "implement_lookup_join"),
}
"""Of each logical node the module of its rule, which is loaded when a plan has such a node, and the rule's name."""


class _Rules(dict[type, Any]):
    """The rules by node type, loaded when they are first wanted."""

    def __missing__(self, kind: type) -> Rule | None:
        rule: Rule | None = None
        if kind in _PLACES:
            module, name = _PLACES[kind]
            rule = getattr(importlib.import_module(f"{__package__}.{module}"), name)
        self[kind] = rule
        return rule


_RULES = _Rules()


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
        from tableflow.planner.implementation.event_time import check_late_rows
        from tableflow.planner.implementation.streaming import STREAMING_RULES, plan_changes, plan_stream

        check_late_rows(query.root)
        search = Search(query.root, wanted, cardinality, settings, STREAMING_RULES.get, streaming=True)
        planned = plan_changes if changes else plan_stream
        plan, columns = planned(search, query, anywhere=anywhere)
        search.dispose()
        return PhysicalPlan(plan, columns, tuple(search.warnings))
    search = Search(query.root, wanted, cardinality, settings, _RULES.__getitem__)
    required = NOTHING if anywhere else IN_ONE_TASK
    if isinstance(query.root, logical.Sort):
        from tableflow.planner.implementation.ordering import ordering_of

        required = replace(IN_ONE_TASK, ordering=ordering_of(query.root))
    root = search.best(query.root, required)
    search.dispose()
    return PhysicalPlan(root, query.columns, tuple(search.warnings))
