"""Joins of rows that stay and whose conditions bound two event times, or compare windows: how long rows are of use, and what follows.

With d = left time - right time and lo <= d <= hi, a left row waits for right rows up to lo before it (that is, -lo after it), a right
row for left rows up to hi after it.  A row that waits for none is taken as well, until the watermark has passed it: those that it
matches are there.  When a row is of no more use its partners are known, so that one without any comes out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tableflow.expressions.coercion import without_widening
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.physical.retention import Retention
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.nodes import JoinKind
from tableflow.planner.sealed_joins import passing_side
from tableflow.planner.window_closings import closings, same_window
from tableflow.records import dataclass
from tableflow.types import TimestampType, tick_of

if TYPE_CHECKING:
    from tableflow.planner.stream_facts import StreamFacts

_Pair = tuple[Retention | None, Retention | None]
_DAY = 86_400_000_000
_MIRRORED = {"ge": "le", "le": "ge", "gt": "lt", "lt": "gt", "eq": "eq"}
_LONE: Mapping[JoinKind, tuple[bool, bool]] = {
    JoinKind.INNER: (False, False),
    JoinKind.SEMI: (False, False),
    JoinKind.LEFT: (True, False),
    JoinKind.RIGHT: (False, True),
    JoinKind.FULL: (True, True),
    JoinKind.ANTI: (True, False),
}
"""Whether rows of the left, of the right, come out because they have no partner."""


@dataclass(frozen=True, slots=True)
class JoinTimes:
    """How long rows of the left and of the right are kept; None: for ever.

    ``appends``: nothing that comes out is ever taken back.  ``delay``: by how many microseconds the time of what comes out is behind;
    None: watermarks pass as they come.  ``event_time`` are columns that they speak of then.
    """

    left: Retention | None = None
    right: Retention | None = None
    appends: bool = False
    delay: int | None = None
    event_time: frozenset[int] = frozenset()


class _Columns(NamedTuple):
    """A column of each side that are compared, and how many microseconds two values of the coarser one are apart."""

    left: int
    right: int
    tick: int


def join_times(node: logical.Join, stream: Callable[[logical.Node], StreamFacts]) -> JoinTimes:
    """What time says of a join in a streaming plan."""
    left, right = stream(node.left), stream(node.right)
    if not (left.appends and right.appends):
        return JoinTimes()
    passing = passing_side(node, stream)
    if passing is not None:
        return JoinTimes(appends=True, event_time=stream(passing).event_time)
    lone = None if node.null_aware else _LONE.get(node.kind)
    windows = None if lone is None else _equal_windows(node, stream)
    kept = windows or _interval(left.event_time, right.event_time, node.conjuncts)
    if lone is None or left.bounded != right.bounded:
        return JoinTimes(*kept, appends=node.kind in {JoinKind.INNER, JoinKind.SEMI})
    if any(waits and each is None for waits, each in zip(lone, kept, strict=True)):
        return JoinTimes(*kept)
    if windows is not None:
        return JoinTimes(*kept, appends=True, delay=0 if any(lone) else None)
    given = [each for each in kept if each is not None]
    if not given:
        return JoinTimes(appends=True)
    seen = given if node.kind not in {JoinKind.SEMI, JoinKind.ANTI} else [each for each in kept[:1] if each is not None]
    delay = max(each.behind for each in given)
    return JoinTimes(*kept, appends=True, delay=delay, event_time=frozenset(each.column for each in seen))


def _equal_windows(node: logical.Join, stream: Callable[[logical.Node], StreamFacts]) -> _Pair | None:
    left, right = closings(node.left, stream), closings(node.right, stream)
    same = same_window(node.conjuncts, left, right)
    if same is None:
        return None
    one, other = same
    # Until no more rows of the window come on either side.
    behind = max(left[one].behind, right[other].behind)
    return Retention(one, behind), Retention(other, behind)


def _interval(left: frozenset[int], right: frozenset[int], conjuncts: Iterable[Expression]) -> _Pair:
    low: dict[_Columns, int] = {}
    high: dict[_Columns, int] = {}
    for conjunct in conjuncts:
        bound = _bound(conjunct, left, right)
        if bound is None:
            continue
        function, pair, offset = bound
        if function in {"ge", "gt", "eq"}:
            low[pair] = max(offset, low.get(pair, offset))
        if function in {"le", "lt", "eq"}:
            high[pair] = min(offset, high.get(pair, offset))
    lefts = [Retention(pair.left, max(0, -offset), pair.tick) for pair, offset in low.items()]
    rights = [Retention(pair.right, max(0, offset), pair.tick) for pair, offset in high.items()]
    return (lefts[0] if lefts else None), (rights[0] if rights else None)


def _bound(conjunct: Expression, left: frozenset[int], right: frozenset[int]) -> tuple[str, _Columns, int] | None:
    """(comparison, (left column, right column), offset) of ``left - right >= offset`` and its like."""
    if not isinstance(conjunct, Call) or conjunct.function not in _MIRRORED:
        return None
    sides = [_shifted(argument) for argument in conjunct.args]
    if sides[0] is None or sides[1] is None:
        return None
    (a, more), (b, other) = sides[0], sides[1]
    tick = max(tick_of(a.type), tick_of(b.type))
    if a.id in left and b.id in right:
        return conjunct.function, _Columns(a.id, b.id, tick), other - more
    if b.id in left and a.id in right:
        return _MIRRORED[conjunct.function], _Columns(b.id, a.id, tick), more - other
    return None


def _shifted(expression: Expression) -> tuple[ColumnRef, int] | None:
    """A timestamp column and the microseconds that are added to it."""
    expression = without_widening(expression)
    if isinstance(expression, ColumnRef):
        return (expression, 0) if isinstance(expression.type, TimestampType) else None
    if not isinstance(expression, Call) or expression.function not in {"add", "subtract"} or len(expression.args) != 2:
        return None
    column, length = expression.args
    if isinstance(column, Literal) and expression.function == "add":
        column, length = length, column
    column = without_widening(column)
    if not (isinstance(column, ColumnRef) and isinstance(column.type, TimestampType) and isinstance(length, Literal)):
        return None
    match length.value:
        case (0, int(days), int(micros)):
            shift = days * _DAY + micros
            return column, shift if expression.function == "add" else -shift
    return None
