"""Rows of one side of a join are put into groups before they are joined, where each row of the other side is a group of its own.

Invariant: a group of the aggregate is one row of the kept side with its partners, and these are the rows of the other side that have its
values of the join's columns.  So what is computed of each such set of rows, once, is the result of every kept row that meets it.
This is the eager aggregation of Yan and Larson, "Eager Aggregation and Lazy Aggregation" (VLDB 1995), where no group has to be merged again.
"""

from __future__ import annotations

from tableflow import types as t
from tableflow.catalog.fetching import TellingProvider
from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef, Expression, Literal
from tableflow.expressions.properties import strict
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import unique_keys
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Limit, Node, Project, Scan
from tableflow.planner.logical.predicates import column_pair
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.traversal import reference
from tableflow.planner.rules.group_keys import is_told_apart
from tableflow.planner.unnesting_lift import ZERO_WHEN_EMPTY
from tableflow.records import dataclass, replace
from tableflow.types import Field

_ROWS_PER_GROUP = 3.0
_MOST_LEFT_OUT = 0.5
"""Where the join leaves out more than this share of a side's rows, these are not put into groups for nothing."""
_MANY_MORE = 5.0
"""Where keys would else be fetched for the first groups alone, all rows of the kept side are read with them for so many times fewer rows to join."""
_PICKING = frozenset({"count", "count_if", "min", "max", "bool_and", "bool_or"})
_ADDING = frozenset({"sum", "avg"})
"""Aggregates of which a group's result is NULL, or zero, where its only row is one that an outer join has filled with NULLs."""


def group_before_join(root: Node, required: frozenset[int], context: Context) -> Node:
    """``SELECT c.id, count(o.x) FROM c LEFT JOIN o ON o.c = c.id GROUP BY c.id`` counts the rows of o for each value of o.c first.

    Done where the side has several rows to a group and the join leaves most of them; hints say how what is written is joined.
    """
    return root if context.hints else _visited(root, context, limited=False)


def _visited(node: Node, context: Context, *, limited: bool) -> Node:
    """``limited``: of the columns above a few rows are wanted, so that keys which follow from another are fetched for these."""
    if isinstance(node, Aggregate):
        node = _rewritten(node, context, _MANY_MORE if limited and len(node.keys) > 1 else 1.0) or node
        limited = False
    limited = limited or isinstance(node, Limit)
    return with_inputs(node, tuple([_visited(child, context, limited=limited) for child in inputs(node)]))


def _rewritten(node: Aggregate, context: Context, times: float) -> Node | None:
    join = node.input
    if not isinstance(join, Join) or join.dependent or not node.keys or not node.calls:
        return None
    if node.emit or node.fire or node.late or join.kind not in {JoinKind.INNER, JoinKind.LEFT}:
        return None
    sides = [(join.left, join.right)]
    if join.kind is JoinKind.INNER:
        sides.append((join.right, join.left))
    for kept, grouped in sides:
        found = _split(node, join, kept, grouped, context)
        if found is not None and _pays(found, join, times, context) and _tells_apart(kept, node.keys, context):
            return _grouped_first(node, join, found, context)
    return None


@dataclass(frozen=True, slots=True)
class _Split:
    kept: Node
    grouped: Node
    keys: tuple[Field, ...]  # of the grouped side: all that the join compares


def _split(node: Aggregate, join: Join, kept: Node, grouped: Node, context: Context) -> _Split | None:
    """The sides of the join if the aggregate's keys are of one and all that its calls read is of the other."""
    ours, others = context.output_ids(kept), context.output_ids(grouped)
    if not all(key.id in ours for key in node.keys) or not all(_is_of(call, others, context) for call in node.calls):
        return None
    compared, equal = set[int](), set[int]()
    for conjunct in join.conjuncts:
        compared |= context.columns(conjunct) & others
        pair = column_pair(conjunct)
        if pair is not None and not {c.id for c in pair}.isdisjoint(ours):
            equal |= {c.id for c in pair} & others
    keys = tuple([f for f in context.output(grouped) if f.id in compared])
    if not keys or not compared <= equal or not all(is_told_apart(key.type) for key in keys):
        return None
    return _Split(kept, grouped, keys)


