"""Rows of small queries, made without a plan and without a job.

That is: constant rows (VALUES), rows of a managed table by their key, and constant rows joined with the rows of a managed table
that have their key (ON CONFLICT); with projections and filters over them.  The rows are those that the same query
gives as a job.  Constant rows may read columns of parameters: then they are made once for each row of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeAlias

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_columns, take_rows
from tableflow.config import FORCE_REPRESENTATION, SCHEDULER_SEED, SERIALIZE_PLANS, Settings
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.source import looked_up
from tableflow.errors import InternalError
from tableflow.expressions.evaluation import filter_rows, project
from tableflow.expressions.nodes import column_ids
from tableflow.physical.value_rows import ONE_ROW, typed, value_rows
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Project, Query, Scan, Values
from tableflow.records import dataclass
from tableflow.session.direct_keys import wanted_by_filter, wanted_by_join
from tableflow.storage.description import ROW_ID
from tableflow.storage.key_index import key_hashes
from tableflow.storage.table_view import TableView

ViewOf: TypeAlias = Callable[[ManagedProvider], TableView]
"""The version of a table that a scan of it reads."""


def bound_view(provider: ManagedProvider) -> TableView:
    """The version that the statement was bound to."""
    return provider.view


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch without selection, and the position of each column by id."""

    batch: Batch
    where: dict[int, int]


def is_constant(root: Node) -> bool:
    """Whether the rows are constants, computed with nothing but parameters."""
    while isinstance(root, Project):
        root = root.input
    return isinstance(root, Values)


def is_direct(root: Node, settings: Settings) -> bool:
    """Whether :func:`rows_of` makes the rows; not if a setting wants jobs to be seen at work."""
    return is_constant(root) or (_may_look_up(settings) and _looks_up(root))


def _may_look_up(settings: Settings) -> bool:
    if settings.get(SCHEDULER_SEED) >= 0 or settings.get(SERIALIZE_PLANS):
        return False
    return settings.get(FORCE_REPRESENTATION) == "natural"


def _looks_up(node: Node) -> bool:
    match node:
        case Values():
            return True
        case Filter(input=Scan()):
            return wanted_by_filter(node) is not None
        case Project(input=child) | Filter(input=child):
            return _looks_up(child)
        case Join(left=left):
            return wanted_by_join(node) is not None and _looks_up(left)
    return False


def begins_with_constants(node: Node) -> bool:
    """Whether a direct query's rows come from constants, with whatever is looked up for them."""
    match node:
        case Project(input=child) | Filter(input=child) | Join(left=child):
            return begins_with_constants(child)
    return isinstance(node, Values)


def tables_read(node: Node) -> list[ManagedProvider]:
    """The managed tables that a direct query reads."""
    match node:
        case Scan(provider=provider):
            return [provider] if isinstance(provider, ManagedProvider) else []
        case Project(input=child) | Filter(input=child):
            return tables_read(child)
        case Join(left=left, right=right):
            return [*tables_read(left), *tables_read(right)]
    return []


def columns_read(node: Node) -> frozenset[int]:
    """Ids that the expressions of a direct query read."""
    match node:
        case Values(rows=rows):
            return frozenset[int]().union(*(column_ids(value) for row in rows for value in row))
        case Project(input=child, expressions=expressions):
            return columns_read(child).union(*map(column_ids, expressions))
        case Filter(input=child, conjuncts=conjuncts):
            return columns_read(child).union(*map(column_ids, conjuncts))
        case Join(left=left, conjuncts=conjuncts):
            return columns_read(left).union(*map(column_ids, conjuncts))
    return frozenset()


def columns_needed(query: Query) -> frozenset[int]:
    """Ids of the columns that a direct query reads or gives."""
    return columns_read(query.root) | {column.id for column in query.columns}


def rows_of(
    query: Query,
    parameters: Batch = ONE_ROW,
    where: Mapping[int, int] | None = None,
    view_of: ViewOf = bound_view,
    read: frozenset[int] | None = None,
) -> Batch:
    """The rows of a query that :func:`is_direct`, in the order of its columns; ``where`` gives parameters by id.

    ``read``, if it is known, is :func:`columns_needed`.
    """
    if read is None:
        read = columns_needed(query)
    found = _Evaluation(parameters, where or {}, view_of, read).rows(query.root)
    return found.batch.project([found.where[column.id] for column in query.columns])


