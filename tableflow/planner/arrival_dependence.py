"""What of a plan's rows depends on the order in which they arrive, so that it is no fault if two runs differ in it.

Invariant: of a node whose :class:`Dependence` has ``rows`` False, the bag of its rows without the columns of ``columns`` is the same
however the rows of its tables arrive; of a column that is only ``jumbled`` the elements are, too.  Of other nodes nothing is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef, Expression, SortKey, column_ids, walk
from tableflow.expressions.registry import function
from tableflow.expressions.window_assigner import CountHop, CountTumble, Landmark
from tableflow.planner import arrival_order as arrival
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.nodes import JoinKind, Node
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.traversal import walk_plan
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Dependence:
    """``columns`` by id: whether only the order of the column's elements depends on arrival; ``rows``: which rows there are does."""

    columns: Mapping[int, bool]
    rows: bool = False

    def on(self, of: Iterable[int]) -> bool:
        """Whether one of these columns depends on arrival."""
        return any(column in self.columns for column in of)


def reasons(root: Node, known: arrival.RowFacts) -> tuple[str, ...]:
    """Why nodes of a plan are arrival-ordered, and which of its functions give another value each time."""
    found: dict[str, None] = {}
    for node in walk_plan(root):
        found.update(dict.fromkeys(arrival.arrival_reasons(node, known)))
        for expression in _expressions(node):
            found.update((f"{name}()", None) for name in _changing(expression))
    return tuple(found)


def _expressions(node: Node) -> tuple[Expression, ...]:
    match node:
        case logical.Filter(conjuncts=found) | logical.Project(expressions=found) | logical.Join(conjuncts=found):
            return found
        case _:
            return ()


def _changing(of: Expression) -> list[str]:
    """Functions that give another value each time."""
    calls = [each.function for each in walk(of) if isinstance(each, Call)]
    return [name for name in calls if not function(name).deterministic]


