"""What compiling asks of an expression again and again, found out once: its shape, the columns it reads.

Invariant: two expressions have one number if and only if they are equal and give the same value, so no literal is shared
that equals another but is not the same: 0.0 and -0.0.  Facts are kept by identity, and their expressions with them.
"""

from __future__ import annotations

from typing import Any

from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal, children
from tableflow.records import dataclass
from tableflow.types import SqlType

_NO_COLUMNS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """``number`` tells equal expressions; ``columns`` are the ids it reads."""

    expression: Expression
    number: int
    columns: frozenset[int]


@dataclass(frozen=True, slots=True)
class Judgement:
    """An expression that a program can compute: whether some row may be in error, and its price per lane."""

    fails: bool
    price: int


class ExpressionFacts:
    """Facts of the expressions of one plan."""

    def __init__(self) -> None:
        self._known: dict[int, Facts] = {}
        self._numbers: dict[Any, int] = {}
        self._types: dict[int, tuple[SqlType, int]] = {}

    def of(self, expression: Expression) -> Facts:
        """The facts of an expression and, on the way, of all below it."""
        known = self._known.get(id(expression))
        if known is None:
            known = self._known[id(expression)] = self._found(expression)
        return known

    def _found(self, of: Expression) -> Facts:
        if isinstance(of, ColumnRef):
            return Facts(of, self._number((ColumnRef, of.id, self._type(of.type))), frozenset((of.id,)))
        operands = [self.of(child) for child in children(of)]
        columns = _NO_COLUMNS.union(*[operand.columns for operand in operands])
        shape = (*self._own(of), self._type(of.type), *[operand.number for operand in operands])
        return Facts(of, self._number(shape), columns)

    def _own(self, of: Expression) -> tuple[Any, ...]:
        """What tells an expression from others over the same operands."""
        match of:
            case Call(function=function):
                return (Call, function)
            case Literal(value=int() | str() | None as value):
                return (Literal, value)
            case Literal(value=value):
                return (Literal, repr(value))
            case Cast(lenient=lenient, zone=zone):
                return (Cast, lenient, zone)
            case Chain(operators=operators):
                return (Chain, operators)
            case Case(conditions=conditions):
                return (Case, len(conditions))
            case _:
                return (of,)

    def _number(self, shape: Any) -> int:
        return self._numbers.setdefault(shape, len(self._numbers))

    def _type(self, of: SqlType) -> int:
        known = self._types.get(id(of))
        if known is None:
            known = self._types[id(of)] = (of, self._number(of))
        return known[1]
