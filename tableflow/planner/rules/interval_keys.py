"""Groups by an INTERVAL in streams: equal intervals are written in several ways, and what a group shows may change.

What a group has shown is taken back as it was written, also where only the spelling changes, so that what is computed of it
further up is taken back as well.
"""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, Call, Expression
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.nodes import Aggregate, Node, Project
from tableflow.planner.logical.traversal import map_expressions, reference
from tableflow.records import replace
from tableflow.types import BIGINT, Field, IntervalType

_SPELLING, _SPELLED = "interval_spelling", "interval_spelled"


def spell_interval_keys(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The group's spelling is a result of its own, the greatest of its rows; the key is written so above the grouping."""
    assert isinstance(node, Aggregate)
    keys = [f for f in node.keys if isinstance(f.type, IntervalType)]
    if not keys or any(_is_spelling(call) for call in node.calls):
        return None
    # The key is another column below than above, and no column is made twice.
    below, inside = copy_plan(node.input, context)
    references: dict[int, Expression] = {old: reference(new) for old, new in inside.items()}
    copied = map_expressions(node, lambda each: substitute_columns(each, references, context))
    assert isinstance(copied, Aggregate)
    spellings = {f.id: Field(context.fresh_id(), "spelling", BIGINT) for f in keys}
    calls = [AggregateCall(BIGINT, "max", (Call(BIGINT, _SPELLING, (reference(inside[f.id]),)),)) for f in keys]
    grouped = replace(
        copied,
        input=below,
        keys=tuple([inside.get(f.id, f) for f in node.keys]),
        results=(*node.results, *spellings.values()),
        calls=(*copied.calls, *calls),
    )

    def shown(f: Field) -> Expression:
        within = reference(inside.get(f.id, f))
        return Call(f.type, _SPELLED, (within, reference(spellings[f.id]))) if f.id in spellings else within

    fields = context.output(node)
    return Project(grouped, fields, tuple(map(shown, fields)))


def _is_spelling(call: AggregateCall) -> bool:
    return any(isinstance(arg, Call) and arg.function == _SPELLING for arg in call.args)
