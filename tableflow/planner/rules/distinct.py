"""DISTINCT over rows that are distinct already, or where duplicates do not matter."""

from __future__ import annotations

from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.facts import unique_keys
from tableflow.planner.logical.nodes import Aggregate, Join, JoinKind, Node, Project
from tableflow.records import replace

_LOOKED_AT = frozenset({JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK})


def eliminate_distinct(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A grouping without results is a projection if a unique key is among its columns; below EXISTS it is nothing."""
    match node:
        case Aggregate(keys=keys, results=(), input=child, late=None) if keys:
            ids = frozenset([f.id for f in keys])
            if any(key <= ids for key in unique_keys(child, context)):
                return Project(child, keys, passing(keys))
        case Join(kind=kind, right=Aggregate(keys=keys, results=(), input=child, late=None)) if (
            keys and kind in _LOOKED_AT
        ):
            return replace(node, right=child)
        case _:
            pass
    return None
