"""The result of a running job as Arrow record batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, take_columns
from tableflow.columnar.representation import boundary, declared
from tableflow.errors import InternalError, TableFlowError
from tableflow.physical.node import positions
from tableflow.runtime.counts import JobCounters, OperatorCounts
from tableflow.runtime.job import Job
from tableflow.runtime.memory import PoolReservation
from tableflow.runtime.sink import Prepared
from tableflow.session.outcome import OperatorTime, ResultColumn
from tableflow.session.planned import Planned


class JobResult:
    """Batches of the job, columns in the query's order, declared types; closes the job at the end."""

    def __init__(
        self, job: Job, planned: Planned, script: str, on_close: Callable[[JobResult], None], number: int = 0
    ) -> None:
        self.number = number
        """Which of its session's queries without end it is, counted from 1."""
        self.columns: Sequence[ResultColumn] = [ResultColumn(f.name, f.type, f.nullable) for f in planned.columns]
        self.schema = pa.schema([pa.field(f.name, declared(f.type, planned.zone)) for f in planned.columns])
        where = positions(planned.root.fields)
        self._positions = [where[f.id] for f in planned.columns]
        self.changes = planned.changes
        self.endless = planned.endless
        self.stays = planned.stays
        self.shown = 0
        """How many rows it has given."""
        self.last = 0
        """When it gave the last ones or ended, in nanoseconds of the performance counter."""
        self.planned = planned
        """What it is the result of."""
        self._job = job
        self._script = script
        self._on_close = on_close
        self._counters: JobCounters | None = None
        self._closed = False
        self._failure: TableFlowError | None = None

    def next_batch(self, timeout: float | None = None, epoch: int | None = None) -> pa.RecordBatch | None:
        """See :class:`~tableflow.session.outcome.Result`; errors point into the statement.  TimeoutError after ``timeout``.

        With an ``epoch`` also None when all that came before its end has been given.
        """
        if self._failure is not None:
            raise self._failure  # rows that never came are not the end
        if self._closed:
            return None
        try:
            batch = self._job.next_batch(timeout, epoch)
            while batch is not None and batch.rows == 0:
                batch = self._job.next_batch(timeout, epoch)
        except TableFlowError as error:
            from tableflow.session.scan_place import point_at_table  # it knows files, which not all queries read

            error.script = error.script or self._script
            point_at_table(error, self.planned.optimized.query)
            self._failure = error
            self.close()
            raise
        self.last = time.perf_counter_ns()
        if batch is None:
            if epoch is None:
                self.close()
            return None
        given = self._record_batch(batch)
        self.shown += given.num_rows
        return given

    def settled(self) -> Iterator[pa.RecordBatch]:
        """All rows that come of what the sources have given so far, once that has had its effect: of a query without end."""
        if self._closed or self._failure is not None:
            return
        epoch = self._job.epochs.ask()
        while (batch := self.next_batch(epoch=epoch)) is not None:
            yield batch

    def _record_batch(self, batch: Batch) -> pa.RecordBatch:
        whole = compact(batch)
        if whole.weights is not None:
            whole = _counted(whole)
        if not self._positions:
            # A record batch cannot have rows without columns; the planner gives every result at least one.
            return pa.record_batch([pa.nulls(whole.length)], names=[""]).select([])
        arrays = [boundary(whole.columns[i], zone=self.planned.zone) for i in self._positions]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def cancel(self) -> None:
        """Stops the job; a reader waiting in another thread gets CancelledError."""
        self._job.cancel()

    def close(self) -> None:
        """Ends the job; its counters stay."""
        if not self._closed:
            self._job.cancel()
            self._closed = True
            self._job.close()
            self._on_close(self)

    def counters(self) -> JobCounters:
        """The job's counters, final once it is closed."""
        if not self._closed:
            return self._job.counters()
        if self._counters is None:  # summed up when they are asked for, which those of few queries are
            self._counters = self._job.counters()
        return self._counters

    def reserve(self, owner: str) -> PoolReservation:
        """Memory of this job for what is kept of its rows."""
        return self._job.memory.reserve(owner)

    @property
    def news(self) -> Sequence[str]:
        """Warnings about the job as it stands now, or ended."""
        if not self.planned.optimized.streaming:
            return ()
        from tableflow.session.watermark_text import idle_warning, late_warning  # it knows all that keeps time

        found = [late_warning(self.planned, self.counters())]
        if not self._closed and self.endless:
            found.append(idle_warning(self.planned, self._job.counters()))
        return [warning for warning in found if warning is not None]

    def tokens(self) -> Sequence[Any]:
        """What the tasks' sinks have ready to be committed, once the job has ended."""
        return [prepared.token for prepared in self._job.prepared]

    def prepared(self) -> Sequence[Prepared]:
        """The same with the sinks that they are of."""
        return self._job.prepared

    def times(self) -> Sequence[OperatorTime]:
        """Busy time and rows by plan node."""
        from tableflow.physical.text import summary  # it knows all operators

        counters = self.counters()
        found = []
        for node, place in self.planned.lowered.nodes():
            counts = counts_at(counters, place)
            if counts is not None:
                found.append(OperatorTime(summary(node), float(counts.busy), counts.rows_out))
        return found


def _counted(batch: Batch) -> Batch:
    """Rows that are only ever added, as often as they count."""
    assert batch.weights is not None
    if (batch.weights < 0).any():
        raise InternalError("a result without a column of kinds takes rows back")
    return Batch(
        take_columns(batch.columns, np.repeat(np.arange(batch.length), batch.weights)), int(batch.weights.sum())
    )


def counts_at(counters: JobCounters, place: tuple[int, int]) -> OperatorCounts | None:
    """The counts of the operator at (stage, position); position -1 is the stage's source."""
    stage, position = place
    counted = counters.stage(stage)
    if position < 0:
        return counted.source
    return counted.operators[position] if position < len(counted.operators) else None
