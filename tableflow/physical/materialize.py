"""A result that is computed once and read several times, or whole before it is read."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.physical.node import PhysicalNode, UnaryNode
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedResult(UnaryNode):
    """One reader of the common subplan ``publication``; all readers have equal inputs.

    ``sources`` are the input's fields in the order of ``fields`` (which have new ids).
    """

    publication: str
    sources: tuple[Field, ...]


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRows(UnaryNode):
    """Terminal: contributes its batches to the published row set ``publication`` (made by lowering)."""

    publication: str


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScan(PhysicalNode):
    """Leaf: batches of a published row set, dealt out among the stage's tasks (made by lowering)."""

    publication: str
