"""Statements that write, carried out without a job: :mod:`tableflow.session.direct_rows` are written by one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.config import BATCH_ROWS, MEMORY_LIMIT, Settings
from tableflow.connectors.managed.sink import KIND, TableSink
from tableflow.errors import InternalError
from tableflow.physical.node import Input
from tableflow.physical.table_write import TableWrite, TableWriteOperator
from tableflow.physical.value_rows import ONE_ROW
from tableflow.records import replace
from tableflow.runtime.context import Context, TaskWorld
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.memory import MemoryPool, PoolReservation
from tableflow.runtime.sink import OpenSink, Prepared, SinkWriter
from tableflow.session.direct_rows import ViewOf, bound_view, columns_needed, columns_read, rows_of
from tableflow.session.write_plan import Writing, table_write
from tableflow.storage.transaction import Transaction

_NO_SPEC = SinkSpec(KIND, {})


class DirectWrite:
    """A statement whose rows are evaluated and written here, perhaps again and again with other parameters."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        columns = writing.query.columns
        self._ids = tuple(replace(column, id=i) for i, column in enumerate(columns))
        self.reads = columns_read(writing.query.root)
        """Ids of the columns that its expressions read."""
        self.needed = columns_needed(writing.query)
        self._kept: TableWrite | None = None

    def begin(self, settings: Settings, transaction: Transaction, table: int, *, counted: bool = True) -> DirectRun:
        """A run of it; its rows go to a table inside a transaction.  ``counted``: errors may speak of rows by number."""
        if self._kept is None:
            self._kept = table_write(self.writing, Input(fields=self._ids), self._ids, _NO_SPEC)
        operator = TableWriteOperator(self._kept, counted=counted)
        return DirectRun(self, operator, settings, TableSink(transaction, table))


class DirectRun:
    """Rows for one sink: :meth:`write` any number of times, then :meth:`prepare`; :meth:`close` in any case."""

    def __init__(self, write: DirectWrite, operator: TableWriteOperator, settings: Settings, sink: SinkWriter) -> None:
        self.tokens: list[Any] = []
        self.table = write.writing.table
        """What messages call it."""
        self._write = write
        self._operator = operator
        self._block = OperatorBlock("TableWrite")
        world = TaskWorld(
            0, 1, settings.get(BATCH_ROWS), settings, MemoryPool(settings.get(MEMORY_LIMIT)), _NoClock(), _no_builds,
            _no_timers, lambda spec: OpenSink(spec, (0, 0), sink, self._prepared),
        )  # fmt: skip
        self._context = Context(world, 0, self._block)
        operator.open(self._context)
        self._returned: PoolReservation | None = None

    def write(
        self,
        parameters: Batch = ONE_ROW,
        where: Mapping[int, int] | None = None,
        view_of: ViewOf = bound_view,
    ) -> list[Batch]:
        """Writes the rows (once for each row of ``parameters``); gives what is returned of them."""
        batch = rows_of(self._write.writing.query, parameters, where, view_of, self._write.needed)
        given = [one for one in self._operator.process(batch, 0) or () if isinstance(one, Batch)]
        if given:
            self._returned = self._returned or self._context.reserve("rows of RETURNING")
            self._returned.resize(self._returned.bytes + sum(one.nbytes for one in given))
        return given

    def go_on(self, write: DirectWrite) -> None:
        """The rows that follow are those of the same statement, bound to parameters of other types."""
        self._write = write

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
