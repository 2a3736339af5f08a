"""Three-valued logic and tests for NULL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow import types as t
from tableflow.errors import Span
from tableflow.expressions.coercion import implicit_cast
from tableflow.expressions.function import ANY, Binding, Function, Kernel, overloads
from tableflow.expressions.nodes import Call, Expression
from tableflow.expressions.operand import Mask, Operand, build, numbers, rows_of


def truth(of: Operand, rows: int) -> tuple[Mask, Mask]:
    """Where a BOOLEAN is TRUE and where it is FALSE; neither is NULL."""
    values, valid = numbers(of).astype(np.bool_), of.valid
    true = values if valid is None else values & valid
    false = ~values if valid is None else ~values & valid
    return np.broadcast_to(true, rows), np.broadcast_to(false, rows)


def _and(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    true, false = np.ones(rows, np.bool_), np.zeros(rows, np.bool_)
    for arg in args:
        arg_true, arg_false = truth(arg, rows)
        true, false = true & arg_true, false | arg_false
    return build(to, true, true | false)


def _or(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    true, false = np.zeros(rows, np.bool_), np.ones(rows, np.bool_)
    for arg in args:
        arg_true, arg_false = truth(arg, rows)
        true, false = true | arg_true, false & arg_false
    return build(to, true, true | false)


def _not(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return build(to, ~numbers(args[0]).astype(np.bool_), args[0].valid)


def _present(args: Sequence[Operand], to: t.SqlType) -> Operand:
    valid = args[0].valid
    return build(to, np.ones(len(args[0]), np.bool_) if valid is None else valid)


def _absent(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return build(to, ~numbers(_present(args, to)))


def _test(*, wanted: bool, negated: bool) -> Kernel:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        mask = truth(args[0], len(args[0]))[0 if wanted else 1]
        return build(to, ~mask if negated else mask)

    return kernel


def _connective(args: Sequence[Expression]) -> Binding | None:
    taken = [implicit_cast(argument, t.BOOLEAN) for argument in args]
    if len(args) < 2 or any(argument is None for argument in taken):
        return None
    return Binding(tuple(a for a in taken if a is not None), t.BOOLEAN)


def connect(name: str, args: Sequence[Expression], span: Span | None = None) -> Expression:
    """``and`` or ``or`` of any number of conditions, nested ones of the same kind merged."""
    flat: list[Expression] = []
    for argument in args:
        flat += argument.args if isinstance(argument, Call) and argument.function == name else (argument,)
    return flat[0] if len(flat) == 1 else Call(t.BOOLEAN, name, tuple(flat), span)


_BOOLEAN = overloads(((t.BOOLEAN,), t.BOOLEAN))
_ANYTHING = overloads(((ANY,), t.BOOLEAN))


def _tests() -> tuple[Function, ...]:
    entries = []
    for wanted in (True, False):
        word = "TRUE" if wanted else "FALSE"
        for negated in (False, True):
            phrase = f"IS {'NOT ' if negated else ''}{word}"
            name = phrase.lower().replace(" ", "_")
            answer = "true" if negated else "false"
            entries.append(
                Function(
                    name,
                    f"condition {phrase}",
                    f"Whether a condition is {'not ' if negated else ''}{word}; never NULL.",
                    (f"CAST(NULL AS BOOLEAN) {phrase}", answer),
                    "logic",
                    rule=_BOOLEAN,
                    kernel=_test(wanted=wanted, negated=negated),
                    strict=False,
                    aliases=(phrase.lower(),),
                )
            )
    return tuple(entries)


FUNCTIONS = (
    Function(
        "and", "a AND b", "FALSE if any condition is FALSE, else NULL if any is NULL, else TRUE.",
        ("NULL AND 1 = 2", "false"), "logic", rule=_connective, kernel=_and, strict=False, lazy=True,
    ),
    Function(
        "or", "a OR b", "TRUE if any condition is TRUE, else NULL if any is NULL, else FALSE.",
        ("NULL OR 1 = 1", "true"), "logic", rule=_connective, kernel=_or, strict=False, lazy=True,
    ),
    Function("not", "NOT a", "The opposite of a condition.", ("NOT 1 = 2", "true"), "logic", rule=_BOOLEAN, kernel=_not),
    Function(
        "is_null", "value IS NULL", "Whether a value is NULL.", ("NULL IS NULL", "true"), "logic", rule=_ANYTHING,
        kernel=_absent, strict=False, aliases=("is null", "isnull"),
    ),
    Function(
        "is_not_null", "value IS NOT NULL", "Whether a value is not NULL.", ("1 IS NOT NULL", "true"), "logic",
        rule=_ANYTHING, kernel=_present, strict=False, aliases=("is not null",),
    ),
    *_tests(),
)  # fmt: skip
