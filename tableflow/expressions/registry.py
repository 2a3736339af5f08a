"""The function registry: finds a function or operator by name and binds a call to its arguments.

Names match without regard to case; operators are found by their symbol (``+``) or by the name in the plan (``add``).
What does not fit is a :class:`~tableflow.errors.BindError` with the expected signature, or the nearest names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import can_cast, cast, common_type, implicit_cast, unify
from tableflow.expressions.function import AggregateFunction, Function
from tableflow.expressions.functions import (
    aggregates,
    arithmetic,
    collected,
    comparison,
    conditional,
    dates,
    fitting,
    logic,
    mathematics,
    nested,
    patterns,
    spelling,
    splitting,
    statement,
    strings,
    time_text,
    units,
    zones,
)
from tableflow.expressions.functions.conditional import bind_case
from tableflow.expressions.functions.statement import EPOCH_TIME, JobClock, StatementClock, reads_clock
from tableflow.expressions.functions.windows import WINDOWS, WindowFunction
from tableflow.expressions.nodes import AggregateCall, Call, Expression, WindowCall
from tableflow.nearest import nearest_names

__all__ = [
    "AGGREGATES",
    "EPOCH_TIME",
    "FUNCTIONS",
    "WINDOWS",
    "JobClock",
    "StatementClock",
    "aggregate",
    "bind_case",
    "can_cast",
    "cast",
    "common_type",
    "function",
    "functions",
    "implicit_cast",
    "is_aggregate",
    "is_window_function",
    "reads_clock",
    "resolve_aggregate",
    "resolve_call",
    "resolve_window",
    "unify",
    "window_function",
]  # fmt: skip

FUNCTIONS: tuple[Function, ...] = (
    *arithmetic.FUNCTIONS,
    *comparison.FUNCTIONS,
    *logic.FUNCTIONS,
    *conditional.FUNCTIONS,
    *mathematics.FUNCTIONS,
    *strings.FUNCTIONS,
    *splitting.FUNCTIONS,
    *time_text.FUNCTIONS,
    *fitting.FUNCTIONS,
    *patterns.FUNCTIONS,
    *dates.FUNCTIONS,
    *spelling.FUNCTIONS,
    *units.FUNCTIONS,
    *zones.FUNCTIONS,
    *nested.FUNCTIONS,
    *statement.FUNCTIONS,
)
AGGREGATES: tuple[AggregateFunction, ...] = (*aggregates.AGGREGATES, *collected.AGGREGATES)

Entry = TypeVar("Entry", bound=Function | AggregateFunction)
_WINDOWS = {entry.name: entry for entry in WINDOWS}


def _index(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    by_name = {name: entry for entry in entries for name in (entry.name, *entry.aliases)}
    if len(by_name) != sum(1 + len(entry.aliases) for entry in entries):
        raise ValueError("two functions share a name")
    return by_name


_FUNCTIONS = _index(FUNCTIONS)
_AGGREGATES = _index(AGGREGATES)
if _clash := _FUNCTIONS.keys() & _AGGREGATES.keys():
    raise ValueError(f"scalar and aggregate functions share {sorted(_clash)}")


def function(name: str) -> Function:
    """The entry that a bound Call's ``function`` names; :class:`KeyError` if there is none."""
    return _FUNCTIONS[name]


def aggregate(name: str) -> AggregateFunction:
    """The entry that a bound AggregateCall's ``function`` names; :class:`KeyError` if there is none."""
    return _AGGREGATES[name]


def functions() -> tuple[Function | AggregateFunction, ...]:
    """All functions, scalar and aggregate, by name."""
    return tuple(sorted((*FUNCTIONS, *AGGREGATES), key=lambda entry: entry.name))


def is_aggregate(name: str) -> bool:
    """Whether this is the name of an aggregate."""
    return name.lower() in _AGGREGATES


def is_window_function(name: str) -> bool:
    """Whether this is the name of a function that needs OVER."""
    return name.lower() in _WINDOWS


def window_function(name: str) -> WindowFunction:
    """The entry of a window function that is no aggregate; :class:`KeyError` if there is none."""
    return _WINDOWS[name.lower()]


_OF_WINDOWS = ("TUMBLE", "SESSION", "CUMULATE", "DESCRIPTOR")
"""Words that look like functions and are read as parts of windows where they are spelled so."""

_OPERATOR = re.compile(r"[A-Z]+(?: [A-Z]+)*|[^\w\s.,()\[\]']+")
"""The operator in a signature such as ``a + b`` or ``text LIKE pattern``: not its operands, which are small letters."""
_PLAIN = re.compile(r"a \S+ b|\S+ ?a")
"""A signature that says nothing of its operands."""


