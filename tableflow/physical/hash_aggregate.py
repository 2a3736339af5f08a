"""Grouping by hash table, in one or two phases."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.node import UnaryNode
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
class AggregatePhase(enum.Enum):
    """SINGLE: rows to results.  PARTIAL: rows to states (keys, then state columns).  FINAL: states to results."""

    SINGLE = "single"
    PARTIAL = "partial"
    FINAL = "final"


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashAggregate(UnaryNode):
    """Groups by ``keys`` (fields of the input, kept first in ``fields``).

    SINGLE, FINAL: ``fields`` are keys then one result per call.  PARTIAL: keys then each call's state columns, as
    :func:`state_fields` gives them; the FINAL node above has the same ``calls`` and reads the states by position.
    Without keys SINGLE and FINAL give exactly one row (and run in one task).
    """

    phase: AggregatePhase
    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
