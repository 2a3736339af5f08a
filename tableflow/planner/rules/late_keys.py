"""Keys that follow from another key of the same table are neither grouped nor moved, but fetched for the first groups alone.

Invariant: the key that stays tells the rows of its table apart, and the joins below keep these rows as they are; so all rows of a group come
from one row of the table, which one of them names.
"""

from __future__ import annotations

from collections.abc import Iterator

from tableflow.catalog.fetching import FetchProvider, TellingProvider
from tableflow.config import LATE_COLUMNS
from tableflow.expressions.nodes import AggregateCall, ColumnRef
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import unique_keys
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Scan,
    Sort,
)
from tableflow.planner.logical.structure import inputs
from tableflow.planner.logical.traversal import reference, walk_plan
from tableflow.planner.rules.late_columns import cost_of_all, cost_of_some
from tableflow.records import replace
from tableflow.types import BIGINT, Field

_GROUPED, _MOVED = 60.0, 1.0
"""Nanoseconds to find a key's value among those of the groups, and to copy a byte of it through joins and exchanges."""
_LEAST_GAIN = 2.0
_KEEPS_LEFT = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK})


def fetch_keys_late(limit: Limit, sort: Sort, required: frozenset[int], context: Context) -> Node | None:
    """``GROUP BY key, a, b ORDER BY ... LIMIT n``: groups by the key, and fetches a and b for the n rows of its table; None if that is not so."""
    groups: Node = sort.input
    while isinstance(groups, Filter | Project):
        groups = groups.input
    if not isinstance(groups, Aggregate) or len(groups.keys) < 2 or groups.emit or groups.fire or groups.late:
        return None
    read, handed_on = _used(limit, groups, required, context)
    for scan in _scans(groups.input):
        provider = scan.provider
        if not isinstance(provider, FetchProvider) or not provider.bounded or provider.position in scan.columns:
            continue
        names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
        own = [key for key in groups.keys if key.id in names]
        offered = provider.fetchable()
        late = [
            key
            for key in own
            if key.id not in read and (key.id not in required or (key.id in handed_on and names[key.id] in offered))
        ]
        telling = _telling(scan, own, names, context) if late and len(own) > 1 else None
        if telling is not None:
            late = [key for key in late if key is not telling]
            if late and _pays(limit, groups, scan, late, context) and _tells_apart(scan, telling, names, context):
                return _fetched(limit, groups, scan, late, required, names, context)
    return None


def _used(
    limit: Limit, groups: Aggregate, required: frozenset[int], context: Context
) -> tuple[frozenset[int], frozenset[int]]:
    """Columns that something reads other than to hand them on as they are, and those that come out as they are."""
    read = set[int]().union(*[context.columns(call) for call in groups.calls])
    handed_on, node = required, limit.input
    while node is not groups:
        same = _note(node, read, context)
        handed_on = handed_on if same is None else handed_on & same
        [node] = inputs(node)
    for node in walk_plan(groups.input):
        _note(node, read, context)
    return frozenset(read), handed_on


def _note(node: Node, read: set[int], context: Context) -> set[int] | None:
    """Adds what the node reads; gives the columns that a projection hands on as they are."""
    if not isinstance(node, Project):
        read |= context.references(node)
        return None
    pairs = list(zip(node.fields, node.expressions, strict=True))
    same = {f.id for f, e in pairs if isinstance(e, ColumnRef) and e.id == f.id}
    read.update(*[context.columns(e) for f, e in pairs if f.id not in same])
    return same


def _is_from(scan: Scan, node: Node) -> bool:
    return any(one is scan for one in _scans(node))


def _scans(node: Node) -> Iterator[Scan]:
    """Scans whose rows come out as they are, perhaps several times or not at all, with their columns under the same ids."""
    match node:
        case Scan():
            yield node
        case Filter(input=child) | Project(input=child):
            yield from _scans(child)
        case Join(kind=kind, left=left, right=right, dependent=False) if kind in _KEEPS_LEFT:
            yield from _scans(left)
            if kind is JoinKind.INNER:
                yield from _scans(right)
        case _:
            return


def _telling(scan: Scan, own: list[Field], names: dict[int, str], context: Context) -> Field | None:
    """The key that may tell rows of the table apart: a declared one, or else the one of which statistics do not rule it out."""
    declared = unique_keys(scan, context)
    for key in own:
        if any(unique == {key.id} for unique in declared):
            return key
    if not isinstance(scan.provider, TellingProvider):
        return None
    return next((key for key in own if scan.provider.may_tell_apart(names[key.id])), None)


def _tells_apart(scan: Scan, key: Field, names: dict[int, str], context: Context) -> bool:
    if any(unique == {key.id} for unique in unique_keys(scan, context)):
        return True
    return isinstance(scan.provider, TellingProvider) and scan.provider.tells_apart(names[key.id])


def _pays(limit: Limit, groups: Aggregate, scan: Scan, late: list[Field], context: Context) -> bool:
    if context.settings.get(LATE_COLUMNS) == "always":
        return True
    assert limit.limit is not None
    statistics, columns = context.statistics, [f.id for f in late]
    table = statistics.table_rows(scan)
    moved = statistics.row_bytes(scan, columns) * _MOVED + len(late) * _GROUPED
    at_once = cost_of_all(scan, columns, table, context) + statistics.rows(groups.input) * moved
    wanted = min(float(limit.limit), statistics.rows(groups))
    return at_once > _LEAST_GAIN * cost_of_some(scan, columns, table, wanted, context)


def _fetched(
    limit: Limit,
    groups: Aggregate,
    scan: Scan,
    late: list[Field],
    required: frozenset[int],
    names: dict[int, str],
    context: Context,
) -> Node:
    provider = scan.provider
    assert isinstance(provider, FetchProvider)
    row = Field(context.fresh_id(), provider.position, BIGINT, nullable=False)
    found = Field(context.fresh_id(), provider.position, BIGINT)
    gone = frozenset([f.id for f in late])

    def below(node: Node) -> Node:
        match node:
            case Scan(fields=fields, columns=columns):
                if node is not scan:
                    return node
                kept = [(f, name) for f, name in zip(fields, columns, strict=True) if f.id not in gone]
                names = (*[name for _, name in kept], row.name)
                return replace(node, fields=(*[f for f, _ in kept], row), columns=names)
            case Filter(input=child):
                return replace(node, input=below(child))
            case Project(input=child) if _is_from(scan, child):
                return _narrower(node, below(child), row)
            case Join(left=left, right=right):
                return replace(node, left=below(left), right=below(right)) if _is_from(scan, node) else node
            case _:
                return node

    def _narrower(node: Project, child: Node, kept: Field) -> Project:
        pairs = [(f, e) for f, e in zip(node.fields, node.expressions, strict=True) if f.id not in gone]
        return Project(child, (*[f for f, _ in pairs], kept), (*[e for _, e in pairs], reference(kept)))

    def above(node: Node) -> Node:
        if node is groups:
            return replace(
                groups,
                input=below(groups.input),
                keys=tuple([key for key in groups.keys if key.id not in gone]),
                results=(*groups.results, found),
                calls=(*groups.calls, AggregateCall(BIGINT, "min", (reference(row),))),
            )
        [child] = inputs(node)
        if isinstance(node, Project):
            return _narrower(node, above(child), found)
        assert isinstance(node, Limit | Sort | Filter)
        return replace(node, input=above(child))

    shown = tuple([f for f in late if f.id in required])
    limited = above(limit)
    return Fetch(limited, found, scan.table, provider, shown, tuple([names[f.id] for f in shown])) if shown else limited
