"""Bound, typed expressions: what the binder returns, rules rewrite and operators evaluate.

Columns are named by the id of their :class:`~tableflow.types.Field`, which is unique in a plan; an operator
resolves ids to positions in its input once, when it opens.  Expressions never hold plans: the binder turns
a subquery into a join and refers to that join's column.

Literals hold *storage values*: DECIMAL as the scaled integer, DATE as days, TIME and TIMESTAMP as
micro- or nanoseconds by precision, INTERVAL as ``(months, days, microseconds)``, ARRAY and ROW as tuples, MAP as
a tuple of pairs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from tableflow.errors import Span
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class Expression:
    """Base: every expression has a type and may have a place in the script.

    Spans do not take part in equality, so that ``a + b`` equals ``a + b`` wherever it was written.
    """

    type: SqlType


@serializable
@dataclass(frozen=True, slots=True)
class ColumnRef(Expression):
    """The value of the column with this id."""

    id: int
    name: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant; ``value`` is a storage value (see the module), None is NULL."""

    value: Any
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function or operator of the registry applied to arguments already cast to what it takes.

    Operators are functions: add subtract multiply divide modulo negate concat; eq ne lt le gt ge
    is_distinct_from is_not_distinct_from; and or not (and, or: two or more arguments); is_null is_not_null;
    is_true is_false is_not_true is_not_false; like (value, pattern[, escape]) ilike; in (value, item, item...);
    coalesce nullif if; try.
    """

    function: str
    args: tuple[Expression, ...]
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class Case(Expression):
    """Searched CASE: the result of the first arm whose condition is TRUE, else ``otherwise``."""

    conditions: tuple[Expression, ...]
    results: tuple[Expression, ...]
    otherwise: Expression
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """CAST to ``type``; a value that does not fit is an error, or NULL with ``lenient`` (TRY_CAST).

    ``zone`` names the time zone whose wall clock stands between a TIMESTAMP_LTZ and the other types; None is UTC.
    ``target`` is the column that the value is assigned to, for errors.
    """

    operand: Expression
    lenient: bool = False
    span: Span | None = field(default=None, compare=False)
    zone: str | None = None
    target: str | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class Chain(Expression):
    """Arithmetic operators applied one after the other: ``((first + a) - b) * c``; every step's result has this type.

    It means the same as the calls nested in each other; long ones are bound as chains, so that nothing has to recurse into
    thousands of levels.  ``operators[i]`` takes the result so far and ``operands[i]``.
    """

    first: Expression
    operators: tuple[str, ...]
    operands: tuple[Expression, ...]
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True)
class AggregateCall(Expression):
    """An aggregate over the rows of a group; only :class:`Aggregate` nodes hold these.

    Functions: count (no argument: rows), sum, avg, min, max, any_value, stddev_samp, stddev_pop, var_samp, var_pop,
    bool_and, bool_or, count_if, and those that need all rows of a group together (see the registry).  ``filter`` keeps
    rows where it is TRUE; ``order`` sorts a group's rows, with (descending, nulls first) for each in ``directions``.
    """

    function: str
    args: tuple[Expression, ...] = ()
    distinct: bool = False
    filter: Expression | None = None
    span: Span | None = field(default=None, compare=False)
    order: tuple[Expression, ...] = ()
    directions: tuple[tuple[bool, bool], ...] = ()


@serializable
class FrameUnit(enum.Enum):
    """What the offsets of a frame count: rows, distinct values of the order, or distances between them."""

    ROWS = "rows"
    GROUPS = "groups"
    RANGE = "range"


@serializable
class FrameSide(enum.Enum):
    """Where an end of a frame lies."""

    UNBOUNDED_PRECEDING = "unbounded preceding"
    PRECEDING = "preceding"
    CURRENT_ROW = "current row"
    FOLLOWING = "following"
    UNBOUNDED_FOLLOWING = "unbounded following"


@serializable
@dataclass(frozen=True, slots=True)
class FrameBound:
    """One end of a frame.

    ``offset`` rows or groups away (ROWS, GROUPS), or as far as the order key's value ``key`` says (RANGE): an expression
    over the input, already the sum or difference of key and offset.
    """

    side: FrameSide
    offset: int = 0
    key: Expression | None = None


@serializable
@dataclass(frozen=True, slots=True)
class Frame:
    """The rows of the partition that a call sees from a row, both ends included."""

    unit: FrameUnit
    start: FrameBound
    end: FrameBound


WHOLE_PARTITION = Frame(
    FrameUnit.ROWS, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.UNBOUNDED_FOLLOWING)
)
RUNNING = Frame(FrameUnit.RANGE, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW))
"""SQL's frame of a window with ORDER BY: all rows up to the last one with the current row's order keys."""


@serializable
@dataclass(frozen=True, slots=True)
class WindowCall(Expression):
    """A function over the rows of a window; only :class:`Window` nodes hold these, which say partitions and order.

    Functions: row_number, rank, dense_rank, percent_rank, cume_dist, ntile (buckets), lag and lead (value, offset[, default]),
    first_value, last_value, nth_value (value, n), and every aggregate.  Only the values and aggregates look at ``frame``.
    """

    function: str
    args: tuple[Expression, ...] = ()
    frame: Frame = WHOLE_PARTITION
    distinct: bool = False
    ignore_nulls: bool = False
    span: Span | None = field(default=None, compare=False)
    filter: Expression | None = None


@serializable
@dataclass(frozen=True, slots=True)
class SortKey:
    """One item of an ORDER BY over the column with this id."""

    column: ColumnRef
    descending: bool = False
    nulls_first: bool = False


def children(of: Expression) -> tuple[Expression, ...]:
    """Direct operands, in evaluation order."""
    kind = type(of)  # planning asks this most of all: leaves and calls are told apart by identity, not by patterns
    if kind is ColumnRef or kind is Literal:
        return ()
    match of:
        case Call(args=args):
            return args
        case Case(conditions=conditions, results=results, otherwise=otherwise):
            return (*conditions, *results, otherwise)
        case Cast(operand=operand):
            return (operand,)
        case Chain(first=first, operands=operands):
            return (first, *operands)
        case AggregateCall(args=args, order=order, filter=condition):
            return (*args, *order) if condition is None else (*args, *order, condition)
        case WindowCall(args=args, frame=frame):
            keys = [bound.key for bound in (frame.start, frame.end) if bound.key is not None]
            return (*args, *keys, *(() if of.filter is None else (of.filter,)))
        case _:
            return ()


def with_children(of: Expression, new: tuple[Expression, ...]) -> Expression:
    """The same node over other operands, given in the order of :func:`children`."""
    match of:
        case Call():
            return replace(of, args=new)
        case Case(conditions=conditions):
            n = len(conditions)
            return replace(of, conditions=new[:n], results=new[n : 2 * n], otherwise=new[-1])
        case Cast():
            return replace(of, operand=new[0])
        case Chain():
            return replace(of, first=new[0], operands=new[1:])
        case AggregateCall(args=args, order=order):
            n = len(args)
            rest = new[n + len(order) :]
            return replace(of, args=new[:n], order=new[n : n + len(order)], filter=rest[0] if rest else None)
        case WindowCall(args=args, frame=frame):
            keys = iter(new[len(args) :])
            start, end = (
                bound if bound.key is None else replace(bound, key=next(keys)) for bound in (frame.start, frame.end)
            )
            condition = None if of.filter is None else new[-1]
            return replace(of, args=new[: len(args)], frame=replace(frame, start=start, end=end), filter=condition)
        case _:
            return of


def walk(of: Expression) -> Iterator[Expression]:
    """The expression and everything below it, parents first, operands in order."""
    stack = [of]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def transform(of: Expression, rewrite: Callable[[Expression], Expression]) -> Expression:
    """``rewrite`` applied to every node, operands first; unchanged nodes are kept as they are."""
    old = children(of)
    if old:
        new = tuple([transform(child, rewrite) for child in old])
        for a, b in zip(old, new, strict=True):
            if a is not b:
                of = with_children(of, new)
                break
    return rewrite(of)


def column_ids(of: Expression) -> frozenset[int]:
    """Ids of all columns the expression reads."""
    if isinstance(of, ColumnRef):
        return frozenset((of.id,))
    return frozenset([node.id for node in walk(of) if isinstance(node, ColumnRef)])


def substitute(of: Expression, by_id: dict[int, Expression]) -> Expression:
    """Columns replaced by expressions (view expansion, merging of projections)."""
    return transform(of, lambda node: by_id.get(node.id, node) if isinstance(node, ColumnRef) else node)
