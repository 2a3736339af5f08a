"""Rewrite rules that do not hold, or do not pay, for plans over streams, each with its reason.

All others are equalities between sums of changes: they hold for every prefix of the input because they hold for every table.
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_FOR_STREAMS: Mapping[str, str] = {
    "push_filter_into_scan": "readers of one stream share it, whatever each of them filters; push_filter_into_stream does this when that is settled",
    "share_common_subplans": "a shared result is published when it is complete, and a stream never is",
    "window_instead_of_second_join": "a group is kept up to date for less than the rows of its partition",
    "reduce_aggregate_by_semi_join": "it reads an input a second time before the first, and keeps it twice as state",
    "group_before_join": "a group that changes with every row would be joined anew each time",
    "settle_limited_groups": "groups that come later may be among those that are wanted, and a stream is read once",
    "expand_window_table": "sessions and windows of rows are kept up to date by operators, not computed by sorting",
    "settle_event_time": "in streams rows move event time",
    "settle_emission": "in streams EMIT says when results come out",
    "settle_temporal_join": "in streams versions come and go with time",
    "expand_asof_join": "in streams rows wait for time, and are not sorted as a whole",
    "distinct_as_groups": "values are kept once either way, and in two operators each change would pass both",
    "answer_from_known_values": "a stream gives what its rows add up to at every epoch, and may be told of more of them",
    "drop_dependent_keys": "event time and windows among the keys say when groups close",
    "fetch_columns_late": "a row that comes later may push out any that is kept, so all columns are kept with it",
    "push_limit": "which rows come first is known of a table that is read, not of one that goes on changing",
}

ONLY_FOR_STREAMS: Mapping[str, str] = {
    "compute_chance_once": "finished rows are computed once, whatever their operators are told of them",
    "share_streams": "finished data is the same however often it is read",
    "push_filter_into_stream": "finished data is filtered where it is read from the start",
    "fire_when_closed": "settle_emission does this for all windows of finished data",
    "spell_interval_keys": "a group of finished rows is shown once, as what all of them say",
    "close_groups_of_windows": "finished rows are grouped when all of them are there",
    "make_windowed_aggregate": "finished rows are grouped by the window as by any other columns",
}
