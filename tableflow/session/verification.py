"""One answer: a query over finished data as batch, and as streams in many ways, which must all agree.

Every table that the query reads is read once; then it is fed as a stream that ends.  *In order* is the order of event time;
*shuffled* is any order in which no row is late: a row may come as much later as its watermark allows.  Tables without event
time come in any order.  Rows are compared as bags, DOUBLE values at 1e-9, and without what depends on the order in which they arrive
(``comparison.py``).  Asked for *late rows*, it also feeds some beyond what their watermark allows (``late_verification.py``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa

from tableflow.catalog.provider import ColumnDefinition
from tableflow.config import BATCH_ROWS, MINI_BATCH, PARALLELISM, SCHEDULER_SEED, Settings
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.live import LiveTable
from tableflow.connectors.replay import Replay
from tableflow.connectors.rows import Row, rows
from tableflow.errors import UnsupportedError
from tableflow.physical.assign_watermarks import within_time
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Node, Project, Query, Scan
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.time_nodes import AssignWatermarks
from tableflow.planner.logical.traversal import transform_plan, walk_plan
from tableflow.records import dataclass, replace
from tableflow.session.comparison import Comparison, comparison
from tableflow.session.late_verification import OnTime, passed_before, precision_unit, straggling, windows_of
from tableflow.session.stream_plan import batch, streaming
from tableflow.types import Field

Run = Callable[[Query, Settings], tuple[list[pa.RecordBatch], pa.Schema, int]]
"""Runs a query to its end; the last is how many late rows were counted."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run the query as a stream."""

    name: str
    settings: Mapping[str, str]
    shuffle: int | None = None
    one_by_one: bool = False


WAYS = (
    *(Way(f"in order, {tasks} task{'s' if tasks > 1 else ''}", {PARALLELISM.name: str(tasks)}) for tasks in (1, 2, 4)),
    *(Way(f"shuffled ({seed})", {PARALLELISM.name: "2"}, shuffle=seed) for seed in (1, 2)),
    Way("in batches of one row", {PARALLELISM.name: "2", BATCH_ROWS.name: "1"}, one_by_one=True),
    Way("shuffled, in batches of one row", {PARALLELISM.name: "4"}, shuffle=3, one_by_one=True),
    Way("with micro-batches", {PARALLELISM.name: "2", MINI_BATCH.name: "true"}, one_by_one=True),
    Way("under a seed", {PARALLELISM.name: "3", SCHEDULER_SEED.name: "7"}, shuffle=4),
)


@dataclass(frozen=True, slots=True)
class LateWay:
    """One way to feed late rows: so many in a batch, drawn with this seed."""

    seed: int
    size: int = 1
    micro_batches: bool = False

    @property
    def name(self) -> str:
        """As the user sees it."""
        kind = f", {self.size} in a batch" if self.size > 1 else ", micro-batches" if self.micro_batches else ""
        return f"late rows ({self.seed}){kind}"


LATE_WAYS = (LateWay(1), LateWay(2), LateWay(3, size=5), LateWay(4, micro_batches=True))


@dataclass(frozen=True, slots=True)
class Leg:
    """What came of one way: nothing is wrong when there is no ``difference``."""

    name: str
    rows: int
    difference: str | None = None
    notices: tuple[str, ...] = ()
    """Of the first: what is compared, where that is not everything."""
    compared: bool = True
    """Whether anything is."""
    late: int | None = None
    """How many rows were late for a window, where some may be."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of a table, with the bounds between which each may come (None: any time)."""

    scan: Scan
    data: pa.Table
    earliest: list[float] | None
    slack: int
    marks: list[int | None]
    """What each row says of the time, in microseconds."""
    unit: int = 1
    """Of how many microseconds its watermarks are multiples."""

    @property
    def stored(self) -> list[str]:
        """The table's names of the columns."""
        names = {f.name: name for f, name in zip(self.scan.fields, self.scan.columns, strict=False)}
        return [names.get(name, name) for name in self.data.column_names]

    @property
    def unique(self) -> Iterator[str]:
        """Columns of numbers and times in which no two rows are equal."""
        for name, column in zip(self.stored, self.data.columns, strict=True):
            exact = pa.types.is_integer(column.type) or pa.types.is_temporal(column.type)
            if exact and len(column.unique()) == self.data.num_rows:
                yield name


