"""Facts that hold for every row of a node's output: unique keys, row bounds, columns without NULL.

Invariant: facts are proofs, never estimates; what is not understood has none.
"""

from __future__ import annotations

from itertools import chain

from tableflow.catalog.provider import ColumnStatistics
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Hinted,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    SetKind,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.predicates import never_null, rejects_null
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    NullTime,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.types import Field

Keys = tuple[frozenset[int], ...]
ONE_ROW: Keys = (frozenset(),)
_LEFT_ONLY = frozenset({JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK, JoinKind.SINGLE})
MOST_KEYS = 8
NUMBERING = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "count", "count_if"})
"""Window calls that are never NULL."""


def unique_keys(of: Node, context: Context) -> Keys:
    """Sets of column ids whose values are unique together (NULLs equal); the empty set means at most one row."""
    known = context.keys.get(id(of))
    if known is None:
        known = context.keys[id(of)] = (of, _reduced(_unique_keys(of, context)))
    return known[1]


def _unique_keys(of: Node, context: Context) -> Keys:
    match of:
        case Scan(provider=provider, fields=fields, columns=columns):
            by_name = {name: f.id for name, f in zip(columns, fields, strict=True)}
            declared = [key for key in provider.schema.keys if all(name in by_name for name in key)]
            position = getattr(provider, "position", None)  # of a FetchProvider; asking for the protocol takes long
            if position in by_name:
                declared.append((position,))
            return tuple([frozenset([by_name[name] for name in key]) for key in declared])
        case Values(rows=rows):
            return ONE_ROW if len(rows) <= 1 else ()
        case Limit(limit=limit, input=child):
            return ONE_ROW if limit is not None and limit <= 1 else unique_keys(child, context)
        case Filter(input=child) | Sort(input=child) | Hinted(input=child) | AssignWatermarks(input=child):
            return unique_keys(child, context)
        case Window():
            return _window_keys(of, context)
        case Project():
            return _renamed(of, unique_keys(of.input, context))
        case Aggregate(keys=keys, input=child):
            if of.fire is not None:
                return (frozenset([f.id for f in (*keys, of.fire)]),)
            ids = frozenset([f.id for f in keys])
            return (ids, *[key for key in unique_keys(child, context) if key <= ids])
        case Join():
            return _join_keys(of, context)
        case SetOperation(kind=kind, fields=fields):
            return (frozenset([f.id for f in fields]),) if kind in _DISTINCT_KINDS else ()
        case Shared(input=child, fields=fields, columns=columns):
            by_id = dict(zip([f.id for f in columns], [f.id for f in fields], strict=True))
            kept = [key for key in unique_keys(child, context) if all(i in by_id for i in key)]
            return tuple([frozenset([by_id[i] for i in key]) for key in kept])
        case Fetch(input=child, row=row):
            return (*[key for key in unique_keys(child, context) if row.id not in key], *_fetched_keys(of, context))
        case WindowedAggregate():
            return _windowed_keys(of)
        case _:
            return ()


def _windowed_keys(of: WindowedAggregate) -> Keys:
    """The groups' keys with the window; one of its bounds will do where that tells the other.

    Windows on the clock of a zone may share a bound, where clocks leap; those that data decides about, where they are of several partitions.
    """
    telling: list[Field | None] = []
    if isinstance(of.assigner, Tumble | Hop) and not of.assigner.zone:
        telling = [of.start, of.end]
    elif isinstance(of.assigner, Cumulate) and not of.assigner.zone:
        telling = [of.end]
    found = [frozenset([bound.id]) for bound in telling if bound is not None]
    if not found and of.start is not None:
        found = [frozenset([f.id for f in (of.start, of.end, of.window_time) if f is not None])]
    groups = frozenset([f.id for f in (*of.keys, of.fire) if f is not None])
    return tuple([groups | window for window in found])


def _fetched_keys(of: Fetch, context: Context) -> Keys:
    """Those of the table, if the input has a row of it at most once."""
    if not any(key <= {of.row.id} for key in unique_keys(of.input, context)):
        return ()
    fetched = dict(zip(of.columns, [f.id for f in of.fields], strict=True))
    declared = [key for key in of.provider.schema.keys if all(name in fetched for name in key)]
    return tuple([frozenset([fetched[name] for name in key]) for key in declared])


