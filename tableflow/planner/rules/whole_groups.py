"""An aggregate of the groups that a join's rows belong to: a window over these rows, when the groups are among them.

``S JOIN E ON E.k = S.k JOIN (SELECT k, min(x) FROM S GROUP BY k) g ON g.k = S.k`` reads S once: where E joins by nothing but k,
each row of a group of S meets the same rows of E, so the group is there as a whole or not at all, each of its rows equally often.
This is the WinMagic rewriting of Zuzarte, Pirahesh, Ma, Cheng, Liu and Wong, "WinMagic: Subquery Elimination Using Window
Aggregation" (2003), for aggregates to which it does not matter how often a row counts, so that no key has to be known.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression
from tableflow.expressions.over import aggregate_over
from tableflow.planner.logical.canonical import Canonical
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Scan, Window
from tableflow.planner.logical.predicates import call, column_pair
from tableflow.planner.logical.structure import inputs as inputs_of
from tableflow.planner.logical.structure import with_inputs
from tableflow.planner.logical.traversal import reference, walk_plan
from tableflow.planner.rewriting import required_of_inputs
from tableflow.planner.rules.column_classes import Classes
from tableflow.planner.rules.merged_subplans import merge
from tableflow.records import dataclass, replace
from tableflow.types import DateType, DecimalType, Field, IntegerType, StringType, TimestampType

_FEWER_ROWS = 4.0
_INDIFFERENT = frozenset({"min", "max", "avg", "bool_and", "bool_or"})
"""Aggregates that stay the same when each row of a group counts twice."""
_EXACT = (IntegerType, DecimalType)
_SPELLED_ONCE = (IntegerType, DecimalType, StringType, DateType, TimestampType)
"""Types of which equal values are the same in every respect."""


def window_instead_of_second_join(root: Node, required: frozenset[int], context: Context) -> Node:
    """See the module.  Done where E leaves a small part of S; hints say how what is written is joined, so then not at all."""
    tables = [node.table for node in walk_plan(root) if isinstance(node, Scan)]
    if context.hints or len(tables) == len(set(tables)):
        return root
    return _visited(root, required, context)


def _visited(node: Node, required: frozenset[int], context: Context) -> Node:
    node = _rewritten(node, required, context) or node
    children = inputs_of(node)
    needed = required_of_inputs(node, required, context)
    return with_inputs(node, tuple([_visited(c, n, context) for c, n in zip(children, needed, strict=True)]))


@dataclass(slots=True)
class Joined:
    """Inner joins taken apart."""

    relations: list[Node]
    conjuncts: list[Expression]

    @classmethod
    def of(cls, node: Node) -> Joined:
        """The relations that are joined, and all that is asked of their rows."""
        found = cls([], [])
        found._collect(node)
        return found

    def _collect(self, node: Node) -> None:
        if is_inner(node) and isinstance(node, Join):
            self._collect(node.left)
            self._collect(node.right)
            self.conjuncts += node.conjuncts
        elif is_inner(node) and isinstance(node, Filter):
            self._collect(node.input)
            self.conjuncts += node.conjuncts
        else:
            self.relations.append(node)


def is_inner(node: Node) -> bool:
    """Whether the node is an inner join, or a filter over one."""
    if isinstance(node, Filter):
        return isinstance(node.input, Join) and is_inner(node.input)
    return isinstance(node, Join) and node.kind is JoinKind.INNER and not node.dependent


def _rewritten(node: Node, required: frozenset[int], context: Context) -> Node | None:
    if not is_inner(node):
        return None
    joined = Joined.of(node)
    if not all(context.deterministic(conjunct) for conjunct in joined.conjuncts):
        return None
    for relation in joined.relations:
        grouped = relation.input if isinstance(relation, Project) else relation
        if isinstance(grouped, Aggregate) and _is_indifferent(grouped):
            new = _over_joined_rows(joined, relation, grouped, required, context)
            if new is not None:
                return new
    return None


def _is_indifferent(grouped: Aggregate) -> bool:
    if not grouped.keys or not grouped.calls or grouped.emit is not None or grouped.late is not None:
        return False
    return all(isinstance(f.type, _SPELLED_ONCE) for f in grouped.keys) and all(map(_is_allowed, grouped.calls))


def _is_allowed(of: AggregateCall) -> bool:
    if of.function not in _INDIFFERENT or of.order or len(of.args) != 1:
        return False
    kind = of.args[0].type
    # Sums of floats depend on how many there are, and equal intervals are spelled in several ways.
    return (
        isinstance(kind, _EXACT)
        if of.function == "avg"
        else of.function[:4] == "bool" or isinstance(kind, _SPELLED_ONCE)
    )


def _over_joined_rows(
    joined: Joined, relation: Node, grouped: Aggregate, required: frozenset[int], context: Context
) -> Node | None:
    """The joins with a window in the place of the grouped relation, if its input is among them."""
    others = [other for other in joined.relations if other is not relation]
    inner = Joined.of(grouped.input)
    found = _matched(inner, others, context)
    if found is None:
        return None
    matched, by_id = found
    wanted = [substitute_columns(conjunct, by_id, context) for conjunct in inner.conjuncts]
    classes = Classes(joined.conjuncts)
    if not all(context.movable(c) and (c in joined.conjuncts or classes.implies(c)) for c in wanted):
        return None
    keys = [_column(by_id[f.id]) for f in grouped.keys]
    if not all(classes.same(f.id, own.id) for f, own in zip(grouped.keys, keys, strict=True)):
        return None
    rest = [other for other in others if id(other) not in matched]
    members = [matched.get(id(other), other) for other in others if id(other) in matched]
    uniform = Classes(wanted).all_like([key.id for key in keys])
    inside, rest = _joined_by_keys(joined, members, rest, uniform, wanted, context)
    rows = join_all(members, inside, context)
    statistics = context.statistics
    if statistics.rows(rows) * _FEWER_ROWS > statistics.rows(grouped.input):
        return None
    given: dict[int, Expression] = {f.id: own for f, own in zip(grouped.keys, keys, strict=True)}
    if isinstance(relation, Project):
        pairs = zip(relation.fields, relation.expressions, strict=True)
        given |= {f.id: substitute_columns(e, given, context) for f, e in pairs}
    window = _window(rows, grouped, keys, by_id, context)
    above = dict.fromkeys([_restated(substitute_columns(c, given, context)) for c in joined.conjuncts])
    hold = Classes(inside)
    top = join_all([window, *rest], [c for c in above if c not in inside and not hold.implies(c)], context)
    return _with_columns(top, relation, given, required, context)


def _matched(
    inner: Joined, others: list[Node], context: Context
) -> tuple[dict[int, Node], dict[int, Expression]] | None:
    """For each relation of ``inner`` another one with the same rows, with all columns that are read; by identity.

    And what stands for the columns of ``inner``.
    """
    canonical = Canonical(context)
    matched: dict[int, Node] = {}
    by_id: dict[int, Expression] = {}
    for wanted in inner.relations:
        if not context.deterministic_plan(wanted) or _is_cut(wanted):
            return None
        signature = canonical.signature(wanted)
        same = [o for o in others if id(o) not in matched and canonical.signature(o) == signature]
        if not same:
            return None
        merged, names = merge(same[0], wanted, context)
        matched[id(same[0])] = merged
        fields = {f.id: f for f in context.output(merged)}
        by_id |= {of: reference(fields[own]) for of, own in names.items()}
    return matched, by_id


def _is_cut(of: Node) -> bool:
    return any(isinstance(node, Scan) and node.limit is not None for node in walk_plan(of))


def _joined_by_keys(
    joined: Joined, members: list[Node], rest: list[Node], uniform: set[int], wanted: list[Expression], context: Context
) -> tuple[list[Expression], list[Node]]:
    """What holds for the rows of a window, whose relations are added to ``members``, and the relations that stay outside.

    A conjunct may be asked inside if it is asked of groups as a whole.
    """
    own = frozenset().union(*(context.output_ids(member) for member in members))
    varying = own - uniform
    known = own | frozenset().union(*(context.output_ids(node) for node in rest))
    allowed = [
        c
        for c in joined.conjuncts
        if context.movable(c) and context.columns(c) <= known and varying.isdisjoint(context.columns(c))
    ]
    left = list(rest)
    while True:
        joining = next((node for node in left if _meets(node, own, allowed, context)), None)
        if joining is None:
            break
        left.remove(joining)
        members.append(joining)
        own |= context.output_ids(joining)
    return [*wanted, *[c for c in allowed if context.columns(c) <= own and c not in wanted]], left


def _meets(node: Node, own: frozenset[int], conjuncts: Iterable[Expression], context: Context) -> bool:
    """Whether an equality joins the relation to columns that are there."""
    ids = context.output_ids(node)
    for conjunct in conjuncts:
        columns = context.columns(conjunct)
        if column_pair(conjunct) is not None and columns & ids and columns & own and columns <= own | ids:
            return True
    return False


def _window(
    rows: Node, grouped: Aggregate, keys: list[ColumnRef], by_id: dict[int, Expression], context: Context
) -> Node:
    fields = {f.id: f for f in context.output(rows)}
    calls = [
        aggregate_over(
            replace(
                of,
                args=tuple([substitute_columns(arg, by_id, context) for arg in of.args]),
                filter=None if of.filter is None else substitute_columns(of.filter, by_id, context),
            )
        )
        for of in grouped.calls
    ]
    return Window(rows, tuple([fields[key.id] for key in keys]), (), grouped.results, tuple(calls))


def join_all(nodes: list[Node], conjuncts: list[Expression], context: Context) -> Node:
    """The inner join of all, each conjunct as early as may be; those that may fail see what no other conjunct rejects."""
    waiting = [c for c in conjuncts if context.movable(c)]
    left, here = _filtered(nodes[0], waiting, context)
    waiting = [c for c in waiting if c not in here]
    todo = list(nodes[1:])
    while todo:
        own = context.output_ids(left)
        right = next((node for node in todo if _meets(node, own, waiting, context)), todo[0])
        todo.remove(right)
        both = own | context.output_ids(right)
        now = tuple([c for c in waiting if context.columns(c) <= both])
        waiting = [c for c in waiting if c not in now]
        left = Join(JoinKind.INNER, left, right, now)
    failing = [c for c in conjuncts if not context.movable(c)]
    return Filter(left, (*waiting, *failing)) if waiting or failing else left


def _filtered(node: Node, conjuncts: list[Expression], context: Context) -> tuple[Node, list[Expression]]:
    here = [c for c in conjuncts if context.columns(c) <= context.output_ids(node)]
    return (Filter(node, tuple(here)) if here else node), here


def _restated(conjunct: Expression) -> Expression:
    """A column equals itself where it is not NULL."""
    match column_pair(conjunct):
        case (ColumnRef() as a, ColumnRef() as b) if a.id == b.id:
            return call("is_not_null", a)
        case _:
            return conjunct


def _with_columns(
    top: Node, relation: Node, given: dict[int, Expression], required: frozenset[int], context: Context
) -> Node:
    """``top`` with the columns of the relation that is gone, as far as they are read."""
    fields = context.output(top)
    there = {f.id for f in fields}
    missing = [f for f in context.output(relation) if f.id in required and f.id not in there]
    if not missing:
        return top
    kept: list[Field] = [f for f in fields if f.id in required]
    expressions: list[Expression] = [*map(reference, kept), *[given[f.id] for f in missing]]
    return Project(top, (*kept, *missing), tuple(expressions))


def _column(of: Expression) -> ColumnRef:
    assert isinstance(of, ColumnRef)
    return of
