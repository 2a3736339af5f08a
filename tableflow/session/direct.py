"""Statements that write, carried out without a job: :mod:`tableflow.session.direct_rows` are written by one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.config import BATCH_ROWS, MEMORY_LIMIT, Settings
from tableflow.errors import InternalError
from tableflow.physical.node import Input
from tableflow.physical.table_write import TableWrite, TableWriteOperator
from tableflow.physical.value_rows import ONE_ROW
from tableflow.runtime.context import Context, TaskWorld
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.sink import OpenSink, Prepared, Sinks
from tableflow.session.direct_rows import ViewOf, bound_view, columns_read, rows_of
from tableflow.session.write_plan import Writing, table_write


class DirectWrite:
    """A statement whose rows are evaluated and written here, perhaps again and again with other parameters."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        columns = writing.query.columns
        self._ids = tuple(replace(column, id=i) for i, column in enumerate(columns))
        self.reads = columns_read(writing.query.root)
        """Ids of the columns that its expressions read."""
        self._kept: TableWrite | None = None

    def begin(self, settings: Settings, sink: SinkSpec, open_sink: Sinks, *, counted: bool = True) -> DirectRun:
        """A run of it; its rows go to a sink.  ``counted``: errors may speak of rows by number."""
        return DirectRun(self.writing, TableWriteOperator(self._node(sink), counted=counted), settings, open_sink)

    def _node(self, sink: SinkSpec) -> TableWrite:
        if self._kept is None:
            self._kept = table_write(self.writing, Input(fields=self._ids), self._ids, sink)
        return replace(self._kept, sink=sink)


class DirectRun:
    """Rows for one sink: :meth:`write` any number of times, then :meth:`prepare`; :meth:`close` in any case."""

    def __init__(self, writing: Writing, operator: TableWriteOperator, settings: Settings, open_sink: Sinks) -> None:
        self.tokens: list[Any] = []
        self.table = writing.table
        """What messages call it."""
        self._query = writing.query
        self._operator = operator
        self._block = OperatorBlock("TableWrite")
        world = TaskWorld(
            0, 1, settings.get(BATCH_ROWS), settings, MemoryPool(settings.get(MEMORY_LIMIT)), _NoClock(), _no_builds,
            _no_timers, lambda spec: OpenSink(spec, (0, 0), open_sink(spec, 0), self._prepared),
        )  # fmt: skip
        self._context = Context(world, 0, self._block)
        operator.open(self._context)

    def write(
        self,
        parameters: Batch = ONE_ROW,
        where: Mapping[int, int] | None = None,
        view_of: ViewOf = bound_view,
    ) -> list[Batch]:
        """Writes the rows (once for each row of ``parameters``); gives what is returned of them."""
        batch = rows_of(self._query, parameters, where, view_of)
        return [one for one in self._operator.process(batch, 0) or () if isinstance(one, Batch)]

    def go_on(self, write: DirectWrite) -> None:
        """The rows that follow are those of the same statement, bound to parameters of other types."""
        self._query = write.writing.query

    def prepare(self) -> int:
        """All rows have come; how many were written."""
        self._operator.on_end(0)
        return sum(self._block.named.values())

    def close(self) -> None:
        """Closes the sink; what was not prepared is aborted."""
        self._context.release()

    def _prepared(self, prepared: Prepared) -> None:
        self.tokens.append(prepared.token)


class _NoClock:
    def now(self) -> int:
        raise InternalError("a statement without a job has no processing time")


def _no_builds(key: str) -> Any:
    raise InternalError(f"a statement without a job reads the build {key!r}")


def _no_timers(time: int, position: int) -> None:
    raise InternalError(f"a statement without a job sets a timer ({time}, {position})")