class Verification:
    """Verifies one bound query."""

    def __init__(self, query: Query, settings: Settings, objects: ObjectStore, run: Run) -> None:
        self._query = query
        self._settings = settings
        self._objects = objects
        self._run = run

    def legs(self, *, late: bool = False) -> Iterator[Leg]:
        """The batch run, then each way as it is done, those with ``late`` rows last.

        :class:`UnsupportedError` if there is no plan for streams, or if nobody can say beforehand what becomes of late rows.
        """
        if late:
            list(windows_of(self._query.root))
        sources = list(_sources(self._query.root))
        tables = [self._read(node, parent) for node, parent in sources]
        compared = comparison(self._query, streaming(self._settings), lambda query: self._known(query, tables))
        asked = [self._query] if compared.among is None else [self._query, compared.among]
        if not all(_repeatable(node) for node, _ in sources):
            asked = [self._fed(query, tables, WAYS[0]) for query in asked]
        expected, *among = [self._answer(query, batch(self._settings)) for query in asked]
        certain = compared.columns is not None
        yield Leg("batch", len(expected), None, compared.notices, certain)
        for way in WAYS:
            settings = streaming(self._settings)
            for name, text in way.settings.items():
                settings = settings.with_value(name, text)
            found = self._answer(self._fed(self._query, tables, way), settings)
            differs = compared.difference(expected, found)
            if differs is None and among:
                differs = compared.stranger(among[0], found)
            yield Leg(way.name, len(found), differs, (), certain)
        for feed in LATE_WAYS if late else ():
            yield self._late_leg(feed, tables, compared)

    def _late_leg(self, way: LateWay, tables: Sequence[_Table], compared: Comparison) -> Leg:
        """Rows beyond the bound, one part of each table in one task: so it is known what is late, and what is left of the answer."""
        by_provider = {id(table.scan.provider): table for table in tables}
        fed = {at: self._straggling(table, way) for at, table in by_provider.items()}

        def passed(scan: Scan) -> list[int | None]:
            _, order = fed[id(scan.provider)]
            table = by_provider[id(scan.provider)]
            return passed_before([table.marks[number] for number in order], way.size, table.unit)

        def marked(scan: Scan, told: pa.Array, mark: Field) -> Scan:
            data, _ = fed[id(scan.provider)]
            schema = scan.provider.schema
            schema = replace(schema, columns=(*schema.columns, ColumnDefinition(mark.name, mark.type)))
            batches = data.append_column(mark.name, told).combine_chunks().to_batches()
            provider = LiveTable(scan.table, schema, Replay(batches), self._objects, bounded=True)
            return replace(scan, provider=provider, fields=(*scan.fields, mark), columns=(*scan.columns, mark.name))

        whole = {at: self._live(by_provider[at], data, data.num_rows) for at, (data, _) in fed.items()}
        judged = OnTime(self._query, passed, marked)
        expected = self._answer(_over(judged.answer(self._query), whole), batch(self._settings))
        late = sum(
            int(row[0]) for query in judged.counts() for row in self._answer(_over(query, whole), batch(self._settings))
        )
        settings = streaming(self._settings).with_value(PARALLELISM.name, "1")
        settings = settings.with_value(BATCH_ROWS.name, str(way.size))
        if way.micro_batches:
            settings = settings.with_value(MINI_BATCH.name, "true")
        streams = {at: self._live(by_provider[at], data, way.size) for at, (data, _) in fed.items()}
        answer, _, counted = self._run(_over(self._query, streams), settings)
        found = [row for part in answer for row in rows(part)]
        differs = compared.difference(expected, found)
        if differs is None and compared.among is not None:
            among = self._answer(_over(judged.answer(compared.among), whole), batch(self._settings))
            differs = compared.stranger(among, found)
        if differs is None and judged.countable and counted != late:
            differs = f"{late} rows are late, the stream counts {counted}"
        return Leg(way.name, len(found), differs, (), compared.columns is not None, late)

    def _straggling(self, table: _Table, way: LateWay) -> tuple[pa.Table, list[int]]:
        """A table's rows in an order in which some come beyond the bound; those of a table without event time as they are."""
        order = list(range(table.data.num_rows))
        if table.earliest is not None:
            order = straggling(table.earliest, table.slack, random.Random(way.seed))
        data = table.data.take(pa.array(order, pa.int64())) if order else table.data
        return data.rename_columns(table.stored), order

    def _live(self, table: _Table, data: pa.Table, size: int) -> LiveTable:
        batches = data.combine_chunks().to_batches(max_chunksize=max(1, size))
        feed = Replay(batches, pauses=True)
        return LiveTable(table.scan.table, table.scan.provider.schema, feed, self._objects, bounded=True)

    def _answer(self, query: Query, settings: Settings) -> list[Row]:
        found, *_ = self._run(query, settings)
        return [row for part in found for row in rows(part)]

    def _read(self, scan: Scan, event_time: AssignWatermarks | None) -> _Table:
        """All rows of a table, and what its event time allows."""
        settings = batch(self._settings).with_value(PARALLELISM.name, "1")
        if event_time is None:
            found, schema, _ = self._run(Query(scan, scan.fields), settings)
            return _Table(scan, pa.Table.from_batches(found, schema), None, 0, [])
        below = event_time.input
        there = {f.id for f in output(below)}
        kept = tuple(f for f in scan.fields if f.id in there)
        highest = max(f.id for node in walk_plan(self._query.root) for f in output(node))
        mark = Field(highest + 1, "watermark", event_time.expression.type)
        column = next(f for f in output(below) if f.id == event_time.column.id)
        time = Field(highest + 2, "time", column.type)
        plan = Project(
            below, (*kept, mark, time), (*passing(kept), within_time(event_time.expression), *passing((column,)))
        )
        found, schema, _ = self._run(Query(plan, plan.fields), settings)
        data = pa.Table.from_batches(found, schema)
        marks, times = (_micros(data.column(len(kept) + i)) for i in range(2))
        known = [t - m for t, m in zip(times, marks, strict=True) if t is not None and m is not None]
        earliest = [math.inf if t is None else t for t in times]
        data = data.select(range(len(kept)))
        slack, unit = max(0, min(known, default=0)), precision_unit(column)
        return _Table(replace(scan, fields=kept), data, earliest, slack, marks, unit)

    def _fed(self, query: Query, tables: Sequence[_Table], way: Way) -> Query:
        """A query over these tables as streams in this way."""
        return _over(query, {id(table.scan.provider): self._provider(table, way) for table in tables})

    def _known(self, query: Query, tables: Sequence[_Table]) -> Query:
        """A query over tables that say which of their columns are unique in these rows, so that none tie."""
        providers = {}
        for table in tables:
            schema = table.scan.provider.schema
            schema = replace(schema, keys=(*schema.keys, *((name,) for name in table.unique)))
            providers[id(table.scan.provider)] = LiveTable(
                table.scan.table, schema, Replay([]), self._objects, bounded=True
            )
        return _over(query, providers)

    def _provider(self, table: _Table, way: Way) -> LiveTable:
        chance = random.Random(way.shuffle)
        numbers = list(range(table.data.num_rows))
        if table.earliest is not None:
            slack = 0 if way.shuffle is None else table.slack
            due = [time + chance.randint(0, slack) for time in table.earliest]
            numbers.sort(key=lambda number: due[number])
        elif way.shuffle is not None:
            chance.shuffle(numbers)
        data = table.data.take(pa.array(numbers, pa.int64())) if numbers else table.data
        data = data.rename_columns(table.stored)
        size = 1 if way.one_by_one else max(1, data.num_rows // 7)
        batches = data.combine_chunks().to_batches(max_chunksize=size)
        return LiveTable(table.scan.table, table.scan.provider.schema, Replay(batches), self._objects, bounded=True)


def _over(query: Query, providers: Mapping[int, LiveTable]) -> Query:
    """The query over other tables, by identity of those it reads."""

    def fed(node: Node) -> Node:
        if not isinstance(node, Scan):
            return node
        return replace(node, provider=providers.get(id(node.provider), node.provider))

    return Query(transform_plan(query.root, fed), query.columns)


def _sources(root: Node) -> Iterator[tuple[Scan, AssignWatermarks | None]]:
    """Every table once, with the node that makes its event time."""
    seen: set[int] = set()

    def visit(node: Node, above: AssignWatermarks | None) -> Iterator[tuple[Scan, AssignWatermarks | None]]:
        if isinstance(node, Scan):
            if id(node.provider) not in seen:
                seen.add(id(node.provider))
                if not node.provider.bounded:
                    raise UnsupportedError(
                        f"table {node.table!r} has no end, so that there is nothing to compare with",
                        hint="verify the query over finished data",
                        span=node.span,
                    )
                yield node, above
            return
        following = node if isinstance(node, AssignWatermarks) else above if isinstance(node, Project) else None
        for child in inputs(node):
            yield from visit(child, following)

    yield from visit(root, None)


def _repeatable(scan: Scan) -> bool:
    """Whether a table has the same rows each time it is read; those of a generator may be drawn anew."""
    provider = getattr(scan.provider, "provider", scan.provider)  # a declared table's is its connector's
    return bool(getattr(provider, "repeatable", True))


def _micros(column: pa.ChunkedArray) -> list[int | None]:
    nanoseconds = 1000 if column.type.unit == "ns" else 1
    units = column if nanoseconds > 1 else column.cast(pa.timestamp("us", column.type.tz))
    return [None if each is None else each // nanoseconds for each in units.cast(pa.int64()).to_pylist()]
