"""Queries for rows by their key, answered without a plan and without a job: a look-up takes less than either.

What is answered so is a projection and filter over one managed table of which a key is compared with constants.  The rows are
those that the same query gives as a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.representation import boundary, declared
from tableflow.config import FORCE_REPRESENTATION, SCHEDULER_SEED, SERIALIZE_PLANS, TIME_ZONE, Settings
from tableflow.connectors.managed.key_predicate import Lookup, find_lookup
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.source import looked_up
from tableflow.expressions.evaluation import filter_rows, project
from tableflow.expressions.nodes import Call, ColumnRef, Expression, column_ids, transform
from tableflow.physical.value_rows import typed
from tableflow.planner.logical.nodes import Filter, Node, Project, Query, Scan
from tableflow.session.batches_result import BatchesResult
from tableflow.session.outcome import ResultColumn
from tableflow.storage.description import ROW_ID


@dataclass(frozen=True, slots=True)
class PointQuery:
    """The projections from the top down, conjuncts that remain, and which rows of the table are looked up."""

    query: Query
    projects: tuple[Project, ...]
    rest: tuple[Expression, ...]
    scan: Scan
    provider: ManagedProvider
    lookup: Lookup


def point_query(query: Query, settings: Settings) -> PointQuery | None:
    """The query as a look-up; None if it is none, or a setting wants jobs to be seen at work."""
    projects: list[Project] = []
    node: Node = query.root
    while isinstance(node, Project):
        projects.append(node)
        node = node.input
    if not isinstance(node, Filter) or not isinstance(node.input, Scan):
        return None
    scan = node.input
    provider = scan.provider
    if not isinstance(provider, ManagedProvider) or scan.predicates or not provider.description.keys:
        return None
    if (
        settings.get(SCHEDULER_SEED) >= 0
        or settings.get(SERIALIZE_PLANS)
        or settings.get(FORCE_REPRESENTATION) != "natural"
    ):
        return None
    names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
    conjuncts = [each for conjunct in node.conjuncts for each in _split(conjunct)]
    named = [_by_table_name(conjunct, names) for conjunct in conjuncts]
    lookup = find_lookup(provider.description, named)
    if lookup is None:
        return None
    rest = tuple(
        conjunct
        for conjunct, said in zip(conjuncts, named, strict=True)
        if not any(said is e for e in lookup.conjuncts)
    )
    return PointQuery(query, tuple(projects), rest, scan, provider, lookup)


def _split(conjunct: Expression) -> Sequence[Expression]:
    if isinstance(conjunct, Call) and conjunct.function == "and":
        return [each for argument in conjunct.args for each in _split(argument)]
    return [conjunct]


def _by_table_name(conjunct: Expression, names: dict[int, str]) -> Expression:
    def named(e: Expression) -> Expression:
        return replace(e, name=names[e.id]) if isinstance(e, ColumnRef) and e.id in names else e

    return transform(conjunct, named)


def answer(point: PointQuery, settings: Settings) -> BatchesResult:
    """The rows."""
    zone = settings.get(TIME_ZONE)
    batch, where = _rows(point)
    for each in reversed(point.projects):
        columns = project(each.expressions, batch, where)
        batch = Batch([typed(c, f.type) for c, f in zip(columns, each.fields, strict=True)], batch.rows)
        where = {f.id: i for i, f in enumerate(each.fields)}
    fields = point.query.columns
    schema = pa.schema([pa.field(f.name, declared(f.type, zone)) for f in fields])
    made = []
    if batch.rows:
        whole = compact(batch)
        arrays = [boundary(whole.columns[where[f.id]], zone=zone) for f in fields]
        made.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return BatchesResult([ResultColumn(f.name, f.type, f.nullable) for f in fields], schema, made)


def _rows(point: PointQuery) -> tuple[Batch, dict[int, int]]:
    """The rows of the table that satisfy all conjuncts, with the columns that are read."""
    read = {f.id for f in point.query.columns}.union(*map(column_ids, point.rest))
    for each in point.projects:
        read = read.union(*map(column_ids, each.expressions))
    ids = {column.name: column.id for column in point.provider.description.columns} | {ROW_ID: None}
    chosen = [(f.id, ids[n]) for f, n in zip(point.scan.fields, point.scan.columns, strict=True) if f.id in read]
    columns, rows = looked_up(
        point.provider.view, [column for _, column in chosen], point.lookup.key, point.lookup.values
    )
    where = {field: i for i, (field, _) in enumerate(chosen)}
    batch = Batch(columns, rows)
    if point.rest and rows:
        kept = filter_rows(point.rest, batch, where)
        batch = batch.with_selection(np.asarray(kept, np.uint32)) if len(kept) < rows else batch
    return batch, where
