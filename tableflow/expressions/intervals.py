"""Interval analysis: bounds of values from the bounds of columns, through expressions.

Invariant: a domain never lies.  Every value that an expression yields lies within what this module derives;
where an operation is not understood the answer is "unbounded", never a guess.  A value that does not fit its type is an
error, not a value, so bounds are cut to the type.  Bounds of floats are only passed on: NaN lies outside all bounds.
"""

from __future__ import annotations

from collections.abc import Mapping

from tableflow import types as t
from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal, walk
from tableflow.expressions.ranges import (
    UNBOUNDED,
    Domain,
    Range,
    aligned_operands,
    calendar_range,
    chain_steps,
    exact_range,
    is_exact,
    product,
    scale_of,
    type_range,
    unchecked_range,
)
from tableflow.records import replace

__all__ = [
    "UNBOUNDED",
    "Domain",
    "Range",
    "always_fits",
    "bits_of",
    "bounds",
    "exact_range",
    "may_be_null",
    "storage_bits",
]


def bounds(expression: Expression, domains: Mapping[int, Domain]) -> Domain:
    """Bounds of the expression's values, given those of the columns by id; and whether it may be NULL."""
    nullable = may_be_null(expression, domains)
    if isinstance(expression.type, t.FloatType):
        match expression:
            case ColumnRef(id=number) if number in domains:
                return domains[number]
            case Literal(value=value) if value is not None and value == value:
                return Domain(value, value, nullable=False)
            case _:
                return Domain(nullable=nullable)
    found = exact_range(expression, domains)
    return Domain(nullable=nullable) if found is None else Domain(found[0], found[1], nullable)


def may_be_null(of: Expression, domains: Mapping[int, Domain]) -> bool:
    """Whether a value may be NULL; an error is not a value."""
    match of:
        case ColumnRef(id=number):
            return domains.get(number, UNBOUNDED).nullable
        case Literal(value=value):
            return value is None
        case Cast(operand=operand, lenient=lenient):
            return lenient or may_be_null(operand, domains)
        case Case(results=results, otherwise=otherwise):
            return any(may_be_null(arm, domains) for arm in (*results, otherwise))
        case Call(function="coalesce" | "greatest" | "least", args=args):
            return all(may_be_null(arg, domains) for arg in args)
        case Call(function="is_null" | "is_not_null" | "is_true" | "is_false" | "is_not_true" | "is_not_false"):
            return False
        case Call(function="is_distinct_from" | "is_not_distinct_from"):
            return False
        case Call(function="try" | "nullif" | "element_at" | "field"):
            return True
        case Call(args=args):
            return any(may_be_null(arg, domains) for arg in args)
        case Chain(first=first, operands=operands):
            return any(may_be_null(arg, domains) for arg in (first, *operands))
        case _:
            return True


def always_fits(of: Expression, domains: Mapping[int, Domain]) -> bool:
    """Whether the bounds show that an operation (not its operands) never fails: no overflow, no division by zero."""
    limits = calendar_range(of.type) or type_range(of.type)
    match of:
        case Chain():
            return all(always_fits(step, known) for step, known in chain_steps(of, domains))
        case Call(function="divide" | "integer_divide" | "modulo", args=(_, divisor)):
            by = exact_range(divisor, domains)
            if by is None or by[0] <= 0 <= by[1]:
                return False
            if isinstance(of.type, t.FloatType):
                return True
        case Call(function="add" | "subtract" | "multiply" | "negate" | "abs") | Cast():
            pass
        case _:
            return False
    if limits is None:
        return False
    found = unchecked_range(of, domains)
    return found is not None and limits[0] <= found[0] and found[1] <= limits[1]


def bits_of(found: Range) -> int:
    """32, 64, 128 or 256: the signed width that holds all values of a range."""
    for bits in (32, 64, 128):
        if -(2 ** (bits - 1)) <= found[0] and found[1] < 2 ** (bits - 1):
            return bits
    return 256


def storage_bits(expression: Expression, domains: Mapping[int, Domain]) -> int:
    """The width that the value and every intermediate of its exact arithmetic fit in, operands at their common scale.

    256 means that an intermediate may need more than 128 bits.
    """
    width = 32
    for node in walk(expression):
        if not is_exact(node.type):
            continue
        found = exact_range(node, domains)
        intermediates = [] if found is None else [found]
        if isinstance(node, Call):
            intermediates += _intermediates(node, domains)
        if isinstance(node, Chain):
            for step, known in chain_steps(node, domains):
                intermediates += _intermediates(step, known)
        width = max([width, *(bits_of(one) for one in intermediates)])
    return width


def _intermediates(of: Call, domains: Mapping[int, Domain]) -> list[Range]:
    """What the computation holds before it is rounded or checked."""
    found = unchecked_range(of, domains)
    ranges = [] if found is None else [found]
    if of.function in ("add", "subtract", "modulo", "integer_divide", "divide"):
        ranges += aligned_operands(of, domains) or []
    if of.function == "multiply" and all(is_exact(arg.type) for arg in of.args):
        natural = sum(scale_of(arg.type) for arg in of.args)
        if isinstance(of.type, t.DecimalType):
            full = replace(of, type=t.DecimalType(of.type.precision, natural))
            exactly = product(full, domains)
            ranges += [] if exactly is None else [exactly]
    return ranges
