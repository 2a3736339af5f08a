"""Implementation rules of grouping, joins, windows and limits over changelogs.

Rows with equal keys meet in one task by a hash exchange; an operator there keeps what it needs to say what each change does to
its result.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.errors import Span, UnsupportedError
from tableflow.expressions.nodes import Call, ColumnRef, Literal, WindowCall
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_result import SettledResult
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import SINGLE, ChangelogMode, OrderingKey, Partitioning, PartitioningKind
from tableflow.physical.retention import Retention
from tableflow.physical.sort import LimitRows, TopN
from tableflow.physical.timed_join import timed
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce, keep, sort
from tableflow.planner.implementation.join_conditions import JoinCondition, analyse, needs_three_values
from tableflow.planner.implementation.join_growth import warn_of_growth
from tableflow.planner.implementation.joins import STRAIGHT, by_columns, join_output, published_join
from tableflow.planner.implementation.ordering import ordering_by, ordering_of
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required, hashed
from tableflow.planner.implementation.search import Draft, Search
from tableflow.planner.join_times import join_times
from tableflow.planner.logical import nodes as logical
from tableflow.planner.over_times import tells_first_rows, waited_for
from tableflow.planner.window_closings import closing_column, closings
from tableflow.records import replace
from tableflow.types import BIGINT, BOOLEAN, Field

_ROWS_IN_ORDER = 100_000
"""Above this the first rows are found by sorting."""


def refuse(what: str, instead: str, span: Span | None = None) -> UnsupportedError:
    """The error of a query that cannot be kept up to date; ``span``: what stands in the way."""
    return UnsupportedError(what, hint=instead, span=span)


def settled(search: Search, plan: PhysicalNode) -> PhysicalNode:
    """The rows that are left at the end; the plan itself if it takes none back."""
    if plan.facts.properties.changelog is ChangelogMode.APPEND:
        return plan
    facts = plan.facts.handed_on()
    properties = replace(facts.properties, changelog=ChangelogMode.APPEND)
    return SettledResult(fields=plan.fields, facts=replace(facts, properties=properties), input=plan)


def implement_stream_join(search: Search, node: logical.Join, required: Required) -> Iterable[PhysicalNode | Draft]:
    """Both sides are kept, by key; where NULLs of one key concern all others, and without keys, in one task.

    Of a table that ends and takes nothing back only its rows are kept: those of the stream beside it wait until it has been read.
    """
    facts = search.stream(node.left), search.stream(node.right)
    if facts[0].appends and facts[1].appends and facts[0].bounded != facts[1].bounded:
        sealed = published_join(search, node, node.left if facts[0].bounded else node.right)
        if sealed is not None:
            yield sealed
            return
    condition = analyse(search, node)
    if needs_three_values(node, condition):
        condition = JoinCondition((), (), (), node.conjuncts)
    together = not condition.left or node.null_aware or node.kind is logical.JoinKind.MARK
    if together:
        left, right = search.best(node.left, IN_ONE_TASK), search.best(node.right, IN_ONE_TASK)
    else:
        left, left_keys = by_columns(search, node.left, condition.left)
        right, right_keys = by_columns(search, node.right, condition.right)
        condition = replace(condition, left=left_keys, right=right_keys)
    kind = STRAIGHT[node.kind]
    fields = join_output(search, node, kind, left, right)
    rows = left.facts.estimate.rows + right.facts.estimate.rows
    work = costs.build_cost(rows, left.facts.estimate.row_bytes) + costs.probe_cost(rows, rows, rows, len(fields))
    times = join_times(node, search.stream)
    plan = ChangelogJoin(
        fields=fields,
        facts=search.facts(node, fields, (left, right), work, SINGLE if together else _placed(node, left)),
        left=left,
        right=right,
        kind=kind,
        left_keys=condition.left,
        right_keys=condition.right,
        null_safe=condition.null_safe,
        residual=condition.residual,
        null_aware=node.null_aware,
        mark=None if node.mark is None else node.mark.id,
        left_appends=search.stream(node.left).appends,
        right_appends=search.stream(node.right).appends,
        left_retention=times.left,
        right_retention=times.right,
        left_ttl=search.state_ttl(node.left) if times.left is None else 0,
        right_ttl=search.state_ttl(node.right) if times.right is None else 0,
        span=node.span,
    )
    warn_of_growth(search, plan)
    yield plan if times.delay is None else timed(plan, times.delay)


def _placed(node: logical.Join, left: PhysicalNode) -> Partitioning:
    """Where the rows of an exchanged join lie: the left's keys are NULL in rows that only the right one has."""
    if node.kind in {logical.JoinKind.RIGHT, logical.JoinKind.FULL}:
        return Partitioning(PartitioningKind.ARBITRARY)
    return left.facts.properties.partitioning


def implement_stream_window(search: Search, node: logical.Window, required: Required) -> Iterable[PhysicalNode]:
    """The first rows of each partition are kept up to date as such.  Other calls wait for time, or compute touched partitions again."""
    partition = tuple(dict.fromkeys(f.id for f in node.partition))
    order = tuple(key for key in ordering_by(node.order) if key.column not in partition)
    child = search.best(node.input, hashed(partition, exact=False) if partition else IN_ONE_TASK)
    appends = search.stream(node).appends
    closing = closing_column(node, search.stream) if appends else None
    if closing is not None:
        yield _closed_windows(search, node, child, partition, order, closing)
    elif node.limit is not None and tells_first_rows(node):
        yield _first_rows(search, node, child, partition, order, node.limit)
    else:
        yield _over(search, node, child, partition, order)


