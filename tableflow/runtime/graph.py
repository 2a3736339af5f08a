"""The job graph: all that the runtime receives.  Plain values, as JSON between processes.

A stage is a chain of operators with no exchange between them; its tasks are its parallel instances.  Edges
join stages through exchanges.  Operators are opaque: ``build(spec)`` makes one, given by whoever starts the runtime.
"""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Any

from tableflow.catalog.provider import Alignment
from tableflow.expressions.nodes import ColumnRef
from tableflow.records import dataclass
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """An operator to be built: its kind, its definition as JSON, its name for people, its stateful id."""

    kind: str
    definition: Any
    name: str
    state_id: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source as a plain value: the connector's kind and its options, understood by the connector alone.

    ``alignment``, with other sources of the job, is the runtime's.
    """

    kind: str
    options: Any
    alignment: Alignment | None = None


@serializable
@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A sink as a plain value: the connector's kind and its options, understood by the connector alone."""

    kind: str
    options: Any


@serializable
class ExchangeKind(enum.Enum):
    """How the rows of a producer's tasks reach the consumer's."""

    FORWARD = "forward"
    HASH = "hash"
    RANGE = "range"
    BROADCAST = "broadcast"
    REBALANCE = "rebalance"
    GATHER = "gather"


@serializable
@dataclass(frozen=True, slots=True)
class Edge:
    """One exchange from ``producer`` to input ``port`` of ``consumer``.

    ``keys`` are positions in the producer's output (HASH, RANGE).  ``boundaries`` (RANGE) are ascending storage values of the one
    key: the range between two of them goes to one task, the next range to the next task.  ``ordering`` is (position, descending, nulls_first) for
    a GATHER that merges sorted inputs, and then the consumer sees one sorted stream.  ``blocking``: nothing is
    handed on before the producer has ended; rows are held under the memory budget meanwhile.  ``feedback``: the way
    back from the tail of a loop to its head, outside the credits.  ``shared`` (HASH): the consumer keeps rows, and need not copy them if it
    gets its part of a batch by reference.
    """

    producer: int
    consumer: int
    port: int
    kind: ExchangeKind
    keys: tuple[int, ...] = ()
    ordering: tuple[tuple[int, bool, bool], ...] = ()
    blocking: bool = False
    feedback: bool = False
    boundaries: tuple[int, ...] = ()
    shared: bool = False


@serializable
@dataclass(frozen=True, slots=True)
class Narrowing:
    """A source need not give rows whose ``column`` equals key number ``key`` of no row of the published ``build``.

    The handle of such a build is a :class:`~tableflow.runtime.narrowing.KeyedBuild`.
    """

    build: str
    key: int
    column: ColumnRef


@serializable
@dataclass(frozen=True, slots=True)
class Stage:
    """A chain of operators, head first.  ``source``: the head reads splits of it instead of channels.

    ``publishes`` are keys of builds its tasks contribute to; ``reads`` are keys that must be sealed before a task of
    it takes its first input (an operator may also wait for one by itself).  ``narrowings`` are of builds that it reads.
    """

    id: int
    operators: tuple[OperatorSpec, ...]
    parallelism: int
    source: SourceSpec | None = None
    publishes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()


@serializable
@dataclass(frozen=True, slots=True)
class JobGraph:
    """Stages and edges; the rows of ``result`` (a stage with one task) go to the job's reader."""

    stages: tuple[Stage, ...]
    edges: tuple[Edge, ...]
    result: int | None
    settings: tuple[tuple[str, str], ...] = field(default=())
