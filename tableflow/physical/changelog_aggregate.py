"""Grouping over a changelog."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.node import UnaryNode
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogAggregate(UnaryNode):
    """Groups by ``keys`` (fields of the input, kept first in ``fields``), then one result per call; GROUP BY and DISTINCT.

    The output is a retract stream: of every group that a batch has touched the old row with -1 and the new one with +1, nothing
    when they are equal.  Equal keys are in one task; without keys there is exactly one row (and one task).  With ``per_epoch``
    the changes of an epoch are emitted together before it passes (mini-batch).  ``retracting``: the input may carry -1.
    """

    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    retracting: bool = True
    per_epoch: bool = False
