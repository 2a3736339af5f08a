"""A table over rows that come as long as the program that registered it gives some: unbounded, known to this process alone.

What gives the rows is a :class:`Feed` in the session's :class:`~tableflow.connectors.connector.ObjectStore`; a plan holds its key.
Invariant: a feed decides about splits and their readers, nothing here touches a row.
"""

from __future__ import annotations

from typing import Any, Protocol

from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.config import SCHEDULER_SEED
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.reading import ListAssigner
from tableflow.connectors.row_shape import RowShape
from tableflow.runtime.source import BlockingReader, Split, SplitReader

KIND = "live"


class Feed(Protocol):
    """What gives the rows of a live table."""

    @property
    def splits(self) -> int:
        """How many parts are read side by side."""
        ...

    @property
    def once(self) -> str | None:
        """What gives its rows to the first reader only; None: they can be read again."""
        ...

    @property
    def taken(self) -> bool:
        """Whether there has been a reader."""
        ...

    def reader(
        self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool
    ) -> SplitReader | BlockingReader:
        """A reader of one part; ``inline``: in the caller's thread, where nothing else may decide what comes together."""
        ...


class LiveTable(ProjectedTable):
    """A provider over a feed; the schema is the caller's word, and so is it that the feed is ``bounded``.

    ``name`` is what errors call it.
    """

    def __init__(
        self, name: str, schema: TableSchema, feed: Feed, objects: ObjectStore, *, bounded: bool = False
    ) -> None:
        self.bounded = bounded
        self._name = name
        self._schema = schema
        self._objects = objects
        self._feed = feed
        self._key = objects.add(feed)

    @property
    def once(self) -> str | None:
        """See :func:`~tableflow.catalog.provider.given_once`."""
        return self._feed.once

    @property
    def taken(self) -> bool:
        """See :func:`~tableflow.catalog.provider.given_once`."""
        return self._feed.taken

    @property
    def schema(self) -> TableSchema:
        """As registered."""
        return self._schema

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._schema.columns)}
        return KIND, {
            "object": self._key,
            "name": self._name,
            "names": [column.name for column in self._schema.columns],
            "types": [column.type for column in self._schema.columns],
            "required": [i for i, column in enumerate(self._schema.columns) if not column.nullable],
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
    shape = RowShape(
        options["names"],
        options["types"],
        options["columns"],
        required=options["required"],
        subject=f"stream {options['name']!r}",
    )
    inline = context.settings.get(SCHEDULER_SEED) >= 0
    return LiveSource(context.objects.get(options["object"]), shape, inline=inline, bounded=bool(options["bounded"]))


CONNECTOR = Connector(KIND, "rows that a program of this process goes on giving", (), _open)
