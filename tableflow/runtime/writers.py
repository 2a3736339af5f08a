"""Which writer an edge needs."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import InternalError
from tableflow.runtime.channel import Channel
from tableflow.runtime.counters import EdgeBlock
from tableflow.runtime.exchange import BroadcastLane, Buffer, HashWriter, Lane, RebalanceLane, SingleLane, Writer
from tableflow.runtime.graph import Edge, ExchangeKind


def writer(edge: Edge, targets: Sequence[Channel | None], task_index: int, batch_rows: int, block: EdgeBlock) -> Writer:
    """The writer of one producing task; ``targets`` are its channels by consuming task."""
    channels = [channel for channel in targets if channel is not None]
    if len(channels) == 1:
        return _one(SingleLane(channels), batch_rows, block, compacts=edge.blocking)
    match edge.kind:
        case ExchangeKind.HASH:
            lanes = [SingleLane([channel]) for channel in channels]
            return HashWriter([Buffer(lane, batch_rows, block, compacts=True) for lane in lanes], edge.keys)
        case ExchangeKind.BROADCAST:
            return _one(BroadcastLane(channels), batch_rows, block)
        case ExchangeKind.REBALANCE:
            return _one(RebalanceLane(channels, task_index % len(channels)), batch_rows, block)
        case _:
            raise InternalError(f"a {edge.kind.value} exchange cannot have {len(channels)} targets")


def result_writer(channel: Channel, batch_rows: int, block: EdgeBlock) -> Writer:
    """The writer of the result."""
    return _one(SingleLane([channel]), batch_rows, block)


def _one(lane: Lane, batch_rows: int, block: EdgeBlock, compacts: bool = False) -> Writer:
    return Writer([Buffer(lane, batch_rows, block, compacts)])
