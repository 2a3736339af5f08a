"""From an operator's definition to the operator: one line per plan node that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tableflow.errors import InternalError
from tableflow.physical.assign_watermarks import AssignWatermarks, AssignWatermarksOperator
from tableflow.physical.assign_windows import AssignWindows, AssignWindowsOperator
from tableflow.physical.changelog_aggregate import ChangelogAggregate, ChangelogAggregateOperator
from tableflow.physical.changelog_join import ChangelogJoin, ChangelogJoinOperator
from tableflow.physical.changelog_over import ChangelogOver, ChangelogOverOperator
from tableflow.physical.changelog_result import (
    ChangelogResult,
    ChangelogResultOperator,
    SettledResult,
    SettledResultOperator,
)
from tableflow.physical.changelog_top_n import ChangelogTopN, top_n_operator
from tableflow.physical.closed_windows import ClosedWindows, ClosedWindowsOperator
from tableflow.physical.collect_aggregate import CollectAggregate, CollectAggregateOperator
from tableflow.physical.current_join import CurrentJoin, CurrentJoinOperator
from tableflow.physical.current_watermark import CurrentWatermark, CurrentWatermarkOperator
from tableflow.physical.epoch_time import EpochTime, EpochTimeOperator
from tableflow.physical.event_time_over import EventTimeOver, EventTimeOverOperator
from tableflow.physical.fetch_columns import FetchColumns, FetchColumnsOperator
from tableflow.physical.filter import FilterRows, FilterRowsOperator
from tableflow.physical.fork import Fork, ForkOperator
from tableflow.physical.hash_aggregate import HashAggregate, HashAggregateOperator
from tableflow.physical.hash_build import HashBuild, HashBuildOperator
from tableflow.physical.hash_join import HashJoin, HashJoinOperator
from tableflow.physical.lookup_join import LookupJoin, LookupJoinOperator
from tableflow.physical.materialize import (
    PublishedScan,
    PublishedScanOperator,
    PublishRows,
    PublishRowsOperator,
)
from tableflow.physical.nested_loop_join import NestedLoopJoin, NestedLoopJoinOperator
from tableflow.physical.normalize import Normalize, NormalizeOperator
from tableflow.physical.partition_top_n import PartitionTopN, PartitionTopNOperator
from tableflow.physical.pipeline import Pipeline, PipelineOperator
from tableflow.physical.project import ProjectColumns, ProjectColumnsOperator
from tableflow.physical.routed_write import RoutedWrite, RoutedWriteOperator
from tableflow.physical.set_operation import Replicate, ReplicateOperator, UnionAll, UnionAllOperator
from tableflow.physical.sort import LimitRows, LimitRowsOperator, SortRows, SortRowsOperator, TopN, TopNOperator
from tableflow.physical.stream_write import StreamWrite, StreamWriteOperator
from tableflow.physical.table_write import TableWrite, TableWriteOperator
from tableflow.physical.timed_join import TimedJoin, TimedJoinOperator
from tableflow.physical.values import ValuesScan, ValuesScanOperator
from tableflow.physical.versioned_join import VersionedJoin, VersionedJoinOperator
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.physical.windowed_operator import windowed_operator
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.operator import Operator

OPERATORS: Mapping[type, Callable[[Any], Operator]] = {
    FilterRows: FilterRowsOperator,
    ProjectColumns: ProjectColumnsOperator,
    Pipeline: PipelineOperator,
    HashAggregate: HashAggregateOperator,
    CollectAggregate: CollectAggregateOperator,
    HashJoin: HashJoinOperator,
    HashBuild: HashBuildOperator,
    ChangelogAggregate: ChangelogAggregateOperator,
    ChangelogJoin: ChangelogJoinOperator,
    TimedJoin: TimedJoinOperator,
    VersionedJoin: VersionedJoinOperator,
    LookupJoin: LookupJoinOperator,
    CurrentJoin: CurrentJoinOperator,
    ChangelogTopN: top_n_operator,
    Normalize: NormalizeOperator,
    ChangelogOver: ChangelogOverOperator,
    EventTimeOver: EventTimeOverOperator,
    ClosedWindows: ClosedWindowsOperator,
    NestedLoopJoin: NestedLoopJoinOperator,
    SortRows: SortRowsOperator,
    TopN: TopNOperator,
    FetchColumns: FetchColumnsOperator,
    PartitionTopN: PartitionTopNOperator,
    LimitRows: LimitRowsOperator,
    UnionAll: UnionAllOperator,
    Replicate: ReplicateOperator,
    ValuesScan: ValuesScanOperator,
    WindowAggregate: WindowAggregateOperator,
    PublishRows: PublishRowsOperator,
    PublishedScan: PublishedScanOperator,
    TableWrite: TableWriteOperator,
    Fork: ForkOperator,
    StreamWrite: StreamWriteOperator,
    RoutedWrite: RoutedWriteOperator,
    SettledResult: SettledResultOperator,
    ChangelogResult: ChangelogResultOperator,
    AssignWatermarks: AssignWatermarksOperator,
    AssignWindows: AssignWindowsOperator,
    CurrentWatermark: CurrentWatermarkOperator,
    EpochTime: EpochTimeOperator,
    WindowedAggregate: windowed_operator,
}


def build_operator(spec: OperatorSpec) -> Operator:
    """A new operator for one task; :class:`InternalError` for a definition that is none."""
    make = OPERATORS.get(type(spec.definition))
    if make is None:
        raise InternalError(f"no operator for {type(spec.definition).__name__} in {spec.name!r}")
    return make(spec.definition)
