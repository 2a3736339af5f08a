"""Counts and extremes of whole tables that the tables know: footers of files state them."""

from __future__ import annotations

from typing import NamedTuple

from tableflow import types as t
from tableflow.catalog.known_values import KnownRows, KnownValues, KnownValuesProvider
from tableflow.expressions.nodes import AggregateCall, Cast, ColumnRef, Expression, Literal
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Aggregate, Node, Project, Scan, Values
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace


class _Table(NamedTuple):
    """A scan of all rows of a table, what its columns are called, and what projections above it compute of them."""

    provider: KnownValuesProvider
    columns: dict[int, str]
    computed: dict[int, Expression]


def answer_from_known_values(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``count``, ``min`` and ``max`` of all rows of a table become constants where the table knows them.

    What remains is still aggregated.  Extremes pass casts that keep the order and cannot fail.
    """
    if not isinstance(node, Aggregate) or node.keys or not node.calls or node.emit or node.fire or node.late:
        return None
    calls = {place: call for place, call in enumerate(node.calls) if _may_be_known(call)}
    if not calls:
        return None
    table = _whole_table(node.input)
    if table is None:
        return None
    sources = {place: _column(call, table, context) for place, call in calls.items()}
    names = {table.columns[source.id] for source in sources.values() if source is not None}
    known = table.provider.known_rows(tuple(sorted(names)))
    if known is None:
        return None
    found: dict[int, Expression] = {}
    for place, call in calls.items():
        answer = _answer(call, sources[place], table, known)
        if answer is not None:
            found[node.results[place].id] = answer
    if not found:
        return None
    kept = [i for i, f in enumerate(node.results) if f.id not in found]
    below: Node = Values((), ((),))
    if kept:
        below = replace(
            node, results=tuple([node.results[i] for i in kept]), calls=tuple([node.calls[i] for i in kept])
        )
    return Project(below, node.results, tuple([found.get(f.id) or reference(f) for f in node.results]))


def _may_be_known(call: AggregateCall) -> bool:
    """Whether footers may tell what a call gives; how often a value comes does not matter to extremes."""
    if call.filter is not None or call.order or len(call.args) > 1:
        return False
    return call.function in {"min", "max"} or (call.function == "count" and not call.distinct)


def _whole_table(node: Node) -> _Table | None:
    computed: dict[int, Expression] = {}
    while isinstance(node, Project):
        computed.update(zip([f.id for f in node.fields], node.expressions, strict=True))
        node = node.input
    if not isinstance(node, Scan) or node.predicates or node.limit is not None:
        return None
    if not node.provider.bounded or not isinstance(node.provider, KnownValuesProvider):
        return None
    return _Table(node.provider, {f.id: name for f, name in zip(node.fields, node.columns, strict=True)}, computed)


def _column(call: AggregateCall, table: _Table, context: Context) -> ColumnRef | None:
    """The column of the table that the call's argument is, or is made of by a cast that keeps the order."""
    if not call.args:
        return None
    at = call.args[0]
    while True:
        match at:
            case ColumnRef(id=number) if number in table.columns:
                return at
            case ColumnRef(id=number) if number in table.computed:
                at = table.computed[number]
            case Cast(operand=of, lenient=False) if _keeps_order(at) and context.movable(at):
                at = of
            case _:
                return None


def _keeps_order(of: Cast) -> bool:
    """Whether a greater value never becomes a smaller one, and none becomes NULL."""
    match of.operand.type, of.type:
        case t.IntegerType(), t.IntegerType() | t.DecimalType() | t.FloatType():
            return True
        case t.DateType(), t.TimestampType(zoned=False):
            return True
        case t.TimestampType(zoned=False), t.DateType():
            return True
        case _:
            return False


def _answer(call: AggregateCall, column: ColumnRef | None, table: _Table, known: KnownRows) -> Expression | None:
    if not call.args:
        return Literal(call.type, known.rows)
    if column is None:
        return None
    values = known.columns.get(table.columns[column.id], KnownValues())
    if call.function == "count":
        return None if values.nulls is None else Literal(call.type, known.rows - values.nulls)
    if call.type != call.args[0].type:
        return None
    if known.rows == values.nulls:
        return Literal(call.type, None)
    if values.extremes is None:
        return None
    extreme = values.extremes[call.function == "max"]
    return _applied(call.args[0], Literal(column.type, extreme), table)


def _applied(of: Expression, to: Literal, table: _Table) -> Expression:
    """The casts of an argument, around a value of the column below them."""
    if isinstance(of, Cast):
        return replace(of, operand=_applied(of.operand, to, table))
    assert isinstance(of, ColumnRef)
    return to if of.id in table.columns else _applied(table.computed[of.id], to, table)
