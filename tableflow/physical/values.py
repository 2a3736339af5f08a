"""Constant rows."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import Expression
from tableflow.physical.node import PhysicalNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesScan(PhysicalNode):
    """Rows of expressions without columns; produced by one task."""

    rows: tuple[tuple[Expression, ...], ...]
