"""The rows of a query that begins again if its tables' files are gone before it has given any.

A reader in another process than the writer's may be so slow that files it has pinned are removed; a newer state has all it
needs.  Rows that were given cannot be taken back: then the error is the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from tableflow.runtime.counts import JobCounters
from tableflow.session.job_result import JobResult
from tableflow.session.outcome import OperatorTime, ResultColumn
from tableflow.session.planned import Planned
from tableflow.storage.failure import StaleStateError

_ATTEMPTS = 5


class RestartingResult:
    """A :class:`~tableflow.session.outcome.Result` over a job; ``again`` starts the query over the newest state."""

    def __init__(self, result: JobResult, again: Callable[[], JobResult]) -> None:
        self.running = result
        """The job that gives the rows now."""
        self._again = again
        self._left = _ATTEMPTS

    @property
    def columns(self) -> Sequence[ResultColumn]:
        """Names and types."""
        return self.running.columns

    @property
    def schema(self) -> pa.Schema:
        """The schema of the record batches."""
        return self.running.schema

    @property
    def changes(self) -> bool:
        """Whether the first column says what each row does."""
        return self.running.changes

    @property
    def endless(self) -> bool:
        """Whether rows may come for ever."""
        return self.running.endless

    @property
    def stays(self) -> bool:
        """See :class:`~tableflow.session.outcome.Result`."""
        return self.running.stays

    def next_batch(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """See :class:`~tableflow.session.outcome.Result`."""
        stale: StaleStateError | None = None
        while True:
            try:
                if stale is not None:
                    self._restart(stale)
                    stale = None
                batch = self.running.next_batch(timeout)
            except StaleStateError as error:
                if self._left == 0:
                    raise
                self._left -= 1
                stale = error
            else:
                self._left = 0
                return batch

    def _restart(self, stale: StaleStateError) -> None:
        restarted = self._again()
        if restarted.schema != self.running.schema:
            restarted.close()
            self._left = 0
            raise stale
        self.running = restarted

    def cancel(self) -> None:
        """Stops the query."""
        self.running.cancel()

    def close(self) -> None:
        """Ends the query and gives everything back."""
        self._left = 0
        self.running.close()

    @property
    def planned(self) -> Planned:
        """What the rows are the result of."""
        return self.running.planned

    def counters(self) -> JobCounters:
        """The counters of the job that gave the rows."""
        return self.running.counters()

    @property
    def news(self) -> Sequence[str]:
        """Warnings about the job as it stands now."""
        return self.running.news

    def times(self) -> Sequence[OperatorTime]:
        """Where the time went so far."""
        return self.running.times()
