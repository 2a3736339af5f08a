"""Implementation rules of plans over streams: every operator takes changes and gives changes.

There is one way to compute each node, so nothing is priced; what cannot be maintained is refused here, with what to write
instead.  Rows meet by hash exchanges on keys; nothing is published, because nothing is ever complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tableflow.errors import UnsupportedError
from tableflow.expressions.nodes import Expression
from tableflow.expressions.properties import deterministic
from tableflow.physical.changelog_result import ChangelogResult, SettledResult
from tableflow.physical.fork import Fork
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import ANYWHERE, ChangelogMode
from tableflow.physical.sort import LimitRows
from tableflow.planner.implementation.enforcers import arrange, enforce, sort
from tableflow.planner.implementation.leaves import (
    implement_filter,
    implement_hinted,
    implement_project,
    implement_scan,
    implement_values,
)
from tableflow.planner.implementation.ordering import ordering_of
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required
from tableflow.planner.implementation.search import Rule, Search
from tableflow.planner.implementation.unions import implement_set_operation
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.structure import output
from tableflow.types import STRING, Field


def refuse(what: str, instead: str) -> UnsupportedError:
    """The error of a query that cannot be kept up to date."""
    return UnsupportedError(what, hint=instead)


def _stream_filter(search: Search, node: logical.Filter, required: Required) -> Iterable[PhysicalNode]:
    _check_repeatable(search, node.input, node.conjuncts)
    return implement_filter(search, node, required)


def _stream_project(search: Search, node: logical.Project, required: Required) -> Iterable[PhysicalNode]:
    _check_repeatable(search, node.input, node.expressions)
    return implement_project(search, node, required)


def _check_repeatable(search: Search, below: logical.Node, expressions: tuple[Expression, ...]) -> None:
    """A row that is taken back must be computed to the same values as when it was given."""
    if search.stream(below).appends:
        return
    if not all(deterministic(e) for e in expressions):
        raise refuse(
            "a function that gives another value each time cannot be computed over rows that may be taken back",
            "compute it over the source itself, before grouping and joining",
        )


def _stream_shared(search: Search, node: logical.Shared, required: Required) -> Iterable[PhysicalNode]:
    """All readers get the rows of one stream, each under its own ids."""
    first = search.shared.get(node.key)
    sources = output(node.input)
    if first is None:
        child = arrange(search.best(node.input, NOTHING), sources)
        key = search.publication("fork")
    else:
        assert isinstance(first, Fork)
        child, key, sources = first.input, first.key, first.sources
    facts = search.facts(node, node.fields, (child,), 1.0, ANYWHERE)
    plan = Fork(fields=node.fields, facts=facts, input=child, key=key, sources=sources)
    search.shared.setdefault(node.key, plan)
    yield plan


def _stream_sort(search: Search, node: logical.Sort, required: Required) -> Iterable[PhysicalNode]:
    """Sorted when everything has come; the last node of a plan alone is asked for an order."""
    if not required.ordering:
        yield search.best(node.input, required)
        return
    if not search.stream(node).bounded:
        raise refuse(
            "rows without end have no last one, and so no order in which they could be given",
            "add LIMIT to keep the first rows up to date, or leave ORDER BY out",
        )
    child = settled(search, search.best(node.input, IN_ONE_TASK))
    yield sort(search, child, ordering_of(node))


def _stream_limit(search: Search, node: logical.Limit, required: Required) -> Iterable[PhysicalNode]:
    """The first rows that come, of a stream that takes none back."""
    if isinstance(node.input, logical.Sort) or not search.stream(node.input).appends:
        raise refuse("LIMIT over changing rows is not there yet", "leave LIMIT out")
    child = enforce(search, search.best(node.input, NOTHING), IN_ONE_TASK)
    facts = search.facts(node, child.fields, (child,), 1.0, child.facts.properties.partitioning)
    yield LimitRows(fields=child.fields, facts=facts, input=child, limit=node.limit, offset=node.offset)


STREAMING_RULES: Mapping[type, Rule] = {
    logical.Scan: implement_scan,
    logical.Values: implement_values,
    logical.Filter: _stream_filter,
    logical.Project: _stream_project,
    logical.SetOperation: implement_set_operation,
    logical.Shared: _stream_shared,
    logical.Hinted: implement_hinted,
    logical.Sort: _stream_sort,
    logical.Limit: _stream_limit,
}


def settled(search: Search, plan: PhysicalNode) -> PhysicalNode:
    """The rows that are left at the end; the plan itself if it takes none back."""
    if plan.facts.properties.changelog is ChangelogMode.APPEND:
        return plan
    properties = replace(plan.facts.properties, changelog=ChangelogMode.APPEND)
    return SettledResult(fields=plan.fields, facts=replace(plan.facts, properties=properties), input=plan)


def plan_stream(search: Search, query: logical.Query) -> tuple[PhysicalNode, tuple[Field, ...]]:
    """The plan of a query over streams and its result's columns; the first says what a row does, if any is taken back."""
    root = query.root
    if isinstance(root, logical.Sort):
        required = replace(IN_ONE_TASK, ordering=ordering_of(root))
        return search.best(root, required), query.columns
    plan = search.best(root, IN_ONE_TASK)
    if search.stream(root).bounded:
        return settled(search, plan), query.columns
    if plan.facts.properties.changelog is ChangelogMode.APPEND:
        return plan, query.columns
    kind = Field(search.fresh_id(), "op", STRING, nullable=False)
    key = upsert_key(search, root, frozenset(f.id for f in query.columns))
    facts = replace(plan.facts, properties=replace(plan.facts.properties, changelog=ChangelogMode.APPEND))
    result = ChangelogResult(fields=(kind, *plan.fields), facts=facts, input=plan, key=key)
    return result, (kind, *query.columns)


def upsert_key(search: Search, node: logical.Node, shown: frozenset[int]) -> tuple[int, ...] | None:
    """The smallest set of visible columns that is unique in what the node's changes add up to."""
    keys = [tuple(sorted(key)) for key in search.cardinality.keys(node) if key <= shown]
    return min(keys, key=lambda key: (len(key), key), default=None)
