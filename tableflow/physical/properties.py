"""Interesting properties: what a physical node requires of its inputs, delivers and preserves.

Partitioning says which task a row is in, ordering how rows follow each other within a task.  Exchanges and sorts are
*enforcers*: they establish a property at a cost.  After Graefe and McKenna, "The Volcano Optimizer Generator" (1993).
"""

from __future__ import annotations

import enum

from tableflow.records import dataclass
from tableflow.serialization import serializable


@serializable
class PartitioningKind(enum.Enum):
    """Where rows are.  ARBITRARY: anywhere; REPLICATED: every row in every task."""

    __hash__ = object.__hash__  # members are single objects; the search's memo hashes them all the time

    ARBITRARY = "arbitrary"
    SINGLE = "single"
    HASH = "hash"
    RANGE = "range"
    REPLICATED = "replicated"


@serializable
@dataclass(frozen=True, slots=True)
class Partitioning:
    """``keys`` are column ids: rows with equal keys are in one task, for HASH and RANGE alike, and nothing more is promised.

    A sort by ranges puts range i into task i, an exchange by boundaries that are given into task i modulo the number of
    tasks.  So nobody may take RANGE for an order across tasks: a gather that is to keep one always merges.
    """

    kind: PartitioningKind
    keys: tuple[int, ...] = ()


@serializable
@dataclass(frozen=True, slots=True)
class OrderingKey:
    """One column of an ordering."""

    column: int
    descending: bool = False
    nulls_first: bool = False


@serializable
class ChangelogMode(enum.Enum):
    """What a stream of changes looks like, see docs/architecture.md, Changelogs."""

    APPEND = "append"
    RETRACT = "retract"
    UPSERT = "upsert"


@serializable
@dataclass(frozen=True, slots=True)
class Properties:
    """Delivered properties.  ``keys`` are sets of column ids whose values are unique together in the whole output.

    ``arrival_ordered``: the node takes its rows in the order in which they arrive, which the query does not say.
    """

    partitioning: Partitioning
    ordering: tuple[OrderingKey, ...] = ()
    bounded: bool = True
    changelog: ChangelogMode = ChangelogMode.APPEND
    keys: tuple[frozenset[int], ...] = ()
    event_time: frozenset[int] = frozenset()
    arrival_ordered: bool = False


@serializable
@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected output: rows in all tasks together, bytes per row, and the cumulative cost (abstract units)."""

    rows: float
    row_bytes: float
    cost: float


ANYWHERE = Partitioning(PartitioningKind.ARBITRARY)
SINGLE = Partitioning(PartitioningKind.SINGLE)
REPLICATED = Partitioning(PartitioningKind.REPLICATED)