def _window_keys(of: Window, context: Context) -> Keys:
    """Those of the input; a row's number is unique in its partition."""
    partition = frozenset([f.id for f in of.partition])
    numbers = [f.id for f, call in zip(of.results, of.calls, strict=True) if call.function == "row_number"]
    first = (partition,) if of.limit == 1 else ()
    return (*unique_keys(of.input, context), *first, *[partition | {number} for number in numbers])


_DISTINCT_KINDS = frozenset({SetKind.UNION, SetKind.INTERSECT, SetKind.EXCEPT})


def _renamed(of: Project, keys: Keys) -> Keys:
    by_id: dict[int, int] = {}
    for f, e in zip(of.fields, of.expressions, strict=True):
        if isinstance(e, ColumnRef):
            by_id.setdefault(e.id, f.id)
    return tuple([frozenset([by_id[i] for i in key]) for key in keys if all(i in by_id for i in key)])


def _join_keys(of: Join, context: Context) -> Keys:
    left = unique_keys(of.left, context)
    if of.kind in _LEFT_ONLY:
        return left
    if of.kind not in {JoinKind.INNER, JoinKind.LEFT}:
        return ()
    right = unique_keys(of.right, context)
    found: list[frozenset[int]] = []
    if matches_at_most_one(of.conjuncts, of.right, context):
        found += left
    if of.kind is JoinKind.INNER and matches_at_most_one(of.conjuncts, of.left, context):
        found += right
    return tuple(found) if found else tuple([a | b for a in left for b in right])


def _reduced(keys: Keys) -> Keys:
    """Without supersets of others, in a fixed order, at most a few."""
    ordered = sorted(set(keys), key=lambda key: (len(key), sorted(key)))
    minimal: list[frozenset[int]] = []
    for key in ordered:
        if not any(smaller <= key for smaller in minimal):
            minimal.append(key)
    return tuple(minimal[:MOST_KEYS])


def matches_at_most_one(conjuncts: tuple[Expression, ...], side: Node, context: Context) -> bool:
    """Whether, whatever the other side's row, at most one row of ``side`` satisfies the conjuncts."""
    keys = unique_keys(side, context)
    if not keys:
        return False
    own = context.output_ids(side)
    fixed: set[int] = set()
    for conjunct in conjuncts:
        match conjunct:
            case Call(function="eq" | "is_not_distinct_from", args=(a, b)):
                for x, y in ((a, b), (b, a)):
                    if isinstance(x, ColumnRef) and x.id in own and own.isdisjoint(context.columns(y)):
                        fixed.add(x.id)
            case _:
                pass
    return any(key <= fixed for key in keys)


def at_most_one_row(of: Node, context: Context) -> bool:
    """Whether the output never has two rows."""
    return frozenset() in unique_keys(of, context)


def exactly_one_row(of: Node, context: Context) -> bool:
    """Whether the output always has one row."""
    match of:
        case Aggregate(keys=(), fire=None):
            return True
        case AssignWatermarks(input=child, nulls=NullTime.FAIL | NullTime.PASS):
            return exactly_one_row(child, context)
        case Values(rows=rows):
            return len(rows) == 1
        case Project(input=child) | Sort(input=child) | Hinted(input=child):
            return exactly_one_row(child, context)
        case Fetch(input=child):
            return exactly_one_row(child, context)
        case Limit(input=child, limit=limit, offset=0) if limit is None or limit > 0:
            return exactly_one_row(child, context)
        case Join(kind=JoinKind.INNER, conjuncts=()):
            return exactly_one_row(of.left, context) and exactly_one_row(of.right, context)
        case Join(kind=JoinKind.MARK | JoinKind.SINGLE):
            return exactly_one_row(of.left, context)
        case Window(input=child, limit=None):
            return exactly_one_row(child, context)
        case _:
            return False


def present(of: Node, context: Context) -> frozenset[int]:
    """Ids of output columns that are never NULL."""
    known = context.present.get(id(of))
    if known is None:
        declared = frozenset([f.id for f in context.output(of) if not f.nullable])
        known = context.present[id(of)] = (of, declared | _present(of, context))
    return known[1]


