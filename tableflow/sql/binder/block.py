"""The state of a SELECT block while it is bound: its plan so far, its names, and subqueries waiting to be joined.

A subquery in an expression becomes a column of a join.  The binder does not know yet where that join belongs: below the
aggregation or above it, on the left or the right of an outer join.  So the subquery waits (:class:`Waiting`) until a
clause needs its column, and :meth:`Block.attach` joins it to the plan at that point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from tableflow.errors import BindError, Span, UnsupportedError
from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import (
    AggregateCall,
    ColumnRef,
    Expression,
    WindowCall,
    children,
    column_ids,
    substitute,
    with_children,
)
from tableflow.planner.logical.late_into import LateInto
from tableflow.planner.logical.nodes import Join, JoinKind, Node, Values
from tableflow.planner.logical.traversal import map_expressions, transform_plan
from tableflow.records import dataclass, replace
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.scope import Scope, did_you_mean, one_of_tables
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.sql.binder.group_windows import GroupWindow


@dataclass(slots=True)
class Waiting:
    """A subquery of an expression: how it joins, and the ids it provides and reads."""

    kind: JoinKind
    plan: Node
    provides: frozenset[int]
    outer: dict[int, ColumnRef]
    conjuncts: tuple[Expression, ...] = ()
    mark: Field | None = None
    span: Span | None = None
    inner: frozenset[int] = frozenset()
    attached: bool = False

    def reads(self) -> frozenset[int]:
        """Columns of the left side that the join needs."""
        return frozenset(self.outer).union(*map(column_ids, self.conjuncts)) - self.inner

    def renamed(self, columns: Mapping[int, ColumnRef]) -> Waiting:
        """The same subquery over other columns of the block; this one counts as joined."""
        self.attached = True
        by_id: dict[int, Expression] = dict(columns)
        plan = transform_plan(self.plan, lambda node: map_expressions(node, lambda e: substitute(e, by_id)))
        outer = {(new := columns.get(i, column)).id: new for i, column in self.outer.items()}
        conjuncts = tuple(substitute(each, by_id) for each in self.conjuncts)
        return replace(self, plan=plan, outer=outer, conjuncts=conjuncts, attached=False)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One item of a window's ORDER BY."""

    key: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class WaitingWindow:
    """A window function of an expression: its column, and what it is computed from, over the block's input."""

    field: Field
    call: WindowCall
    partition: tuple[Expression, ...]
    order: tuple[OrderItem, ...]

    def parts(self) -> list[Expression]:
        """All expressions that it is computed from."""
        return [*children(self.call), *self.partition, *(item.key for item in self.order)]

    def reads(self) -> frozenset[int]:
        """Columns that it is computed from."""
        return frozenset[int]().union(*map(column_ids, self.parts()))

    def rewritten(self, rewrite: Callable[[Expression], Expression]) -> WaitingWindow:
        """Over other columns."""
        call = with_children(self.call, tuple(map(rewrite, children(self.call))))
        assert isinstance(call, WindowCall)
        order = tuple(OrderItem(rewrite(item.key), item.descending, item.nulls_first) for item in self.order)
        return WaitingWindow(self.field, call, tuple(map(rewrite, self.partition)), order)


@dataclass(slots=True)
class Outer:
    """A reference to a column of an enclosing block."""

    owner: Block
    column: ColumnRef


class Binding(Protocol):
    """What a subquery must know of the clause that it stands in."""

    inside_aggregate: bool

    @property
    def clause_name(self) -> str:
        """What the clause is called in messages."""
        ...

    @property
    def takes_aggregates(self) -> bool:
        """Whether aggregates may stand there."""
        ...


