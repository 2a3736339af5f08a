"""Which columns each node's parent reads: physical nodes keep no others."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Expression, column_ids
from tableflow.expressions.window_assigner import assigner_expressions
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.planner.logical.traversal import expressions

Needed = dict[int, frozenset[int]]


def _read_by(expressions: Iterable[Expression]) -> frozenset[int]:
    return frozenset[int]().union(*(column_ids(e) for e in expressions))


def needed_columns(root: logical.Node, wanted: frozenset[int]) -> Needed:
    """For each node (by identity): ids its parents read.  A node that is reached twice gets the union."""
    needed: Needed = {}
    _visit(root, wanted, needed)
    return needed


def _visit(node: logical.Node, wanted: frozenset[int], needed: Needed) -> None:
    known = needed.get(id(node))
    if known is not None:
        wanted = wanted | known
        if wanted == known:
            return
    needed[id(node)] = wanted
    match node:
        case logical.Filter(input=child, conjuncts=conjuncts):
            _visit(child, wanted | _read_by(conjuncts), needed)
        case logical.Project(input=child, fields=fields, expressions=computed):
            kept = (e for f, e in zip(fields, computed, strict=True) if f.id in wanted)
            _visit(child, _read_by(kept), needed)
        case logical.Join(left=left, right=right, conjuncts=conjuncts):
            both = wanted | _read_by(conjuncts)
            for side in (left, right):
                _visit(side, both & {f.id for f in output(side)}, needed)
        case logical.Aggregate(input=child, keys=keys):
            _visit(child, frozenset(f.id for f in keys) | _read_by(expressions(node)), needed)
        case logical.Window(input=child, partition=partition, order=keys, calls=calls):
            read = {f.id for f in partition} | {key.column.id for key in keys} | _read_by(calls)
            _visit(child, (wanted & {f.id for f in output(child)}) | read, needed)
        case logical.Sort(input=child, keys=keys):
            _visit(child, wanted | {key.column.id for key in keys}, needed)
        case logical.Replicate(input=child, count=count):
            _visit(child, wanted | {count}, needed)
        case logical.Fetch(input=child, row=row, fields=fields):
            _visit(child, (wanted - {f.id for f in fields}) | {row.id}, needed)
        case logical.SetOperation(inputs=many, fields=fields, columns=columns):
            for child, own in zip(many, columns, strict=True):
                _visit(child, frozenset(c.id for f, c in zip(fields, own, strict=True) if f.id in wanted), needed)
        case logical.Shared(input=child, columns=columns):
            _visit(child, frozenset(f.id for f in columns), needed)
        case _:
            _visit_timed(node, wanted, needed)


def _visit_timed(node: logical.Node, wanted: frozenset[int], needed: Needed) -> None:
    match node:
        case AssignWatermarks(input=child, column=column, expression=expression):
            _visit(child, wanted | {column.id} | column_ids(expression), needed)
        case WindowTable(input=child):
            read = {f.id for f in (*node.partition, node.time) if f is not None}
            own = wanted - {f.id for f in node.made}
            _visit(
                child,
                own | read | {key.column.id for key in node.order} | _read_by(assigner_expressions(node.assigner)),
                needed,
            )
        case WindowedAggregate(input=child):
            read = {f.id for f in (*node.partition, *node.keys, node.time) if f is not None}
            _visit(child, _read_by(expressions(node)) | read, needed)
        case TemporalJoin(left=left, right=right) | AsofJoin(left=left, right=right):
            both = wanted | _read_by(expressions(node)) | ({node.versions.id} if node.versions is not None else set())
            _visit(left, both & {f.id for f in output(left)}, needed)
            _visit(right, frozenset(f.id for f in output(right)), needed)  # all columns tell equal versions apart
        case _:
            for child in inputs(node):
                _visit(child, wanted, needed)
