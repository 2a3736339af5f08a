"""Dropping rows."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import Expression
from tableflow.physical.node import UnaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRows(UnaryNode):
    """Keeps rows for which all conjuncts are TRUE.  An error counts only for rows that all others accept."""

    conjuncts: tuple[Expression, ...]
