"""From an upsert stream to a retract stream."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.physical.node import UnaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize(UnaryNode):
    """+1 puts the row of a key, -1 deletes it (its other columns may be anything); rows of a key come in order.

    ``key`` are column ids.  Equal keys are in one task.  An update that changes nothing is not emitted.
    """

    key: tuple[int, ...]
