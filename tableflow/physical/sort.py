"""Ordering rows: full sorts, top-N, limits."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class SortRows(UnaryNode):
    """Orders the rows of each task.  With ``publication`` set (by lowering) the sort is parallel: each task contributes
    a sorted run, ranges of the keys have one owner each, and task i emits range i: tasks hold ascending ranges.
    """

    keys: tuple[OrderingKey, ...]
    publication: str = ""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TopN(UnaryNode):
    """The first ``limit`` rows after ``offset`` in this order, per task; ordered output.

    A plan has a local one with offset 0 and limit + offset in each task, and a final one in a single task.
    """

    keys: tuple[OrderingKey, ...]
    limit: int
    offset: int = 0


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRows(UnaryNode):
    """At most ``limit`` rows (None: all) after ``offset``, per task, in arrival order; ends its input early."""

    limit: int | None
    offset: int = 0
