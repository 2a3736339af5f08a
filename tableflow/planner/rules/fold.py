"""Constant expressions computed, predicates simplified, contradictions found."""

from __future__ import annotations

from typing import Any

from tableflow.expressions.fold import fold_node
from tableflow.expressions.nodes import ColumnRef, Expression, Literal, children, with_children
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import empty
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Scan
from tableflow.planner.logical.predicates import column_and_constant, is_literal, is_never
from tableflow.planner.logical.traversal import expressions, map_expressions
from tableflow.records import replace
from tableflow.types import BOOLEAN, DateType, DecimalType, IntegerType, StringType, TimestampType

_ONLY_TRUE_COUNTS = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.FULL})
_NEVER = Literal(BOOLEAN, value=False)


def fold_constants(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Folds the node's expressions; a filter that is never TRUE has no rows, conjuncts that are always TRUE go."""
    own = expressions(node)
    known = context.settled.get(id(own))
    if not own or (known is not None and known[1] is type(node)):
        return None  # a filter without conjuncts is merge_filters'
    new = _fold(node, context)
    if new is None:
        context.settled[id(own)] = (own, type(node))
    return new


def _fold(node: Node, context: Context) -> Node | None:
    new = map_expressions(node, lambda expression: _folded(expression, context))
    match new:
        case Filter(conjuncts=conjuncts):
            if any(is_never(c) for c in conjuncts) or contradictory(conjuncts):
                return empty(context.output(node))
            kept = tuple([c for c in conjuncts if not is_literal(c, value=True)])
            if not kept:
                return new.input
            new = new if len(kept) == len(conjuncts) else replace(new, conjuncts=kept)
        case Scan(predicates=predicates):
            if any(is_never(c) for c in predicates) or contradictory(predicates):
                return empty(context.output(node))
        case Join():
            new = _join(new, context)
        case _:
            pass
    return None if new is node else new


def _join(node: Join, context: Context) -> Join:
    kept = tuple([c for c in node.conjuncts if not is_literal(c, value=True)])
    if node.kind in _ONLY_TRUE_COUNTS and (any(is_never(c) for c in kept) or contradictory(kept)):
        # no pair of rows matches: as if there were nothing to match with (FULL still needs its right rows)
        if node.kind is not JoinKind.FULL:
            return replace(node, right=empty(context.output(node.right)), conjuncts=())
        return node if kept == (_NEVER,) else replace(node, conjuncts=(_NEVER,))
    return node if len(kept) == len(node.conjuncts) else replace(node, conjuncts=kept)


def _folded(of: Expression, context: Context) -> Expression:
    """Folded; what was folded once, as a part of whatever expression, is not looked at again."""
    kind = type(of)
    if kind is ColumnRef or kind is Literal:
        return of
    folded = context.folded
    known = folded.get(id(of))
    if known is not None:
        return known[1]
    old = children(of)
    changed: list[Expression] | None = None
    for i, child in enumerate(old):
        kind = type(child)
        if kind is ColumnRef or kind is Literal:
            continue
        operand = _folded(child, context)
        if operand is not child:
            if changed is None:
                changed = list(old)
            changed[i] = operand
    new = fold_node(of if changed is None else with_children(of, tuple(changed)))
    folded[id(of)] = (of, new)
    if new is not of:
        folded[id(new)] = (new, new)
    return new


_ORDERED = (IntegerType, DecimalType, DateType, TimestampType)


def contradictory(conjuncts: tuple[Expression, ...]) -> bool:
    """Whether comparisons of one column with constants leave it no value."""
    bounds: dict[int, _Range] = {}
    for conjunct in conjuncts:
        found = column_and_constant(conjunct)
        if found is None:
            continue
        column, function, literal = found
        if literal.value is None:
            return True
        if _comparable(column, literal) and not bounds.setdefault(column.id, _Range()).add(function, literal.value):
            return True
    return False


def _comparable(column: ColumnRef, literal: Literal) -> bool:
    if isinstance(column.type, StringType):
        return isinstance(literal.type, StringType) and not column.type.fixed and not literal.type.fixed
    return column.type == literal.type and isinstance(column.type, _ORDERED)


class _Range:
    """Values that the comparisons seen so far leave."""

    def __init__(self) -> None:
        self.low: Any = None
        self.high: Any = None
        self.low_open = False
        self.high_open = False

    def add(self, function: str, value: Any) -> bool:
        """Narrows the range; False when nothing is left."""
        if function in {"eq", "ge", "gt"} and (self.low is None or value >= self.low):
            self.low_open = function == "gt" or (self.low_open and value == self.low)
            self.low = value
        if function in {"eq", "le", "lt"} and (self.high is None or value <= self.high):
            self.high_open = function == "lt" or (self.high_open and value == self.high)
            self.high = value
        if self.low is None or self.high is None:
            return True
        return bool(self.low < self.high or (self.low == self.high and not (self.low_open or self.high_open)))
