"""Coercion: the type that several expressions have in common, and the casts that bring them there.

Literals adapt to what they meet: an integer literal counts with its own digits, and a string literal next to a date,
number or timestamp is read as one, at planning time, with an error that points at it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import can_cast, convert
from tableflow.expressions.casting.iso import iso_value
from tableflow.expressions.casting.rules import zone_matters
from tableflow.expressions.literals import operand_of, storage_values
from tableflow.expressions.nodes import Cast, Expression, Literal
from tableflow.expressions.padding import without_padding
from tableflow.expressions.ranges import rescaled, scale_of, type_range
from tableflow.types import TypeFamily

__all__ = [
    "can_cast", "cast", "common_type", "decimal_type", "exact_view", "implicit_cast", "typed_literal", "unify",
    "unify_comparison", "without_widening",
]  # fmt: skip

_READ_FROM_TEXT = frozenset({
    TypeFamily.INTEGER, TypeFamily.DECIMAL, TypeFamily.FLOAT, TypeFamily.DATE, TypeFamily.TIME, TypeFamily.TIMESTAMP,
    TypeFamily.INTERVAL, TypeFamily.BOOLEAN, TypeFamily.BYTES,
})  # fmt: skip


def decimal_type(precision: int, scale: int) -> t.DecimalType:
    """A decimal type cut to 38 digits: the scale gives way, but to no less than min(scale, 6)."""
    if precision <= t.MAX_DECIMAL_PRECISION:
        return t.DecimalType(precision, scale)
    whole = precision - scale
    return t.DecimalType(t.MAX_DECIMAL_PRECISION, max(t.MAX_DECIMAL_PRECISION - whole, min(scale, 6)))


def exact_view(of: Expression | t.SqlType) -> t.DecimalType:
    """An exact number's digits: a decimal's own, an integer type's, an integer literal's own."""
    of_type = of.type if isinstance(of, Expression) else of
    if isinstance(of_type, t.DecimalType):
        return of_type
    if isinstance(of, Literal) and isinstance(of.value, int):
        return t.DecimalType(len(str(abs(of.value))), 0)
    if isinstance(of_type, t.IntegerType):
        return t.DecimalType(of_type.digits, 0)
    return t.DecimalType(1, 0)


def common_type(types: Sequence[t.SqlType]) -> t.SqlType | None:
    """The type that all values of these types have without loss of meaning; None if there is none."""
    known = [of for of in dict.fromkeys(types) if not isinstance(of, t.NullType)]
    if len(known) <= 1:
        return known[0] if known else t.NULL
    families = {t.family(of) for of in known}
    if all(t.is_numeric(of) for of in known):
        return _common_number(known)
    if families == {TypeFamily.STRING} or families == {TypeFamily.STRING, TypeFamily.JSON}:
        return t.STRING
    if families == {TypeFamily.BYTES}:
        return t.BYTES
    if families <= {TypeFamily.DATE, TypeFamily.TIMESTAMP}:
        stamps = [of for of in known if isinstance(of, t.TimestampType)]
        return t.TimestampType(max(of.precision for of in stamps), any(of.zoned for of in stamps))
    if families == {TypeFamily.TIME}:
        return t.TimeType(max(of.precision for of in known if isinstance(of, t.TimeType)))
    return _common_nested(known)


def _common_number(known: Sequence[t.SqlType]) -> t.SqlType:
    floats = [of for of in known if isinstance(of, t.FloatType)]
    if floats:
        return t.FLOAT if len(floats) == len(known) and all(of.bits == 32 for of in floats) else t.DOUBLE
    integers = [of for of in known if isinstance(of, t.IntegerType)]
    if len(integers) == len(known):
        return t.IntegerType(max(of.bits for of in integers))
    return _common_decimal([exact_view(of) for of in known])


def _common_decimal(views: Sequence[t.DecimalType]) -> t.DecimalType:
    scale = max(view.scale for view in views)
    return decimal_type(max(view.precision - view.scale for view in views) + scale, scale)


def _common_nested(known: Sequence[t.SqlType]) -> t.SqlType | None:
    arrays = [of for of in known if isinstance(of, t.ArrayType)]
    if len(arrays) == len(known):
        element = common_type([of.element for of in arrays])
        return None if element is None else t.ArrayType(element)
    rows = [of for of in known if isinstance(of, t.RowType)]
    if len(rows) == len(known) and len({len(of.fields) for of in rows}) == 1:
        members = [common_type([of.fields[i].type for of in rows]) for i in range(len(rows[0].fields))]
        fields = zip(rows[0].fields, members, strict=True)
        if all(member is not None for member in members):
            return t.RowType(tuple(t.RowField(f.name, m) for f, m in fields if m is not None))
    return None


def cast(expression: Expression, to: t.SqlType, lenient: bool = False) -> Expression:
    """The expression as this type: itself if it is, a literal if it is one and the cast succeeds, else a Cast.

    Raises :class:`~tableflow.errors.BindError` if there is no such cast.  A literal that does not fit stays a Cast,
    which fails when (and if) a row needs it.
    """
    span = getattr(expression, "span", None)
    if expression.type == to:
        return expression
    if not can_cast(expression.type, to, implicit=False):
        raise BindError(
            f"cannot cast {expression.type} to {to}",
            hint="cast to STRING first, if its text is what you mean"
            if t.family(to) is not TypeFamily.STRING
            else None,
            span=span,
        )
    if isinstance(expression, Literal) and (expression.value is None or not zone_matters(expression.type, to)):
        folded = _folded(expression, to, lenient=lenient)
        if folded is not None:
            return folded
    return Cast(to, expression, lenient, span)


def without_widening(expression: Expression) -> Expression:
    """What was cast to a finer type of time, as times of different precision are where they are compared: the same moment."""
    while isinstance(expression, Cast) and not expression.lenient:
        of, to = expression.operand.type, expression.type
        if not (isinstance(of, t.TimestampType) and isinstance(to, t.TimestampType)):
            break
        if of.zoned != to.zoned or of.precision > to.precision:
            break
        expression = expression.operand
    return expression


def typed_literal(text: str, to: t.SqlType, span: Span | None = None) -> Expression | None:
    """The text as a value of the type; None if it is none.  An instant waits for the zone that its text may leave out."""
    literal = Literal(t.STRING, text, span)
    folded = _folded(literal, to, lenient=False)
    return folded if folded is None or not zone_matters(t.STRING, to) else Cast(to, literal, span=span)


def _folded(literal: Literal, to: t.SqlType, *, lenient: bool) -> Literal | None:
    if literal.value is None:
        return Literal(to, None, literal.span)
    if isinstance(literal.type, t.StringType) and (value := iso_value(literal.value, to)) is not None:
        return Literal(to, value, literal.span)
    if (exact := _exact_value(literal, to)) is not None:
        return Literal(to, exact, literal.span)
    result = convert(operand_of(literal), to)
    if result.errors is not None and result.errors.any():
        return Literal(to, None, literal.span) if lenient else None
    return Literal(to, storage_values(result)[0], literal.span)


def _exact_value(literal: Literal, to: t.SqlType) -> int | None:
    """An exact number's storage value in another exact type, as a cast gives it; None if it does not fit, or is none."""
    value, of = literal.value, literal.type
    if type(value) is not int or not isinstance(of, _EXACT) or not isinstance(to, _EXACT):
        return None
    digits = scale_of(to) - scale_of(of)
    (found, _) = rescaled((value, value), digits)
    limits = type_range(to)
    return found if limits is not None and limits[0] <= found <= limits[1] else None


