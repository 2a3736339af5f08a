"""Choosing among values, and doing without those that fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import implicit_cast, unify, unify_comparison
from tableflow.expressions.function import Binding, Function, Kernel
from tableflow.expressions.functions.comparison import compare
from tableflow.expressions.nodes import Call, Case, Expression, Literal
from tableflow.expressions.operand import Operand, blank, both, either, repeated, rows_of


def _common_rule(args: Sequence[Expression]) -> Binding | None:
    if not args:
        return None
    unified = unify(args)
    return Binding(tuple(unified), unified[0].type)


def bind_case(
    conditions: Sequence[Expression],
    results: Sequence[Expression],
    otherwise: Expression | None,
    span: Span | None = None,
) -> Expression:
    """A searched CASE; results get their common type, a missing ELSE is NULL."""
    tests = []
    for condition in conditions:
        test = implicit_cast(condition, t.BOOLEAN)
        if test is None:
            raise BindError(
                f"a condition of CASE is {condition.type}, not BOOLEAN",
                hint="compare it with something, or write CASE value WHEN ...",
                span=getattr(condition, "span", None) or span,
            )
        tests.append(test)
    *arms, last = unify([*results, Literal(t.NULL, None) if otherwise is None else otherwise], "results of CASE")
    return Case(last.type, tuple(tests), tuple(arms), last, span)


def _bind_if(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) not in (2, 3):
        raise BindError(
            "IF takes a condition and one or two values", hint="if(condition, then [, otherwise])", span=span
        )
    return bind_case(args[:1], args[1:2], args[2] if len(args) == 3 else None, span)


def _bind_coalesce(args: Sequence[Expression], span: Span | None) -> Expression:
    if not args:
        raise BindError("COALESCE needs at least one value", hint="coalesce(value, ...)", span=span)
    values = unify(args, "values of COALESCE")
    return values[0] if len(values) == 1 else Call(values[0].type, "coalesce", tuple(values), span)


def _nullif_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2:
        return None
    first, second = unify_comparison(args)
    return Binding((first, second), first.type)


def _nullif(args: Sequence[Operand], to: t.SqlType) -> Operand:
    value, other = args
    rows = rows_of(value, other)
    equal = both(compare("eq", value, other), value.valid, other.valid)
    array = value.plain.take(pa.array(np.zeros(rows, np.int64))) if value.constant else value.array
    return Operand(to, blank(array, equal))


def _extreme(kind: str) -> Kernel:
    """The greatest or least of the values that are not NULL."""

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        rows = rows_of(*args)
        best = _expanded(args[0], to, rows)
        for arg in args[1:]:
            other = _expanded(arg, to, rows)
            better = both(compare(kind, other, best), other.valid)
            better = either(better, None if best.valid is None else ~best.valid)
            best = Operand(to, pc.if_else(pa.array(better), other.plain, best.plain))
        return best

    return kernel


def _expanded(of: Operand, to: t.SqlType, rows: int) -> Operand:
    return Operand(to, repeated(of.plain, rows) if of.constant else of.plain)


def _first_present(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    result = _expanded(args[0], to, rows).array
    for arg in args[1:]:
        result = pc.if_else(result.is_valid(), result, _expanded(arg, to, rows).array)
    return Operand(to, result)


def _same(args: Sequence[Operand], _to: t.SqlType) -> Operand:
    return args[0]


def _try_rule(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), args[0].type) if len(args) == 1 else None


def _bind_typeof(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) != 1:
        raise BindError("TYPEOF takes one value", hint="typeof(value)", span=span)
    return Literal(t.STRING, str(args[0].type), span)


FUNCTIONS = (
    Function(
        "coalesce", "coalesce(value, ...)", "The first value that is not NULL; later ones are not computed.",
        ("coalesce(NULL, 2, 1 / 0)", "2"), "conditional", bind=_bind_coalesce, kernel=_first_present, strict=False, lazy=True,
        aliases=("ifnull", "nvl"),
    ),
    Function(
        "nullif", "nullif(value, other)", "NULL if both are equal, else the value.", ("nullif(3, 3)", "NULL"), "conditional",
        rule=_nullif_rule, kernel=_nullif, strict=False,
    ),
    Function(
        "if", "if(condition, then [, otherwise])", "One of two values; the other one is not computed.",
        ("if(1 < 2, 'yes', 'no')", "yes"), "conditional", bind=_bind_if, aliases=("iif",), strict=False, lazy=True,
    ),
    Function(
        "greatest", "greatest(value, ...)", "The greatest value; NULLs are left out.", ("greatest(1, 2.5, NULL)", "2.5"),
        "conditional", rule=_common_rule, kernel=_extreme("gt"), strict=False,
    ),
    Function(
        "least", "least(value, ...)", "The least value; NULLs are left out.", ("least('b', 'a')", "a"), "conditional",
        rule=_common_rule, kernel=_extreme("lt"), strict=False,
    ),
    Function(
        "try", "try(value)", "The value, or NULL if it cannot be computed.", ("try(1 / 0)", "NULL"), "conditional",
        rule=_try_rule, kernel=_same, strict=False, lazy=True,
    ),
    Function(
        "typeof", "typeof(value)", "The name of the value's type.", ("typeof(1.5)", "DECIMAL(2,1)"), "conditional",
        bind=_bind_typeof, strict=False,
    ),
)  # fmt: skip
