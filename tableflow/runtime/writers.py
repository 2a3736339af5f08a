"""Which writer an edge needs."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import InternalError
from tableflow.runtime.channel import Channel
from tableflow.runtime.counters import EdgeBlock
from tableflow.runtime.exchange import Buffer, HashWriter, RangeWriter, Writer
from tableflow.runtime.graph import Edge, ExchangeKind
from tableflow.runtime.lanes import BroadcastLane, Lane, RebalanceLane, ResultLane, SingleLane
from tableflow.runtime.memory import MemoryPool


def writer(
    edge: Edge,
    channels: Sequence[Channel],
    task_index: int,
    batch_rows: int,
    block: EdgeBlock,
    memory: MemoryPool,
) -> Writer:
    """The writer of one producing task; ``channels`` are its own, by consuming task."""
    if len(channels) == 1:
        return _one(SingleLane(channels), batch_rows, block, memory, compacts=edge.blocking)
    match edge.kind:
        case ExchangeKind.HASH:
            lanes = [SingleLane([channel]) for channel in channels]
            buffers = [Buffer(lane, batch_rows, block, memory, compacts=True) for lane in lanes]
            return HashWriter(buffers, edge.keys, shared=edge.shared and not edge.blocking and not edge.feedback)
        case ExchangeKind.RANGE:
            lanes = [SingleLane([channel]) for channel in channels]
            buffers = [Buffer(lane, batch_rows, block, memory, compacts=True) for lane in lanes]
            return RangeWriter(buffers, edge.keys[0], edge.boundaries)
        case ExchangeKind.BROADCAST:
            return _one(BroadcastLane(channels), batch_rows, block, memory)
        case ExchangeKind.REBALANCE:
            return _one(RebalanceLane(channels, task_index % len(channels)), batch_rows, block, memory)
        case _:
            raise InternalError(f"a {edge.kind.value} exchange cannot have {len(channels)} targets")


def result_writer(channel: Channel, batch_rows: int, block: EdgeBlock, memory: MemoryPool) -> Writer:
    """The writer of the result."""
    return _one(ResultLane([channel]), batch_rows, block, memory)


def _one(lane: Lane, batch_rows: int, block: EdgeBlock, memory: MemoryPool, compacts: bool = False) -> Writer:
    return Writer([Buffer(lane, batch_rows, block, memory, compacts=compacts)])
