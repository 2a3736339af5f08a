"""Walking and rebuilding plans and the expressions in them; unchanged parts are kept as they are.

Invariant: rebuilding with functions that return what they were given returns the very same node, so that identity
tells whether something changed and facts memoised by identity stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from tableflow.errors import InternalError
from tableflow.expressions.nodes import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Chain,
    ColumnRef,
    Expression,
    SortKey,
    WindowCall,
    children,
)
from tableflow.expressions.window_assigner import assigner_expressions, with_assigner_expressions
from tableflow.planner.logical.late_into import LateInto
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Join,
    Node,
    Project,
    Scan,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.records import replace
from tableflow.types import Field

Rewrite = Callable[[Expression], Expression]


def walk_plan(of: Node) -> Iterator[Node]:
    """The node and everything below it, parents first, left to right."""
    stack = [of]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(inputs(node)))


def transform_plan(of: Node, rewrite: Callable[[Node], Node]) -> Node:
    """``rewrite`` applied to every node, inputs first."""
    old = inputs(of)
    if old:
        of = with_inputs(of, tuple([transform_plan(child, rewrite) for child in old]))
    return rewrite(of)


def expressions(of: Node) -> tuple[Expression, ...]:
    """The expressions a node evaluates over its inputs (a scan: over its own fields)."""
    match of:
        case Filter(conjuncts=found) | Join(conjuncts=found) | Scan(predicates=found):
            return found
        case Project(expressions=found) | Aggregate(calls=found, late=None):
            return found
        case Aggregate(calls=calls, late=late):
            return (*calls, *_late_values(late))
        case Sort(keys=keys):
            return tuple([key.column for key in keys])
        case Window(calls=calls, order=order):
            return (*calls, *[key.column for key in order])
        case Values(rows=rows):
            return tuple(chain.from_iterable(rows))
        case AssignWatermarks() | WindowTable() | WindowedAggregate() | TemporalJoin() | AsofJoin():
            return _timed_expressions(of)
        case _:
            return ()


def _timed_expressions(
    of: AssignWatermarks | WindowTable | WindowedAggregate | TemporalJoin | AsofJoin,
) -> tuple[Expression, ...]:
    match of:
        case AssignWatermarks(expression=expression):
            return (expression,)
        case WindowTable(assigner=assigner, order=order):
            return (*assigner_expressions(assigner), *[key.column for key in order])
        case WindowedAggregate(assigner=assigner, order=order, calls=calls, late=late):
            return (*assigner_expressions(assigner), *[key.column for key in order], *calls, *_late_values(late))
        case TemporalJoin(conjuncts=conjuncts, time=time) | AsofJoin(conjuncts=conjuncts, time=time):
            return (*conjuncts, time)


def _late_values(late: LateInto | None) -> tuple[Expression, ...]:
    return () if late is None else late.values


def collect_columns(of: Expression, into: set[int]) -> None:
    """Adds the ids of all columns the expression reads."""
    kind = type(of)
    if kind is ColumnRef:
        into.add(of.id)  # type: ignore[attr-defined]
    elif kind is Call:
        for child in of.args:  # type: ignore[attr-defined]
            collect_columns(child, into)
    elif isinstance(of, Cast):
        collect_columns(of.operand, into)
    elif isinstance(of, Case):
        for child in chain(of.conditions, of.results):
            collect_columns(child, into)
        collect_columns(of.otherwise, into)
    elif isinstance(of, AggregateCall):
        for child in chain(of.args, of.order):
            collect_columns(child, into)
        if of.filter is not None:
            collect_columns(of.filter, into)
    elif isinstance(of, (Chain, WindowCall)):
        for child in children(of):
            collect_columns(child, into)


def _map(of: tuple[Expression, ...], rewrite: Rewrite) -> tuple[Expression, ...]:
    new = [rewrite(expression) for expression in of]
    for a, b in zip(of, new, strict=True):
        if a is not b:
            return tuple(new)
    return of


def map_expressions(of: Node, rewrite: Rewrite) -> Node:
    """The node with every one of its own expressions rewritten (columns of sort keys must stay columns)."""
    match of:
        case Filter(conjuncts=old) | Join(conjuncts=old):
            new = _map(old, rewrite)
            return of if new is old else replace(of, conjuncts=new)
        case Project(expressions=old):
            new = _map(old, rewrite)
            return of if new is old else replace(of, expressions=new)
        case Scan(predicates=old):
            new = _map(old, rewrite)
            return of if new is old else replace(of, predicates=new)
        case Aggregate(calls=calls):
            new = _map(calls, rewrite)
            late = _map_late(of.late, rewrite)
            if new is calls and late is of.late:
                return of
            return replace(of, calls=tuple([_aggregate_call(call) for call in new]), late=late)
        case Sort(keys=keys):
            sorted_by = tuple([_map_key(key, rewrite) for key in keys])
            return of if all(a is b for a, b in zip(keys, sorted_by, strict=True)) else replace(of, keys=sorted_by)
        case Window():
            return _map_window(of, rewrite)
        case Values(rows=rows):
            mapped = tuple([_map(row, rewrite) for row in rows])
            return of if all(a is b for a, b in zip(rows, mapped, strict=True)) else replace(of, rows=mapped)
        case AssignWatermarks() | WindowTable() | WindowedAggregate() | TemporalJoin() | AsofJoin():
            return _map_timed(of, rewrite)
        case _:
            return of


def _map_timed(
    of: AssignWatermarks | WindowTable | WindowedAggregate | TemporalJoin | AsofJoin, rewrite: Rewrite
) -> Node:
    old = _timed_expressions(of)
    new = _map(old, rewrite)
    if new is old:
        return of
    match of:
        case AssignWatermarks():
            return replace(of, expression=new[0])
        case TemporalJoin() | AsofJoin():
            return replace(of, conjuncts=new[:-1], time=new[-1])
        case WindowTable(assigner=assigner, order=order) | WindowedAggregate(assigner=assigner, order=order):
            conditions = len(assigner_expressions(assigner))
            columns, rest = new[conditions : conditions + len(order)], new[conditions + len(order) :]
            assigner = with_assigner_expressions(assigner, new[:conditions])
            order = tuple([_keyed(key, column) for key, column in zip(order, columns, strict=True)])
            if isinstance(of, WindowTable):
                return replace(of, assigner=assigner, order=order)
            calls = tuple([_aggregate_call(call) for call in rest[: len(of.calls)]])
            late = None if of.late is None else replace(of.late, values=rest[len(of.calls) :])
            return replace(of, assigner=assigner, order=order, calls=calls, late=late)


def _map_late(late: LateInto | None, rewrite: Rewrite) -> LateInto | None:
    if late is None:
        return None
    new = _map(late.values, rewrite)
    return late if new is late.values else replace(late, values=new)


def _map_window(of: Window, rewrite: Rewrite) -> Window:
    calls = _map(of.calls, rewrite)
    order = tuple([_map_key(key, rewrite) for key in of.order])
    if calls is of.calls and all(a is b for a, b in zip(of.order, order, strict=True)):
        return of
    return replace(of, calls=tuple([_window_call(call) for call in calls]), order=order)


def _window_call(of: Expression) -> WindowCall:
    if not isinstance(of, WindowCall):
        raise InternalError("a window call was rewritten into something else")
    return of


def _aggregate_call(of: Expression) -> AggregateCall:
    if not isinstance(of, AggregateCall):
        raise InternalError("an aggregate call was rewritten into something else")
    return of


def _map_key(of: SortKey, rewrite: Rewrite) -> SortKey:
    return _keyed(of, rewrite(of.column))


def _keyed(of: SortKey, column: Expression) -> SortKey:
    if column is of.column:
        return of
    if not isinstance(column, ColumnRef):
        raise InternalError("a sort key was rewritten into an expression")
    return replace(of, column=column)


def produced(of: Node) -> tuple[Field, ...]:
    """The fields whose ids begin to exist at this node."""
    match of:
        case Scan(fields=fields) | Values(fields=fields) | SetOperation(fields=fields) | Shared(fields=fields):
            return fields
        case Project(fields=fields, expressions=computed):
            return tuple(
                [f for f, e in zip(fields, computed, strict=True) if not (isinstance(e, ColumnRef) and e.id == f.id)]
            )
        case Aggregate(results=results, fire=fire):
            return results if fire is None else (*results, fire)
        case Window(results=results):
            return results
        case Fetch(fields=fields):
            return fields
        case WindowTable():
            return of.made
        case WindowedAggregate(results=results):
            return (*of.made, *results)
        case Join(mark=mark) if mark is not None:
            return (mark,)
        case _:
            return ()


def reference(of: Field) -> ColumnRef:
    """An expression that reads the column."""
    return ColumnRef(of.type, of.id, of.name)