_EXACT = (t.IntegerType, t.DecimalType)


def implicit_cast(expression: Expression, to: t.SqlType) -> Expression | None:
    """The expression as this type if no cast has to be asked for; None otherwise.  Literals adapt if they fit exactly."""
    if can_cast(expression.type, to, implicit=True):
        return cast(expression, to)
    if isinstance(expression, Literal) and isinstance(expression.type, t.IntegerType):
        if isinstance(to, t.IntegerType) and -(2 ** (to.bits - 1)) <= expression.value < 2 ** (to.bits - 1):
            return cast(expression, to)
        if isinstance(to, t.DecimalType) and to.precision - to.scale >= exact_view(expression).precision:
            return cast(expression, to)
    return None


def _is_text_literal(expression: Expression) -> bool:
    return (
        isinstance(expression, Literal) and isinstance(expression.type, t.StringType) and expression.value is not None
    )


def _read(literal: Expression, to: t.SqlType) -> Expression:
    """A string literal as the type it is compared with."""
    if isinstance(to, t.DecimalType):
        # More digits than the column has must not be rounded away: nothing would equal them.
        to = t.DecimalType(38, max(to.scale, min(18, _fraction_digits(literal))))
    folded = typed_literal(literal.value, to, literal.span) if isinstance(literal, Literal) else None
    if folded is None:
        raise BindError(
            f"cannot read {literal.value!r} as {to}" if isinstance(literal, Literal) else f"cannot read {to}",
            detail=f"a string literal compared with a {to} is cast to it",
            hint=f"write a valid {to}, or cast the other side to STRING",
            span=getattr(literal, "span", None),
        )
    if isinstance(to, t.DecimalType) and isinstance(folded, Literal):
        value = folded.value
        return Literal(t.DecimalType(max(len(str(abs(value))), to.scale, 1), to.scale), value, folded.span)
    return folded


