"""A function of the program as a sink: it is given Arrow data with what each row does.

The key of the function in the session's :class:`~tableflow.connectors.connector.ObjectStore` is all that a plan holds.  Calls come from
one thread at a time, changes of an epoch together and in order; while the function works, the query waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import ColumnDefinition
from tableflow.catalog.written import SinkRequest, Takes
from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import Connector, ObjectStore, OpenContext
from tableflow.connectors.sink_rows import SinkRows
from tableflow.connectors.write_only import WriteOnlyTable, unread
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.runtime.write_behind import BlockingSink

KIND = "callback"
Function = Callable[[pa.RecordBatch], object]


class _Callee:
    def __init__(self, name: str, function: Function) -> None:
        self.name = name
        self.function = function
        self.lock = threading.Lock()


def callback_table(
    name: str, columns: Sequence[ColumnDefinition], function: Function, objects: ObjectStore, key: tuple[str, ...] = ()
) -> WriteOnlyTable:
    """A table whose rows go to ``function``; with a ``key`` they replace each other by it."""
    place = objects.add(_Callee(name, function))

    def spec(request: SinkRequest) -> tuple[str, Any]:
        return KIND, {"object": place, "rows": SinkRows.of(request)}

    return WriteOnlyTable(name, tuple(columns), key, Takes.UPSERTS if key else Takes.CHANGES, spec)


class Calling(BlockingSink):
    """Calls the function for each batch."""

    def __init__(self, callee: _Callee, rows: SinkRows) -> None:
        self._callee = callee
        self._rows = rows

    def write(self, batch: Batch) -> None:
        """Gives the rows; what the function raises fails the query."""
        given = self._rows.with_kinds(batch)
        if not given.num_rows:
            return
        with self._callee.lock:
            try:
                self._callee.function(given)
            except TableFlowError:
                raise
            except Exception as error:
                raise ConnectorError(
                    f"the function of sink {self._callee.name!r} failed",
                    detail=f"{type(error).__name__}: {error}"[:500],
                ) from error


def _open_sink(options: Any, context: OpenContext) -> Calling:
    return Calling(context.objects.get(options["object"]), options["rows"])


CONNECTOR = Connector(KIND, "functions of this process", (), unread, open_sink=_open_sink)
