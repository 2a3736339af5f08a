"""Estimates: rows, distinct values and widths of logical nodes, and sound bounds of columns.

Estimates are guesses from table statistics under independence and containment of join keys; :attr:`Statistics.domains` alone
is a proof.  Everything is derived lazily and kept per node identity, columns only when somebody asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tableflow.expressions.intervals import Domain, bounds
from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression
from tableflow.expressions.window_assigner import windows_per_row
from tableflow.planner.column_statistics import ColumnEstimate, of_scan_column, unknown_column
from tableflow.planner.computed_statistics import aggregate_result, computed_distinct
from tableflow.planner.domains import derive_domains
from tableflow.planner.join_cardinality import base_rows, join_rows
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import unique_keys
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Hinted,
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
from tableflow.planner.logical.structure import inputs
from tableflow.planner.logical.time_nodes import AsofJoin, AssignWatermarks, TemporalJoin, WindowTable
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.rules.hints import hints_of, state_ttl_of
from tableflow.planner.selectivity import Lookup, selectivity_of_all
from tableflow.records import replace
from tableflow.types import Field

UNKNOWN_ROWS = 1_000_000.0
_FEW_GROUPS = 0.75
"""Groups of which nothing is known: this power of the rows."""


class Statistics:
    """Estimates for the plans of one optimisation."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._rows: dict[int, tuple[Node, float]] = {}
        self._columns: dict[tuple[int, int], ColumnEstimate] = {}
        self._stored: dict[tuple[int, int], tuple[Scan, ColumnEstimate]] = {}
        self._widths: dict[int, float] = {}
        self._domains: Mapping[int, Domain] | None = None
        self._root: Node | None = None

    def finish(self, root: Node) -> None:
        """Fixes the plan that :attr:`domains` speaks of."""
        self._root = root
        self._domains = None

    @property
    def domains(self) -> Mapping[int, Domain]:
        """Bounds by column id over the finished plan; no value lies outside."""
        if self._domains is None:
            self._domains = {} if self._root is None else derive_domains(self._root, self.context)
        return self._domains

    def keys(self, node: Node) -> tuple[frozenset[int], ...]:
        """Sets of columns that are unique together."""
        return unique_keys(node, self.context)

    def rows(self, node: Node) -> float:
        """Expected output rows."""
        known = self._rows.get(id(node))
        if known is None:
            known = self._rows[id(node)] = (node, self._derive_rows(node))
        return known[1]

    def base_rows(self, node: Node) -> float:
        """Expected rows before filters and semi joins took any away."""
        return base_rows(self, node)

    def distinct(self, node: Node, columns: Sequence[int]) -> float:
        """Expected distinct combinations; further columns are taken to be correlated with the first ones."""
        rows = self.rows(node)
        if not columns:
            return min(1.0, rows)
        wanted = frozenset(columns)
        if any(key <= wanted for key in self.keys(node)):
            return rows
        counts = sorted([self.column(node, i).grouping_distinct for i in columns], reverse=True)
        product, exponent = 1.0, 1.0
        for count in counts:
            product *= max(1.0, count) ** exponent
            exponent = exponent / 2.0 if exponent > 0.25 else exponent
        return max(1.0, min(rows, product)) if rows >= 1.0 else rows

    def row_bytes(self, node: Node, columns: Iterable[int]) -> float:
        """Expected bytes of these columns in one row."""
        return sum([self._widths.get(i) or self._width(node, i) for i in columns])

    def _width(self, node: Node, column: int) -> float:
        """A column's bytes are the same wherever it is in a plan."""
        found = self._widths[column] = self.column(node, column).average_bytes
        return found

    def column(self, node: Node, column: int) -> ColumnEstimate:
        """What is expected of one column of the node's output."""
        key = (id(node), column)
        known = self._columns.get(key)
        if known is None:
            self.rows(node)
            known = self._columns[key] = self._derive_column(node, column).capped(self.rows(node))
        return known

    def lookup(self, node: Node) -> Lookup:
        """Columns of a node, for selectivities of predicates over its output."""
        ids = self.context.output_ids(node)
        return lambda column: self.column_before_predicates(node, column) if column in ids else None

    def lookup_in_inputs(self, node: Node) -> Lookup:
        """Columns of a node's inputs, for selectivities of its own condition."""
        children = inputs(node)

        def find(column: int) -> ColumnEstimate | None:
            for child in children:
                if column in self.context.output_ids(child):
                    return self.column(child, column)
            return None

        return find

    def column_before_predicates(self, node: Node, column: int) -> ColumnEstimate:
        """As :meth:`column`, before the node's own predicates, whose selectivity is being asked for."""
        if not isinstance(node, Scan):
            return self.column(node, column)
        known = self._stored.get((id(node), column))
        if known is None:
            known = self._stored[id(node), column] = (node, of_scan_column(node, column, self.table_rows(node)))
        return known[1]

    def groups(self, node: Aggregate) -> float:
        """Groups to be expected when choosing how to aggregate: where nothing is known of keys, there are few as a rule."""
        child = node.input
        known = [f.id for f in node.keys if not self.column(child, f.id).unknown]
        if len(known) == len(node.keys):
            return self.rows(node)
        few = math.pow(max(1.0, self.rows(child)), _FEW_GROUPS)
        return min(self.rows(node), max(few, self.distinct(child, known)))

    def _projected(self, node: Project, place: int) -> ColumnEstimate:
        child, of, expression = node.input, node.fields[place].type, node.expressions[place]
        if isinstance(expression, ColumnRef):
            return self.column(child, expression.id)
        below = self.context.columns(expression)
        only = self.column(child, next(iter(below))) if len(below) == 1 else None
        distinct = self.distinct(child, sorted(below)) if below else 1.0
        found = computed_distinct(expression, distinct, only)
        if found is None:
            return replace(unknown_column(of, self.rows(node), distinct), unknown=True)
        return unknown_column(of, self.rows(node), found)

    def _aggregate_result(self, node: Aggregate, field: Field, call: AggregateCall) -> ColumnEstimate:
        return aggregate_result(
            field, call, self.rows(node), self.rows(node.input), self._bounds(node.input, call.args)
        )

    def _bounds(self, node: Node, args: tuple[Expression, ...]) -> tuple[float, float] | None:
        """Between which storage values the only argument lies, as far as is known."""
        match args:
            case (ColumnRef(id=column),):
                estimate = self.column(node, column)
                low, high = estimate.minimum, estimate.maximum
            case (argument,):
                domain = bounds(argument, self.context.domains)
                low, high = domain.minimum, domain.maximum
            case _:
                return None
        return (low, high) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None

    def _derive_rows(self, node: Node) -> float:
        match node:
            case Scan():
                return self._scan_rows(node)
            case Values(rows=rows):
                return float(len(rows))
            case Filter(input=child, conjuncts=conjuncts):
                return self.rows(child) * selectivity_of_all(self.lookup(child), conjuncts)
            case Project(input=child) | Sort(input=child) | Hinted(input=child) | Shared(input=child):
                return self.rows(child)
            case Replicate(input=child) | AssignWatermarks(input=child) | Fetch(input=child):
                return self.rows(child)
            case WindowTable(input=child, assigner=assigner):
                return self.rows(child) * windows_per_row(assigner)
            case AsofJoin(left=probe) | TemporalJoin(left=probe):
                return self.rows(probe)
            case Limit(input=child, limit=limit, offset=offset):
                left = max(0.0, self.rows(child) - offset)
                return left if limit is None else min(left, float(limit))
            case Window(input=child, partition=partition, limit=limit):
                kept = None if limit is None else limit * self.distinct(child, [f.id for f in partition])
                return self.rows(child) if kept is None else min(self.rows(child), kept)
            case Aggregate(input=child, keys=keys):
                return self.distinct(child, [f.id for f in keys]) if keys else 1.0
            case Join():
                return join_rows(self, node)
            case SetOperation(inputs=branches):
                return sum([self.rows(branch) for branch in branches])
            case _:
                return UNKNOWN_ROWS

    def table_rows(self, scan: Scan) -> float:
        """Rows of a scan's table, by hint or statistics."""
        for hint in hints_of(self.context, "ROWS", scan.block):
            if len(hint.arguments) == 2 and hint.arguments[0].lower() == scan.alias.lower():
                return max(0.0, _number(hint.arguments[1], UNKNOWN_ROWS))
        rows = scan.provider.statistics().rows
        return UNKNOWN_ROWS if rows is None else float(rows)

    def state_ttl(self, below: Node) -> int | None:
        """How long state about a node's rows is kept, in microseconds, if hints say so of a table of it: the longest time."""
        found = [state_ttl_of(self.context, scan) for scan in walk_plan(below) if isinstance(scan, Scan)]
        times = [time for time in found if time is not None]
        return None if not times else 0 if 0 in times else max(times)

    def _scan_rows(self, scan: Scan) -> float:
        rows = self.table_rows(scan)
        factor = selectivity_of_all(self.lookup(scan), scan.predicates)
        for hint in hints_of(self.context, "SELECTIVITY", scan.block):
            if len(hint.arguments) == 2 and hint.arguments[0].lower() == scan.alias.lower():
                factor = min(1.0, max(0.0, _number(hint.arguments[1], factor)))
        rows *= factor
        return rows if scan.limit is None else min(rows, float(scan.limit))

    def _derive_column(self, node: Node, column: int) -> ColumnEstimate:
        match node:
            case Scan():
                return self.column_before_predicates(node, column).narrowed(column, node.predicates)
            case Filter(input=child, conjuncts=conjuncts):
                return self.column(child, column).narrowed(column, conjuncts)
            case Project(fields=fields) if any(f.id == column for f in fields):
                return self._projected(node, [f.id for f in fields].index(column))
            case Aggregate(results=results, calls=calls) if any(f.id == column for f in results):
                place = [f.id for f in results].index(column)
                return self._aggregate_result(node, results[place], calls[place])
            case SetOperation(inputs=branches, fields=fields, columns=columns) if branches:
                position = [f.id for f in fields].index(column)
                parts = [self.column(b, own[position].id) for b, own in zip(branches, columns, strict=True)]
                return ColumnEstimate.union(parts)
            case Shared(input=child, fields=fields, columns=sources):
                return self.column(child, sources[[f.id for f in fields].index(column)].id)
            case Join(kind=JoinKind.MARK, mark=mark) if mark is not None and mark.id == column:
                return unknown_column(mark.type, self.rows(node), 2.0)
            case _:
                for child in inputs(node):
                    if column in self.context.output_ids(child):
                        return self.column(child, column)
        for f in self.context.output(node):
            if f.id == column:
                return unknown_column(f.type, self.rows(node), self.rows(node))
        return unknown_column(None, self.rows(node), self.rows(node))


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise
