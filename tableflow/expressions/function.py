"""What a function is: one entry with its names, type rule, kernel, documentation and an example that is executed.

A *rule* looks at the arguments and answers with the arguments cast to what the kernel takes, and the result's type;
None if they do not fit.  A *kernel* computes operands; it never raises for a row but marks it in the errors of its result.
A function without arguments is given one operand of NULLs, which says how many rows are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tableflow import types as t
from tableflow.errors import Span
from tableflow.expressions.coercion import cast, implicit_cast
from tableflow.expressions.nodes import Call, Expression
from tableflow.expressions.operand import Operand
from tableflow.records import dataclass
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule's answer: arguments as the kernel takes them, and the type of the result."""

    args: tuple[Expression, ...]
    type: SqlType


Rule: TypeAlias = Callable[[Sequence[Expression]], Binding | None]
Kernel: TypeAlias = Callable[[Sequence[Operand], SqlType], Operand]
Binder: TypeAlias = Callable[[Sequence[Expression], Span | None], Expression]


def never(_call: Call) -> bool:
    """No row can fail."""
    return False


def always(_call: Call) -> bool:
    """Some row may fail."""
    return True


def when_exact(call: Call) -> bool:
    """Fails for exact numbers and temporals that overflow, never for floating point."""
    return not isinstance(call.type, t.FloatType)


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function or operator; see the module.

    ``strict``: NULL if any argument is NULL.  ``lazy``: evaluated argument by argument, each for the rows that the ones
    before left open.  ``bind`` replaces rule and kernel for names that mean another expression.  ``failure`` words a
    row's error, given its arguments' storage values, ``advice`` what to do about a row that cannot be taken at all.
    """

    name: str
    signature: str
    doc: str
    example: tuple[str, str]
    family: str
    rule: Rule | None = None
    kernel: Kernel | None = None
    bind: Binder | None = None
    aliases: tuple[str, ...] = ()
    deterministic: bool = True
    strict: bool = True
    lazy: bool = False
    can_raise: Callable[[Call], bool] = never
    failure: str | Callable[[Sequence[Any], SqlType], str] = "the result is out of range"
    advice: str = ""


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """An aggregate: its rule gives the argument casts and the result's type; operators compute it.

    ``collected``: needs all rows of a group together.  ``ordered``: the result depends on their order, which ORDER BY may
    say.  ``distinct_of``: means another aggregate with DISTINCT.  ``example`` is over rows of two columns, ``x`` with 1, 2,
    2, 4, NULL and ``y`` with 'd', 'a', 'b', 'c', 'e', or a query of these rows, which are ``v``.
    """

    name: str
    signature: str
    doc: str
    rule: Rule
    aliases: tuple[str, ...] = ()
    ignores_duplicates: bool = False
    example: tuple[str, str] = ("", "")
    collected: bool = False
    ordered: bool = False
    distinct_of: str | None = None


class _Any(SqlType):
    """A parameter that takes every type as it is."""

    __slots__ = ()


ANY = _Any()


def accept(argument: Expression, parameter: SqlType) -> Expression | None:
    """The argument as a parameter of this type takes it; None if it does not fit.

    Text of any length, and times and timestamps of any precision, are taken as they are.
    """
    if parameter is ANY:
        return argument
    if isinstance(argument.type, t.NullType):
        return cast(argument, parameter)
    same = isinstance(argument.type, type(parameter))
    if same and isinstance(parameter, (t.StringType, t.TimeType, t.TimestampType, t.BytesType)):
        return argument
    return implicit_cast(argument, parameter)


def overloads(*variants: tuple[Sequence[SqlType], SqlType]) -> Rule:
    """The first variant (parameter types, result type) that all arguments fit."""

    def rule(args: Sequence[Expression]) -> Binding | None:
        for parameters, result in variants:
            if len(parameters) != len(args):
                continue
            taken = [accept(argument, parameter) for argument, parameter in zip(args, parameters, strict=True)]
            if all(argument is not None for argument in taken):
                return Binding(tuple(a for a in taken if a is not None), result)
        return None

    return rule


def typed_nulls(args: Sequence[Expression], default: SqlType) -> list[Expression]:
    """Arguments in which a bare NULL has the type of the others, or the default."""
    known = next((a.type for a in args if not isinstance(a.type, t.NullType)), default)
    return [cast(a, known) if isinstance(a.type, t.NullType) else a for a in args]


def numeric_nulls(args: Sequence[Expression]) -> list[Expression]:
    """Arguments in which a bare NULL has the type of the others, or INT."""
    return typed_nulls(args, t.INT)
