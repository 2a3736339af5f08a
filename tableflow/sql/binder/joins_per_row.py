"""Outer joins whose ON has a subquery that reads both sides: the subquery can be joined to pairs of rows only.

A row's matches are a lateral subquery: the other side, with the ON as a filter that sees both.  That is a dependent join, which
keeps the row if there are no matches.  A full join is one of numbered rows, so that right rows without a match are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import Span
from tableflow.expressions.nodes import ColumnRef, Expression, WindowCall, substitute
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Project, Shared, Window
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.scope import Scope
from tableflow.types import BIGINT, Field


def joined_per_row(
    block: Block,
    kind: JoinKind,
    left: Part,
    right: Part,
    conjuncts: Sequence[Expression],
    scope: Scope,
    span: Span | None,
) -> Part:
    """The join of two parts of FROM under conjuncts whose subqueries wait in the block."""
    needs = left.needs | (right.needs - left.scope.ids)
    if kind is JoinKind.FULL:
        plan, renamed = _full(block, left.plan, right.plan, conjuncts, span)
        return Part(plan, scope.renamed(renamed), needs)
    if kind is JoinKind.RIGHT:
        kind, kept, other = JoinKind.LEFT, right.plan, left.plan
    else:
        kept, other = left.plan, right.plan
    matches = Filter(block.attached_to(other, conjuncts), tuple(conjuncts))
    return Part(Join(kind, kept, matches, dependent=True, span=span, block=block.number), scope, needs)


def _full(
    block: Block, left: Node, right: Node, conjuncts: Sequence[Expression], span: Span | None
) -> tuple[Node, dict[int, Field]]:
    """Left rows with their matches, and right rows that match nobody; the columns have new ids.

    Both sides are numbered and read twice: to find pairs, and to keep what is in none.
    """
    kept: list[_Numbered] = [_numbered(block, left), _numbered(block, right)]
    inner = {old: _reference(new) for side in kept for old, new in side.inner.items()}
    waiting = [each.renamed(inner) for each in block.needed(conjuncts)]
    pairs: Node = Join(JoinKind.INNER, kept[0].to_match, kept[1].to_match, span=span, block=block.number)
    pairs = block.joined_to(pairs, waiting)
    pairs = Filter(pairs, tuple(substitute(each, dict(inner)) for each in conjuncts))
    numbers = tuple(side.match_number for side in kept)
    pairs = Project(pairs, numbers, tuple(_reference(number) for number in numbers))
    of_left, of_right = (_same(side.number, side.match_number, span) for side in kept)
    matched = Join(JoinKind.LEFT, kept[0].to_keep, pairs, (of_left,), span=span, block=block.number)
    plan = Join(JoinKind.FULL, matched, kept[1].to_keep, (of_right,), span=span, block=block.number)
    return plan, {old: new for side in kept for old, new in side.outer.items()}


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A plan with numbered rows and its two readers; new columns by the plan's ids."""

    to_match: Node
    inner: dict[int, Field]
    match_number: Field
    to_keep: Node
    outer: dict[int, Field]
    number: Field


def _numbered(block: Block, plan: Node) -> _Numbered:
    number = block.context.field("number", BIGINT, nullable=False)
    source = Window(plan, (), (), (number,), (WindowCall(BIGINT, "row_number"),))
    fields = output(source)
    key = block.context.field("shared", BIGINT).id
    readers = [tuple(block.context.renewed(field) for field in fields) for _ in range(2)]
    inner, outer = ({old.id: new for old, new in zip(fields, new, strict=True)} for new in readers)
    shared = [Shared(key, source, new, fields) for new in readers]
    return _Numbered(shared[0], inner, readers[0][-1], shared[1], outer, readers[1][-1])


def _same(a: Field, b: Field, span: Span | None) -> Expression:
    return resolve_call("eq", [_reference(a), _reference(b)], span)


def _reference(field: Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)