def _fraction_digits(literal: Expression) -> int:
    text = str(literal.value) if isinstance(literal, Literal) else ""
    return len(text.strip().partition(".")[2].rstrip("0"))


def _without_text(expressions: Sequence[Expression]) -> list[Expression]:
    """String literals read as the type of the others, where those agree on one that is read from text."""
    others = [e.type for e in expressions if not _is_text_literal(e)]
    target = common_type(others) if others else None
    if target is None or t.family(target) not in _READ_FROM_TEXT:
        return list(expressions)
    return [_read(e, target) if _is_text_literal(e) else e for e in expressions]


def _common(expressions: Sequence[Expression]) -> t.SqlType | None:
    """:func:`common_type` in which integer literals take the type of what they meet if they fit."""
    plain = [e.type for e in expressions if not (isinstance(e, Literal) and isinstance(e.type, t.IntegerType))]
    base = common_type(plain)
    if len(plain) == len(expressions) or base is None:
        return base
    literals = [e for e in expressions if isinstance(e, Literal) and isinstance(e.type, t.IntegerType)]
    if isinstance(base, t.DecimalType):
        return _common_decimal([base, *(exact_view(e) for e in literals)])
    if isinstance(base, t.IntegerType) and all(implicit_cast(e, base) is not None for e in literals):
        return base
    return common_type([e.type for e in expressions])


def unify(expressions: Sequence[Expression], what: str = "values") -> list[Expression]:
    """All expressions cast to their common type; :class:`~tableflow.errors.BindError` if they have none."""
    adapted = _without_text(expressions)
    target = _common(adapted)
    if target is None:
        raise _incompatible(adapted, what)
    return [cast(e, target) for e in adapted]


def unify_comparison(expressions: Sequence[Expression], what: str = "comparison") -> list[Expression]:
    """As :func:`unify`, but with no cast where values compare as they are: strings, and decimals that 38 digits cut."""
    adapted = _without_text(expressions)
    target = _common(adapted)
    if target is None:
        raise _incompatible(adapted, what)
    if isinstance(target, t.StringType) and all(isinstance(e.type, t.StringType) for e in adapted):
        return without_padding(adapted)
    if isinstance(target, t.DecimalType):
        views = [exact_view(e) for e in adapted]
        if max(v.precision - v.scale for v in views) + max(v.scale for v in views) > t.MAX_DECIMAL_PRECISION:
            return adapted
    return [cast(e, target) for e in adapted]


def _incompatible(expressions: Sequence[Expression], what: str) -> BindError:
    first = expressions[0].type
    other = next(e for e in expressions if common_type([first, e.type]) is None or e is expressions[-1])
    return BindError(
        f"{what} of {first} and {other.type}",
        detail="the types have no common type",
        hint="cast one of them",
        span=getattr(other, "span", None),
    )
