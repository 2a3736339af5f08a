"""Filters over windows: below them where they decide for whole partitions, into them where they bound row numbers."""

from __future__ import annotations

from tableflow.expressions.nodes import Expression, FrameSide, Literal, WindowCall
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Filter, Node, Window
from tableflow.planner.logical.predicates import column_and_constant
from tableflow.planner.rules.filters import above, below_whole_groups
from tableflow.records import replace
from tableflow.types import IntegerType


def push_filter_through_window(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Movable conjuncts over partition columns move below the window: they keep or drop whole partitions."""
    assert isinstance(node, Filter)
    window = node.input
    return below_whole_groups(node, window, window.partition, context) if isinstance(window, Window) else None


def bound_row_number(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``row_number() <= k`` directly above lets only the first k rows of each partition out of the window.

    Calls that look behind the current row would have to see what comes later anyway: then it is not worth it.
    """
    assert isinstance(node, Filter)
    window = node.input
    if not isinstance(window, Window) or not all(looks_back(call) for call in window.calls):
        return None
    numbers = {f.id for f, call in zip(window.results, window.calls, strict=True) if call.function == "row_number"}
    kept: list[Expression] = []
    limit = window.limit
    for conjunct in node.conjuncts:
        most = _most(conjunct, numbers)
        if most is None:
            kept.append(conjunct)
            continue
        limit = most[0] if limit is None else min(limit, most[0])
        if not most[1]:
            kept.append(conjunct)
    if limit == window.limit:
        return None if len(kept) == len(node.conjuncts) else above(kept, window)
    return above(kept, replace(window, limit=limit))


def _most(conjunct: Expression, numbers: set[int]) -> tuple[int, bool] | None:
    """The greatest row number for which the conjunct holds, and whether it says nothing else."""
    found = column_and_constant(conjunct)
    if found is None:
        return None
    column, function, literal = found
    if column.id not in numbers or not isinstance(literal.type, IntegerType) or literal.value is None:
        return None
    value: int = literal.value
    match function:
        case "le":
            return max(0, value), True
        case "lt":
            return max(0, value - 1), True
        case "eq":
            return max(0, value), value == 1
        case _:
            return None


_BACKWARDS = frozenset({"row_number", "rank", "dense_rank"})
_AHEAD = frozenset({"percent_rank", "cume_dist", "ntile", "lead"})


def looks_back(call: WindowCall) -> bool:
    """Whether the call's value for a row depends on that row and rows before it only."""
    if call.function in _BACKWARDS:
        return True
    if call.function == "lag":
        return isinstance(call.args[1], Literal) and (call.args[1].value is None or call.args[1].value >= 0)
    if call.function in _AHEAD:
        return False
    end = call.frame.end.side
    return call.frame.unit.value == "rows" and end in {FrameSide.CURRENT_ROW, FrameSide.PRECEDING}
