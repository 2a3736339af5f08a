"""Implementation rule of columns that are fetched for rows which are known by their position."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.physical.fetch_columns import FetchColumns
from tableflow.physical.node import PhysicalNode
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.requirements import NOTHING, Required
from tableflow.planner.logical import nodes as logical
from tableflow.runtime.graph import SourceSpec

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_fetch(search: Search, node: logical.Fetch, required: Required) -> Iterable[PhysicalNode]:
    """Where the rows are, which is one task below a LIMIT; their order stays."""
    child = search.best(node.input, NOTHING)
    wanted = search.needed(node)
    pairs = [(f, name) for f, name in zip(node.fields, node.columns, strict=True) if f.id in wanted]
    fetched = tuple([f for f, _ in pairs])
    fields = (*[f for f in child.fields if f.id in wanted and f.id != node.row.id], *fetched)
    kind, options = node.provider.fetch(tuple([name for _, name in pairs]))
    properties = child.facts.properties
    work = child.facts.estimate.rows * len(fetched) * costs.FETCHED_VALUE
    facts = search.facts(node, fields, (child,), work, properties.partitioning, properties.ordering)
    yield FetchColumns(
        fields=fields,
        facts=facts,
        input=child,
        table=node.table,
        lookup=SourceSpec(kind, options),
        position=node.row.id,
        fetched=fetched,
    )
