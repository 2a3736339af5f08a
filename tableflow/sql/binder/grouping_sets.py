"""GROUPING SETS, ROLLUP and CUBE: one aggregation over the rows once for each set, the keys outside of the set NULL.

The empty set has a row even when there are no rows to group.  It is put there behind the aggregation, by an outer join with
the numbers of the empty sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from typing import Any, TypeAlias

from sqlglot import exp

from tableflow.errors import BindError, Span, UnsupportedError
from tableflow.expressions.nodes import AggregateCall, Call, Case, ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Aggregate, Join, JoinKind, Node, Project, Values
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass, replace
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.scope import Scope
from tableflow.types import BIGINT, BOOLEAN, Field

_MOST_SETS = 1024
_COUNTS = frozenset({"count", "count_if", "regr_count"})
Sets: TypeAlias = Sequence[frozenset[Expression]]


@dataclass(frozen=True, slots=True)
class GroupBy:
    """The expressions of GROUP BY, and which of them each grouping set has (None: one set of all)."""

    keys: tuple[Expression, ...]
    sets: Sets | None = None


def is_set(node: exp.Expr) -> bool:
    """Whether an element of GROUP BY stands for several sets."""
    return isinstance(node, (exp.GroupingSets, exp.Cube, exp.Rollup))


def group_by(elements: Sequence[exp.Expr], bind: Callable[[Any], Expression], span: Span | None) -> GroupBy:
    """All elements of a GROUP BY: every combination of one set of each."""
    known: dict[int, Expression] = {}

    def key(node: exp.Expr) -> Expression:
        if id(node) not in known:
            known[id(node)] = bind(node)
        return known[id(node)]

    choices = [_sets(element) for element in elements]
    count = 1
    for each in choices:
        count *= len(each)
    if count > _MOST_SETS:
        raise UnsupportedError(f"GROUP BY with more than {_MOST_SETS} grouping sets", span=span)
    combined = [[key(node) for part in chosen for node in part] for chosen in product(*choices)]
    keys = tuple(dict.fromkeys(each for one in combined for each in one))
    if not any(map(is_set, elements)):
        return GroupBy(keys)
    return GroupBy(keys, [frozenset(one) for one in combined])


def columns_apart(context: StatementContext, plan: Node, scope: Scope) -> tuple[Node, Scope]:
    """The plan and scope with each column under an id of its own: of two that are the same one below, a set may have one alone."""
    passed: dict[int, Field] = {}
    copies: dict[Field, Expression] = {}

    def own(column: Field) -> Field:
        if passed.setdefault(column.id, column) is column:
            return column
        copy = context.renewed(column)
        copies[copy] = _reference(column)
        return copy

    relations = [replace(each, columns=tuple([own(column) for column in each.columns])) for each in scope.relations]
    if not copies:
        return plan, scope
    # A bare name sees what its relation has, or, of columns that USING joins, the one that was there first.
    plain = [column.id for each in scope.relations for column in each.columns] == [
        column.id for column in scope.columns
    ]
    columns = [column for each in relations for column in each.columns] if plain else scope.columns
    fields = output(plan)
    made = Project(plan, (*fields, *copies), (*map(_reference, fields), *copies.values()))
    return made, Scope(relations, columns)


def _sets(element: exp.Expr) -> list[list[exp.Expr]]:
    """The sets of key nodes that an element stands for."""
    if isinstance(element, exp.GroupingSets):
        return [found for each in element.expressions for found in _sets(each)]
    if not isinstance(element, (exp.Cube, exp.Rollup)):
        return [_parts(element)]
    parts = [_parts(each) for each in element.expressions]
    if isinstance(element, exp.Rollup):
        chosen: list[Sequence[list[exp.Expr]]] = [parts[:n] for n in range(len(parts), -1, -1)]
    elif len(parts) > _MOST_SETS.bit_length() - 1:
        raise UnsupportedError(f"CUBE of more than {_MOST_SETS.bit_length() - 1} elements")
    else:
        chosen = [list(some) for n in range(len(parts), -1, -1) for some in combinations(parts, n)]
    return [[node for part in some for node in part] for some in chosen]


def _parts(element: exp.Expr) -> list[exp.Expr]:
    if isinstance(element, exp.Paren):
        return [element.this]
    return list(element.expressions) if isinstance(element, exp.Tuple) else [element]


class SetAggregation:
    """The plan of an aggregation by grouping sets."""

    def __init__(self, context: StatementContext, sets: Sets, keys: Mapping[Expression, Field]) -> None:
        self._context = context
        self._sets = sets
        self._number = context.field("grouping set", BIGINT, nullable=False)
        self._inner = keys
        self.keys = {key: self._masked(key, field) for key, field in keys.items()}

    def _masked(self, key: Expression, field: Field) -> Field:
        """A key of every set stays the column that it is, so that what is known of that (a window's end) is known of the groups."""
        return field if all(key in members for members in self._sets) else self._context.field(field.name, field.type)

    def plan(self, below: Node, results: Mapping[AggregateCall, Field]) -> Node:
        """Groups ``below``, whose columns hold the keys and what the calls read; GROUPING is computed of the set."""
        rows = tuple((Literal(BIGINT, i),) for i in range(len(self._sets)))
        repeated = Join(JoinKind.INNER, below, Values((self._number,), rows), ())
        fields: dict[int, tuple[Field, Expression]] = {f.id: (f, _reference(f)) for f in output(repeated)}
        for key, field in self.keys.items():
            fields[field.id] = (field, self._if_in_set(key, _reference(self._inner[key])))
        masked = Project(repeated, tuple(f for f, _ in fields.values()), tuple(e for _, e in fields.values()))
        calls = {call: field for call, field in results.items() if call.function != "grouping"}
        inner = {call: self._context.field(field.name, call.type) for call, field in calls.items()}
        by = (*{field.id: field for field in self.keys.values()}.values(), self._number)
        grouped: Node = Aggregate(masked, by, tuple(inner.values()), tuple(calls))
        grouped, number, present = self._with_empty(grouped)
        made: dict[Field, Expression] = {field: _reference(field) for field in self.keys.values()}
        for call, field in results.items():
            if call.function == "grouping":
                made[field] = self._grouping(call, number)
            elif call.function in _COUNTS and present is not None:
                made[field] = Call(BIGINT, "coalesce", (_reference(inner[call]), Literal(BIGINT, 0)))
            else:
                made[field] = _reference(inner[call])
        return Project(grouped, tuple(made), tuple(made.values()))

    def _with_empty(self, grouped: Node) -> tuple[Node, Expression, Field | None]:
        """The groups with those of empty sets, the number of each one's set, and what is NULL in added ones."""
        number = _reference(self._number)
        empty = [i for i, members in enumerate(self._sets) if not members]
        if not empty:
            return grouped, number, None
        added = self._context.field("empty set", BIGINT, nullable=False)
        values = Values((added,), tuple((Literal(BIGINT, i),) for i in empty))
        same = Call(BOOLEAN, "eq", (number, _reference(added)))
        joined = Join(JoinKind.FULL, grouped, values, (same,))
        return joined, Call(BIGINT, "coalesce", (number, _reference(added))), self._number

    def _if_in_set(self, key: Expression, value: Expression) -> Expression:
        numbers = [i for i, members in enumerate(self._sets) if key in members]
        if len(numbers) == len(self._sets):
            return value
        return Case(value.type, (_is_one_of(_reference(self._number), numbers),), (value,), Literal(value.type, None))

    def _grouping(self, call: AggregateCall, number: Expression) -> Expression:
        """A bit for each argument, the first one's highest: 1 where the set lacks it."""
        for arg in call.args:
            if arg not in self.keys:
                raise not_a_key(arg, call)
        values = [
            sum((arg not in members) << place for place, arg in enumerate(reversed(call.args)))
            for members in self._sets
        ]
        different = sorted(set(values))
        conditions = tuple(_is_one_of(number, [i for i, v in enumerate(values) if v == value]) for value in different)
        return Case(BIGINT, conditions, tuple(Literal(BIGINT, value) for value in different), Literal(BIGINT, 0))


def not_a_key(arg: Expression, call: AggregateCall) -> BindError:
    """GROUPING of something that is not grouped by."""
    return BindError(
        "GROUPING takes expressions of GROUP BY", span=getattr(arg, "span", None) or call.span,
    )  # fmt: skip


def _reference(of: Field) -> ColumnRef:
    return ColumnRef(of.type, of.id, of.name)


def _is_one_of(number: Expression, values: Sequence[int]) -> Expression:
    return Call(BOOLEAN, "in", (number, *(Literal(BIGINT, value) for value in values)))
