"""Nested values as keys: what groups, joins, sorts and compares them are the bytes of :mod:`tableflow.columnar.keys`.

The bytes are written as a cast to BYTES and read as one back, neither of which a user can write.  So operators and kernels
know nothing of nested keys.
"""

from __future__ import annotations

from tableflow import types as t
from tableflow.columnar.keys import has_key
from tableflow.expressions.nodes import AggregateCall, Cast, Expression
from tableflow.records import replace
from tableflow.types import TypeFamily

_OF_ORDER = frozenset({"min", "max", "any_value"})


def is_nested_key(of: t.SqlType) -> bool:
    """Whether a value is nested and has a key."""
    return t.family(of) is TypeFamily.NESTED and has_key(of)


def keyed(expression: Expression) -> Expression:
    """The expression, or the key of its nested value."""
    if not is_nested_key(expression.type):
        return expression
    return Cast(t.BYTES, expression, span=getattr(expression, "span", None))


def unkeyed(expression: Expression, of: t.SqlType) -> Expression:
    """What :func:`keyed` made of a value of this type as that value again."""
    return Cast(of, expression, span=getattr(expression, "span", None)) if is_nested_key(of) else expression


def keyed_call(call: AggregateCall) -> AggregateCall:
    """An aggregate over keys where it compares nested values: the result, too, is a key if the call's type was nested."""
    counts = call.function == "count" and call.distinct
    if not counts and call.function not in _OF_ORDER:
        return call
    args = tuple(map(keyed, call.args))
    return call if args == call.args else replace(call, args=args, type=call.type if counts else t.BYTES)
