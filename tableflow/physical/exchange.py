"""Exchange: the enforcer of partitioning, where a plan is cut into stages."""

from __future__ import annotations

from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.records import dataclass
from tableflow.runtime.graph import ExchangeKind
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(UnaryNode):
    """Moves rows between tasks.  HASH by column ids ``keys``; RANGE by one, cut at ``boundaries``; GATHER with ``ordering`` merges sorted inputs.

    ``parallelism`` is that of the consuming stage; 0 means the job's default.
    """

    kind: ExchangeKind
    keys: tuple[int, ...] = ()
    ordering: tuple[OrderingKey, ...] = ()
    blocking: bool = False
    parallelism: int = 0
    boundaries: tuple[int, ...] = ()
