"""From an operator's definition to the operator: one line per plan node that runs.

An operator's module is loaded when the first is built, so that a process loads those of its plans alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from tableflow.errors import InternalError
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.operator import Operator

OPERATORS: Mapping[str, tuple[str, str]] = {
    "FilterRows": ("filter", "FilterRowsOperator"),
    "ProjectColumns": ("project", "ProjectColumnsOperator"),
    "Pipeline": ("pipeline", "PipelineOperator"),
    "HashAggregate": ("hash_aggregate", "HashAggregateOperator"),
    "CollectAggregate": ("collect_aggregate", "CollectAggregateOperator"),
    "HashJoin": ("hash_join", "HashJoinOperator"),
    "HashBuild": ("hash_build", "HashBuildOperator"),
    "ChangelogAggregate": ("changelog_aggregate", "ChangelogAggregateOperator"),
    "ChangelogJoin": ("changelog_join", "ChangelogJoinOperator"),
    "TimedJoin": ("timed_join", "TimedJoinOperator"),
    "VersionedJoin": ("versioned_join", "VersionedJoinOperator"),
    "LookupJoin": ("lookup_join", "LookupJoinOperator"),
    "CurrentJoin": ("current_join", "CurrentJoinOperator"),
    "ChangelogTopN": ("changelog_top_n", "top_n_operator"),
    "Normalize": ("normalize", "NormalizeOperator"),
    "ChangelogOver": ("changelog_over", "ChangelogOverOperator"),
    "EventTimeOver": ("event_time_over", "EventTimeOverOperator"),
    "ClosedWindows": ("closed_windows", "ClosedWindowsOperator"),
    "NestedLoopJoin": ("nested_loop_join", "NestedLoopJoinOperator"),
    "SortRows": ("sort", "SortRowsOperator"),
    "TopN": ("sort", "TopNOperator"),
    "FetchColumns": ("fetch_columns", "FetchColumnsOperator"),
    "PartitionTopN": ("partition_top_n", "PartitionTopNOperator"),
    "LimitRows": ("sort", "LimitRowsOperator"),
    "UnionAll": ("set_operation", "UnionAllOperator"),
    "Replicate": ("set_operation", "ReplicateOperator"),
    "ValuesScan": ("values", "ValuesScanOperator"),
    "WindowAggregate": ("window", "WindowAggregateOperator"),
    "PublishRows": ("materialize", "PublishRowsOperator"),
    "PublishedScan": ("materialize", "PublishedScanOperator"),
    "TableWrite": ("table_write", "TableWriteOperator"),
    "Fork": ("fork", "ForkOperator"),
    "StreamWrite": ("stream_write", "StreamWriteOperator"),
    "RoutedWrite": ("routed_write", "RoutedWriteOperator"),
    "SettledResult": ("changelog_result", "SettledResultOperator"),
    "ChangelogResult": ("changelog_result", "ChangelogResultOperator"),
    "AssignWatermarks": ("assign_watermarks", "AssignWatermarksOperator"),
    "AssignWindows": ("assign_windows", "AssignWindowsOperator"),
    "CurrentWatermark": ("current_watermark", "CurrentWatermarkOperator"),
    "EpochTime": ("epoch_time", "EpochTimeOperator"),
    "WindowedAggregate": ("windowed_operator", "windowed_operator"),
}
"""Of each plan node the module in this package, and what there makes the operator."""

_KNOWN: dict[type, Callable[[Any], Operator]] = {}


def build_operator(spec: OperatorSpec) -> Operator:
    """A new operator for one task; :class:`InternalError` for a definition that is none."""
    make = _KNOWN.get(type(spec.definition))
    if make is None:
        make = _KNOWN[type(spec.definition)] = _maker(spec)
    return make(spec.definition)


def load_operators() -> None:
    """Loads the modules of all operators, for those who read plans that others have written."""
    for module, _ in OPERATORS.values():
        importlib.import_module(f"{__package__}.{module}")


def _maker(spec: OperatorSpec) -> Callable[[Any], Operator]:
    found = OPERATORS.get(type(spec.definition).__name__)
    if found is None:
        raise InternalError(f"no operator for {type(spec.definition).__name__} in {spec.name!r}")
    module, name = found
    made: Callable[[Any], Operator] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return made
