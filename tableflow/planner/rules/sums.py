"""Sums that differ by a constant a row are one sum."""

from __future__ import annotations

from collections import Counter
from functools import cache

from tableflow import types as t
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import AggregateCall, Call, Cast, Expression, Literal
from tableflow.expressions.registry import resolve_aggregate, resolve_call
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Aggregate, Node, Project
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field

_LEAST = 2
"""A sum alone shares nothing."""


def take_constants_out_of_sums(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``sum(x + c)`` is ``sum(x) + c * count(x)``, which pays when another sum is over the same integers ``x``.

    The addition must not be able to fail for a row.  Sums of at most 32 bits are BIGINT, and neither part can leave it before the sum
    of 2**31 rows could; sums of BIGINT are decimals of 38 digits.
    """
    if not isinstance(node, Aggregate) or node.emit or node.fire or node.late:
        return None
    if len(node.calls) < _LEAST:
        return None
    parts = [_base_and_constant(call) for call in node.calls]
    often = Counter(base for base, _ in filter(None, parts))
    moved = {
        place: part
        for place, part in enumerate(parts)
        if part and part[1] and often[part[0]] > 1 and context.movable(node.calls[place].args[0])
    }
    if not moved:
        return None
    kept = [place for place in range(len(node.calls)) if place not in moved]
    results, calls = [node.results[place] for place in kept], [node.calls[place] for place in kept]
    known: dict[Expression, Field] = {}

    def computed(call: AggregateCall) -> Expression:
        if call not in known:
            known[call] = Field(context.fresh_id(), call.function, call.type, call.function != "count")
            results.append(known[call])
            calls.append(call)
        return reference(known[call])

    for result, call in zip(results, calls, strict=True):
        known.setdefault(call, result)
    outputs: dict[int, Expression] = {}
    sums: dict[Expression, tuple[Expression, Expression]] = {}
    for place, (base, constant) in moved.items():
        of = node.calls[place].type
        literal = Literal(t.BIGINT if of == t.BIGINT else t.DecimalType(19, 0), constant)
        if base not in sums:
            count = computed(resolve_aggregate("count", [base]))
            sums[base] = computed(resolve_aggregate("sum", [base])), count
        total, count = sums[base]
        whole = resolve_call("add", [total, resolve_call("multiply", [literal, count])])
        outputs[node.results[place].id] = cast(whole, of)
    fields = (*node.keys, *node.results)
    aggregate = replace(node, results=tuple(results), calls=tuple(calls))
    return Project(aggregate, fields, tuple([outputs.get(f.id) or reference(f) for f in fields]))


def _base_and_constant(call: AggregateCall) -> tuple[Expression, int] | None:
    """What a plain sum of integers adds up, apart from a constant."""
    if call.function != "sum" or call.distinct or call.filter or call.order:
        return None
    base, constant = call.args[0], 0
    if not isinstance(base.type, t.IntegerType):
        return None
    match base:
        case (
            Call(function="add", args=(of, Literal(value=int(value))))
            | Call(function="add", args=(Literal(value=int(value)), of))
        ):
            base, constant = of, value
        case Call(function="subtract", args=(of, Literal(value=int(value)))):
            base, constant = of, -value
    while (
        isinstance(base, Cast)
        and not base.lenient
        and isinstance(base.operand.type, t.IntegerType)
        and _type_of_sum(base.operand.type) == call.type
    ):
        base = base.operand
    if not isinstance(base.type, t.IntegerType) or _type_of_sum(base.type) != call.type:
        return None
    return base, constant


@cache
def _type_of_sum(of: t.SqlType) -> t.SqlType:
    return resolve_aggregate("sum", [Literal(of, None)]).type
