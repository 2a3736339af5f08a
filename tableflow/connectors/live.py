"""A table over rows that come as long as the program that registered it gives some: unbounded, known to this process alone.

What gives the rows is a :class:`Feed` in the session's :class:`~tableflow.connectors.connector.ObjectStore`; a plan holds its key.
Invariant: a feed decides about splits and their readers, nothing here touches a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import declared, from_arrow
from tableflow.config import SCHEDULER_SEED
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.reading import ListAssigner
from tableflow.errors import DataError
from tableflow.runtime.source import BlockingReader, Split, SplitReader
from tableflow.types import SqlType

KIND = "live"


class RowShape:
    """The columns that a scan wants of rows with these names and types; makes batches of them."""

    def __init__(self, names: Sequence[str], types: Sequence[SqlType], wanted: Sequence[int]) -> None:
        self.names = tuple(names)
        self._known = frozenset(names)
        self._types = tuple(types)
        self._wanted = tuple(wanted)
        self._storage = [declared(of) for of in types]

    def of_rows(self, rows: Sequence[Any]) -> Batch:
        """A batch of rows, each a sequence in the table's order or a mapping by name."""
        listed = [self._listed(row) for row in rows]
        arrays = []
        for i in self._wanted:
            try:
                arrays.append(pa.array([row[i] for row in listed], self._storage[i]))
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                raise DataError(
                    f"a value of column {self.names[i]!r} is no {self._types[i]}", detail=str(error)
                ) from None
        return self._batch(arrays, len(listed))

    def of_arrow(self, data: pa.RecordBatch) -> Batch:
        """A batch of Arrow data, column by name; columns that it does not have are NULL."""
        arrays = []
        for i in self._wanted:
            found = data.schema.get_field_index(self.names[i])
            if found < 0:
                arrays.append(pa.nulls(data.num_rows, self._storage[i]))
                continue
            column = data.column(found)
            try:
                arrays.append(column if column.type == self._storage[i] else column.cast(self._storage[i]))
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise DataError(
                    f"values of column {self.names[i]!r} are no {self._types[i]}", detail=str(error)
                ) from None
        return self._batch(arrays, data.num_rows)

    def _batch(self, arrays: list[pa.Array], rows: int) -> Batch:
        return Batch([from_arrow(array, self._types[i]) for i, array in zip(self._wanted, arrays, strict=True)], rows)

    def _listed(self, row: Any) -> Sequence[Any]:
        if isinstance(row, dict):
            listed = [row.get(name) for name in self.names]
            if not row.keys() <= self._known:
                name = next(iter(row.keys() - self._known))
                raise DataError(
                    f"a row of the stream has a column {name!r} that its table lacks",
                    detail=f"its columns are {', '.join(self.names)}",
                )
            return listed
        if not isinstance(row, tuple | list) or len(row) != len(self.names):
            raise DataError(
                "a row of the stream does not fit its table",
                detail=f"{str(row)[:200]} instead of {len(self.names)} values: {', '.join(self.names)}",
            )
        return row


class Feed(Protocol):
    """What gives the rows of a live table."""

    @property
    def splits(self) -> int:
        """How many parts are read side by side."""
        ...

    def reader(
        self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool
    ) -> SplitReader | BlockingReader:
        """A reader of one part; ``inline``: in the caller's thread, where nothing else may decide what comes together."""
        ...


class LiveTable(ProjectedTable):
    """A provider over a feed; the schema is the caller's word, and so is it that the feed is ``bounded``."""

    def __init__(self, schema: TableSchema, feed: Feed, objects: ObjectStore, *, bounded: bool = False) -> None:
        self.bounded = bounded
        self._schema = schema
        self._objects = objects
        self._key = objects.add(feed)

    @property
    def schema(self) -> TableSchema:
        """As registered."""
        return self._schema

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._schema.columns)}
        return KIND, {
            "object": self._key,
            "names": [column.name for column in self._schema.columns],
            "types": [column.type for column in self._schema.columns],
            "columns": [positions[name] for name in accepted.request.columns],
            "bounded": self.bounded,
        }

    def close(self) -> None:
        """Lets the feed go."""
        self._objects.remove(self._key)


class LiveSource:
    """The splits of a feed."""

    def __init__(self, feed: Feed, shape: RowShape, *, inline: bool, bounded: bool) -> None:
        self.bounded = bounded
        self._feed = feed
        self._shape = shape
        self._inline = inline

    def assigner(self) -> ListAssigner:
        """Every part, from its beginning."""
        return ListAssigner(Split(f"part {i}", i) for i in range(self._feed.splits))

    def reader(self, split: Split, batch_rows: int) -> SplitReader | BlockingReader:
        """The feed's own."""
        return self._feed.reader(split.definition, self._shape, split.offset, batch_rows, inline=self._inline)


def _open(options: Any, context: OpenContext) -> LiveSource:
    shape = RowShape(options["names"], options["types"], options["columns"])
    inline = context.settings.get(SCHEDULER_SEED) >= 0
    return LiveSource(context.objects.get(options["object"]), shape, inline=inline, bounded=bool(options["bounded"]))


CONNECTOR = Connector(KIND, "rows that a program of this process goes on giving", (), _open)