def _present(of: Node, context: Context) -> frozenset[int]:
    match of:
        case Scan(provider=provider, fields=fields, columns=columns, predicates=predicates):
            statistics = provider.statistics().columns
            found = [f.id for f, name in zip(fields, columns, strict=True) if _no_nulls(statistics, name)]
            return frozenset(found) | _rejected(predicates, context)
        case Filter(input=child, conjuncts=conjuncts):
            return present(child, context) | _rejected(conjuncts, context)
        case Sort(input=child) | Limit(input=child) | Hinted(input=child) | Replicate(input=child) | Fetch(input=child):
            return present(child, context)
        case AssignWatermarks(input=child, column=column, nulls=nulls):
            return present(child, context) | (frozenset() if nulls is NullTime.PASS else frozenset((column.id,)))
        case WindowTable(input=child, time=time):
            of_time = [] if time is None else [time.id, *[f.id for f in of.made]]
            return present(child, context) | frozenset(of_time)
        case TemporalJoin(left=left) | AsofJoin(left=left):
            return present(left, context)
        case Project(input=child, fields=fields, expressions=computed):
            below = present(child, context)
            return frozenset([f.id for f, e in zip(fields, computed, strict=True) if never_null(e, below)])
        case Window(input=child, results=results, calls=calls):
            numbers = [f.id for f, call in zip(results, calls, strict=True) if call.function in NUMBERING]
            return present(child, context) | frozenset(numbers)
        case Aggregate(input=child, keys=keys, results=results, calls=calls):
            below = present(child, context)
            counts = [f.id for f, call in zip(results, calls, strict=True) if call.function in {"count", "count_if"}]
            return frozenset(counts) | (below & frozenset([f.id for f in keys]))
        case Join():
            return _join_present(of, context)
        case SetOperation(inputs=branches, fields=fields, columns=columns, kind=SetKind.UNION_ALL | SetKind.UNION):
            below = frozenset(chain.from_iterable(present(branch, context) for branch in branches))
            by_field = zip(fields, *columns, strict=True)
            return frozenset([f.id for f, *sources in by_field if all(s.id in below for s in sources)])
        case Shared(input=child, fields=fields, columns=sources):
            below = present(child, context)
            pairs = zip(fields, sources, strict=True)
            return frozenset([f.id for f, source in pairs if source.id in below])
        case _:
            return frozenset()


def _no_nulls(statistics: dict[str, ColumnStatistics], name: str) -> bool:
    column = statistics.get(name)
    return column is not None and column.nulls == 0


def _rejected(conjuncts: tuple[Expression, ...], context: Context) -> frozenset[int]:
    """Columns that are not NULL wherever all conjuncts are TRUE."""
    found: set[int] = set()
    for conjunct in conjuncts:
        found.update([i for i in context.columns(conjunct) if rejects_null(conjunct, frozenset((i,)))])
    return frozenset(found)


def _join_present(of: Join, context: Context) -> frozenset[int]:
    left, right = present(of.left, context), present(of.right, context)
    match of.kind:
        case JoinKind.INNER:
            return left | right | _rejected(of.conjuncts, context)
        case JoinKind.SEMI:
            return left | (_rejected(of.conjuncts, context) & context.output_ids(of.left))
        case JoinKind.MARK:
            both = left | right
            two_valued = all(never_null(conjunct, both) for conjunct in of.conjuncts)
            return left | frozenset((of.mark.id,)) if two_valued and of.mark is not None else left
        case JoinKind.LEFT | JoinKind.SINGLE | JoinKind.ANTI:
            return left
        case JoinKind.RIGHT:
            return right
        case _:
            return frozenset()


def is_empty(of: Node) -> bool:
    """Whether the plan is a table without rows."""
    return isinstance(of, Values) and not of.rows


def empty(fields: tuple[Field, ...]) -> Values:
    """A table without rows."""
    return Values(fields, ())


def null_row(fields: tuple[Field, ...]) -> tuple[Literal, ...]:
    """NULL for each of the columns."""
    return tuple([Literal(f.type, value=None) for f in fields])
