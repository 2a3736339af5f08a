"""Joins as of a time over finished data: both sides sorted together, so that the next right row is the last one seen.

Right rows are numbered per key in the order of their versions.  In the union of both sides, sorted by key and time, a running
maximum of these numbers tells each left row which right row is next to it; an ordinary join brings that row.
"""

from __future__ import annotations

from tableflow.expressions.coercion import cast, common_type
from tableflow.expressions.keys import is_nested_key, keyed
from tableflow.expressions.nodes import (
    Call,
    Case,
    ColumnRef,
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    SortKey,
    WindowCall,
)
from tableflow.expressions.registry import resolve_window
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan, passing
from tableflow.planner.logical.lookups import looked_up
from tableflow.planner.logical.nodes import Filter, Join, Node, Project, SetKind, SetOperation, Window
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.time_nodes import AsofJoin, TemporalJoin
from tableflow.planner.logical.traversal import reference
from tableflow.records import dataclass
from tableflow.types import BIGINT, TINYINT, Field, JsonType, MapType, SqlType, TypeFamily, family

_SO_FAR = Frame(FrameUnit.ROWS, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW))


def settle_temporal_join(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The newest version not after the row's time; without versions the right side as it is, unless it has to be asked."""
    assert isinstance(node, TemporalJoin)
    if looked_up(node) is not None:
        return None
    if node.versions is None:
        return Join(node.kind, node.left, node.right, node.conjuncts, block=node.block, span=node.span)
    return AsofJoin(
        node.kind, node.left, node.right, node.conjuncts, "ge", node.time, node.versions, node.block, node.span
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """A side with its keys and time as columns."""

    plan: Node
    keys: tuple[Field, ...]
    time: Field
    number: Field | None = None


def expand_asof_join(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A window over the union of both sides, and a join by the number that it finds."""
    assert isinstance(node, AsofJoin)
    descending = node.match in {"le", "lt"}
    pairs = [_sides(each, node, context) for each in node.conjuncts]
    # the left side's columns are made anew above the join: below it they have other ids
    common = common_type([node.time.type, node.versions.type]) or node.time.type
    given = _side(node.left, [a for a, _ in pairs], cast(node.time, common), context)
    plan, names = copy_plan(given.plan, context)
    left = _Side(plan, tuple([names[f.id] for f in given.keys]), names[given.time.id])
    versions = cast(reference(node.versions), common)
    right = _numbered(node.right, [b for _, b in pairs], versions, node.versions, context, descending=descending)
    copied, renamed = copy_plan(right.plan, context)
    assert right.number is not None
    number = renamed[right.number.id]
    again = _Side(copied, tuple([renamed[f.id] for f in right.keys]), renamed[right.time.id], number)
    united = _united(left, again, node.match in {"ge", "le"}, descending, context)
    found, by_new = united
    by_id = {old: by_new[new.id] for old, new in names.items() if new.id in by_new}
    conjuncts = [call("eq", by_new[a.id], reference(b)) for a, b in zip(left.keys, right.keys, strict=True)]
    conjuncts.append(call("eq", by_new[-1], reference(right.number)))
    joined = Join(node.kind, found, right.plan, tuple(conjuncts), block=node.block, span=node.span)
    of_left, of_right = context.output(node.left), context.output(node)[len(context.output(node.left)) :]
    return Project(joined, (*of_left, *of_right), (*[by_id[f.id] for f in of_left], *passing(of_right)))


def _sides(of: Expression, node: AsofJoin, context: Context) -> tuple[Expression, Expression]:
    """The two sides of an equality, the left one first."""
    assert isinstance(of, Call)
    first, second = of.args
    if context.columns(first) <= context.output_ids(node.right) and context.columns(first):
        return second, first
    return first, second


def _side(plan: Node, keys: list[Expression], time: Expression, context: Context) -> _Side:
    fields = context.output(plan)
    made = [Field(context.fresh_id(), "key", keyed(key).type) for key in keys]
    at = Field(context.fresh_id(), "time", time.type)
    computed = (*passing(fields), *[keyed(key) for key in keys], time)
    return _Side(Project(plan, (*fields, *made, at), computed), tuple(made), at)


def _numbered(
    plan: Node, keys: list[Expression], time: Expression, versions: Field, context: Context, *, descending: bool
) -> _Side:
    """The right side without rows that match nothing, numbered per key in the order of versions."""
    side = _side(plan, keys, time, context)
    present = tuple([call("is_not_null", reference(f)) for f in (*side.keys, side.time)])
    ties = [f for f in context.output(plan) if f.id != versions.id and _has_order(f.type)]
    order = (SortKey(reference(side.time), descending), *[SortKey(reference(f)) for f in ties])
    number = Field(context.fresh_id(), "number", BIGINT, nullable=False)
    numbered = Window(Filter(side.plan, present), side.keys, order, (number,), (resolve_window("row_number", []),))
    return _Side(numbered, side.keys, side.time, number)


def _has_order(of: SqlType) -> bool:
    return not isinstance(of, (JsonType, MapType)) and (family(of) is not TypeFamily.NESTED or is_nested_key(of))


def _united(
    left: _Side, right: _Side, equal_matches: bool, descending: bool, context: Context
) -> tuple[Node, dict[int, Expression]]:
    """Left rows with the number of their right row; where each left column is now, and under -1 that number."""
    fields = context.output(left.plan)
    assert right.number is not None
    side, number = Field(context.fresh_id(), "side", TINYINT), Field(context.fresh_id(), "number", BIGINT)
    given = Project(
        left.plan, (*fields, side, number), (*passing(fields), Literal(TINYINT, 1), Literal(BIGINT, None))
    )  # fmt: skip
    theirs = dict(zip([f.id for f in (*left.keys, left.time)], (*right.keys, right.time), strict=True))
    offered: list[Expression] = [reference(theirs[f.id]) if f.id in theirs else Literal(f.type, None) for f in fields]
    own = tuple([context.fresh(f, nullable=True) for f in (*fields, side, number)])
    place = Literal(TINYINT, 0 if equal_matches else 2)
    taken = Project(right.plan, own, (*offered, place, reference(right.number)))
    every = tuple([context.fresh(f, nullable=True) for f in (*fields, side, number)])
    columns = ((*fields, side, number), own)
    both = SetOperation(SetKind.UNION_ALL, (given, taken), every, columns)
    by_id: dict[int, Expression] = {old.id: reference(new) for old, new in zip(fields, every, strict=False)}
    keys = tuple([_field(by_id[f.id], every) for f in left.keys])
    time = by_id[left.time.id]
    assert isinstance(time, ColumnRef)
    order = (SortKey(time, descending), SortKey(reference(every[-2])), SortKey(reference(every[-1])))
    newest = WindowCall(BIGINT, "max", (reference(every[-1]),), _SO_FAR)
    last = Field(context.fresh_id(), "last", BIGINT)
    windowed = Window(both, keys, order, (last,), (newest,))
    rows = Filter(windowed, (call("eq", reference(every[-2]), Literal(TINYINT, 1)),))
    match = Field(context.fresh_id(), "match", BIGINT)
    here = Case(BIGINT, (call("is_not_null", time),), (reference(last),), Literal(BIGINT, None))
    passed = context.output(rows)
    by_id[-1] = reference(match)
    return Project(rows, (*passed, match), (*passing(passed), here)), by_id


def _field(of: Expression, among: tuple[Field, ...]) -> Field:
    assert isinstance(of, ColumnRef)
    return next(f for f in among if f.id == of.id)
