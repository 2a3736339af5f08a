"""The diamond invariant: no task may wait for one input while the other, full, stops the producer of both.

Where two paths from one producer meet at an operator that prefers a port, at least one of them must be blocking (or
go through a publication, which is no path: its reader holds nothing of the producer back).  Checked after planning.
"""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.errors import InternalError
from tableflow.runtime.graph import Edge, JobGraph


def check_diamonds(graph: JobGraph, prefers_port: Mapping[int, bool]) -> None:
    """Raises :class:`InternalError` naming producer and consumer of a diamond that could deadlock.

    ``prefers_port`` says of each stage whether the operator at its head reads one port before another.
    """
    incoming: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        incoming.setdefault(edge.consumer, []).append(edge)
    for stage in graph.stages:
        edges = incoming.get(stage.id, [])
        if len(edges) < 2 or not prefers_port.get(stage.id, False):
            continue
        reached: dict[int, int] = {}
        for edge in edges:
            for producer in _pipelined_producers(edge, incoming):
                other = reached.setdefault(producer, edge.port)
                if other != edge.port:
                    raise InternalError(
                        f"stage {producer} reaches ports {other} and {edge.port} of stage {stage.id} by pipelined exchanges",
                        detail="the stage reads one port first, so the producer could wait for ever",
                    )


def _pipelined_producers(edge: Edge, incoming: Mapping[int, list[Edge]]) -> set[int]:
    """Stages whose output flows into ``edge`` without being held back on the way."""
    found: set[int] = set()
    frontier = [edge]
    while frontier:
        current = frontier.pop()
        if current.blocking or current.producer in found:
            continue
        found.add(current.producer)
        frontier.extend(incoming.get(current.producer, []))
    return found
