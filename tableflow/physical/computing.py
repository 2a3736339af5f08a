"""Expressions inside aggregations and joins become columns of a projection below, where they are fused.

Only what a program can compute is moved, and only where it is computed for the same rows as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression, column_ids
from tableflow.expressions.text import to_sql
from tableflow.physical.node import ByKind, PhysicalNode
from tableflow.physical.program_facts import Judgement
from tableflow.physical.program_judge import Judge
from tableflow.physical.project import ProjectColumns
from tableflow.records import replace
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.physical.changelog_aggregate import ChangelogAggregate
    from tableflow.physical.changelog_join import ChangelogJoin
    from tableflow.physical.hash_aggregate import HashAggregate
    from tableflow.physical.hash_join import HashJoin


def largest_id(root: PhysicalNode) -> int:
    """The largest column id of a plan."""
    return max([f.id for f in root.fields] + [largest_id(child) for child in root.inputs], default=0)


class Computing:
    """Moves expressions into projections; new columns have ids from ``first`` on."""

    def __init__(self, first: int, judge: Judge) -> None:
        self._next = first
        self._judge = judge

    def lifted(self, node: PhysicalNode) -> PhysicalNode:
        """The plan with such projections."""
        node = node.with_inputs(tuple(self.lifted(child) for child in node.inputs))
        way = _WAYS[type(node)]
        return node if way is None else way(self, node)

    def _hash_aggregate(self, node: HashAggregate) -> PhysicalNode:
        from tableflow.physical.hash_aggregate import AggregatePhase

        return node if node.phase is AggregatePhase.FINAL else self._aggregate(node)

    def _changelog_aggregate(self, node: ChangelogAggregate) -> PhysicalNode:
        from tableflow.physical.collect_aggregate import is_collected

        if any(map(is_collected, node.calls)):
            return node  # their parameters are literals, not columns
        return self._aggregate(node)

    def _join(self, node: HashJoin | ChangelogJoin) -> PhysicalNode:
        left, left_keys = self._keys(node.left, node.left_keys)
        right, right_keys = self._keys(node.right, node.right_keys)
        return replace(node, left=left, right=right, left_keys=left_keys, right_keys=right_keys)

    def _keys(self, below: PhysicalNode, keys: tuple[Expression, ...]) -> tuple[PhysicalNode, tuple[Expression, ...]]:
        moved = self._columns(key for key in keys if self._moves(key, below.fields) is not None)
        if not moved:
            return below, keys
        return _projected(below, below.fields, moved), tuple(moved.get(key, key) for key in keys)

    def _aggregate(self, node: HashAggregate | ChangelogAggregate) -> PhysicalNode:
        inputs = node.input.fields
        moved = self._columns(e for call in node.calls for e in self._movable(call, inputs))
        if not moved:
            return node
        calls = tuple(
            replace(
                call,
                args=tuple(moved.get(arg, arg) for arg in call.args),
                filter=None if call.filter is None else moved.get(call.filter, call.filter),
            )
            for call in node.calls
        )
        read = {f.id for f in node.keys}.union(*(column_ids(call) for call in calls))
        kept = [f for f in inputs if f.id in read]
        return replace(node, input=_projected(node.input, kept, moved), calls=calls)

    def _columns(self, expressions: Iterator[Expression]) -> dict[Expression, ColumnRef]:
        """New columns for all that are more than a column."""
        found: dict[Expression, ColumnRef] = {}
        for expression in expressions:
            if not isinstance(expression, ColumnRef) and expression not in found:
                found[expression] = ColumnRef(expression.type, self._next, to_sql(expression))
                self._next += 1
        return found

    def _movable(self, call: AggregateCall, inputs: Sequence[Field]) -> Iterator[Expression]:
        """What a call computes for every row; an argument that may fail does so only for rows that its filter keeps."""
        if call.filter is not None and self._moves(call.filter, inputs) is not None:
            yield call.filter
        for arg in call.args:
            found = self._moves(arg, inputs)
            if found is not None and (call.filter is None or not found.fails):
                yield arg

    def _moves(self, expression: Expression, inputs: Sequence[Field]) -> Judgement | None:
        """What is known of an expression that can be computed below; None for a column, which is there already."""
        return None if isinstance(expression, ColumnRef) else self._judge.judge(expression, inputs)


_WAYS: ByKind[Callable[[Computing, Any], PhysicalNode]] = ByKind(
    {
        "HashAggregate": Computing._hash_aggregate,
        "ChangelogAggregate": Computing._changelog_aggregate,
        "HashJoin": Computing._join,
        "ChangelogJoin": Computing._join,
    }
)
"""The nodes whose expressions move."""


def _projected(below: PhysicalNode, kept: Sequence[Field], moved: dict[Expression, ColumnRef]) -> PhysicalNode:
    fields = (*kept, *(Field(c.id, c.name, c.type) for c in moved.values()))
    expressions = (*(ColumnRef(f.type, f.id, f.name) for f in kept), *moved)
    return ProjectColumns(fields=fields, facts=below.facts, input=below, expressions=expressions)
