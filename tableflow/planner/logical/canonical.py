"""Which subplans compute the same rows: plans compared without column ids, aliases and pruned columns.

A node gets a *signature*: equal signatures mean equal rows, up to which columns are there.  A column gets a *name* that
says where in the subplan it comes from.  Both are small numbers, one per distinct description.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields as dataclass_fields
from typing import Any

from tableflow.catalog.provider import TableProvider
from tableflow.expressions.nodes import ColumnRef, Expression, Frame, FrameBound, SortKey
from tableflow.expressions.window_assigner import assigner_expressions
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
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
from tableflow.planner.logical.structure import inputs
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.planner.logical.traversal import produced
from tableflow.types import Field


class Canonical:
    """Signatures of the nodes of one plan."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._numbers: dict[Any, int] = {}
        self._providers: list[TableProvider] = []
        self._names: dict[int, int] = {}
        self._signatures: dict[int, tuple[Node, int]] = {}

    def signature(self, of: Node) -> int:
        """The node's signature; computed once."""
        known = self._signatures.get(id(of))
        if known is None:
            for child in inputs(of):
                self.signature(child)
            known = self._signatures[id(of)] = (of, self._number(self._describe(of)))
        return known[1]

    def name(self, column: int) -> int:
        """The name of a column of a plan whose signature was computed."""
        return self._names[column]

    def _number(self, description: Any) -> int:
        return self._numbers.setdefault(description, len(self._numbers))

    def _describe(self, node: Node) -> Any:
        below = tuple([self.signature(child) for child in inputs(node)])
        match node:
            case Scan():
                return self._scan(node)
            case Values() | SetOperation() | Shared():
                return self._by_position(node, below)
            case Filter(conjuncts=conjuncts):
                return ("filter", below, self._all(conjuncts))
            case Project(fields=fields, expressions=computed):
                for f, e in zip(fields, computed, strict=True):
                    if not (isinstance(e, ColumnRef) and e.id == f.id):
                        self._names[f.id] = self._name_of(e)
                return ("project", below)
            case Join():
                return self._join(node, below)
            case Aggregate(keys=keys, results=results, calls=calls):
                for f, call in zip(results, calls, strict=True):
                    self._names[f.id] = self._number(("result", self._expression(call)))
                if node.fire is not None:
                    self._names[node.fire.id] = self._number(("fire", below, node.emit))
                return ("aggregate", below, tuple(sorted([self._names[f.id] for f in keys])), node.emit)
            case Window():
                return self._window(node, below)
            case Sort(keys=keys):
                return ("sort", below, self._order(keys))
            case Limit(limit=limit, offset=offset):
                return ("limit", below, limit, offset)
            case Replicate(count=count):
                return ("replicate", below, self._names[count])
            case _:
                return self._timed(node, below)

    def _scan(self, node: Scan) -> Any:
        for f, name in zip(node.fields, node.columns, strict=True):
            self._names[f.id] = self._number(("column", name))
        return ("scan", node.table, self._provider(node.provider), self._all(node.predicates), node.limit)

    def _order(self, keys: tuple[SortKey, ...]) -> Any:
        return tuple([(self._names[k.column.id], k.descending, k.nulls_first) for k in keys])

    def _window(self, node: Window, below: tuple[int, ...]) -> Any:
        by = (tuple(sorted([self._names[f.id] for f in node.partition])), self._order(node.order))
        for f, call in zip(node.results, node.calls, strict=True):
            self._names[f.id] = self._number(("window", below, by, self._expression(call)))
        return ("window", below, by, node.limit)

    def _windows(self, node: WindowTable | WindowedAggregate, below: tuple[int, ...]) -> Any:
        partition = tuple(sorted([self._names[f.id] for f in node.partition]))
        time = None if node.time is None else self._names[node.time.id]
        conditions = tuple([self._expression(e) for e in assigner_expressions(node.assigner)])
        assigner = (type(node.assigner).__name__, conditions) if conditions else node.assigner
        described: Any = ("windows", below, assigner, time, partition, self._order(node.order))
        made: list[tuple[str, Field | None]] = [("start", node.start), ("end", node.end), ("time", node.window_time)]
        if isinstance(node, WindowedAggregate):
            described = ("grouped", described, tuple(sorted([self._names[f.id] for f in node.keys])), node.emit)
            made.append(("fire", node.fire))
            for f, call in zip(node.results, node.calls, strict=True):
                self._names[f.id] = self._number(("result", self._expression(call)))
        for word, column in made:
            if column is not None:
                self._names[column.id] = self._number((word, described))
        return described

    def _timed(self, node: Node, below: tuple[int, ...]) -> Any:
        match node:
            case AssignWatermarks(column=column, expression=expression, nulls=nulls):
                return ("watermarks", below, self._names[column.id], self._expression(expression), nulls)
            case WindowTable() | WindowedAggregate(late=None):
                return self._windows(node, below)
            case AsofJoin() | TemporalJoin():
                self._tell_sides_apart(node)
            case _:
                for f in produced(node):
                    self._names[f.id] = self._number(("only", f.id))
        return ("unique", id(node))

    def _tell_sides_apart(self, node: Join | AsofJoin | TemporalJoin) -> None:
        for side, child in (("left", node.left), ("right", node.right)):
            for f in self._context.output(child):
                self._names[f.id] = self._number((side, self._names[f.id]))

    def _by_position(self, node: Values | SetOperation | Shared, below: tuple[int, ...]) -> Any:
        """Nodes whose columns are what stands at a position."""
        for i, f in enumerate(node.fields):
            self._names[f.id] = self._number(("position", i))
        match node:
            case Values(fields=fields, rows=rows):
                described = tuple([tuple([self._expression(e) for e in row]) for row in rows])
                return ("values", described, tuple([f.type for f in fields]))
            case SetOperation(kind=kind, columns=columns):
                return ("set", kind, below, tuple([tuple([self._names[f.id] for f in each]) for each in columns]))
            case Shared(key=key):
                return ("shared", key)

    def _join(self, node: Join, below: tuple[int, ...]) -> Any:
        self._tell_sides_apart(node)
        description = ("join", node.kind, node.null_aware, below, self._all(node.conjuncts))
        if node.mark is not None:
            self._names[node.mark.id] = self._number(("mark", description))
        return description

    def _provider(self, provider: TableProvider) -> int:
        for i, known in enumerate(self._providers):
            if known is provider:
                return i
        self._providers.append(provider)
        return len(self._providers) - 1

    def _name_of(self, of: Expression) -> int:
        return self._names[of.id] if isinstance(of, ColumnRef) else self._number(("computed", self._expression(of)))

    def _all(self, of: Iterable[Expression]) -> tuple[int, ...]:
        return tuple(sorted([self._number(self._expression(e)) for e in of]))

    def _expression(self, of: Any) -> Any:
        """The expression with names for ids, as a value that compares and hashes by content."""
        if isinstance(of, ColumnRef):
            return ("name", self._names.get(of.id, -of.id - 1))
        if isinstance(of, tuple):
            return tuple([self._expression(item) for item in of])
        if isinstance(of, (Expression, Frame, FrameBound)):
            return (type(of).__name__, *[self._expression(part) for part in _parts(of)])
        return (type(of).__name__, of)


_COMPARED: dict[type, tuple[str, ...]] = {}


def _parts(of: Expression | Frame | FrameBound) -> list[Any]:
    """What makes an expression of its kind what it is."""
    names = _COMPARED.get(type(of))
    if names is None:
        names = _COMPARED[type(of)] = tuple([f.name for f in dataclass_fields(of) if f.compare])
    return [getattr(of, name) for name in names]
