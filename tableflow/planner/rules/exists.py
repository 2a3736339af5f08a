"""EXISTS (same key and another value): the least and the greatest value per key answer it."""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import reference, transform_plan
from tableflow.records import replace
from tableflow.types import BOOLEAN, FloatType

_FEWER_GROUPS = 3.0


def exists_with_inequality(root: Node, required: frozenset[int], context: Context) -> Node:
    """``SEMI(l, r, l.k = r.k AND r.x <> l.x)`` becomes a join with MIN and MAX of ``r.x`` per ``r.k``.

    Some value of the key's rows differs from ``l.x`` if and only if the least or the greatest does.  Done only where it
    makes the hash table several times smaller and the left side is the larger one.
    """
    return transform_plan(root, lambda node: _rewritten(node, context) if isinstance(node, Join) else node)


def _rewritten(join: Join, context: Context) -> Node:
    if join.kind not in {JoinKind.SEMI, JoinKind.ANTI} or join.null_aware:
        return join
    found = _parts(join, context)
    if found is None:
        return join
    keys, equalities, outer, inner = found
    if not _is_beneficial(join, keys, context):
        return join
    fields = tuple([f for f in context.output(join.right) if f.id in keys])
    value = next(f for f in context.output(join.right) if f.id == inner.id)
    least, greatest = context.fresh(value, nullable=True), context.fresh(value, nullable=True)
    calls = tuple([AggregateCall(value.type, name, (inner,)) for name in ("min", "max")])
    grouped = Aggregate(join.right, fields, (least, greatest), calls)
    differs: Expression = Call(
        BOOLEAN, "or", (call("ne", reference(least), outer), call("ne", reference(greatest), outer))
    )
    if join.kind is JoinKind.SEMI:
        return replace(join, kind=JoinKind.INNER, right=grouped, conjuncts=(*equalities, differs))
    padded = replace(join, kind=JoinKind.LEFT, right=grouped, conjuncts=equalities)
    return Filter(padded, (call("is_not_true", differs),))


def _parts(join: Join, context: Context) -> tuple[frozenset[int], tuple[Expression, ...], ColumnRef, ColumnRef] | None:
    """Ids of the right keys, the equalities, and the two compared columns."""
    left, right = context.output_ids(join.left), context.output_ids(join.right)
    keys: set[int] = set()
    equalities: list[Expression] = []
    compared: tuple[ColumnRef, ColumnRef] | None = None
    for conjunct in join.conjuncts:
        match conjunct:
            case Call(function="eq" | "ne" as function, args=(ColumnRef() as a, ColumnRef() as b)):
                if a.id in right and b.id in left:
                    a, b = b, a
                if a.id not in left or b.id not in right or isinstance(b.type, FloatType):
                    return None
                if function == "eq":
                    keys.add(b.id)
                    equalities.append(conjunct)
                elif compared is None:
                    compared = (a, b)
                else:
                    return None
            case _:
                return None
    if compared is None or not keys:
        return None
    return frozenset(keys), tuple(equalities), *compared


def _is_beneficial(join: Join, keys: frozenset[int], context: Context) -> bool:
    statistics = context.statistics
    rows = statistics.rows(join.right)
    groups = statistics.distinct(join.right, sorted(keys))
    return groups * _FEWER_GROUPS < rows and rows < statistics.rows(join.left)
