"""Columns that are processing time: PROCTIME(), handed on by projections."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef
from tableflow.planner.logical.nodes import Node, Project
from tableflow.planner.logical.structure import inputs


def is_processing_time(node: Node, column: int) -> bool:
    """Whether a column of the node is PROCTIME()."""
    if isinstance(node, Project):
        for field, expression in zip(node.fields, node.expressions, strict=True):
            if field.id == column:
                match expression:
                    case Call(function="proctime"):
                        return True
                    case ColumnRef(id=source) if source != column:
                        return is_processing_time(node.input, source)
                    case ColumnRef():
                        break
                    case _:
                        return False
    return any(is_processing_time(child, column) for child in inputs(node))
