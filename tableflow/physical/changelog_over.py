"""Functions with OVER of a changelog."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import WindowCall
from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogOver(UnaryNode):
    """Each call's value for each row; ``fields`` are columns of the input, then ``results``, as in a WindowAggregate.

    Partitions that a batch has touched are computed again, and what differs is emitted: a retract stream.  Ties in ``order`` are
    broken by all remaining columns.  Equal partitions are in one task; the input comes in any order.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
