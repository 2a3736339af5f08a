"""Bounds of columns by id over a whole plan, for interval analysis.

Invariant: a domain never lies.  Bounds come from table statistics, which are bounds themselves; a column keeps its id through
every operator, so a bound holds wherever the column is read, except that outer joins add NULLs.
"""

from __future__ import annotations

from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import ColumnRef
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Join,
    JoinKind,
    Node,
    Project,
    Scan,
    SetOperation,
    Shared,
)
from tableflow.planner.logical.structure import inputs
from tableflow.records import replace

_UNKNOWN = Domain()
_NUMBER = (int, float)


def derive_domains(root: Node, context: Context) -> dict[int, Domain]:
    """Domains of all columns of which something is known."""
    found: dict[int, Domain] = {}
    _visit(root, found, context)
    return found


def _visit(node: Node, found: dict[int, Domain], context: Context) -> None:
    for child in inputs(node):
        _visit(child, found, context)
    match node:
        case Scan():
            _of_scan(node, found)
        case Project(fields=fields, expressions=expressions):
            for f, e in zip(fields, expressions, strict=True):
                if isinstance(e, ColumnRef) and e.id != f.id and e.id in found:
                    found[f.id] = found[e.id]
        case SetOperation(fields=fields, columns=columns):
            for f, *sources in zip(fields, *columns, strict=True):
                found[f.id] = _union([found.get(source.id, _UNKNOWN) for source in sources])
        case Shared(fields=fields, columns=columns):
            for f, source in zip(fields, columns, strict=True):
                if source.id in found:
                    found[f.id] = found[source.id]
        case Join():
            _padded_by(node, found, context)
        case _:
            pass


def _of_scan(node: Scan, found: dict[int, Domain]) -> None:
    known = node.provider.statistics().columns
    for f, name in zip(node.fields, node.columns, strict=True):
        column = known.get(name)
        if column is None:
            continue
        nullable = f.nullable and column.nulls != 0
        low, high = _number(column.minimum), _number(column.maximum)
        if low is not None or high is not None or not nullable:
            found[f.id] = Domain(low, high, nullable)


def _padded_by(node: Join, found: dict[int, Domain], context: Context) -> None:
    """Columns of a side that an outer join pads may be NULL."""
    padded = [node.right] if node.kind in {JoinKind.LEFT, JoinKind.SINGLE, JoinKind.FULL} else []
    padded += [node.left] if node.kind in {JoinKind.RIGHT, JoinKind.FULL} else []
    for side in padded:
        for i in context.output_ids(side):
            if i in found and not found[i].nullable:
                found[i] = replace(found[i], nullable=True)


def _number(value: object) -> int | float | None:
    return value if isinstance(value, _NUMBER) and not isinstance(value, bool) else None


def _union(parts: list[Domain]) -> Domain:
    lows, highs = [p.minimum for p in parts], [p.maximum for p in parts]
    return Domain(
        None if any(x is None for x in lows) else min(x for x in lows if x is not None),
        None if any(x is None for x in highs) else max(x for x in highs if x is not None),
        any(p.nullable for p in parts),
    )
