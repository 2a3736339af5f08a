"""Rows that come later than their watermark allows: what a stream makes of them, against what the rules say.

A row is late for a window that the watermark, less the lateness that is allowed, had passed before the row's batch came.  Which rows
that are is known beforehand where one task reads one part: the watermark is then the greatest of all batches before.  So each row is told
it in a column of its own, and what is expected is the batch answer over those rows of the windows that are not late for them.  The stream has
to give that answer, and to count as many late rows as were left out.

Invariant: what is expected follows from the rows, their order and the query alone; no operator of streams has a part in it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import accumulate

import pyarrow as pa

from tableflow.columnar.representation import canonical
from tableflow.errors import Span, UnsupportedError
from tableflow.expressions.nodes import AggregateCall, Call, Expression, column_ids
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Aggregate, Filter, Limit, Node, Project, Query, Scan, Sort
from tableflow.planner.logical.structure import inputs, output, with_inputs
from tableflow.planner.logical.time_nodes import AssignWatermarks, WindowTable
from tableflow.planner.logical.traversal import reference, walk_plan
from tableflow.records import replace
from tableflow.types import BIGINT, BOOLEAN, Field, SqlType, TimestampType

_STRAGGLERS = 0.25
_NEVER = -math.inf


def straggling(earliest: Sequence[float], slack: int, chance: random.Random) -> list[int]:
    """Rows in an order in which most come within the bound, and some of them as late as may be."""
    times = [time for time in earliest if math.isfinite(time)]
    span = int(max(times) - min(times)) if times else 0

    def due(time: float) -> float:
        time += chance.randint(0, slack)
        if chance.random() < _STRAGGLERS:
            time += slack + chance.randint(0, span // chance.choice((1, 3, 10, 40)) + 1)
        return time

    arrives = [due(time) for time in earliest]
    return sorted(range(len(arrives)), key=lambda number: arrives[number])


def passed_before(marks: Sequence[int | None], size: int, unit: int) -> list[int | None]:
    """The watermark before each row's batch, given what each row says; watermarks are multiples of ``unit``."""
    starts = range(0, len(marks), size)
    greatest = [max((m for m in marks[at : at + size] if m is not None), default=_NEVER) for at in starts]
    reached = [_NEVER, *accumulate(greatest, max)]
    told = [None if time == _NEVER else -(-int(time) // unit) * unit for time in reached]
    return [told[i // size] for i in range(len(marks))]


class OnTime:
    """A query without what is late for its windows.

    ``passed`` gives the watermark before each row of a scan, ``marked`` the scan with one more column of these values.
    """

    def __init__(
        self,
        query: Query,
        passed: Callable[[Scan], Sequence[int | None]],
        marked: Callable[[Scan, pa.Array, Field], Scan],
    ) -> None:
        self._root = query.root
        self._passed = passed
        self._mark = marked
        self._next = 1 + max(f.id for node in walk_plan(query.root) for f in output(node))
        self._pairs = [(aggregate, window) for window, aggregate in windows_of(query.root)]
        self._windows = {id(window): aggregate for aggregate, window in self._pairs}

    @property
    def countable(self) -> bool:
        """Whether streams count exactly these rows as late: not where a condition leaves out windows or groups, as a join does, too.

        It may be judged before the windows are, or behind them.
        """
        return _takes_all(self._root, self._windows) and not any(
            _leaves_out(aggregate.input, window) for aggregate, window in self._pairs
        )

    def answer(self, query: Query) -> Query:
        """What it gives for rows that are on time."""
        return Query(self._rewritten(query.root, late=False), query.columns)

    def counts(self) -> Iterator[Query]:
        """How many rows are late, once for each windows that are aggregated."""
        for aggregate in self._windows.values():
            count = self._field("late", BIGINT, nullable=False)
            below = self._rewritten(aggregate.input, late=True)
            yield Query(Aggregate(below, (), (count,), (AggregateCall(BIGINT, "count"),)), (count,))

    def _field(self, name: str, of: SqlType, *, nullable: bool = True) -> Field:
        self._next += 1
        return Field(self._next, name, of, nullable=nullable)

    def _rewritten(self, root: Node, *, late: bool) -> Node:
        """The plan in which each row of windows knows the watermark that it met, and is kept if it is ``late`` or is not."""

        def visit(node: Node, above: WindowTable | None) -> tuple[Node, Field | None]:
            if isinstance(node, Scan):
                return (node, None) if above is None else self._marked(node, above)
            if isinstance(node, WindowTable) and id(node) in self._windows:
                given, mark = visit(node.input, node)
                return (node if mark is None else self._chosen(node, given, mark, late=late)), None
            if isinstance(node, (Project, Filter, AssignWatermarks)) and above is not None:
                given, mark = visit(node.input, above)
                if mark is not None and isinstance(node, Project):
                    return Project(given, (*node.fields, mark), (*node.expressions, reference(mark))), mark
                return with_inputs(node, (given,)), mark
            return with_inputs(node, tuple([visit(child, None)[0] for child in inputs(node)])), None

        return visit(root, None)[0]

    def _marked(self, scan: Scan, window: WindowTable) -> tuple[Scan, Field]:
        assert window.time is not None
        mark = self._field(f"mark {self._next}", window.time.type)
        emit = self._windows[id(window)].emit
        grace = 0 if emit is None or emit.lateness is None else emit.lateness
        marks = pa.array([None if at is None else at - grace for at in self._passed(scan)], pa.int64())
        of = canonical(mark.type)
        return self._mark(scan, marks.cast(pa.timestamp("us", of.tz)).cast(of, safe=False), mark), mark

    def _chosen(self, node: WindowTable, given: Node, mark: Field, *, late: bool) -> Node:
        assert node.time is not None
        kept = output(node)
        end = node.end or self._field("end", node.time.type, nullable=False)
        passed = Call(BOOLEAN, "le", (reference(end), reference(mark)))
        known = Call(BOOLEAN, "is_not_null", (reference(mark),))
        conditions: tuple[Expression, ...] = (passed,)
        if not late:
            conditions = (Call(BOOLEAN, "or", (Call(BOOLEAN, "not", (passed,)), Call(BOOLEAN, "not", (known,)))),)
        return Project(Filter(replace(node, input=given, end=end), conditions), kept, passing(kept))


def windows_of(root: Node) -> Iterator[tuple[WindowTable, Aggregate]]:
    """The windows over each table with event time, and what aggregates them; an error where rows are late in another way."""
    found = False

    def visit(node: Node, path: tuple[Node, ...]) -> Iterator[tuple[WindowTable, Aggregate]]:
        nonlocal found
        if isinstance(node, AssignWatermarks):
            found = True
            yield _judging(node, path)
        for child in inputs(node):
            yield from visit(child, (node, *path))

    yield from visit(root, ())
    if not found:
        raise UnsupportedError(
            "no row can be late: the query reads no table with a watermark", hint="verify it without late rows"
        )


def _takes_all(node: Node, windows: Container[int]) -> bool:
    """Whether no node above these windows leaves out rows by their values."""
    if id(node) in windows:
        return True
    if isinstance(node, Aggregate) and _reaches(node.input, windows):
        return True
    plain = isinstance(node, (Project, Aggregate, Sort, Limit, WindowTable))
    return plain and all(_takes_all(child, windows) for child in inputs(node))


def _reaches(node: Node, windows: Container[int]) -> bool:
    while isinstance(node, (Filter, Project)):
        node = node.input
    return id(node) in windows


def _leaves_out(above: Node, window: WindowTable) -> bool:
    given = {f.id for f in output(window.input)}
    while above is not window:
        if isinstance(above, Filter) and any(column_ids(each) - given for each in above.conjuncts):
            return True
        (above,) = inputs(above)
    return False


def _judging(source: AssignWatermarks, path: tuple[Node, ...]) -> tuple[WindowTable, Aggregate]:
    above = iter([node for node in path if not isinstance(node, (Project, Filter))])
    window = next(above, None)
    if (
        not isinstance(window, WindowTable)
        or not isinstance(window.assigner, (Tumble, Hop, Cumulate))
        or window.time is None
        or window.time.id != source.column.id
    ):
        raise _unknown(source.table, "are not in windows of its event time (TUMBLE, HOP or CUMULATE)", None)
    aggregate = next(above, None)
    if not isinstance(aggregate, Aggregate):
        raise _unknown(source.table, "are not grouped by their windows", window.span)
    emit = aggregate.emit
    if emit is not None and emit.evicts and emit.lateness is None:
        raise _unknown(source.table, "are in windows with KEEP LAST, which fire in the order of rows", window.span)
    if emit is not None and emit.lateness and any(isinstance(node, WindowTable) for node in above):
        raise _unknown(
            source.table, "correct windows over which there are others, for which corrections are late", window.span
        )
    return window, aggregate


def _unknown(table: str, why: str, span: Span | None) -> UnsupportedError:
    return UnsupportedError(
        f"which late rows of table {table!r} count is not known beforehand: they {why}",
        hint="verify the query without late rows, or the part of it that aggregates in windows",
        span=span,
    )


def precision_unit(time: Field) -> int:
    """Of how many microseconds watermarks of an event time are multiples."""
    return 10 ** max(6 - time.type.precision, 0) if isinstance(time.type, TimestampType) else 1
