"""What can be said of a predicate without rows: its parts, and how it takes NULL.

Invariant: an answer True is a proof; False means not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tableflow.expressions.nodes import Call, Case, Cast, ColumnRef, Expression, Literal
from tableflow.expressions.registry import function as known
from tableflow.types import BOOLEAN, SqlType

COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
NEGATED = {"eq": "ne", "ne": "eq", "lt": "ge", "le": "gt", "gt": "le", "ge": "lt"}
_TWO_VALUED = frozenset(
    {
        "is_null", "is_not_null", "is_true", "is_false", "is_not_true", "is_not_false",
        "is_distinct_from", "is_not_distinct_from",
    }
)  # fmt: skip


def call(function: str, *args: Expression, type: SqlType = BOOLEAN) -> Call:
    """A call, of a predicate unless ``type`` says otherwise."""
    return Call(type, function, args)


def split(of: Expression) -> Iterable[Expression]:
    """The conjuncts of a predicate, nested ANDs flattened."""
    if isinstance(of, Call) and of.function == "and":
        for arg in of.args:
            yield from split(arg)
    else:
        yield of


def arms(of: Expression) -> Iterable[Expression]:
    """The disjuncts of a predicate, nested ORs flattened."""
    if isinstance(of, Call) and of.function == "or":
        for arg in of.args:
            yield from arms(arg)
    else:
        yield of


def conjunction(of: Sequence[Expression]) -> Expression:
    """All of them as one predicate."""
    return of[0] if len(of) == 1 else Call(BOOLEAN, "and", tuple(of)) if of else Literal(BOOLEAN, value=True)


def disjunction(of: Sequence[Expression]) -> Expression:
    """Any of them as one predicate."""
    return of[0] if len(of) == 1 else Call(BOOLEAN, "or", tuple(of)) if of else Literal(BOOLEAN, value=False)


def is_literal(of: Expression, value: bool | None) -> bool:
    """Whether the expression is this constant."""
    return isinstance(of, Literal) and of.value is value


def is_never(of: Expression) -> bool:
    """Whether the expression is the constant FALSE or NULL."""
    return isinstance(of, Literal) and (of.value is None or of.value is False)


def column_pair(of: Expression) -> tuple[ColumnRef, ColumnRef] | None:
    """The two columns of ``a = b`` when both have the same type."""
    match of:
        case Call(function="eq", args=(ColumnRef() as a, ColumnRef() as b)) if a.type == b.type:
            return a, b
        case _:
            return None


def column_and_constant(of: Expression) -> tuple[ColumnRef, str, Literal] | None:
    """A comparison of a column with a constant, the column first."""
    match of:
        case Call(function=function, args=(ColumnRef() as column, Literal() as value)) if function in COMPARISONS:
            return column, function, value
        case Call(function=function, args=(Literal() as value, ColumnRef() as column)) if function in COMPARISONS:
            return column, MIRRORED[function], value
        case _:
            return None


def null_if(of: Expression, ids: frozenset[int]) -> bool:
    """Whether the expression is NULL for every row in which all these columns are NULL."""
    match of:
        case ColumnRef(id=column):
            return column in ids
        case Literal(value=value):
            return value is None
        case Cast(operand=operand):
            return null_if(operand, ids)
        case Call(function="and" | "or" | "coalesce", args=args):
            return all(null_if(arg, ids) for arg in args)
        case Call(function="in" | "nullif", args=args):
            return null_if(args[0], ids)
        case Call(function=function, args=args) if known(function).strict:
            return any(null_if(arg, ids) for arg in args)
        case Case(results=results, otherwise=otherwise):
            return all(null_if(result, ids) for result in (*results, otherwise))
        case _:
            return False


def rejects_null(of: Expression, ids: frozenset[int]) -> bool:
    """Whether the predicate is never TRUE for a row in which all these columns are NULL."""
    match of:
        case Literal(value=value):
            return value is not True
        case Call(function="and", args=args):
            return any(rejects_null(arg, ids) for arg in args)
        case Call(function="or", args=args):
            return all(rejects_null(arg, ids) for arg in args)
        case Call(function="is_not_null" | "is_false", args=(arg,)):
            return null_if(arg, ids)
        case Call(function="is_true", args=(arg,)):
            return rejects_null(arg, ids)
        case Call(function="is_not_distinct_from", args=(a, b)):
            return any(null_if(x, ids) and isinstance(y, Literal) and y.value is not None for x, y in ((a, b), (b, a)))
        case _:
            return null_if(of, ids)


def never_null(of: Expression, present: frozenset[int]) -> bool:
    """Whether the expression is not NULL for any row in which these columns are not NULL."""
    match of:
        case ColumnRef(id=column):
            return column in present
        case Literal(value=value):
            return value is not None
        case Cast(operand=operand, lenient=False):
            return never_null(operand, present)
        case Call(function=function) if function in _TWO_VALUED:
            return True
        case Call(function="and" | "or" | "in", args=args):
            return all(never_null(arg, present) for arg in args)
        case Call(function="coalesce", args=args):
            return any(never_null(arg, present) for arg in args)
        case Call(function=function, args=args) if function in COMPARISONS | {"not", "like", "ilike"}:
            return all(never_null(arg, present) for arg in args)
        case _:
            return False


def is_true(of: Expression, present: frozenset[int] = frozenset()) -> Expression:
    """The predicate with NULL taken as FALSE."""
    return of if never_null(of, present) else Call(BOOLEAN, "is_true", (of,))


def without_is_true(of: Expression) -> Expression:
    """The predicate where only TRUE counts: an ``is_true`` around it says nothing."""
    while isinstance(of, Call) and of.function == "is_true":
        of = of.args[0]
    return of
