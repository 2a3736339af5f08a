"""ORs: common parts of their arms taken out, and what they say about one side of a join."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.known_predicates import is_known
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node
from tableflow.planner.logical.predicates import arms, conjunction, disjunction, split
from tableflow.planner.rules.filters import filtered
from tableflow.records import replace
from tableflow.types import BOOLEAN

_LEFT = frozenset({JoinKind.INNER, JoinKind.SEMI})
_RIGHT = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.LEFT, JoinKind.SINGLE})


def is_disjunction(of: Expression) -> bool:
    """Whether the expression is an OR."""
    return isinstance(of, Call) and of.function == "or"


def factor_disjunctions(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``(a AND b) OR (a AND c)`` is ``a AND (b OR c)``: what all arms ask for becomes a conjunct of its own."""
    assert isinstance(node, (Filter, Join))
    new: list[Expression] = []
    changed = False
    for conjunct in node.conjuncts:
        factored = _factored(conjunct, context) if is_disjunction(conjunct) else None
        new += [conjunct] if factored is None else factored
        changed = changed or factored is not None
    return replace(node, conjuncts=tuple(new)) if changed else None


def _factored(of: Expression, context: Context) -> list[Expression] | None:
    known = context.factored.get(id(of))
    if known is None:
        known = context.factored[id(of)] = (of, _factor(of))
    return known[1]


def _factor(of: Expression) -> list[Expression] | None:
    parts = [list(split(arm)) for arm in arms(of)]
    common = [part for part in parts[0] if all(part in other for other in parts[1:])]
    if not common:
        return None
    rests = [[part for part in arm if part not in common] for arm in parts]
    if not all(rests):
        return common
    return [*common, simplified_or([conjunction(rest) for rest in rests])]


def simplified_or(of: list[Expression]) -> Expression:
    """The disjunction, each arm once; equalities of one column with constants as IN."""
    once = list(dict.fromkeys(of))
    column: ColumnRef | None = None
    items: list[Expression] = []
    for arm in once:
        match arm:
            case Call(function="eq", args=(ColumnRef() as found, Literal() as value)) if column in (None, found):
                column = found
                items.append(value)
            case _:
                return disjunction(once)
    if column is None or len(once) == 1:
        return disjunction(once)
    return Call(BOOLEAN, "in", (column, *items))


def side_of_disjunction(of: Expression, ids: frozenset[int], context: Context) -> Expression | None:
    """What an OR implies about these columns alone: each arm's conjuncts over them; None if an arm says nothing."""
    known = context.implied.get((id(of), ids))
    if known is None:
        known = context.implied[id(of), ids] = (of, _implied(of, ids, context))
    return known[1]


def _implied(of: Expression, ids: frozenset[int], context: Context) -> Expression | None:
    found: list[Expression] = []
    for arm in arms(of):
        own = [part for part in split(arm) if context.columns(part) <= ids and context.columns(part)]
        if not own or not all(context.movable(part) for part in own):
            return None
        found.append(conjunction(own))
    return simplified_or(found)


def derive_side_disjunctions(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``(l.a AND r.b) OR (l.c AND r.d)`` as a join condition lets each side keep only rows that some arm can take."""
    assert isinstance(node, Join)
    sides = [node.left, node.right]
    for conjunct in node.conjuncts:
        if not is_disjunction(conjunct):
            continue
        for i, kinds in enumerate((_LEFT, _RIGHT)):
            if node.kind not in kinds:
                continue
            implied = side_of_disjunction(conjunct, context.output_ids(sides[i]), context)
            if implied is None or not context.derive_once(implied):
                continue
            if not is_known(implied, sides[i], context):
                sides[i] = filtered(sides[i], [implied], context)
    if sides[0] is node.left and sides[1] is node.right:
        return None
    return replace(node, left=sides[0], right=sides[1])