def _over(
    search: Search,
    node: logical.Window,
    child: PhysicalNode,
    partition: tuple[int, ...],
    order: tuple[OrderingKey, ...],
) -> PhysicalNode:
    """All calls, and of a limit a filter on row numbers."""
    results, calls = node.results, node.calls
    numbers = [f for f, call in zip(results, calls, strict=True) if call.function == "row_number"]
    if node.limit is not None and not numbers:
        numbers = [Field(search.fresh_id(), "row_number", BIGINT, nullable=False)]
        results, calls = (*results, numbers[0]), (*calls, WindowCall(BIGINT, "row_number"))
    wanted = search.needed(node)
    fields = (*(f for f in child.fields if f.id in wanted), *results)
    work = costs.window_cost(child.facts.estimate.rows, len(calls))
    facts = search.facts(node, fields, (child,), work, child.facts.properties.partitioning)
    ttl = search.state_ttl(node.input)
    waited = waited_for(node, search.stream(node.input), closings(node.input, search.stream))
    plan: PhysicalNode = ChangelogOver(
        fields=fields, facts=facts, input=child, partition=partition, order=order, results=results, calls=calls, ttl=ttl
    )
    if waited is not None:
        plan = EventTimeOver(
            fields=fields,
            facts=facts,
            input=child,
            partition=partition,
            order=order,
            results=results,
            calls=calls,
            behind=waited[1],
            ttl=ttl,
        )
    if node.limit is not None:
        number = numbers[0]
        first = Call(BOOLEAN, "le", (ColumnRef(BIGINT, number.id, number.name), Literal(BIGINT, node.limit)))
        plan = FilterRows(fields=fields, facts=facts.handed_on(), input=plan, conjuncts=(first,))
    return plan


def _closed_windows(
    search: Search,
    node: logical.Window,
    child: PhysicalNode,
    partition: tuple[int, ...],
    order: tuple[OrderingKey, ...],
    closing: tuple[int, int],
) -> PhysicalNode:
    """Partitions of rows of one window are complete when that closes."""
    wanted = search.needed(node)
    fields = (*(f for f in child.fields if f.id in wanted), *node.results)
    work = costs.window_cost(child.facts.estimate.rows, len(node.calls))
    return ClosedWindows(
        fields=fields,
        facts=search.facts(node, fields, (child,), work, child.facts.properties.partitioning),
        input=child,
        partition=partition,
        order=order,
        results=node.results,
        calls=node.calls,
        closes=Retention(*closing),
        limit=node.limit,
    )


def _first_rows(
    search: Search,
    node: logical.Window,
    child: PhysicalNode,
    partition: tuple[int, ...],
    order: tuple[OrderingKey, ...],
    limit: int,
) -> PhysicalNode:
    rank = node.results[0] if node.results else None
    fields = child.fields if rank is None else (*child.fields, rank)
    work = costs.sort_cost(child.facts.estimate.rows)
    facts = search.facts(node, fields, (child,), work, child.facts.properties.partitioning)
    top = ChangelogTopN(
        fields=fields,
        facts=facts,
        input=child,
        partition=partition,
        order=order,
        limit=limit,
        offset=0,
        rank=rank,
        appends=search.stream(node.input).appends,
        ttl=search.state_ttl(node.input),
    )
    return keep(top, search.needed(node) | {f.id for f in node.results})


def implement_stream_limit(search: Search, node: logical.Limit, required: Required) -> Iterable[PhysicalNode]:
    """The first rows in an order, kept up to date; without one those that come first and stay."""
    below = node.input
    if search.finishes(node):
        yield _final_rows(search, node)
        return
    ordering = ordering_of(below) if isinstance(below, logical.Sort) else ()
    source = below.input if isinstance(below, logical.Sort) else below
    if not ordering and search.stream(source).appends:
        child = enforce(search, search.best(source, NOTHING), IN_ONE_TASK)
        yield _limited(search, node, child)
        return
    child = search.best(source, IN_ONE_TASK)
    facts = search.facts(node, child.fields, (child,), costs.sort_cost(child.facts.estimate.rows), SINGLE)
    yield ChangelogTopN(
        fields=child.fields,
        facts=facts,
        input=child,
        partition=(),
        order=ordering,
        limit=node.limit,
        offset=node.offset,
        rank=None,
        appends=search.stream(source).appends,
    )


def _final_rows(search: Search, node: logical.Limit) -> PhysicalNode:
    """The limit of a plan's last node: over all rows that are left."""
    below = node.input
    source = below.input if isinstance(below, logical.Sort) else below
    child = settled(search, search.best(source, IN_ONE_TASK))
    if not isinstance(below, logical.Sort):
        return _limited(search, node, child)
    # Few rows are kept in a heap, many are sorted and cut.
    if node.limit is None or node.limit + node.offset > _ROWS_IN_ORDER:
        return _limited(search, node, sort(search, child, ordering_of(below)))
    facts = search.facts(node, child.fields, (child,), costs.sort_cost(child.facts.estimate.rows), SINGLE)
    keys = ordering_of(below)
    return TopN(fields=child.fields, facts=facts, input=child, keys=keys, limit=node.limit, offset=node.offset)


def _limited(search: Search, node: logical.Limit, child: PhysicalNode) -> PhysicalNode:
    facts = search.facts(node, child.fields, (child,), 1.0, child.facts.properties.partitioning)
    return LimitRows(fields=child.fields, facts=facts, input=child, limit=node.limit, offset=node.offset)
