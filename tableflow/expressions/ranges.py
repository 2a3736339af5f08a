"""Ranges of exact and temporal values through expressions: one rule for each function that is understood.

See :mod:`tableflow.expressions.intervals` for what is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tableflow import types as t
from tableflow.expressions.casting.calendar import FIRST_DAY, LAST_DAY, per_second
from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal
from tableflow.records import dataclass
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class Domain:
    """Bounds of a column's values, from statistics: storage values, both inclusive, None if unbounded; never lies."""

    minimum: int | float | None = None
    maximum: int | float | None = None
    nullable: bool = True


UNBOUNDED = Domain()
_RESULT_SO_FAR = -1
"""No column of a plan has this id."""
Range = tuple[int, int]
"""Bounds of exact storage values, both inclusive."""


def type_range(of: t.SqlType) -> Range | None:
    """The smallest and greatest storage value of an exact or temporal type; None for others."""
    match of:
        case t.IntegerType(bits=bits):
            return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        case t.DecimalType(precision=precision):
            return 1 - 10**precision, 10**precision - 1
        case t.DateType():
            return -(2**31), 2**31 - 1
        case t.TimestampType() | t.TimeType():
            return -(2**63), 2**63 - 1
        case _:
            return None


def calendar_range(of: t.SqlType) -> Range | None:
    """The dates and timestamps that operations may give, which may be fewer than files hold; None for other types."""
    match of:
        case t.DateType():
            return FIRST_DAY, LAST_DAY
        case t.TimestampType():
            day = 86400 * per_second(of)
            return max(FIRST_DAY * day, -(2**63) + 1), min((LAST_DAY + 1) * day - 1, 2**63 - 1)
        case _:
            return None


def scale_of(of: t.SqlType) -> int:
    """Digits behind the point."""
    return of.scale if isinstance(of, t.DecimalType) else 0


def is_exact(of: t.SqlType) -> bool:
    """Whether the type's values are integers or decimals."""
    return isinstance(of, (t.IntegerType, t.DecimalType))


def _cut(found: Range, of: t.SqlType) -> Range:
    limits = type_range(of)
    if limits is None:
        return found
    low, high = max(found[0], limits[0]), min(found[1], limits[1])
    # Nothing but errors: any bounds are true, these are of the type.
    return (low, high) if low <= high else limits


def exact_range(of: Expression, domains: Mapping[int, Domain]) -> Range | None:
    """Bounds of an exact or temporal expression's storage values; None if it is of another type."""
    limits = type_range(of.type)
    if limits is None:
        return None
    found = unchecked_range(of, domains)
    return limits if found is None else _cut(found, of.type)


def unchecked_range(of: Expression, domains: Mapping[int, Domain]) -> Range | None:
    """Bounds before the check against the type: where they exceed it, the operation may fail.  None if unknown."""
    match of:
        case ColumnRef(id=number, type=of_type):
            return _of_domain(domains.get(number, UNBOUNDED), of_type)
        case Literal(value=int() as value):
            return value, value
        case Case(results=results, otherwise=otherwise):
            return _union([*results, otherwise], domains)
        case Cast(zone=str()):
            return None
        case Cast(operand=operand):
            return _of_cast(operand, of.type, domains)
        case Call(function=name):
            rule = _RULES.get(name)
            return None if rule is None else rule(of, domains)
        case Chain():
            found: Range | None = None
            for step, known in chain_steps(of, domains):
                found = unchecked_range(step, known)
            return found
        case _:
            return None


def chain_steps(of: Chain, domains: Mapping[int, Domain]) -> Iterator[tuple[Call, Mapping[int, Domain]]]:
    """Each step of a chain as a call whose first operand is a column with the bounds of the result so far."""
    left = of.first
    known = dict(domains)
    for name, operand in zip(of.operators, of.operands, strict=True):
        step = Call(of.type, name, (left, operand), of.span)
        yield step, known
        found = exact_range(step, known)
        left = ColumnRef(of.type, _RESULT_SO_FAR)
        known[_RESULT_SO_FAR] = UNBOUNDED if found is None else Domain(*found)


