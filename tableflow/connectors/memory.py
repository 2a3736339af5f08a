"""Tables over Arrow data that is already in memory.

The source of such a table is the key of an object in the session's :class:`~tableflow.connectors.connector.ObjectStore`;
the data itself is never part of a plan.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tableflow import types as t
from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ColumnStatistics,
    ProjectedTable,
    TableSchema,
    TableStatistics,
)
from tableflow.columnar import compute as pc
from tableflow.columnar.representation import from_arrow_type
from tableflow.config import FORCE_REPRESENTATION
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.naming import distinct_names
from tableflow.connectors.part_matcher import matcher
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.reading import Chunk, ChunkReader, ListAssigner
from tableflow.connectors.storage import column_from_arrow, scaled_integer
from tableflow.connectors.text_check import check_text
from tableflow.expressions.nodes import ColumnRef, Expression, walk
from tableflow.runtime.source import KeyList, Split

KIND = "memory"
SPLIT_ROWS = 1 << 20


class MemoryTable(ProjectedTable):
    """A provider over an Arrow table or record batch; :meth:`close` lets the data go."""

    bounded = True

    def __init__(
        self,
        data: pa.Table | pa.RecordBatch,
        objects: ObjectStore,
        *,
        keys: tuple[tuple[str, ...], ...] = (),
        split_rows: int = SPLIT_ROWS,
        name: str = "",
    ) -> None:
        self._table = data if isinstance(data, pa.Table) else pa.Table.from_batches([data])
        self._objects = objects
        self._key = objects.add(HeldTable(self._table, f"table {name!r}" if name else "an Arrow table"))
        self._split_rows = split_rows
        names, self.warnings = distinct_names(self._table.column_names)
        types = [from_arrow_type(storage_type(field.type)) for field in self._table.schema]
        self._columns = tuple(
            ColumnDefinition(name, of, field.nullable)
            for name, of, field in zip(names, types, self._table.schema, strict=True)
        )
        self._keys = keys

    @property
    def schema(self) -> TableSchema:
        """Columns and keys."""
        return TableSchema(self._columns, self._keys)

    def statistics(self) -> TableStatistics:
        """Exact rows, NULLs and bounds; computed when first asked for."""
        return self._statistics

    @functools.cached_property
    def _statistics(self) -> TableStatistics:
        columns = {
            column.name: column_statistics(self._table.column(i), column.type) for i, column in enumerate(self._columns)
        }
        return TableStatistics(self._table.num_rows, columns)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._columns)}
        return KIND, {
            "object": self._key,
            "columns": [positions[name] for name in accepted.request.columns],
            "split_rows": self._split_rows,
        }

    def close(self) -> None:
        """Lets the data go; sources made before cannot be opened any more."""
        self._objects.remove(self._key)


def memory_provider(table: pa.Table, objects: ObjectStore) -> MemoryTable:
    """A table over Arrow data that a session registers under a name."""
    return MemoryTable(table, objects)


def storage_type(of: pa.DataType) -> pa.DataType:
    """The type below an extension type."""
    return of.storage_type if isinstance(of, pa.BaseExtensionType) else of


def column_statistics(values: pa.ChunkedArray, of: t.SqlType) -> ColumnStatistics:
    """Bounds as storage values, exact NULLs, and an estimate of distinct values for integers and dates."""
    rows, nulls = len(values), values.null_count
    average = values.nbytes / rows if rows else None
    minimum = maximum = distinct = None
    if rows > nulls and isinstance(
        of, t.IntegerType | t.DateType | t.TimestampType | t.DecimalType | t.BooleanType | t.StringType | t.TimeType
    ):
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        column = pa.chunked_array(
            [column_from_arrow(chunk, of, of, "wide").array for chunk in values.chunks]
        )  # so that bounds are in the storage's unit
        bounds = pc.min_max(column)
        with contextlib.suppress(UnicodeDecodeError):  # bounds of what is no text: whoever reads the rows is told
            minimum, maximum = (storage_value(bounds[key], of) for key in ("min", "max"))
        if isinstance(of, t.IntegerType | t.DateType) and minimum is not None and maximum is not None:
            distinct = float(min(maximum - minimum + 1, rows))
    return ColumnStatistics(minimum, maximum, nulls, distinct, average)


def storage_value(scalar: pa.Scalar, of: t.SqlType) -> Any:
    """An Arrow scalar in canonical storage as a storage value of a plan."""
    match of:
        case t.DecimalType(scale=scale):
            return scaled_integer(scalar.as_py(), scale)
        case t.DateType():
            return scalar.value
        case t.TimestampType() | t.TimeType():
            return scalar.value
        case _:
            return scalar.as_py()


class HeldTable:
    """An Arrow table whose text is looked at before it is read for the first time."""

    def __init__(self, table: pa.Table, subject: str) -> None:
        self.table = table
        self._subject = subject
        self._checked: set[tuple[int, int, int]] = set()

    def check(self, columns: Sequence[int], start: int, rows: int) -> None:
        """Raises for the first row of these that has text in other encodings than UTF-8."""
        for column in columns:
            part = (column, start, rows)
            if part not in self._checked:
                values = self.table.column(column).slice(start, rows)
                check_text(values, self.table.column_names[column], self._subject, start)
                self._checked.add(part)


class MemorySource:
    """Splits of some rows of an Arrow table."""

    bounded = True

    def __init__(
        self,
        held: HeldTable,
        columns: list[int],
        split_rows: int,
        representation: str,
        predicates: Sequence[Expression] = (),
    ) -> None:
        self._held = held
        self._table = held.table
        self._columns = columns
        self._split_rows = max(1, split_rows)
        self._representation = representation
        self._predicates = predicates

    def narrowed(self, predicates: Sequence[Expression], lists: Sequence[KeyList]) -> MemorySource:
        """See :class:`~tableflow.runtime.source.Narrowable`."""
        return MemorySource(self._held, self._columns, self._split_rows, self._representation, predicates)

    def assigner(self) -> ListAssigner:
        """A fresh assigner over all rows, without splits that predicates rule out."""
        counts: Counter[str] = Counter()
        return ListAssigner(self._splits(counts), counts)

    def _splits(self, counts: Counter[str]) -> Iterator[Split]:
        names, _ = distinct_names(self._table.column_names)
        wanted = {node.name for one in self._predicates for node in walk(one) if isinstance(node, ColumnRef)}
        columns = [(name, self._table.column(i)) for i, name in enumerate(names) if name in wanted]
        rows = self._table.num_rows
        matchers = [matcher(one) for one in self._predicates]
        for start in range(0, rows, self._split_rows):
            count = min(self._split_rows, rows - start)
            ranges = {name: _range(column.slice(start, count)) for name, column in columns}
            if all(matches(ranges.get) for matches in matchers):
                yield Split(f"rows {start}", [start, count])
            else:
                counts["splits_pruned"] += 1

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """Slices of the table, without copying where the representation allows it."""
        start, rows = split.definition
        return ChunkReader(split.offset, lambda offset: self._read(start, rows, offset or 0, batch_rows), "memory")

    def _read(self, start: int, rows: int, done: int, batch_rows: int) -> Iterator[Chunk]:
        self._held.check(self._columns, start, rows)
        view = self._table.select(self._columns)
        types = [from_arrow_type(storage_type(field.type)) for field in view.schema]
        while done < rows:
            count = min(batch_rows, rows - done)
            part = view.slice(start + done, count)
            if part.num_columns and (chunks := part.to_batches()):
                arrays = list(chunks[0].columns)  # to the next boundary of the chunks only: nothing is copied
                count = chunks[0].num_rows
            else:
                arrays = []
            done += count
            columns = [
                column_from_arrow(array, of, of, self._representation) for array, of in zip(arrays, types, strict=True)
            ]
            yield Chunk(columns, count, done)


def _range(values: pa.ChunkedArray) -> ColumnRange:
    of = from_arrow_type(storage_type(values.type))
    known = column_statistics(values, of)
    return ColumnRange(of, known.minimum, known.maximum, known.nulls, len(values))


def _open(options: Any, context: OpenContext) -> MemorySource:
    held = context.objects.get(options["object"])
    representation = context.settings.get(FORCE_REPRESENTATION)
    return MemorySource(held, list(options["columns"]), int(options["split_rows"]), representation)


CONNECTOR = Connector(KIND, "Arrow tables of this process", (), _open)
