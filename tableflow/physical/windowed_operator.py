"""Which operator computes a :class:`~tableflow.physical.windowed_aggregate.WindowedAggregate`."""

from __future__ import annotations

from tableflow.errors import UnsupportedError
from tableflow.expressions.emit import Emit, OnWindowClose
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.physical.pane_windows import PaneWindowsOperator
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import Operator


def windowed_operator(node: WindowedAggregate) -> Operator:
    """A new operator; :class:`~tableflow.errors.UnsupportedError` for what none of them computes."""
    match node.assigner:
        case Tumble() | Hop() | Cumulate() if closes_once(node.emit):
            return PaneWindowsOperator(node)
    raise UnsupportedError(f"windows of {type(node.assigner).__name__.upper()} cannot be emitted so")


def closes_once(emit: Emit) -> bool:
    """Whether each window says one thing, when it closes."""
    return (
        all(isinstance(trigger, OnWindowClose) for trigger in emit.triggers) and not emit.lateness and not emit.evicts
    )
