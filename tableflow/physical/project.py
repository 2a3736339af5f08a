"""Computing columns."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import Expression
from tableflow.physical.node import UnaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectColumns(UnaryNode):
    """One expression per output field."""

    expressions: tuple[Expression, ...]