class Dependences:
    """Derives what depends on arrival, each node once."""

    def __init__(self, known: arrival.RowFacts) -> None:
        self._rows = known
        self._derived: dict[int, tuple[Node, Dependence]] = {}

    def of(self, node: Node) -> Dependence:
        """What of the node's output does."""
        known = self._derived.get(id(node))
        if known is None:
            known = self._derived[id(node)] = (node, self._derive(node))
        return known[1]

    def _derive(self, node: Node) -> Dependence:
        below = [self.of(child) for child in inputs(node)]
        match node:
            case logical.Scan() | logical.Values():
                return Dependence({})
            case logical.Filter():
                return Dependence(
                    below[0].columns, below[0].rows or any(_uncertain(e, below[0]) for e in node.conjuncts)
                )
            case logical.Project():
                return _projected(node, below[0])
            case logical.Limit():
                return self._limit(node, below[0])
            case logical.Window():
                return self._window(node, below[0])
            case logical.Join():
                return _joined(node, below)
            case timed.TemporalJoin() | timed.AsofJoin():
                return self._as_of(node, below)
            case logical.Aggregate():
                return self._aggregate(node, below[0])
            case logical.SetOperation():
                return _united(node, below)
            case logical.Shared():
                pairs = zip(node.columns, node.fields, strict=True)
                mapped = {new.id: below[0].columns[old.id] for old, new in pairs if old.id in below[0].columns}
                return Dependence(mapped, below[0].rows)
            case logical.Replicate():
                return Dependence(below[0].columns, below[0].rows or below[0].on((node.count,)))
            case timed.WindowTable():
                return self._window_table(node, below[0])
            case timed.WindowedAggregate():
                return self._windowed(node, below[0])
            case logical.Sort() | logical.Hinted() | timed.AssignWatermarks() | logical.Fetch():
                return _handed_on(node, below[0])
            case _:
                return Dependence({}, rows=True)

    def _limit(self, node: logical.Limit, below: Dependence) -> Dependence:
        order = node.input.keys if isinstance(node.input, logical.Sort) else ()
        sure, certain = _certain_keys(order, below)
        if certain and arrival.limit_reason(node, self._rows) is None:
            return below
        return _but(node, sure, below)

    def _window(self, node: logical.Window, below: Dependence) -> Dependence:
        sure, certain = _certain_keys(node.order, below)
        parted = not below.on(f.id for f in node.partition)
        columns = dict(below.columns)
        for f, call in zip(node.results, node.calls, strict=True):
            read = column_ids(call)
            follows = arrival.follows_order(call)
            placed = arrival.window_call_reason(call, node, self._rows) is None
            if not parted or below.rows or below.on(read) or (follows and not certain) or not placed:
                columns[f.id] = False
        if node.limit is None or (certain and parted and arrival.first_rows_reason(node, self._rows) is None):
            return Dependence(columns, below.rows or (node.limit is not None and not parted))
        # The first rows of each partition: how many there are, their numbers, and what they are ordered by.
        numbers = {f.id for f, call in zip(node.results, node.calls, strict=True) if call.function == "row_number"}
        partition = {f.id for f in node.partition}
        return _but(node, sure | numbers | partition, Dependence(below.columns, below.rows or not parted))

    def _aggregate(self, node: logical.Aggregate, below: Dependence) -> Dependence:
        fired = node.fire is not None
        return self._grouped(node, below, members=False, groups=fired or below.on(f.id for f in node.keys))

    def _grouped(
        self, node: logical.Aggregate | timed.WindowedAggregate, below: Dependence, *, members: bool, groups: bool
    ) -> Dependence:
        """``members``: which rows are in a group depends, though not how many; ``groups``: which groups there are does."""
        by = [f.id for f in node.keys]
        lost = below.rows or groups
        columns: dict[int, bool] = {}
        for f, call in zip(node.results, node.calls, strict=True):
            if lost or _of_members(call, below, members):
                columns[f.id] = False
            elif arrival.call_reason(call, node.input, by, self._rows) is not None:
                columns[f.id] = call.function in arrival.ELEMENTS
        one = isinstance(node, logical.Aggregate) and not node.keys
        return Dependence(columns, rows=lost and not one)

    def _window_table(self, node: timed.WindowTable, below: Dependence) -> Dependence:
        reason = arrival.numbering_reason(node, self._rows)
        read = [*(f.id for f in node.partition), *(key.column.id for key in node.order)]
        if node.time is not None:
            read.append(node.time.id)
        if reason is None and not below.on(read) and not below.on(arrival.asked(node)):
            return below
        if isinstance(node.assigner, CountHop) and not below.on(f.id for f in node.partition):
            # How many rows each window has follows from how many the partition has.
            return _but(node, {f.id for f in (*node.partition, *node.made)}, below)
        columns = {**below.columns, **dict.fromkeys((f.id for f in node.made), False)}
        return Dependence(
            columns, below.rows or isinstance(node.assigner, (CountHop, Landmark)) or node.time is not None
        )

    def _windowed(self, node: timed.WindowedAggregate, below: Dependence) -> Dependence:
        made = {f.id for f in node.made}
        read = [
            *(f.id for f in (*node.partition, *node.keys)),
            *(key.column.id for key in node.order),
            *arrival.asked(node),
        ]
        if node.time is not None:
            read.append(node.time.id)
        reason = arrival.firing_reason(node, self._rows)
        if below.on(read):
            return self._grouped(node, below, members=True, groups=True)
        if reason is None:
            return self._grouped(node, below, members=False, groups=False)
        partition = {f.id for f in node.partition}
        whole = all(f.id in partition for f in node.keys)
        emit = node.emit or Emit()
        by_number = isinstance(node.assigner, (CountTumble, CountHop)) and whole
        by_rows = arrival.numbering_reason(node, self._rows) is None and not arrival.fires_by_time(emit)
        if by_number or by_rows:
            return self._grouped(node, below, members=True, groups=False)
        if isinstance(node.assigner, Landmark) and whole and not emit.evicts:
            # There is a window for each landmark, wherever that is.
            results = {f.id for f in node.results}
            return Dependence(dict.fromkeys(made | results, False), below.rows)
        return self._grouped(node, below, members=True, groups=True)

    def _as_of(self, node: timed.TemporalJoin | timed.AsofJoin, below: list[Dependence]) -> Dependence:
        right = {f.id for f in output(node.right)}
        compared = [*node.conjuncts, node.time]
        both = _both(below)
        versions = () if node.versions is None else (node.versions.id,)
        sure = not below[1].rows and not any(_uncertain(e, both) for e in compared) and not both.on(versions)
        if sure:
            return both
        # One version at most: only which one depends.
        return Dependence({**both.columns, **dict.fromkeys(right, False)}, below[0].rows or node.kind is JoinKind.INNER)


