"""How long the rows of a join of streams are of use: bounds between two event times, and equal windows.

Only for inputs that take nothing back.  With d = left time - right time and lo <= d <= hi, a left row waits for right rows up to lo
before it (that is, -lo after it), a right row for left rows up to hi after it.  A row that waits for none is taken as well, until the
watermark has passed it: those that it matches are there.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.retention import Retention
from tableflow.planner.implementation.search import Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.window_closings import closings
from tableflow.types import TimestampType

Pair = tuple[Retention | None, Retention | None]
_DAY = 86_400_000_000
_MIRRORED = {"ge": "le", "le": "ge", "gt": "lt", "lt": "gt"}


def retentions(
    search: Search,
    node: logical.Join,
    keys: Iterable[tuple[Expression, Expression]],
    residual: Iterable[Expression],
) -> Pair:
    """What may be forgotten of the left and of the right input of a join with these key pairs and conjuncts."""
    left, right = search.stream(node.left), search.stream(node.right)
    if not (left.appends and right.appends):
        return None, None
    windows = closings(node.left, search.stream), closings(node.right, search.stream)
    for a, b in keys:
        if isinstance(a, ColumnRef) and isinstance(b, ColumnRef) and a.id in windows[0] and b.id in windows[1]:
            return Retention(a.id, windows[0][a.id]), Retention(b.id, windows[1][b.id])
    return _interval(left.event_time, right.event_time, residual)


def warn_of_growth(search: Search, plan: ChangelogJoin) -> None:
    """Says of a join of rows without end that it never forgets some, and what would let it."""
    sides = plan.kept_for_ever
    if not sides:
        return
    which = "both sides" if len(sides) == 2 else f"its {sides[0]} side"
    warning = (
        f"a join keeps all rows of {which} for ever, so its memory grows as long as rows come: bound the time between "
        "both sides (r.ts BETWEEN l.ts - INTERVAL '1' HOUR AND l.ts), join windows, or say how long rows are kept with "
        "/*+ STATE_TTL('l' = '1 d', 'r' = '1 d') */ or SET 'table.exec.state.ttl'"
    )
    if warning not in search.warnings:
        search.warnings.append(warning)


def _interval(left: frozenset[int], right: frozenset[int], residual: Iterable[Expression]) -> Pair:
    low: dict[tuple[int, int], int] = {}
    high: dict[tuple[int, int], int] = {}
    for conjunct in residual:
        bound = _bound(conjunct, left, right)
        if bound is None:
            continue
        function, pair, offset = bound
        if function in {"ge", "gt"}:
            low[pair] = max(offset, low.get(pair, offset))
        else:
            high[pair] = min(offset, high.get(pair, offset))
    lefts = [Retention(pair[0], max(0, -offset)) for pair, offset in low.items()]
    rights = [Retention(pair[1], max(0, offset)) for pair, offset in high.items()]
    return (lefts[0] if lefts else None), (rights[0] if rights else None)


def _bound(
    conjunct: Expression, left: frozenset[int], right: frozenset[int]
) -> tuple[str, tuple[int, int], int] | None:
    """(comparison, (left column, right column), offset) of ``left - right >= offset`` and its like."""
    if not isinstance(conjunct, Call) or conjunct.function not in _MIRRORED:
        return None
    sides = [_shifted(argument) for argument in conjunct.args]
    if sides[0] is None or sides[1] is None:
        return None
    (a, more), (b, other) = sides[0], sides[1]
    if a in left and b in right:
        return conjunct.function, (a, b), other - more
    if b in left and a in right:
        return _MIRRORED[conjunct.function], (b, a), more - other
    return None


def _shifted(expression: Expression) -> tuple[int, int] | None:
    """A timestamp column and the microseconds that are added to it."""
    if isinstance(expression, ColumnRef):
        return (expression.id, 0) if isinstance(expression.type, TimestampType) else None
    if not isinstance(expression, Call) or expression.function not in {"add", "subtract"} or len(expression.args) != 2:
        return None
    column, length = expression.args
    if isinstance(column, Literal) and expression.function == "add":
        column, length = length, column
    if not (isinstance(column, ColumnRef) and isinstance(column.type, TimestampType) and isinstance(length, Literal)):
        return None
    match length.value:
        case (0, int(days), int(micros)):
            shift = days * _DAY + micros
            return column.id, shift if expression.function == "add" else -shift
    return None
