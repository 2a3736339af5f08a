"""The first rows of each partition of a changelog."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogTopN(UnaryNode):
    """Of the rows with equal columns ``partition`` those from ``offset`` on, ``limit`` of them (None: all), by ``order``.

    ``rank`` is the number of the row within its partition, from 1, appended to the columns of the input; ``fields`` are any columns
    of the input in order, then the rank if it is wanted.  Ties are broken by all remaining columns, so that the answer depends on
    nothing but the rows.  The output is a retract stream.  Equal partitions are in one task.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    limit: int | None
    offset: int = 0
    rank: Field | None = None
