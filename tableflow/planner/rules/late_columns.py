"""Columns that nobody reads before the first rows are found are fetched for these rows alone.

Invariant: between the scan and the LIMIT there are only nodes that keep rows as they are, so that a row's position leads
to the very values that would have come with it.
"""

from __future__ import annotations

from tableflow.catalog.fetching import FetchProvider
from tableflow.config import LATE_COLUMNS
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Aggregate, Fetch, Filter, Limit, Node, Project, Scan, Sort
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import BIGINT, Field

_PAGE_ROWS = 20_000.0
"""Rows that are decompressed, column by column, to get at one of them."""
_VALUE, _BYTE = 1.5, 0.7
"""Nanoseconds to decompress and decode one."""
_OPEN = 40_000.0
"""Nanoseconds to find one column of a few rows that lie together."""
_ASK = 1_000_000.0
"""Nanoseconds of one more operator and what it asks."""
_GROUP_ROWS = 100_000.0
_LEAST_GAIN = 2.0


def fetch_columns_late(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Below a LIMIT over a sort of files' rows: what only the result reads comes last, by position, and is computed with then."""
    assert isinstance(node, Limit)
    sort = node.input
    if node.limit is None or not isinstance(sort, Sort) or context.settings.get(LATE_COLUMNS) == "off":
        return None
    if _is_over_groups(sort.input):
        from tableflow.planner.rules.late_keys import fetch_keys_late

        return fetch_keys_late(node, sort, required, context)
    above = _computed_above(node, sort, required, context)
    if above is not None:
        assert isinstance(above.input, Limit)
        fetched = _fetched(above.input, context.references(above), context)
        if fetched is not None:
            return replace(above, input=fetched)
    return _fetched(node, required, context)


def _is_over_groups(node: Node) -> bool:
    while isinstance(node, Filter | Project):
        node = node.input
    return isinstance(node, Aggregate) and len(node.keys) > 1


def _computed_above(node: Limit, sort: Sort, required: frozenset[int], context: Context) -> Project | None:
    """The plan in which columns that the sort does not read are computed for its first rows; None if there are none such."""
    project = sort.input
    if not isinstance(project, Project):
        return None
    kept: dict[int, Expression] = {}
    late: dict[int, Expression] = {}
    keys = context.references(sort)
    for f, e in zip(project.fields, project.expressions, strict=True):
        handed_on = isinstance(e, ColumnRef) and e.id == f.id
        (kept if handed_on or f.id in keys or not context.movable(e) else late)[f.id] = e
    if required.isdisjoint(late):
        return None
    read = frozenset[int]().union(*[context.columns(e) for i, e in late.items() if i in required])
    fields = [f for f in project.fields if f.id in kept]
    fields += [f for f in context.output(project.input) if f.id in read - kept.keys()]
    below = Project(project.input, tuple(fields), tuple([kept.get(f.id) or reference(f) for f in fields]))
    shown = [f for f in project.fields if f.id in required]
    limited = replace(node, input=replace(sort, input=below))
    return Project(limited, tuple(shown), tuple([late.get(f.id) or reference(f) for f in shown]))


def _fetched(node: Limit, required: frozenset[int], context: Context) -> Node | None:
    """The plan in which columns that nothing reads below are fetched for the first rows, if that pays."""
    sort = node.input
    assert isinstance(sort, Sort)
    scan = _scan_below(sort.input)
    if scan is None or not isinstance(scan.provider, FetchProvider) or not scan.provider.bounded:
        return None
    provider = scan.provider
    late = _only_handed_on(sort, scan, required, context)
    if not late or provider.position in scan.columns:
        return None
    offered = provider.fetchable()
    names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
    late = [f for f in late if names[f.id] in offered]
    if not late or not _pays(node, sort, scan, late, context):
        return None
    row = Field(context.fresh_id(), provider.position, BIGINT, nullable=False)
    gone = frozenset([f.id for f in late])
    limited = replace(node, input=replace(sort, input=_numbered(sort.input, gone, row)))
    return Fetch(limited, row, scan.table, provider, tuple(late), tuple([names[f.id] for f in late]))


def _scan_below(node: Node) -> Scan | None:
    while isinstance(node, (Filter, Project)):
        node = node.input
    return node if isinstance(node, Scan) else None


def _only_handed_on(sort: Sort, scan: Scan, required: frozenset[int], context: Context) -> list[Field]:
    """Columns of the scan that come out of the sort as themselves, and that nothing reads before."""
    read = set(context.references(sort)) | context.references(scan)
    handed_on = required & context.output_ids(sort)
    node = sort.input
    while not isinstance(node, Scan):
        assert isinstance(node, (Filter, Project))
        if isinstance(node, Filter):
            read |= context.references(node)
        else:
            pairs = list(zip(node.fields, node.expressions, strict=True))
            same = {f.id for f, e in pairs if isinstance(e, ColumnRef) and e.id == f.id}
            read = read.union(*[context.columns(e) for f, e in pairs if f.id not in same])
            handed_on &= same
        node = node.input
    return [f for f in scan.fields if f.id in handed_on and f.id not in read]


def _pays(limit: Limit, sort: Sort, scan: Scan, late: list[Field], context: Context) -> bool:
    """Whether all rows that are sorted cost more than those that come out, of which each needs a page of each column."""
    if context.settings.get(LATE_COLUMNS) == "always":
        return True
    assert limit.limit is not None
    statistics = context.statistics
    columns = [f.id for f in late]
    table, found = statistics.table_rows(scan), statistics.rows(sort.input)
    at_once = cost_of_all(scan, columns, min(table, found * _PAGE_ROWS), context)
    fetched = min(float(limit.limit), found)
    return at_once > _LEAST_GAIN * cost_of_some(scan, columns, table, fetched, context)


def cost_of_all(scan: Scan, columns: list[int], rows: float, context: Context) -> float:
    """Nanoseconds to read so many rows of some columns."""
    return rows * (len(columns) * _VALUE + context.statistics.row_bytes(scan, columns) * _BYTE)


def cost_of_some(scan: Scan, columns: list[int], table: float, fetched: float, context: Context) -> float:
    """Nanoseconds to fetch so many rows of a ``table`` of so many, each with a page of each column."""
    places = min(fetched, table / _GROUP_ROWS + 1.0)
    read = cost_of_all(scan, columns, min(table, fetched * _PAGE_ROWS), context)
    return read + places * len(columns) * _OPEN + _ASK


def _numbered(node: Node, gone: frozenset[int], row: Field) -> Node:
    """The plan below the sort without some columns, with the position behind the others."""
    match node:
        case Scan(fields=fields, columns=columns):
            kept = [(f, name) for f, name in zip(fields, columns, strict=True) if f.id not in gone]
            return replace(
                node,
                fields=(*[f for f, _ in kept], row),
                columns=(*[name for _, name in kept], row.name),
            )
        case Project(input=child, fields=fields, expressions=expressions):
            pairs = [(f, e) for f, e in zip(fields, expressions, strict=True) if f.id not in gone]
            return Project(
                _numbered(child, gone, row),
                (*[f for f, _ in pairs], row),
                (*[e for _, e in pairs], reference(row)),
            )
        case Filter(input=child):
            return replace(node, input=_numbered(child, gone, row))
        case _:
            raise TypeError(type(node).__name__)