def _of_domain(domain: Domain, of: t.SqlType) -> Range | None:
    limits = type_range(of)
    if limits is None:
        return None
    low = limits[0] if domain.minimum is None else int(domain.minimum)
    high = limits[1] if domain.maximum is None else int(domain.maximum)
    return low, high


def _union(arms: Sequence[Expression], domains: Mapping[int, Domain]) -> Range | None:
    ranges = [exact_range(arm, domains) for arm in arms if not (isinstance(arm, Literal) and arm.value is None)]
    known = [found for found in ranges if found is not None]
    if len(known) < len(ranges):
        return None
    return (min(low for low, _ in known), max(high for _, high in known)) if known else (0, 0)


def _divided(value: int, by: int) -> int:
    """Rounded half away from zero."""
    magnitude = (2 * abs(value) + by) // (2 * by)
    return -magnitude if value < 0 else magnitude


def rescaled(found: Range, digits: int) -> Range:
    """Bounds after a change of scale, rounded as values are."""
    if digits >= 0:
        return found[0] * 10**digits, found[1] * 10**digits
    return _divided(found[0], 10**-digits), _divided(found[1], 10**-digits)


def _of_cast(operand: Expression, to: t.SqlType, domains: Mapping[int, Domain]) -> Range | None:
    if isinstance(operand, Literal) and operand.value is None:
        return 0, 0
    found = exact_range(operand, domains)
    if found is None:
        return (0, 10 ** scale_of(to)) if isinstance(operand.type, t.BooleanType) and is_exact(to) else None
    if is_exact(operand.type) and is_exact(to):
        return rescaled(found, scale_of(to) - scale_of(operand.type))
    match operand.type, to:
        case t.DateType(), t.TimestampType(precision=precision):
            day = 86_400 * (10**6 if precision <= 6 else 10**9)
            return found[0] * day, found[1] * day
        case t.TimestampType(precision=precision), t.DateType():
            day = 86_400 * (10**6 if precision <= 6 else 10**9)
            return found[0] // day, found[1] // day
        case _:
            return None


def aligned_operands(of: Call, domains: Mapping[int, Domain]) -> list[Range] | None:
    """Ranges of exact operands at their common scale."""
    if not all(is_exact(arg.type) for arg in of.args):
        return None
    scale = max(scale_of(arg.type) for arg in of.args)
    ranges = [exact_range(arg, domains) for arg in of.args]
    return [rescaled(r, scale - scale_of(a.type)) for r, a in zip(ranges, of.args, strict=True) if r is not None]