def _uncertain(of: Expression, below: Dependence) -> bool:
    return below.on(column_ids(of)) or bool(_changing(of))


def _of_members(call: AggregateCall, below: Dependence, members: bool) -> bool:
    """Whether the result depends on arrival although its order does not matter."""
    if members and (call.args or call.filter is not None):
        return True
    return any(
        _uncertain(each, below) for each in (*call.args, *call.order, *(() if call.filter is None else (call.filter,)))
    )


def _certain_keys(order: tuple[SortKey, ...], below: Dependence) -> tuple[set[int], bool]:
    """The first columns of an order as far as they do not depend, and whether all do not."""
    sure: set[int] = set()
    for key in order:
        if below.on((key.column.id,)):
            return sure, False
        sure.add(key.column.id)
    return sure, True


def _but(node: Node, sure: set[int], below: Dependence) -> Dependence:
    """All columns depend but these."""
    return Dependence({f.id: False for f in output(node) if f.id not in sure}, below.rows)


def _projected(node: logical.Project, below: Dependence) -> Dependence:
    columns: dict[int, bool] = {}
    for f, e in zip(node.fields, node.expressions, strict=True):
        if _uncertain(e, below):
            columns[f.id] = below.columns.get(e.id, False) if isinstance(e, ColumnRef) else False
    return Dependence(columns, below.rows)


def _both(below: list[Dependence]) -> Dependence:
    return Dependence({**below[0].columns, **below[1].columns}, below[0].rows or below[1].rows)


def _joined(node: logical.Join, below: list[Dependence]) -> Dependence:
    both = _both(below)
    uncertain = any(_uncertain(e, both) for e in node.conjuncts)
    right = [f.id for f in output(node.right)]
    match node.kind:
        case JoinKind.MARK | JoinKind.SINGLE if uncertain or below[1].rows:
            # Every row of the left comes out once.
            made = right if node.mark is None else [node.mark.id]
            return Dependence({**below[0].columns, **dict.fromkeys(made, False)}, below[0].rows)
        case JoinKind.SEMI | JoinKind.ANTI | JoinKind.MARK:
            return Dependence(below[0].columns, both.rows or uncertain)
        case _:
            return Dependence(both.columns, both.rows or uncertain)


def _handed_on(node: Node, below: Dependence) -> Dependence:
    if not isinstance(node, logical.Fetch) or not below.on((node.row.id,)):
        return below
    return Dependence({**below.columns, **dict.fromkeys([f.id for f in node.fields], False)}, below.rows)


def _united(node: logical.SetOperation, below: list[Dependence]) -> Dependence:
    rows = any(one.rows for one in below)
    columns: dict[int, bool] = {}
    for i, f in enumerate(node.fields):
        found = [
            one.columns[own[i].id] for one, own in zip(below, node.columns, strict=True) if own[i].id in one.columns
        ]
        if found:
            columns[f.id] = all(found)
    if node.kind is not logical.SetKind.UNION_ALL and columns:
        return Dependence(columns, rows=True)
    return Dependence(columns, rows)
