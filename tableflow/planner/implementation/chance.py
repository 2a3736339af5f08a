"""What streams refuse of functions that give another value each time: a row that is taken back must be the one that was given.

NOW() of a job is the time of an epoch, and CURRENT_WATERMARK that of a row: only projections and filters read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tableflow.errors import UnsupportedError
from tableflow.expressions.nodes import Call, Expression, walk
from tableflow.expressions.registry import EPOCH_TIME, function
from tableflow.planner.implementation.readings import CURRENT_WATERMARK
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.structure import inputs
from tableflow.planner.logical.traversal import expressions, walk_plan
from tableflow.planner.stream_facts import StreamFacts

_READ = {
    EPOCH_TIME: "the time of an epoch",
    CURRENT_WATERMARK: "the watermark",
}


def check_chance(root: logical.Node, stream: Callable[[logical.Node], StreamFacts]) -> None:
    """Refuses what could not be computed again for rows that are taken back, or is not known where it stands."""
    for node in walk_plan(root):
        # That a join is as of processing time is not computed.
        computed = node.conjuncts if isinstance(node, (timed.TemporalJoin, timed.AsofJoin)) else expressions(node)
        chance = _chance(computed)
        if chance is None:
            continue
        if not isinstance(node, (logical.Filter, logical.Project)) and chance.function in _READ:
            raise UnsupportedError(
                f"{_READ[chance.function]} cannot be read here: it is told row by row",
                hint="compute it in the SELECT list of a subquery, and read that column here",
                span=chance.span,
            )
        if not all(stream(child).appends for child in inputs(node)):
            raise _changing(chance)


def _chance(of: Iterable[Expression]) -> Call | None:
    """The first call that gives another value each time."""
    calls = (each for expression in of for each in walk(expression) if isinstance(each, Call))
    return next((call for call in calls if not function(call.function).deterministic), None)


def _changing(chance: Call) -> UnsupportedError:
    """A row that is taken back would not be computed to the same values as when it was given."""
    if chance.function == EPOCH_TIME:
        return UnsupportedError(
            "the time of an epoch cannot be computed over rows that may be taken back",
            detail="in a job it is the time at which each epoch began: a row that is taken back would get another value than "
            "when it came, and a condition would not hold for it any more",
            hint="compute it over the source itself, before grouping and joining, or compare with it where the result is read",
            span=chance.span,
        )
    return UnsupportedError(
        "a function that gives another value each time cannot be computed over rows that may be taken back",
        hint="compute it over the source itself, before grouping and joining",
        span=chance.span,
    )
