"""Runtime filters: what the keys of a finished hash-join build say about scans whose rows it meets, or would.

A scan in the stage that probes finds the build sealed before it reads; it may leave out rows of which it can tell
cheaply that no row of the build equals them (row groups, pages, chunks, look-ups in a key's index).  Only joins give filters
for which a probe row without a partner is as if it were not there, and only operators are passed on the way down of which
the same is true.  Nor may what is computed of a row on its way to the join fail: whether an error is told must not depend on
whether a build could be waited for.

Filters are passed on (as magic sets are: Beeri and Ramakrishnan, PODS 1987): rows that probe a second join have met the first
one's build, so rows of the second build that would not meet it find no partner.  The stage that makes the second build waits
for the first one.  Nothing waits in a circle, as builds are waited for only by those of joins above them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tableflow.config import RUNTIME_FILTERS, Settings
from tableflow.expressions.nodes import Cast, ColumnRef, Expression
from tableflow.expressions.properties import can_raise
from tableflow.physical.filter import FilterRows
from tableflow.physical.hash_join import HashJoin, HashJoinKind, JoinDistribution
from tableflow.physical.key_values import can_be_described
from tableflow.physical.nested_loop_join import NestedLoopJoin
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.scan import RuntimeFilter, TableScan
from tableflow.records import replace
from tableflow.types import IntegerType, SqlType

_NEEDS_PARTNER = frozenset(
    {HashJoinKind.INNER, HashJoinKind.SEMI, HashJoinKind.RIGHT, HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI}
)
_PASSED = frozenset({HashJoinKind.INNER, HashJoinKind.LEFT, HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.MARK})
"""Kinds that decide for every probe row by itself, and cannot fail for one as SINGLE does."""
_IGNORES_LONE_BUILDS = frozenset(
    {HashJoinKind.INNER, HashJoinKind.LEFT, HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.BUILD_SEMI}
)
"""Kinds for which a build row without a partner is as if it were not there."""
_FINDS_EACH = frozenset({HashJoinKind.INNER, HashJoinKind.SEMI, HashJoinKind.RIGHT})
"""Kinds whose rows have either no value of a probe key, or one of the build."""
_ROWS_PER_KEY = 2.0
"""A scan that has no more rows for each of the build is hardly narrowed, nor one that has no more values."""


def place_runtime_filters(root: PhysicalNode, settings: Settings) -> PhysicalNode:
    """The plan in which scans know the builds that narrow them."""
    mode = settings.get(RUNTIME_FILTERS)
    return root if mode == "off" else _placed(root, always=mode == "always")


def _placed(node: PhysicalNode, *, always: bool) -> PhysicalNode:
    children = tuple(_placed(child, always=always) for child in node.inputs)
    if any(a is not b for a, b in zip(children, node.inputs, strict=True)):
        node = node.with_inputs(children)
    if not isinstance(node, HashJoin) or node.distribution is not JoinDistribution.PUBLISHED:
        return node
    if node.kind in _NEEDS_PARTNER:
        node = _narrowing(node, always=always)
    if node.kind in _IGNORES_LONE_BUILDS and not node.null_aware:
        node = _passing_on(node, always=always)
    return node


def _narrowing(join: HashJoin, *, always: bool) -> HashJoin:
    """The join over a probe side whose scan is narrowed by those keys that are columns of it."""
    probe, described = join.left, []
    if _may_fail(join.left_keys):
        return join
    most = None if always else join.right.facts.estimate.rows * _ROWS_PER_KEY
    for i, (key, safe) in enumerate(zip(join.left_keys, join.null_safe, strict=True)):
        column = _column(key)
        if safe or column is None or not can_be_described(key.type):
            continue
        narrowed = _narrowed(probe, column.id, RuntimeFilter(join.publication, i, column), key.type, most)
        if narrowed is not None:
            probe = narrowed
            described.append(i)
    return replace(join, left=probe, described=tuple(described)) if described else join


def _passing_on(join: HashJoin, *, always: bool) -> HashJoin:
    """The join over a build side whose scan is narrowed by builds that all rows of the probe side have met."""
    if _may_fail(join.right_keys):
        return join
    for asked, key, safe in zip(join.left_keys, join.right_keys, join.null_safe, strict=True):
        probe, column = _column(asked), _column(key)
        if safe or probe is None or column is None:
            continue
        for met, number in _met(join.left, probe.id):
            of = met.right_keys[number]
            if not can_be_described(of.type):
                continue
            by = RuntimeFilter(met.publication, number, column)
            most = None if always else met.right.facts.estimate.rows * _ROWS_PER_KEY
            narrowed = _narrowed(join.right, column.id, by, of.type, most, values=True)
            if narrowed is not None:
                join = replace(join, left=_describing(join.left, met.publication, number), right=narrowed)
    return join


def _met(node: PhysicalNode, column: int) -> Iterator[tuple[HashJoin, int]]:
    """Joins in the node's own stage, or in builds it reads, with that key of them whose values are all that a column has, but for NULL."""
    match node:
        case HashJoin(left=left, right=right, distribution=JoinDistribution.PUBLISHED):
            probed = any(f.id == column for f in left.fields)
            keys = node.left_keys if probed else node.right_keys
            if not probed or node.kind in _FINDS_EACH:
                for i, (key, safe) in enumerate(zip(keys, node.null_safe, strict=True)):
                    found = _column(key)
                    if found is not None and found.id == column and not safe:
                        yield node, i
            yield from _met(left if probed else right, column)
        case NestedLoopJoin(left=left, right=right):
            yield from _met(left if any(f.id == column for f in left.fields) else right, column)
        case FilterRows(input=child):
            yield from _met(child, column)
        case ProjectColumns(input=child, fields=fields, expressions=expressions):
            source = next((e for f, e in zip(fields, expressions, strict=True) if f.id == column), None)
            if isinstance(source, ColumnRef):
                yield from _met(child, source.id)
        case _:
            return


