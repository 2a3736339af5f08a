"""Implementation rules of UNION ALL and of common subplans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.errors import InternalError
from tableflow.physical.materialize import SharedResult
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import ANYWHERE
from tableflow.physical.set_operation import UnionAll
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import arrange
from tableflow.planner.implementation.requirements import NOTHING, Required
from tableflow.planner.logical import nodes as logical

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_set_operation(search: Search, node: logical.SetOperation, required: Required) -> Iterable[PhysicalNode]:
    """UNION ALL; the other set operations have been rewritten."""
    if node.kind is not logical.SetKind.UNION_ALL:
        raise InternalError(f"{node.kind.value} reached physical planning")
    wanted = search.needed(node)
    kept = [i for i, f in enumerate(node.fields) if f.id in wanted]
    branches = []
    for child, columns in zip(node.inputs, node.columns, strict=True):
        branches.append(arrange(search.best(child, NOTHING), tuple(columns[i] for i in kept)))
    fields = tuple(node.fields[i] for i in kept)
    work = sum(branch.facts.estimate.rows for branch in branches) * 0.5
    yield UnionAll(fields=fields, facts=search.facts(node, fields, branches, work, ANYWHERE), branches=tuple(branches))


def implement_shared(search: Search, node: logical.Shared, required: Required) -> Iterable[PhysicalNode]:
    """The first reader plans the input and pays for it; the others read the same published rows."""
    first = search.shared.get(node.key)
    if first is None:
        # Published rows are read by position, whatever order the cheapest plan delivers them in.
        child = arrange(search.best(node.input, NOTHING), node.columns)
        publication = search.publication("shared")
    else:
        assert isinstance(first, SharedResult)
        if [f.id for f in first.sources] != [f.id for f in node.columns]:
            raise InternalError(f"readers of the shared plan {node.key} read different columns")
        child, publication = first.input, first.publication
    reading = child.facts.estimate.rows * costs.OUTPUT_VALUE
    plan = SharedResult(
        fields=node.fields,
        facts=search.facts(node, node.fields, (child,) if first is None else (), reading, ANYWHERE),
        input=child,
        publication=publication,
        sources=node.columns,
    )
    search.shared.setdefault(node.key, plan)
    yield plan
