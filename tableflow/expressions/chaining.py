"""Operators in a row, bound as one expression.

Invariant: a chain gives for every row what its calls nested in each other give, errors included; only the place of an error
is that of the whole chain.  So operators are joined only while their types stay the same.
"""

from __future__ import annotations

from tableflow.expressions.nodes import Call, Chain, Expression
from tableflow.records import replace
from tableflow.types import DecimalType, FloatType, IntegerType

ARITHMETIC = frozenset({"add", "subtract", "multiply", "divide", "modulo", "integer_divide"})


def lengthened(before: Expression, taken: Expression) -> Expression | None:
    """``taken``, which has ``before`` as its first operand, as one expression with it; None if that is not possible."""
    match before, taken:
        case Call(function="concat", args=some), Call(function="concat", args=(first, *others)) if first is before:
            return replace(taken, args=(*some, *others))
        case Chain(), Call(function=name, args=(first, last)) if first is before and name in ARITHMETIC:
            so_far = before
        case Call(function=known, args=(start, middle)), Call(function=name, args=(first, last)) if (
            first is before and known in ARITHMETIC and name in ARITHMETIC
        ):
            so_far = Chain(before.type, start, (known,), (middle,))
        case _:
            return None
    if before.type != taken.type or not isinstance(taken.type, (IntegerType, DecimalType, FloatType)):
        return None
    return Chain(taken.type, so_far.first, (*so_far.operators, name), (*so_far.operands, last), taken.span)
