"""The function registry: finds a function or operator by name and binds a call to its arguments.

Names match without regard to case; operators are found by their symbol (``+``) or by the name in the plan (``add``).
What does not fit is a :class:`~tableflow.errors.BindError` with the expected signature, or the nearest names.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import can_cast, cast, common_type, implicit_cast, unify
from tableflow.expressions.function import AggregateFunction, Function
from tableflow.expressions.functions.conditional import bind_case
from tableflow.expressions.functions.statement import EPOCH_TIME, JobClock, StatementClock, read_clock, reads_clock
from tableflow.expressions.functions.windows import WINDOWS, WindowFunction
from tableflow.expressions.nodes import AggregateCall, Call, Expression, WindowCall
from tableflow.nearest import nearest_names

__all__ = [
    "EPOCH_TIME",
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

Entry = TypeVar("Entry", bound=Function | AggregateFunction)
_WINDOWS = {entry.name: entry for entry in WINDOWS}


class _Index(Generic[Entry]):
    """Entries by name; modules of them are loaded, one after the other, until one has the name that is wanted."""

    def __init__(self, attribute: str, *modules: str) -> None:
        self.known: dict[str, Entry] = {}
        self._attribute = attribute
        self._left = modules

    def get(self, name: str) -> Entry | None:
        """The entry that is called so."""
        while True:
            left = self._left  # before the look: what another thread loads in between would be missed for good
            found = self.known.get(name)
            if found is not None or not left:
                return found
            self._load(left[0])

    def all(self) -> dict[str, Entry]:
        """All entries by all their names."""
        while left := self._left:
            self._load(left[0])
        return self.known

    def _load(self, first: str) -> None:
        """Adds a module's entries; threads that meet here add the same."""
        module = importlib.import_module(f"tableflow.expressions.functions.{first}")
        entries: tuple[Entry, ...] = getattr(module, self._attribute)
        for entry in entries:
            for name in (entry.name, *entry.aliases):
                if self.known.setdefault(name, entry) is not entry:
                    raise ValueError(f"two functions are called {name!r}")
        self._left = tuple([other for other in self._left if other != first])


_FUNCTIONS = _Index[Function](
    "FUNCTIONS",
    "arithmetic", "comparison", "logic", "conditional", "mathematics", "strings", "splitting", "time_text", "fitting",
    "patterns", "dates", "spelling", "units", "zones", "nested", "statement",
)  # fmt: skip
_AGGREGATES = _Index[AggregateFunction]("AGGREGATES", "aggregates", "collected")
_LOADED_FUNCTIONS, _LOADED_AGGREGATES = _FUNCTIONS.known, _AGGREGATES.known


def function(name: str) -> Function:
    """The entry that a bound Call's ``function`` names; :class:`KeyError` if there is none."""
    try:
        return _LOADED_FUNCTIONS[name]
    except KeyError:
        if _FUNCTIONS.get(name) is None:
            raise
        return _LOADED_FUNCTIONS[name]


def aggregate(name: str) -> AggregateFunction:
    """The entry that a bound AggregateCall's ``function`` names; :class:`KeyError` if there is none."""
    try:
        return _LOADED_AGGREGATES[name]
    except KeyError:
        if _AGGREGATES.get(name) is None:
            raise
        return _LOADED_AGGREGATES[name]


def functions() -> tuple[Function | AggregateFunction, ...]:
    """All functions, scalar and aggregate, by name."""
    entries: dict[str, Function | AggregateFunction] = {entry.name: entry for entry in _FUNCTIONS.all().values()}
    entries |= {entry.name: entry for entry in _AGGREGATES.all().values()}
    return tuple(entries[name] for name in sorted(entries))


def is_aggregate(name: str) -> bool:
    """Whether this is the name of an aggregate."""
    return _AGGREGATES.get(name.lower()) is not None


def is_window_function(name: str) -> bool:
    """Whether this is the name of a function that needs OVER."""
    return name.lower() in _WINDOWS


def window_function(name: str) -> WindowFunction:
    """The entry of a window function that is no aggregate; :class:`KeyError` if there is none."""
    return _WINDOWS[name.lower()]


if TYPE_CHECKING:
    FUNCTIONS: tuple[Function, ...]
    AGGREGATES: tuple[AggregateFunction, ...]


def __getattr__(name: str) -> Any:
    """``FUNCTIONS`` and ``AGGREGATES``: all entries, in the order of their modules."""
    if name == "FUNCTIONS":
        return tuple({entry.name: entry for entry in _FUNCTIONS.all().values()}.values())
    if name == "AGGREGATES":
        return tuple({entry.name: entry for entry in _AGGREGATES.all().values()}.values())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
    if _FUNCTIONS.get(name.lower()) is None and not is_aggregate(name) and not is_window_function(name):
        raise _unknown(name, span)


def _unknown(name: str, span: Span | None) -> BindError:
    near = nearest_names(name, [*_FUNCTIONS.all(), *_AGGREGATES.all(), *_WINDOWS, *_OF_WINDOWS], 3)
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
    if not args and (reading := read_clock(name.lower(), clock, span)) is not None:
        return reading
    if name == "-" and len(args) == 1:
        name = "negate"
    entry = _FUNCTIONS.get(name.lower())
    if entry is None:
        if is_aggregate(name):
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
        from tableflow.expressions.functions.logic import connect

        return connect(entry.name, binding.args, span)
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
        entry, distinct = aggregate(entry.distinct_of), True
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
