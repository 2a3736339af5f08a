"""What is said to somebody who waits for a query or for jobs: why nothing comes, and which job has failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from tableflow.errors import render
from tableflow.session.job_description import JobState
from tableflow.session.session import Session

_COUNT = re.compile(r"\b[\d,]+ rows?\b")


class Watch:
    """Tells each warning when it begins to hold, and each failure once."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._holding: set[str] = set()
        self._told: set[int] = set()

    def warn(self, warnings: Iterable[str]) -> None:
        """All that hold now: one that has held before is not told again, whatever its numbers are by now."""
        holding = {_COUNT.sub("rows", text): text for text in warnings}
        for key, text in holding.items():
            if key not in self._holding:
                self._tell(f"warning: {text}")
        self._holding = set(holding)

    def look_at(self, session: Session) -> bool:
        """Warnings of running jobs, and which have failed since the last look or could not begin; whether any has failed."""
        if session.storage.shared.keeper.jobs:
            from tableflow.session.job_statements import job_warnings  # few commands stay for jobs

            self.warn(job_warnings(session.storage.shared.keeper))
        return self.tell_failed(session)

    def tell_failed(self, session: Session) -> bool:
        """Which jobs have failed since the last look or could not begin; whether any has failed."""
        schema = session.catalog.current
        ended = [job for job in session.storage.shared.keeper.jobs if job.error is not None]
        self._told |= session.told_jobs
        for job in ended:
            if job.id not in self._told and job.error is not None:
                self._told.add(job.id)
                state = "has failed" if job.state is JobState.FAILED else "is lost"
                self._tell(
                    f"warning: job {job.id}, which writes to {job.called(schema)}, {state}; {job.advice(schema)}"
                )
                self._tell(render(job.error, job.error.script))
        return any(job.state is JobState.FAILED for job in ended)

    def _tell(self, text: str) -> None:
        print(text, file=self._err, flush=True)