def runs_of_distinct_keys(query: Query, parameters: Batch, where: Mapping[int, int]) -> list[tuple[int, int]]:
    """Ranges of parameter rows, in order, in none of which a key occurs twice that the query looks up for its rows.

    As long as can be; a row whose own rows have a key twice is a range by itself.
    """
    node = query.root
    while isinstance(node, (Project, Filter)):
        node = node.input
    if parameters.length < 2 or not isinstance(node, Join):
        return [(0, parameters.length)]
    found = wanted_by_join(node)
    if found is None or not is_constant(node.left):
        return [(row, row + 1) for row in range(parameters.length)]
    read = columns_read(node.left) | set(found[3])
    below = _Evaluation(parameters, where, bound_view, read).rows(node.left)
    keys = [below.batch.columns[below.where[column]] for column in found[3]]
    hashes, positions = key_hashes(keys, below.batch.length)
    rows = positions // max(below.batch.length // parameters.length, 1)
    runs: list[tuple[int, int]] = []
    start = 0
    newest: dict[int, int] = {}
    for row, key in zip(rows.tolist(), hashes.tolist(), strict=True):
        if newest.get(key, -1) >= start and newest[key] != row:
            runs.append((start, row))
            start = row
        newest[key] = row
    return [*runs, (start, parameters.length)]


class _Evaluation:
    """Parameter columns stay beside the rows all the way up, so that every expression may read them."""

    def __init__(self, parameters: Batch, where: Mapping[int, int], view_of: ViewOf, read: Set[int]) -> None:
        self._parameters = parameters
        self._given = where
        self._view_of = view_of
        self._read = read

    def rows(self, node: Node) -> _Rows:
        match node:
            case Values():
                return self._values(node)
            case Filter(input=Scan()):
                return self._looked_up(node)
            case Project(input=child, fields=fields, expressions=expressions):
                below = self.rows(child)
                columns = project(expressions, below.batch, below.where)
                made = [typed(c, f.type) for c, f in zip(columns, fields, strict=True)]
                return self._beside(made, [f.id for f in fields], below)
            case Filter(input=child, conjuncts=conjuncts):
                below = self.rows(child)
                kept = filter_rows(conjuncts, below.batch, below.where)
                if len(kept) == below.batch.length:
                    return below
                return _Rows(take_rows(below.batch, kept), below.where)
            case Join():
                return self._joined(node)
        raise InternalError(f"a {type(node).__name__} cannot be evaluated without a job")

    def _values(self, node: Values) -> _Rows:
        types = [f.type for f in node.fields]
        batch = value_rows(node.rows, types, self._parameters, self._given)
        where = {f.id: i for i, f in enumerate(node.fields)}
        if not self._given:
            return _Rows(batch, where)
        given = self._parameters
        if batch.length != given.length:
            times = batch.length // given.length
            given = take_rows(given, np.repeat(np.arange(given.length), times))
        where |= {column: len(types) + i for column, i in self._given.items()}
        return _Rows(Batch((*batch.columns, *given.columns), batch.length), where)

    def _beside(self, columns: Sequence[Column], ids: Sequence[int], below: _Rows) -> _Rows:
        """New columns, and the parameters that are below."""
        where = {column: i for i, column in enumerate(ids)}
        kept = [below.batch.columns[below.where[column]] for column in self._given if column in below.where]
        where |= {column: len(ids) + i for i, column in enumerate(c for c in self._given if c in below.where)}
        return _Rows(Batch((*columns, *kept), below.batch.length), where)

    def _looked_up(self, node: Filter) -> _Rows:
        found = wanted_by_filter(node)
        assert found is not None
        lookup, rest, scan, provider = found
        chosen = _columns(scan, provider, self._read)
        view = self._view_of(provider)
        columns, rows = looked_up(view, [stored for _, stored in chosen], lookup.key, lookup.values)
        where = {column: i for i, (column, _) in enumerate(chosen)}
        batch = Batch(columns, rows)
        if rest and rows:
            batch = compact(batch.with_selection(filter_rows(rest, batch, where)))
        return _Rows(batch, where)

    def _joined(self, node: Join) -> _Rows:
        below = self.rows(node.left)
        found = wanted_by_join(node)
        assert found is not None
        scan, provider, key, ids = found
        view = self._view_of(provider)
        keys = [below.batch.columns[below.where[column]] for column in ids]
        rows = view.find(key, keys) if below.batch.length else np.empty(0, np.int64)
        if node.kind is JoinKind.ANTI:
            return _Rows(take_rows(below.batch, np.flatnonzero(rows < 0)), below.where)
        chosen = _columns(scan, provider, self._read)
        there = rows >= 0
        fetched = view.fetch(rows[there], [stored for _, stored in chosen])
        places = np.where(there, np.cumsum(there) - 1, -1)
        columns = take_columns(fetched, places, nullable=True)
        where = {**below.where, **{c: len(below.batch.columns) + i for i, (c, _) in enumerate(chosen)}}
        return _Rows(Batch((*below.batch.columns, *columns), below.batch.length), where)


def _columns(scan: Scan, provider: ManagedProvider, read: Set[int]) -> list[tuple[int, int | None]]:
    """Ids in the plan and in the table of the columns that are read."""
    stored: dict[str, int | None] = {column.name: column.id for column in provider.description.columns}
    stored[ROW_ID] = None
    return [(f.id, stored[name]) for f, name in zip(scan.fields, scan.columns, strict=True) if f.id in read]
