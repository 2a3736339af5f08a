"""Which joins as of a time ask an outside table for rows."""

from __future__ import annotations

from tableflow.catalog.lookup import LookupProvider
from tableflow.planner.logical.nodes import Filter, Hinted, Project, Scan
from tableflow.planner.logical.time_nodes import TemporalJoin


def looked_up(node: TemporalJoin) -> Scan | None:
    """The right side of a join as of processing time, if it is a table that can only be asked for the rows of keys."""
    right = node.right
    while isinstance(right, (Hinted, Project, Filter)):
        right = right.input
    if node.versions is None and isinstance(right, Scan) and isinstance(right.provider, LookupProvider):
        return right
    return None