_OF_NUMBERS = "TIMESTAMP '1970-01-01 00:00:00' + n * INTERVAL '1' MILLISECOND is n milliseconds since 1970 (or SECOND)"
_INSTEAD = {
    "to_timestamp": f"CAST(text AS TIMESTAMP(3)) reads a text; {_OF_NUMBERS}",
    "to_timestamp_ltz": f"{_OF_NUMBERS}, in UTC",
    "from_unixtime": _OF_NUMBERS,
    "epoch_ms": _OF_NUMBERS,
    "unix_timestamp": "epoch(timestamp) gives seconds since 1970",
    "timestampdiff": "date_diff('second', start, end)",
    "timestampadd": "timestamp + n * INTERVAL '1' SECOND",
    "source_watermark": "say how late rows may come: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND",
    "current_row_timestamp": "current_timestamp, or PROCTIME() in a computed column",
}
"""What to write for functions of other engines that are not here."""


def check_known(name: str, span: Span | None) -> None:
    """:class:`BindError` with the nearest names if no function is called so."""
    if name.lower() not in _FUNCTIONS and not is_aggregate(name) and not is_window_function(name):
        raise _unknown(name, span)


def _unknown(name: str, span: Span | None) -> BindError:
    near = nearest_names(name, [*_FUNCTIONS, *_AGGREGATES, *_WINDOWS, *_OF_WINDOWS], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "SHOW FUNCTIONS; lists all"
    hint = _INSTEAD.get(name.lower(), hint)
    return BindError(f"unknown function {name!r}", hint=hint, span=span)


def _misfit(name: str, signature: str, args: Sequence[Expression], span: Span | None) -> BindError:
    given = ", ".join(str(argument.type) for argument in args)
    operator = None if f"{name.lower()}(" in signature.lower() else _OPERATOR.search(signature)
    what = f"function {name!r}" if operator is None else f"operator {operator[0]}"
    return BindError(
        f"{what} does not take ({given})",
        detail=None if operator is not None and _PLAIN.fullmatch(signature) else f"expected {signature}",
        hint="cast the arguments to what it takes" if args else None,
        span=span,
    )


def resolve_call(
    name: str, args: Sequence[Expression], span: Span | None = None, clock: StatementClock | None = None
) -> Expression:
    """The function or operator applied to these arguments, with implicit casts; a Call, Case, Literal or argument.

    ``clock`` is the statement's: CURRENT_TIMESTAMP and its like are literals of its time (of now without one).
    """
    if not args and (reading := statement.read_clock(name.lower(), clock, span)) is not None:
        return reading
    if name == "-" and len(args) == 1:
        name = "negate"
    entry = _FUNCTIONS.get(name.lower())
    if entry is None:
        if name.lower() in _AGGREGATES:
            raise BindError(f"aggregate {name!r} is not allowed here", hint="use it in SELECT or HAVING", span=span)
        if name.lower() in _WINDOWS:
            raise BindError(f"window function {name!r} needs OVER (...)", span=span)
        raise _unknown(name, span)
    try:
        if entry.bind is not None:
            return entry.bind(args, span)
        binding = entry.rule(args) if entry.rule is not None else None
    except BindError as error:
        error.at(span)
        raise
    if binding is None:
        raise _misfit(name, entry.signature, args, span)
    if entry.name in ("and", "or"):
        return logic.connect(entry.name, binding.args, span)
    return Call(binding.type, entry.name, binding.args, span)


def resolve_aggregate(
    name: str,
    args: Sequence[Expression],
    distinct: bool = False,
    filter: Expression | None = None,
    span: Span | None = None,
    order: Sequence[tuple[Expression, bool, bool]] = (),
) -> AggregateCall:
    """The aggregate over these arguments (none: count(*)); DISTINCT and ORDER BY are dropped where they change nothing.

    ``order`` has expressions, whether they descend, and whether NULLs come first.
    """
    entry = _AGGREGATES.get(name.lower())
    if entry is None:
        raise _unknown(name, span)
    if distinct and not args:
        raise BindError("DISTINCT needs an argument", hint=entry.signature, span=span)
    condition = None
    if filter is not None:
        condition = implicit_cast(filter, t.BOOLEAN)
        if condition is None:
            raise BindError(f"FILTER takes a condition, not {filter.type}", span=getattr(filter, "span", None) or span)
    binding = entry.rule(args)
    if binding is None:
        raise _misfit(name, entry.signature, args, span)
    distinct = distinct and not entry.ignores_duplicates
    if distinct and entry.ordered and any(expression not in args for expression, _, _ in order):
        raise BindError("DISTINCT values are ordered by themselves", hint="leave DISTINCT or ORDER BY out", span=span)
    if entry.distinct_of is not None:
        entry, distinct = _AGGREGATES[entry.distinct_of], True
    kept = order if entry.ordered else ()
    return AggregateCall(
        binding.type, entry.name, binding.args, distinct, condition, span,
        tuple(expression for expression, _, _ in kept), tuple((down, first) for _, down, first in kept),
    )  # fmt: skip


def resolve_window(name: str, args: Sequence[Expression], span: Span | None = None) -> WindowCall:
    """The window function (no aggregate) over these arguments; its frame is still to be set."""
    entry = _WINDOWS[name.lower()]
    binding = entry.rule(args)
    if binding is None:
        raise _misfit(name, entry.signature, args, span)
    return WindowCall(binding.type, entry.name, binding.args, span=span)
