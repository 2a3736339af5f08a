"""Implementation rules of plans that start here, and of those that keep rows where they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.catalog.provider import ScanRequest
from tableflow.errors import TableFlowError
from tableflow.expressions.nodes import ColumnRef, Expression, column_ids, transform
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import ANYWHERE, SINGLE, OrderingKey
from tableflow.physical.scan import TableScan
from tableflow.physical.values import ValuesScan
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import keep
from tableflow.planner.implementation.requirements import NOTHING, Required
from tableflow.planner.logical import nodes as logical
from tableflow.records import replace
from tableflow.runtime.graph import SourceSpec

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_scan(search: Search, node: logical.Scan, required: Required) -> Iterable[PhysicalNode]:
    """The provider does what it can; conjuncts it does not do exactly stay above the scan."""
    if required != NOTHING:
        yield search.best(node, NOTHING)  # a scan has no alternatives; asking the provider once is enough
        return
    names = {f.id: name for f, name in zip(node.fields, node.columns, strict=True)}
    wanted = search.needed(node)
    offered = tuple(_by_table_name(conjunct, names) for conjunct in node.predicates)
    try:
        first = node.provider.accept(ScanRequest(tuple(names.values()), offered, node.limit))
    except TableFlowError as error:
        raise error.at(node.span) from None
    rest = tuple(
        kept for kept, asked in zip(node.predicates, offered, strict=True) if not any(asked is e for e in first.exact)
    )
    for conjunct in rest:
        wanted |= column_ids(conjunct)
    fields = tuple(f for f in node.fields if f.id in wanted)
    columns = tuple(names[f.id] for f in fields)
    search.scanned.update((f.id, (node.provider, name)) for f, name in zip(fields, columns, strict=True))
    accepted = replace(first, request=replace(first.request, columns=columns))
    try:
        kind, options = node.provider.source(accepted)
    except TableFlowError as error:
        raise error.at(node.span) from None
    watermark = node.provider.schema.watermark
    read = search.cardinality.table_rows(node)
    known = search.cardinality.domains
    plan: PhysicalNode = TableScan(
        fields=fields,
        facts=search.facts(node, fields, (), read * len(fields) * costs.SCAN_VALUE, ANYWHERE, rows=read),
        table=node.table,
        source=SourceSpec(kind, options, None if watermark is None else watermark.alignment),
        predicates=tuple(e for e in node.predicates),
        domains=tuple((f.id, known[f.id]) for f in fields if f.id in known),
        columns=columns,
    )
    if rest:
        facts = search.facts(node, fields, (plan,), read * len(rest) * costs.FILTER_ROW, ANYWHERE)
        plan = FilterRows(fields=fields, facts=facts, input=plan, conjuncts=rest)
    yield plan


def _by_table_name(conjunct: Expression, names: dict[int, str]) -> Expression:
    def named(e: Expression) -> Expression:
        return replace(e, name=names[e.id]) if isinstance(e, ColumnRef) and e.name != names[e.id] else e

    return transform(conjunct, named)


def implement_values(search: Search, node: logical.Values, required: Required) -> Iterable[PhysicalNode]:
    """Constant rows come from one task."""
    yield ValuesScan(fields=node.fields, facts=search.facts(node, node.fields, (), 1.0, SINGLE), rows=node.rows)


def implement_filter(search: Search, node: logical.Filter, required: Required) -> Iterable[PhysicalNode]:
    """Keeps partitioning and ordering, so it hands the requirement down, or lets the exchange come after it."""
    for child in children_of(search, node.input, required):
        rows = child.facts.estimate.rows
        properties = child.facts.properties
        work = rows * len(node.conjuncts) * costs.FILTER_ROW
        facts = search.facts(node, child.fields, (child,), work, properties.partitioning, properties.ordering)
        yield FilterRows(fields=child.fields, facts=facts, input=child, conjuncts=node.conjuncts)


def implement_project(search: Search, node: logical.Project, required: Required) -> Iterable[PhysicalNode]:
    """Computes the needed columns; passes on what it keeps."""
    wanted = search.needed(node)
    pairs = [(f, e) for f, e in zip(node.fields, node.expressions, strict=True) if f.id in wanted]
    fields = tuple(f for f, _ in pairs)
    expressions = tuple(e for _, e in pairs)
    passed = {f.id for f, e in pairs if isinstance(e, ColumnRef) and e.id == f.id}
    computed = sum(1 for e in expressions if not isinstance(e, ColumnRef))
    asked = {*required.partitioning.keys, *(key.column for key in required.ordering)}
    for child in children_of(search, node.input, required if asked <= passed else Required()):
        properties = child.facts.properties
        facts = search.facts(
            node,
            fields,
            (child,),
            child.facts.estimate.rows * computed * costs.EXPRESSION_VALUE,
            properties.partitioning,
            _still_visible(properties.ordering, passed),
        )
        yield ProjectColumns(fields=fields, facts=facts, input=child, expressions=expressions)


def _still_visible(ordering: tuple[OrderingKey, ...], passed: set[int]) -> tuple[OrderingKey, ...]:
    kept = []
    for key in ordering:
        if key.column not in passed:
            break
        kept.append(key)
    return tuple(kept)


def children_of(search: Search, child: logical.Node, required: Required) -> list[PhysicalNode]:
    """Plans of an input for a node that keeps what it is asked for: as it comes, and as required."""
    free = search.best(child, Required())
    if required == Required():
        return [free]
    bound = search.best(child, required)
    return [free] if bound is free else [free, bound]


def implement_hinted(search: Search, node: logical.Hinted, required: Required) -> Iterable[PhysicalNode]:
    """Hints that found no join have been reported; the node itself does nothing."""
    yield keep(search.best(node.input, required), search.needed(node) | set(required.partitioning.keys))
