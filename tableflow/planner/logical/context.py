"""What all rules of one optimisation share: fresh ids, settings, warnings, and facts memoised by identity.

Nodes and expressions are immutable, so a fact derived once holds as long as the object lives; the memo keeps its objects
alive, so that an identity is never used twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tableflow.config import Settings
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import WHOLE_PARTITION, ColumnRef, Expression, FrameUnit, WindowCall, substitute
from tableflow.expressions.properties import can_raise, deterministic
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Hint,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.planner.logical.traversal import collect_columns, expressions, produced, walk_plan
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.planner.statistics import Statistics

K = TypeVar("K")
V = TypeVar("V")
Memo = dict[int, tuple[K, V]]
NOTHING: frozenset[int] = frozenset()


class Context:
    """State of one optimisation; see the module."""

    def __init__(self, root: Node, settings: Settings) -> None:
        self.settings = settings
        self.warnings: list[str] = []
        self.hints: list[tuple[int, Hint]] = []
        self._next_id = 1 + max((f.id for node in walk_plan(root) for f in produced(node)), default=0)
        self._columns: Memo[Expression, frozenset[int]] = {}
        self._output: Memo[Node, tuple[Field, ...]] = {}
        self._output_ids: Memo[Node, frozenset[int]] = {}
        self._free: Memo[Node, frozenset[int]] = {}
        self._movable: Memo[Expression, bool] = {}
        self._deterministic: Memo[Expression, bool] = {}
        self.keys: Memo[Node, tuple[frozenset[int], ...]] = {}
        self.present: Memo[Node, frozenset[int]] = {}
        self.predicates: Memo[Node, tuple[Expression, ...]] = {}
        self.folded: Memo[Expression, Expression] = {}
        self.settled: Memo[tuple[Expression, ...], type[Node]] = {}
        """Expressions of a node, by the tuple that holds them, in which nothing is left to fold."""
        self.factored: Memo[Expression, list[Expression] | None] = {}
        self.implied: dict[tuple[int, frozenset[int]], tuple[Expression, Expression | None]] = {}
        self._derived: set[Expression] = set()
        self._derived_about: dict[int, int] = {}
        self._statistics: Statistics | None = None
        self._root = root
        self._domains: dict[int, Domain] | None = None

    @property
    def statistics(self) -> Statistics:
        """Estimates, derived when first asked for."""
        if self._statistics is None:
            from tableflow.planner.statistics import Statistics

            self._statistics = Statistics(self)
        return self._statistics

    def hand_over_statistics(self) -> Statistics:
        """The estimates for those who come after the optimisation; they know this context, which forgets them."""
        statistics, self._statistics = self.statistics, None
        return statistics

    @property
    def domains(self) -> dict[int, Domain]:
        """Bounds of the columns of the plan as it was given, and of their copies."""
        if self._domains is None:
            from tableflow.planner.domains import derive_domains

            self._domains = derive_domains(self._root, self)
        return self._domains

    def warn(self, message: str) -> None:
        """Notes something the user should know, once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def fresh_id(self) -> int:
        """An id that no column of the plan has."""
        self._next_id += 1
        return self._next_id - 1

    def fresh(self, like: Field, *, nullable: bool | None = None) -> Field:
        """A new column with the name and type of another."""
        return Field(self.fresh_id(), like.name, like.type, like.nullable if nullable is None else nullable)

    def copy_of(self, field: Field) -> Field:
        """A new column with the same values as another, hence within the same bounds."""
        new = self.fresh(field)
        if field.id in self.domains:
            self.domains[new.id] = self.domains[field.id]
        return new

    def derive_once(self, predicate: Expression, about: int = -1, most: int | None = None) -> bool:
        """Whether a predicate is derived for the first time: what it becomes further down may not look like it.

        With ``most``, so many at most are derived about one column.
        """
        count = self._derived_about.get(about, 0)
        if predicate in self._derived or (most is not None and count >= most):
            return False
        self._derived.add(predicate)
        self._derived_about[about] = count + 1
        return True

    def columns(self, of: Expression) -> frozenset[int]:
        """Ids of the columns the expression reads."""
        known = self._columns.get(id(of))
        if known is not None:
            return known[1]
        if isinstance(of, ColumnRef):
            found = frozenset((of.id,))
        else:
            into: set[int] = set()
            collect_columns(of, into)
            found = frozenset(into)
        self._columns[id(of)] = (of, found)
        return found

    def output(self, of: Node) -> tuple[Field, ...]:
        """The node's output fields."""
        known = self._output.get(id(of))
        if known is not None:
            return known[1]
        if isinstance(of, Join) and of.kind is JoinKind.INNER:
            fields = (*self.output(of.left), *self.output(of.right))
        elif isinstance(of, Join) and of.kind in {JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK}:
            fields = self.output(of.left) if of.mark is None else (*self.output(of.left), of.mark)
        else:
            fields = output(of)
        self._output[id(of)] = (of, fields)
        return fields

    def output_ids(self, of: Node) -> frozenset[int]:
        """Ids of the node's output fields."""
        known = self._output_ids.get(id(of))
        if known is not None:
            return known[1]
        found = frozenset([f.id for f in self.output(of)])
        self._output_ids[id(of)] = (of, found)
        return found

    def references(self, of: Node) -> frozenset[int]:
        """Ids that the node itself reads, whatever is read above it."""
        read = self.columns
        found: set[int] = set()
        for expression in expressions(of):
            found |= read(expression)
        if type(of) in _ONLY_EXPRESSIONS:
            return frozenset(found)
        match of:
            case Aggregate(keys=keys) | Window(partition=keys):
                found.update([f.id for f in keys])
            case Replicate(count=count):
                found.add(count)
            case Fetch(row=row):
                found.add(row.id)
            case SetOperation(columns=columns):
                found.update([f.id for each in columns for f in each])
            case Shared(columns=columns):
                found.update([f.id for f in columns])
            case AssignWatermarks(column=column):
                found.add(column.id)
            case WindowTable(partition=partition, time=time):
                found.update([f.id for f in (*partition, time) if f is not None])
            case WindowedAggregate(partition=partition, keys=keys, time=time):
                found.update([f.id for f in (*partition, *keys, time) if f is not None])
            case AsofJoin(versions=Field(id=version)) | TemporalJoin(versions=Field(id=version)):
                found.add(version)
            case _:
                pass
        return frozenset(found)

    def free(self, of: Node) -> frozenset[int]:
        """Ids that are read in the plan but not made in it: references to an outer row."""
        known = self._free.get(id(of))
        if known is not None:
            return known[1]
        children = inputs(of)
        found = set(self.references(of))
        found.difference_update([f.id for f in produced(of)])
        for child in children:
            found -= self.output_ids(child)
        for child in children:
            found |= self.free(child)
        if isinstance(of, Join) and of.dependent:
            found -= self.output_ids(of.left) - self.free(of.left)
        result = frozenset(found)
        self._free[id(of)] = (of, result)
        return result

    def deterministic(self, of: Expression) -> bool:
        """Whether the expression gives the same value for the same row."""
        known = self._deterministic.get(id(of))
        if known is None:
            known = self._deterministic[id(of)] = (of, deterministic(of))
        return known[1]

    def movable(self, of: Expression) -> bool:
        """Whether the expression may see rows it did not see before: deterministic, and fails for no row."""
        known = self._movable.get(id(of))
        if known is None:
            known = self._movable[id(of)] = (of, self.deterministic(of) and not can_raise(of, self.domains))
        return known[1]

    def deterministic_plan(self, of: Node) -> bool:
        """Whether two evaluations of the plan give the same rows: no chance, and no choice among rows that tie."""
        return self.without_chance(of) and not any(chooses(node) for node in walk_plan(of))

    def without_chance(self, of: Node) -> bool:
        """Whether all expressions of the plan are deterministic; which rows of a tie come first may still differ."""
        return all(self.deterministic(expression) for node in walk_plan(of) for expression in expressions(node))


_ONLY_EXPRESSIONS = frozenset({Filter, Join, Project, Scan, Sort, Values, Limit})
"""Nodes that read nothing but what their expressions do."""

_OF_PEERS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
_OF_ROWS = frozenset({"row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})


def chooses(of: Node) -> bool:
    """Whether the node's result may depend on the order of rows that its keys do not tell apart."""
    match of:
        case Limit():
            return True
        case Window(calls=calls, limit=limit):
            return limit is not None or any(_chooses(call) for call in calls)
        case _:
            return False


def _chooses(call: WindowCall) -> bool:
    if call.function in _OF_PEERS:
        return False
    return call.function in _OF_ROWS or (call.frame.unit is FrameUnit.ROWS and call.frame != WHOLE_PARTITION)


def substitute_columns(of: Expression, by_id: dict[int, Expression], context: Context) -> Expression:
    """Columns replaced by expressions; the very same expression when it reads none of them."""
    if context.columns(of).isdisjoint(by_id):
        return of
    return substitute(of, by_id)
