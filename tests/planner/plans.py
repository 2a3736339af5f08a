"""Random queries over small tables, for comparing optimised plans with what they mean.

A plan is drawn together with the columns of an outer row that it may refer to, so correlation reaches any depth.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from hypothesis import strategies as st

from tableflow.expressions.nodes import (
    RUNNING,
    WHOLE_PARTITION,
    AggregateCall,
    Call,
    ColumnRef,
    Expression,
    Literal,
    SortKey,
    WindowCall,
)
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Query,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import output
from tableflow.types import BIGINT, BOOLEAN, Field
from tests.planner.interpreter import Table, table


class Chance(Protocol):
    """Where decisions come from: Hypothesis, or a seeded generator."""

    def integer(self, low: int, high: int) -> int: ...


class Seeded:
    """Decisions from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class Drawn:
    """Decisions that Hypothesis can shrink."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


class Source:
    """Draws parts of a query."""

    def __init__(self, chance: Chance) -> None:
        self.integer = chance.integer
        self.next_id = 0
        rows = [(self.value(), self.value()) for _ in range(self.integer(0, 4))]
        keyed = [(k, self.value()) for k in range(self.integer(0, 3))]
        few = [(self.value(), self.value()) for _ in range(self.integer(0, 3))]
        self.tables: list[tuple[str, Table]] = [
            ("t", table("a b", BIGINT, rows)),
            ("u", table("k v", BIGINT, keyed, (("k",),) if self.chance(2) else ())),
            ("s", table("x y", BIGINT, few)),
        ]
        for _, provider in self.tables:
            # rows only guide estimates: pretending there are many makes rules fire that save work
            rows_told = len(provider.rows) * 10 ** self.integer(0, 6)
            provider.counted = replace(provider.statistics(), rows=rows_told)

    def value(self) -> int | None:
        chosen = self.integer(-1, 2)
        return None if chosen < 0 else chosen

    def pick(self, of: Sequence[Any]) -> Any:
        return of[self.integer(0, len(of) - 1)]

    def field(self, name: str, type: Any = BIGINT) -> Field:
        self.next_id += 1
        return Field(self.next_id, name, type)

    def chance(self, of: int) -> bool:
        return self.integer(1, of) == 1

    def scan(self) -> Node:
        name, provider = self.pick(self.tables)
        names = tuple(c.name for c in provider.schema.columns)
        return Scan(name, provider, tuple(self.field(n) for n in names), names, name)

    def column(self, of: Sequence[Field]) -> Expression:
        f = self.pick(list(of))
        return ColumnRef(f.type, f.id, f.name)

    def number(self, own: Sequence[Field], outer: Sequence[Field]) -> Expression:
        numbers = [f for f in own if f.type == BIGINT]
        choice = self.integer(0, 9)
        if outer and choice < 3:
            return self.column(outer)
        if not numbers or choice == 9:
            return Literal(BIGINT, self.integer(0, 2))
        if choice == 8:
            return Call(BIGINT, "coalesce", (self.column(numbers), Literal(BIGINT, 1)))
        if choice == 7:
            return Call(BIGINT, "add", (self.column(numbers), Literal(BIGINT, 1)))
        return self.column(numbers)

    def predicate(self, own: Sequence[Field], outer: Sequence[Field], depth: int = 1) -> Expression:
        choice = self.integer(0, 11)
        if depth and choice < 2:
            parts = tuple(self.predicate(own, outer, depth - 1) for _ in range(2))
            return Call(BOOLEAN, "and" if choice else "or", parts)
        if depth and choice == 2:
            return Call(BOOLEAN, "not", (self.predicate(own, outer, depth - 1),))
        marks = [f for f in own if f.type == BOOLEAN]
        if marks and choice < 7:
            return self.column(marks)
        if choice == 3:
            return Call(BOOLEAN, "is_null", (self.number(own, outer),))
        function = self.pick(["eq", "eq", "eq", "ne", "lt", "ge", "is_not_distinct_from"])
        return Call(BOOLEAN, function, (self.number(own, outer), self.number(own, outer)))

    def equality(self, own: Sequence[Field], outer: Sequence[Field]) -> Expression:
        numbers = [f for f in own if f.type == BIGINT]
        if not outer or not numbers:
            return self.predicate(own, outer)
        return Call(BOOLEAN, "eq", (self.column(numbers), self.column(outer)))

    def relation(self, outer: Sequence[Field], depth: int) -> Node:
        if depth <= 0:
            return self.scan()
        kinds = [
            "scan",
            "filter",
            "filter",
            "project",
            "join",
            "join",
            "subquery",
            "subquery",
            "aggregate",
            "set",
            "values",
            "window",
            "limit",
        ]
        match self.pick(kinds):
            case "filter":
                child = self.relation(outer, depth - 1)
                own = output(child)
                count = self.integer(1, 2)
                make = self.equality if outer and self.chance(2) else self.predicate
                return Filter(child, tuple(make(own, outer) for _ in range(count)))
            case "project":
                return self.project(self.relation(outer, depth - 1), outer)
            case "join":
                return self.join(outer, depth)
            case "subquery":
                return self.subquery(outer, depth)
            case "aggregate":
                return self.aggregate(self.relation(outer, depth - 1), outer)
            case "set":
                return self.set_operation(outer, depth)
            case "values":
                return self.values(outer)
            case "window":
                return self.window(self.relation(outer, depth - 1), outer)
            case "limit":
                return self.limit(self.relation(outer, depth - 1))
        return self.scan()

    def values(self, outer: Sequence[Field]) -> Node:
        rows = tuple((self.number((), outer), self.number((), outer)) for _ in range(self.integer(0, 2)))
        return Values((self.field("p"), self.field("q")), rows)

    def project(self, child: Node, outer: Sequence[Field]) -> Node:
        own = output(child)
        fields: list[Field] = []
        expressions: list[Expression] = []
        for f in own:
            if self.chance(2):
                fields.append(f)
                expressions.append(ColumnRef(f.type, f.id, f.name))
        fields.append(self.field("e"))
        expressions.append(self.number(own, outer))
        return Project(child, tuple(fields), tuple(expressions))

    def join(self, outer: Sequence[Field], depth: int) -> Node:
        left, right = self.relation(outer, depth - 1), self.relation(outer, depth - 2)
        kind = self.pick([JoinKind.INNER] * 3 + [k for k in JoinKind if k is not JoinKind.SINGLE])
        both = (*output(left), *output(right))
        condition = [self.equality(output(left), [f for f in output(right) if f.type == BIGINT])]
        if self.chance(3):
            condition.append(self.predicate(both, outer))
        mark = self.field("m", BOOLEAN) if kind is JoinKind.MARK else None
        return Join(kind, left, right, tuple(condition), mark, kind is JoinKind.ANTI and self.chance(2))

    def subquery(self, outer: Sequence[Field], depth: int) -> Node:
        left = self.relation(outer, depth - 1)
        own = [f for f in output(left) if f.type == BIGINT]
        visible = [*own, *outer]
        kinds = [
            JoinKind.MARK,
            JoinKind.MARK,
            JoinKind.SEMI,
            JoinKind.ANTI,
            JoinKind.LEFT,
            JoinKind.INNER,
            JoinKind.SINGLE,
        ]
        kind = self.pick(kinds)
        right = self.relation(visible, depth - 1)
        if kind is JoinKind.SINGLE:
            return self.scalar(left, right, visible, outer)
        conjuncts: tuple[Expression, ...] = ()
        numbers = [f for f in output(right) if f.type == BIGINT]
        if numbers and own and self.chance(2):
            conjuncts = (self.equality(own, numbers),)
        elif kind in (JoinKind.MARK, JoinKind.SEMI, JoinKind.ANTI) and self.chance(3):
            right = Limit(right, 1)
        mark = self.field("m", BOOLEAN) if kind is JoinKind.MARK else None
        null_aware = kind is JoinKind.ANTI and self.chance(2)
        new: Node = Join(kind, left, right, conjuncts, mark, null_aware, dependent=True)
        if mark is not None and self.chance(2):
            test: Expression = ColumnRef(BOOLEAN, mark.id, "m")
            new = Filter(new, (test if self.chance(2) else Call(BOOLEAN, "not", (test,)),))
        return new

    def scalar(self, left: Node, right: Node, visible: Sequence[Field], outer: Sequence[Field]) -> Node:
        choice = self.integer(0, 3)
        numbers = [f for f in output(right) if f.type == BIGINT]
        if choice == 0 and numbers:
            key = self.pick(numbers)
            one = Project(right, (key,), (ColumnRef(BIGINT, key.id, key.name),))
            order = SortKey(ColumnRef(BIGINT, key.id, key.name), self.chance(2))
            right = Limit(Sort(one, (order,)), 1)
        elif choice == 1:
            right = self.project(right, visible)
        else:
            call = self.call(output(right), visible)
            result = self.field("g")
            right = Aggregate(right, (), (result,), (call,))
            if self.chance(2):
                new = self.field("h")
                right = Project(right, (new,), (self.number((result,), visible),))
            if self.chance(4):
                right = Filter(right, (self.predicate(output(right), visible),))
        joined: Node = Join(JoinKind.SINGLE, left, right, dependent=True)
        if self.chance(2):
            joined = Filter(joined, (self.predicate(output(joined), outer),))
        return joined

    def call(self, own: Sequence[Field], outer: Sequence[Field]) -> AggregateCall:
        function = self.pick(["count", "rows", "sum", "min", "max"])
        if function == "rows":
            return AggregateCall(BIGINT, "count")
        return AggregateCall(BIGINT, function, (self.number(own, outer),))

    def aggregate(self, child: Node, outer: Sequence[Field]) -> Node:
        own = output(child)
        keys = tuple(f for f in own if self.chance(2))
        results, calls = [], []
        for _ in range(self.integer(0 if keys else 1, 2)):
            results.append(self.field("g"))
            calls.append(self.call(own, outer))
        return Aggregate(child, keys, tuple(results), tuple(calls))

    def window(self, child: Node, outer: Sequence[Field]) -> Node:
        own = output(child)
        partition = tuple(f for f in own if self.chance(2))
        # row numbers are definite where rows that tie are equal
        total = self.chance(2)
        order = tuple(self.sort_key(f) for f in own if total or self.chance(3))
        results, calls = [], []
        for _ in range(self.integer(1, 2)):
            results.append(self.field("w"))
            calls.append(self.window_call(own, outer, total=total))
        new: Node = Window(child, partition, order, tuple(results), tuple(calls))
        if self.chance(2):
            number = ColumnRef(BIGINT, results[0].id, "w")
            new = Filter(new, (Call(BOOLEAN, "le", (number, Literal(BIGINT, self.integer(0, 2)))),))
        return new

    def window_call(self, own: Sequence[Field], outer: Sequence[Field], *, total: bool) -> WindowCall:
        if total and self.chance(2):
            return WindowCall(BIGINT, "row_number")
        call = self.call(own, outer)
        function = "rank" if self.chance(3) else call.function
        return WindowCall(
            BIGINT, function, () if function == "rank" else call.args, self.pick([RUNNING, WHOLE_PARTITION])
        )

    def sort_key(self, f: Field) -> SortKey:
        return SortKey(ColumnRef(f.type, f.id, f.name), self.chance(2), self.chance(2))

    def limit(self, child: Node) -> Node:
        """The first rows in an order in which only equal rows tie."""
        ordered = Sort(child, tuple(self.sort_key(f) for f in output(child)))
        return Limit(ordered, self.pick([1, 1, 2, None]), self.integer(0, 1))

    def set_operation(self, outer: Sequence[Field], depth: int) -> Node:
        branches, columns = [], []
        for _ in range(self.integer(2, 3)):
            child = self.relation(outer, depth - 2)
            own = output(child)
            fields = (self.field("c"), self.field("d"))
            branches.append(Project(child, fields, tuple(self.number(own, outer) for _ in fields)))
            columns.append(fields if self.chance(2) else fields[::-1])
        kind = self.pick(list(SetKind))
        return SetOperation(kind, tuple(branches), (self.field("c"), self.field("d")), tuple(columns))


def query_from(chance: Chance, depth: int = 4) -> Query:
    """A random query; its tables hold a few rows of small numbers and NULLs."""
    source = Source(chance)
    root = source.relation((), depth)
    if source.chance(3):
        root = source.project(root, ())
    return Query(root, output(root))


@st.composite
def queries(draw: Any, depth: int = 4) -> Query:
    """As :func:`query_from`, by Hypothesis."""
    return query_from(Drawn(draw), depth)
