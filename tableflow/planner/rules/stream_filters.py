"""Filters above the scan of a stream, once it is known which readers share one.

Invariant: event time does not depend on what a query filters.  Above a table with event time only conjuncts over what names of directories tell
move into the scan, and only if the files come to an end, which closes all windows whatever files were left out.
"""

from __future__ import annotations

from tableflow.catalog.provider import partition_columns
from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Filter, Node, Project, Scan
from tableflow.planner.logical.time_nodes import AssignWatermarks
from tableflow.planner.rules.filters import above
from tableflow.records import replace


def push_filter_into_stream(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Conjuncts above a scan that one reader has become its predicates, so that files which they rule out are not opened."""
    assert isinstance(node, Filter)
    scan = _scan(node.input)
    if scan is None or scan.limit is not None or scan.provider.schema.changelog != "append":
        return None
    own = context.output_ids(scan)
    timed = isinstance(node.input, AssignWatermarks)
    if timed:
        known = partition_columns(scan.provider) if scan.provider.bounded else frozenset()
        own = frozenset([f.id for f, name in zip(scan.fields, scan.columns, strict=True) if name in known])
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        reads = context.columns(conjunct)
        movable = context.movable(conjunct) and bool(reads) if timed else context.deterministic(conjunct)
        (pushed if movable and reads <= own else kept).append(conjunct)
    if not pushed:
        return None
    predicates = tuple(dict.fromkeys([*scan.predicates, *pushed]))
    return above(kept, _with_scan(node.input, replace(scan, predicates=predicates)))


def _scan(node: Node) -> Scan | None:
    """The scan below; through event time also below what the table computes."""
    if isinstance(node, AssignWatermarks):
        node = node.input
        while isinstance(node, Project):
            node = node.input
    return node if isinstance(node, Scan) else None


def _with_scan(node: Node, scan: Scan) -> Node:
    return replace(node, input=_with_scan(node.input, scan)) if isinstance(node, (AssignWatermarks, Project)) else scan