def _sum(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    ranges = aligned_operands(of, domains)
    if ranges is None:
        return _moved_date(of, domains)
    (a, b), (c, d) = ranges
    natural = max(scale_of(arg.type) for arg in of.args)
    found = (a + c, b + d) if of.function == "add" else (a - d, b - c)
    return rescaled(found, scale_of(of.type) - natural)


def _moved_date(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    """A date or timestamp moved by a constant interval, or a date by an integer; the difference of two dates."""
    first, second, *zone = of.args
    if zone:
        return None
    sign = 1 if of.function == "add" else -1
    a = exact_range(first, domains)
    if a is None:
        return None
    match first.type, second:
        case t.DateType(), Expression(type=t.IntegerType() | t.DateType()):
            b = exact_range(second, domains)
            if b is None:
                return None
            return (a[0] + b[0], a[1] + b[1]) if sign > 0 else (a[0] - b[1], a[1] - b[0])
        case ((t.DateType() | t.TimestampType()), Literal(value=(months, days, microseconds))):
            # A month is 28 to 31 days long; the day may fall back to the last of a shorter month.
            shifts = [sign * (months * length + days) + slack for length in (28, 31) for slack in (-3, 0)]
            if isinstance(first.type, t.DateType):
                return a[0] + min(shifts), a[1] + max(shifts)
            unit = 10**6 if first.type.precision <= 6 else 10**9
            time = sign * microseconds * (unit // 10**6)
            return a[0] + min(shifts) * 86_400 * unit + time, a[1] + max(shifts) * 86_400 * unit + time
        case _:
            return None


def product(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    """Range of a product, rounded to the scale of the call's type."""
    if not all(is_exact(arg.type) for arg in of.args):
        return None
    a, b = (exact_range(arg, domains) for arg in of.args)
    if a is None or b is None:
        return None
    corners = [x * y for x in a for y in b]
    return rescaled((min(corners), max(corners)), scale_of(of.type) - sum(scale_of(arg.type) for arg in of.args))


def _quotient(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    ranges = aligned_operands(of, domains)
    if ranges is None or len(ranges) != 2:
        return None
    most = max(abs(ranges[0][0]), abs(ranges[0][1]))
    least = min(abs(ranges[1][0]), abs(ranges[1][1])) if ranges[1][0] > 0 or ranges[1][1] < 0 else 1
    return -(most // least), most // least


def _remainder(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    ranges = aligned_operands(of, domains)
    if ranges is None:
        return None
    (low, high), divisor = ranges
    most = max(abs(divisor[0]), abs(divisor[1]), 1) - 1
    natural = max(scale_of(arg.type) for arg in of.args)
    found = (max(-most, low) if low < 0 else 0, min(most, high) if high > 0 else 0)
    return rescaled(found, scale_of(of.type) - natural)


def _negation(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    found = exact_range(of.args[0], domains)
    return None if found is None else (-found[1], -found[0])


def _absolute(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    found = exact_range(of.args[0], domains)
    if found is None:
        return None
    low, high = abs(found[0]), abs(found[1])
    return (0 if found[0] <= 0 <= found[1] else min(low, high)), max(low, high)


def _rounding(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    found = exact_range(of.args[0], domains)
    if found is None or len(of.args) > 1:
        return None
    low, high = rescaled(found, -scale_of(of.args[0].type))
    return low - 1, high + 1


def _greatest(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    return _union(of.args, domains)


def _first(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    return _union(of.args[:1], domains)


def _within(low: int, high: int) -> Callable[[Call, Mapping[int, Domain]], Range | None]:
    return lambda _call, _domains: (low, high)


_FIELDS: dict[str, Range] = {
    "quarter": (1, 4), "month": (-11, 12), "week": (1, 53), "dow": (0, 6), "isodow": (1, 7), "doy": (1, 366),
    "second": (-59, 59), "minute": (-59, 59),
}  # fmt: skip


def _extraction(of: Call, domains: Mapping[int, Domain]) -> Range | None:
    field, value = of.args
    if isinstance(field, Literal) and field.value == "year" and isinstance(value.type, t.DateType):
        found = exact_range(value, domains)
        # 366 days a year at most on one side, 365 at least on the other.
        return (
            None
            if found is None
            else (1970 + min(found[0] // 365, found[0] // 366), 1970 + max(found[1] // 365, 0) + 1)
        )
    return _FIELDS.get(field.value) if isinstance(field, Literal) else None


_RULES: dict[str, Callable[[Call, Mapping[int, Domain]], Range | None]] = {
    "add": _sum, "subtract": _sum, "multiply": product, "divide": _quotient, "integer_divide": _quotient,
    "modulo": _remainder, "negate": _negation, "abs": _absolute, "sign": _within(-1, 1), "round": _rounding,
    "trunc": _rounding, "floor": _rounding, "ceil": _rounding, "greatest": _greatest, "least": _greatest,
    "coalesce": _greatest, "nullif": _first, "try": _first, "extract": _extraction, "length": _within(0, 2**31 - 1),
    "strpos": _within(0, 2**31 - 1),
}  # fmt: skip