def _is_of(call: AggregateCall, columns: frozenset[int], context: Context) -> bool:
    """Whether the call reads these columns alone, gives nothing of rows of NULLs, and fails for no group that it has not seen before."""
    if call.filter is not None or call.order or not all(map(context.movable, call.args)):
        return False
    if not call.args:
        return call.function == "count"
    if not all(strict(one) and context.columns(one) and context.columns(one) <= columns for one in call.args):
        return False
    return call.function in _PICKING or (call.function in _ADDING and _fits_any_sum(call.args[0].type))


def _fits_any_sum(of: t.SqlType) -> bool:
    """Whether no number of rows there may be has a sum that leaves its type."""
    match of:
        case t.IntegerType(bits=bits):
            return bits != 32  # up to 16 bits are added up in 64, and 64 in 38 digits
        case t.DecimalType(precision=precision):
            return precision <= 24
        case _:
            return isinstance(of, t.FloatType)


def _pays(split: _Split, join: Join, times: float, context: Context) -> bool:
    """``times``: the side that is grouped has at least so many times the rows of the other."""
    statistics = context.statistics
    rows = statistics.rows(split.grouped)
    if statistics.distinct(split.grouped, [key.id for key in split.keys]) * _ROWS_PER_GROUP > rows:
        return False
    if statistics.rows(split.kept) * times > rows:
        return False
    if statistics.rows(split.kept) < _MOST_LEFT_OUT * statistics.base_rows(split.kept):
        return False  # its rows would narrow the other side's scan
    return statistics.rows(join) >= _MOST_LEFT_OUT * rows


def _tells_apart(kept: Node, keys: tuple[Field, ...], context: Context) -> bool:
    """Whether no two rows have the same keys: that is declared, or found out of a column of a table."""
    ids = frozenset([key.id for key in keys])
    if any(unique <= ids for unique in unique_keys(kept, context)):
        return True
    while isinstance(kept, Filter | Project):
        kept = kept.input
    if not isinstance(kept, Scan) or not isinstance(kept.provider, TellingProvider):
        return False
    provider = kept.provider
    names = [name for f, name in zip(kept.fields, kept.columns, strict=True) if f.id in ids]
    return any(provider.may_tell_apart(name) and provider.tells_apart(name) for name in names)


def _grouped_first(node: Aggregate, join: Join, split: _Split, context: Context) -> Node:
    given = {f.id: f for f in context.output(split.grouped)}
    results: list[Field] = []
    expressions: list[Expression] = [reference(key) for key in node.keys]
    for f, call in zip(node.results, node.calls, strict=True):
        if join.kind is JoinKind.LEFT and call.function in ZERO_WHEN_EMPTY:
            alone = Literal(f.type, 0 if call.args else 1)
            results.append(context.fresh(f))
            partners = reference(replace(results[-1], nullable=True))
            expressions.append(Call(f.type, "coalesce", (partners, alone)))
        else:
            results.append(f)
            expressions.append(reference(f))
    calls = tuple([_of_its_rows(call, given) for call in node.calls])
    early = Aggregate(split.grouped, split.keys, tuple(results), calls)
    sides = (split.kept, early) if split.kept is join.left else (early, split.kept)
    return Project(replace(join, left=sides[0], right=sides[1]), (*node.keys, *node.results), tuple(expressions))


def _of_its_rows(call: AggregateCall, given: dict[int, Field]) -> AggregateCall:
    """The call over the side's own rows, of which each counts that has no NULL: then the column need not be read."""
    match call:
        case AggregateCall(function="count", args=(ColumnRef(id=number),), distinct=False) if not given[
            number
        ].nullable:
            return replace(call, args=())
        case _:
            return call