def _describing(node: PhysicalNode, publication: str, key: int) -> PhysicalNode:
    """The plan in which the build tells the values of that key."""
    if isinstance(node, HashJoin) and node.publication == publication:
        return replace(node, described=tuple(sorted({*node.described, key})))
    children = tuple(_describing(child, publication, key) for child in node.inputs)
    if any(a is not b for a, b in zip(children, node.inputs, strict=True)):
        return node.with_inputs(children)
    return node


def _column(key: Expression) -> ColumnRef | None:
    """The column whose value the key is; below casts of integers to wider ones."""
    while isinstance(key, Cast) and isinstance(key.type, IntegerType) and isinstance(key.operand.type, IntegerType):
        if key.type.bits < key.operand.type.bits:
            return None
        key = key.operand
    return key if isinstance(key, ColumnRef) else None


def _narrowed(
    node: PhysicalNode, column: int, by: RuntimeFilter, key: SqlType, least: float | None, *, values: bool = False
) -> PhysicalNode | None:
    """The node over a narrowed scan, which has more than ``least`` rows; None if the column is not of a scan in this stage.

    ``values``: the column must be known to have more than so many values, too.
    """
    match node:
        case TableScan(fields=fields, columns=names):
            if len(names) < len(fields) or (values and not _has_values(node, column, least)):
                return None
            return _narrowed_scan(node, column, by, key, least)
        case FilterRows(input=child, conjuncts=conjuncts) if not _may_fail(conjuncts):
            below = _narrowed(child, column, by, key, least, values=values)
            return None if below is None else replace(node, input=below)
        case ProjectColumns(input=child, fields=fields, expressions=expressions) if not _may_fail(expressions):
            source = next((e for f, e in zip(fields, expressions, strict=True) if f.id == column), None)
            if not isinstance(source, ColumnRef):
                return None
            below = _narrowed(child, source.id, by, key, least, values=values)
            return None if below is None else replace(node, input=below)
        case HashJoin(left=left, kind=kind, distribution=JoinDistribution.PUBLISHED) if kind in _PASSED and not (
            _may_fail((*node.left_keys, *node.residual))
        ):
            below = _narrowed(left, column, by, key, least, values=values)
            return None if below is None else replace(node, left=below)
        case NestedLoopJoin(left=left, kind=kind) if kind in _PASSED and not _may_fail(node.conjuncts):
            below = _narrowed(left, column, by, key, least, values=values)
            return None if below is None else replace(node, left=below)
        case _:
            return None


def _may_fail(expressions: Sequence[Expression]) -> bool:
    return any(can_raise(expression) for expression in expressions)


def _has_values(scan: TableScan, column: int, least: float | None) -> bool:
    """Whether so many integers lie between the column's bounds that it may have more than ``least`` of them."""
    if least is None:
        return True
    domain = dict(scan.domains).get(column)
    low, high = (None, None) if domain is None else (domain.minimum, domain.maximum)
    return isinstance(low, int) and isinstance(high, int) and high - low + 1 > least


def _narrowed_scan(
    scan: TableScan, column: int, by: RuntimeFilter, key: SqlType, least: float | None
) -> TableScan | None:
    places = [i for i, f in enumerate(scan.fields) if f.id == column]
    if not places or (least is not None and scan.facts.estimate.rows <= least):
        return None
    field = scan.fields[places[0]]
    if not (field.type == key or (isinstance(field.type, IntegerType) and isinstance(key, IntegerType))):
        return None
    named = ColumnRef(field.type, field.id, scan.columns[places[0]])
    return replace(scan, filters=(*scan.filters, replace(by, column=named)))
