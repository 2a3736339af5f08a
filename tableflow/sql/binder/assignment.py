"""Values for columns: the casts that assigning makes without being asked.

Assigning is more generous than comparing: numbers become narrower ones (too large is an error), text is read as whatever the
column holds, and everything simple can be written as text.  What would lose its meaning (a BOOLEAN for a number, text that is
longer than the column) is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import can_cast
from tableflow.expressions.casting.rules import zone_matters
from tableflow.expressions.coercion import cast
from tableflow.expressions.literals import convert_literals
from tableflow.expressions.nodes import Cast, Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.records import replace
from tableflow.types import TypeFamily as F

_NUMBERS = frozenset({F.INTEGER, F.DECIMAL, F.FLOAT})
_ASSIGNED: dict[F, frozenset[F]] = {
    F.INTEGER: _NUMBERS | {F.STRING},
    F.DECIMAL: _NUMBERS | {F.STRING},
    F.FLOAT: _NUMBERS | {F.STRING},
    F.BOOLEAN: frozenset({F.BOOLEAN, F.STRING}),
    F.STRING: frozenset(F) - {F.NESTED, F.NULL},
    F.BYTES: frozenset({F.BYTES}),
    F.DATE: frozenset({F.DATE, F.TIMESTAMP, F.STRING}),
    F.TIME: frozenset({F.TIME, F.STRING}),
    F.TIMESTAMP: frozenset({F.TIMESTAMP, F.DATE, F.TIME, F.STRING}),
    F.INTERVAL: frozenset({F.INTERVAL, F.STRING}),
    F.JSON: frozenset({F.JSON, F.STRING}),
}


def assigned(expression: Expression, to: t.SqlType, name: str, span: Span | None = None) -> Expression:
    """The expression as the column ``name`` of this type holds it; :class:`BindError` if the column cannot."""
    if expression.type == to:
        return expression
    place = getattr(expression, "span", None) or span
    if not assignable(expression.type, to):
        castable = can_cast(expression.type, to, implicit=False)
        raise BindError(
            f"column {name!r} is {to}, the value is {expression.type}",
            hint=f"write CAST(... AS {to}), if that is what you mean" if castable else None,
            span=place,
        )
    if isinstance(to, t.StringType) and to.length is not None and _may_be_longer(expression.type, to.length):
        if isinstance(expression, Literal) and expression.value is None:
            return Literal(to, None, place)
        fitted = resolve_call("fit", [cast(expression, t.STRING), Literal(t.INT, to.length)], place)
        return _for_column(cast(_folded(fitted, expression, to.length), to), name)
    return _for_column(cast(expression, to), name)


def _for_column(value: Expression, name: str) -> Expression:
    """The value with the column it is for, which its error names."""
    return replace(value, target=name) if isinstance(value, Cast) else value


def _folded(fitted: Expression, original: Expression, length: int) -> Expression:
    """A literal that fits needs no call."""
    if isinstance(original, Literal) and isinstance(original.value, str):
        text = original.value
        kept = text if len(text) <= length else text[:length] + text[length:].rstrip(" ")
        if len(kept) <= length:
            return Literal(t.STRING, kept, original.span)
    return fitted


def _may_be_longer(source: t.SqlType, length: int) -> bool:
    return not isinstance(source, t.StringType) or source.length is None or source.length > length


def assignable(source: t.SqlType, to: t.SqlType) -> bool:
    """Whether values of one type may be assigned to a column of another."""
    match source, to:
        case t.NullType(), _:
            return True
        case t.ArrayType(), t.ArrayType():
            return assignable(source.element, to.element) and can_cast(source, to, implicit=False)
        case t.RowType(), t.RowType() if len(source.fields) == len(to.fields):
            pairs = zip(source.fields, to.fields, strict=True)
            return all(assignable(a.type, b.type) for a, b in pairs) and can_cast(source, to, implicit=False)
    if source == to:
        return True
    return t.family(to) in _ASSIGNED.get(t.family(source), frozenset()) and can_cast(source, to, implicit=False)


def assigned_all(values: Sequence[Expression], to: t.SqlType, name: str) -> list[Expression]:
    """A column of VALUES; literals of the commonest kinds need no cast each, texts are read together."""
    found = [_literal(value, to) for value in values]
    texts = [
        index
        for index, value in enumerate(values)
        if found[index] is None and type(value) is Literal and type(value.type) is t.StringType
    ]
    if len(texts) > 1 and t.family(to) not in {F.STRING, F.NESTED} and not zone_matters(t.STRING, to):
        literals = [value for value in (values[index] for index in texts) if isinstance(value, Literal)]
        for index, read in zip(texts, convert_literals(literals, to), strict=True):
            found[index] = read
    return [assigned(value, to, name) if read is None else read for value, read in zip(values, found, strict=True)]


def _literal(value: Expression, to: t.SqlType) -> Literal | None:
    """The literal in the column's type, where that is easy to tell; None for the other cases."""
    if type(value) is not Literal:
        return None
    source, content = value.type, value.value
    if source == to:
        return value
    if content is None:
        return Literal(to, None, value.span)
    match source, to:
        case t.IntegerType(), t.IntegerType():
            limit = 1 << (to.bits - 1)
            return Literal(to, content, value.span) if -limit <= content < limit else None
        case t.IntegerType(), t.DecimalType():
            return _scaled(content * 10**to.scale, to, value)
        case t.DecimalType(), t.DecimalType() if to.scale >= source.scale:
            return _scaled(content * 10 ** (to.scale - source.scale), to, value)
        case (t.IntegerType(), t.FloatType(bits=64)) if abs(content) <= 2**53:
            return Literal(to, float(content), value.span)
        case t.StringType(), t.StringType(length=int(length), fixed=False) if len(content) <= length:
            return Literal(to, content, value.span)
    return None


def _scaled(number: int, to: t.DecimalType, value: Literal) -> Literal | None:
    return Literal(to, number, value.span) if abs(number) < 10**to.precision else None
