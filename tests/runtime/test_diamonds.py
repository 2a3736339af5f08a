"""The diamond invariant, a fixture per shape."""

from __future__ import annotations

import pytest

from tableflow.errors import InternalError
from tableflow.runtime.diamonds import check_diamonds
from tableflow.runtime.graph import Edge, ExchangeKind, JobGraph, Stage


def _graph(*edges: Edge) -> JobGraph:
    ids = sorted({edge.producer for edge in edges} | {edge.consumer for edge in edges})
    return JobGraph(tuple(Stage(number, (), 2) for number in ids), edges, ids[-1])


def _edge(producer: int, consumer: int, port: int = 0, *, blocking: bool = False) -> Edge:
    return Edge(producer, consumer, port, ExchangeKind.HASH, (0,), blocking=blocking)


SELF_JOIN = (_edge(0, 1, 0), _edge(0, 1, 1))
SHARED_SUBPLAN = (_edge(0, 1), _edge(0, 2), _edge(1, 3, 0), _edge(2, 3, 1))
UNION_OF_ONE_SOURCE = (_edge(0, 1), _edge(0, 2), _edge(1, 3, 0), _edge(2, 3, 1), _edge(3, 4, 0), _edge(0, 4, 1))


@pytest.mark.parametrize("edges", [SELF_JOIN, SHARED_SUBPLAN, UNION_OF_ONE_SOURCE])
def test_pipelined_diamonds_are_found(edges: tuple[Edge, ...]) -> None:
    graph = _graph(*edges)
    with pytest.raises(InternalError, match="reaches ports"):
        check_diamonds(graph, {graph.result or 0: True})


@pytest.mark.parametrize("edges", [SELF_JOIN, SHARED_SUBPLAN, UNION_OF_ONE_SOURCE])
def test_an_operator_without_preference_may_read_both_sides(edges: tuple[Edge, ...]) -> None:
    check_diamonds(_graph(*edges), {})


def test_one_blocking_path_is_enough() -> None:
    graph = _graph(_edge(0, 1, 0, blocking=True), _edge(0, 1, 1))
    check_diamonds(graph, {1: True})
    far = _graph(_edge(0, 1), _edge(0, 2, blocking=True), _edge(1, 3, 0), _edge(2, 3, 1))
    check_diamonds(far, {3: True})


def test_different_producers_are_no_diamond() -> None:
    check_diamonds(_graph(_edge(0, 2, 0), _edge(1, 2, 1)), {2: True})