@dataclass(eq=False, slots=True)
class Block:
    """See the module.  ``outer`` are the columns of enclosing blocks that this block, or one inside it, refers to."""

    context: StatementContext
    source: Source
    ctes: Ctes
    parent: Block | None
    number: int
    plan: Node
    scope: Scope = field(default_factory=Scope)
    waiting: list[Waiting] = field(default_factory=list)
    outer: dict[int, Outer] = field(default_factory=dict)
    windows: list[WaitingWindow] = field(default_factory=list)
    windows_by_name: dict[str, exp.Window] = field(default_factory=dict)
    key_subqueries: list[tuple[exp.Expr, ColumnRef]] = field(default_factory=list)
    """Subqueries that are keys of GROUP BY; the same text elsewhere in the block means the key."""
    outer_aggregates: dict[AggregateCall, Field] = field(default_factory=dict)
    """Aggregates over columns of this block that stand in subqueries: they are computed here."""
    group_window: GroupWindow | None = None
    """The window that GROUP BY names."""
    emit: Emit | None = None
    emit_span: Span | None = None
    late: LateInto | None = None
    fire: Field | None = None
    """The column ``window_fire`` of a block whose aggregation makes a new row for each firing."""
    binder: Binding | None = None
    """What binds the clause in which the subquery stands that is bound now."""
    hidden: Scope | None = None
    """Relations of FROM that a JOIN's ON cannot see, for a hint."""

    @staticmethod
    def begin(context: StatementContext, source: Source, ctes: Ctes, parent: Block | None) -> Block:
        """A new block over one row without columns, which is what a SELECT without FROM reads."""
        return Block(context, source, ctes, parent, context.block(), Values((), ((),)))

    @property
    def window_ids(self) -> frozenset[int]:
        """Columns of window functions."""
        return frozenset(window.field.id for window in self.windows)

    def has_window(self, expression: Expression) -> bool:
        """Whether the expression reads the value of a window function of this block."""
        return bool(self.windows) and not self.window_ids.isdisjoint(column_ids(expression))

    def attach(self, needed: Iterable[Expression]) -> None:
        """Join the waiting subqueries that these expressions read."""
        self.plan = self.attached_to(self.plan, needed)

    def attached_to(self, plan: Node, needed: Iterable[Expression]) -> Node:
        """The plan with the waiting subqueries that these expressions read joined to it."""
        return self.joined_to(plan, self.needed(needed))

    def joined_to(self, plan: Node, subqueries: Iterable[Waiting]) -> Node:
        """The plan with these subqueries joined to it."""
        for each in subqueries:
            each.attached = True
            plan = Join(
                each.kind, plan, each.plan, each.conjuncts, each.mark, dependent=bool(each.outer), span=each.span,
                block=self.number,
            )  # fmt: skip
        return plan

    def needed(self, expressions: Iterable[Expression]) -> list[Waiting]:
        """Subqueries not joined yet that these expressions read, directly or through one another, in order."""
        if not any(not each.attached for each in self.waiting):
            return []
        ids = set().union(*map(column_ids, expressions))
        found: list[Waiting] = []
        for each in reversed(self.waiting):
            if not each.attached and not ids.isdisjoint(each.provides):
                found.append(each)
                ids |= each.reads()
        return found[::-1]

    def column(self, parts: Sequence[str], span: Span | None) -> ColumnRef | None:
        """The column of this block that a name means; None if this block has none."""
        found = self.scope.find(parts[0]) if len(parts) == 1 else self.scope.find_qualified(parts[:-1], parts[-1])
        if not found and self.fire is not None and [part.lower() for part in parts] == [self.fire.name]:
            found = [self.fire]
        if not found:
            return None
        if len(found) > 1:
            owners = [r.alias for r in self.scope.relations for c in r.columns if any(c.id == f.id for f in found)]
            raise BindError(
                f"column {'.'.join(parts)!r} is ambiguous",
                detail=f"it is a column of {' and of '.join(dict.fromkeys(owners))}" if len(set(owners)) > 1 else None,
                hint=f"write {owners[0]}.{parts[-1]}" if len(set(owners)) > 1 else "name the columns differently",
                span=span,
            )
        return ColumnRef(found[0].type, found[0].id, found[0].name, span)

    def outer_column(self, parts: Sequence[str], span: Span | None) -> ColumnRef | None:
        """The column of the nearest enclosing block that a name means; noted on the way."""
        owner = self.parent
        while owner is not None:
            found = owner.column(parts, span)
            if found is not None:
                self.note_outer(Outer(owner, found))
                return found
            owner = owner.parent
        return None

    def note_outer(self, outer: Outer) -> None:
        """Remember the reference here and in every block between here and the owner."""
        block: Block | None = self
        while block is not None and block is not outer.owner:
            block.outer.setdefault(outer.column.id, outer)
            block = block.parent

    def adopt(self, outers: Iterable[Outer]) -> dict[int, ColumnRef]:
        """Take over references of a relation or subquery bound for this block; those to this block's own columns."""
        own: dict[int, ColumnRef] = {}
        for outer in outers:
            if outer.owner is self:
                own[outer.column.id] = outer.column
            else:
                self.note_outer(outer)
        return own

    def unknown_column(
        self, parts: Sequence[str], span: Span | None, also: Iterable[str] = (), *, quoted: bool = False
    ) -> BindError:
        """The error for a name that nothing answers to; one in double quotes may have been meant as text."""
        name = ".".join(parts)
        if quoted and len(parts) == 1:
            error = self.unknown_column(parts, span, also)
            if error.hint is None or not error.hint.startswith("did you mean"):
                error.hint = f"double quotes enclose names; a text is written '{name.replace(chr(39), chr(39) * 2)}'"
            return error
        if self.hidden is not None and len(parts) > 1 and self.hidden.relation(parts[:-1]) is not None:
            return BindError(
                f"column {name!r} cannot be seen in this ON",
                detail="JOIN binds more tightly than a comma in FROM",
                hint="write CROSS JOIN instead of the comma",
                span=span,
            )
        if len(parts) > 1 and self.scope.relation(parts[:-1]) is None:
            hint = one_of_tables(parts[-2], self.scope.relations)
            return BindError(f"no table in FROM is named {'.'.join(parts[:-1])!r}", hint=hint, span=span)
        if not self.scope.relations:
            known = [*also]
            hint = did_you_mean(parts[-1], known) or "a query without FROM has no columns"
            return BindError(f"column {name!r} does not exist", hint=hint, span=span)
        relation = self.scope.relation(parts[:-1]) if len(parts) > 1 else None
        known = [column.name for column in relation.columns] if relation else [*self.scope.names(), *also]
        return BindError(f"column {name!r} does not exist", hint=did_you_mean(parts[-1], known), span=span)


def refused(what: str, span: Span | None) -> UnsupportedError:
    """The error for a feature that does not exist yet."""
    return UnsupportedError(f"{what} is not supported yet", span=span)
