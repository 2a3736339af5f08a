"""Carries out the records of one case under one mode, in a database of its own."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence

from tableflow.connectors.rows import rows
from tableflow.connectors.script import Delay, Rows
from tableflow.errors import InternalError, JobError, TableFlowError
from tableflow.session import Session
from tableflow.session.job_description import JobState
from tableflow.session.job_result import JobResult
from tableflow.session.live_tables import LiveDescription
from tests.modes import Evidence, Mode
from tests.slt.stream_batch import Finished, view_of
from tests.slt.stream_records import StreamCase, StreamRecord, declaration
from tests.slt.stream_run import Fed, Row, Running, Told, lookup_of, rounded
from tests.slt.stream_values import cells, fed, microseconds

SETTINGS = {"table.exec.epoch-interval": "30 d", "table.exec.source.idle-timeout": "30 d"}
"""Epochs begin when a record asks for them, and a part is idle when a record says so, however slow the machine is."""


class Unexpected(AssertionError):
    """A record that is not as it says."""

    def __init__(self, record: StreamRecord, message: str) -> None:
        super().__init__(f"{record.place}: {record.kind} {record.rest}\n    {message}")


def run_case(case: StreamCase, mode: Mode, *, finished: bool = True) -> Evidence:
    """What the run's counters show; :class:`Unexpected` when something is not as the records say.

    ``finished``: what has come is compared with what batch mode says when all streams have ended.
    """
    settings = {**SETTINGS, **mode.settings}
    if case.waits:
        settings.setdefault("execution.scheduler-seed", "0")
    run = _Run(case, Session(settings), mode)
    try:
        for record in case.records:
            run.carry_out(record)
        run.finish()
        if finished:
            run.compare_with_batch()
    finally:
        evidence = run.close()
    return evidence


class _Run:
    def __init__(self, case: StreamCase, session: Session, mode: Mode) -> None:
        self._case = case
        self._session = session
        self._mode = mode
        self._fed: dict[str, Fed] = {}
        self._queries: dict[str | None, Running] = {}
        self._kept: dict[str, StreamRecord] = {}

    def carry_out(self, record: StreamRecord) -> None:
        """One record."""
        getattr(self, "_" + record.kind.replace(" ", "_"))(record)

    def finish(self) -> None:
        """Ends all streams."""
        for query in self._queries.values():
            if query.pending or query.failure is not None:
                raise Unexpected(query.record, f"nothing is said of {query.failure or query.pending}")
        self._end_all(list(self._fed.values()))

        for query in self._queries.values():
            if query.table is not None:
                found = Counter(self._rows(f"SELECT * FROM {query.table}"))
                if found != query.total:
                    raise Unexpected(
                        query.record, f"its table has {found - query.total} too, lacks {query.total - found}"
                    )

    def compare_with_batch(self) -> None:
        """Now everything is as over finished data."""
        with_batch = [query for query in self._queries.values() if query.record.kind == "query"]
        finished = Finished()
        try:
            finished.prepare(self._case.records, self._fed)
            for query in with_batch:
                _compare(query.record, query.total, finished, query.record.text, query.types)
            for name, record in self._kept.items():
                found = Counter(self._rows(f"SELECT * FROM {name}"))
                _compare(record, found, finished, f"SELECT * FROM {name}", "")
        finally:
            finished.close()

    def close(self) -> Evidence:
        """Gives everything back; what the counters have shown."""
        evidence = Evidence()
        for query in self._queries.values():
            query.result.close()
            evidence = evidence.plus(query.result)
        for job in self._session.storage.shared.keeper.jobs:
            job.cancel()
            evidence = evidence.plus(job)
        self._session.close()
        return evidence

    def _settle(self) -> None:
        """Everything that was fed has had its effect."""
        if self._session.storage.shared.keeper.running:
            with contextlib.suppress(JobError):  # a record says which failure it expects
                self._session.execute("FLUSH")
        for query in self._queries.values():
            query.settle()

    def _statement(self, record: StreamRecord) -> None:
        outcome, _, pattern = record.rest.partition(" ")
        try:
            made = self._session.execute(record.text)
        except InternalError:
            raise
        except TableFlowError as error:
            if outcome == "ok" or not _like(pattern, error):
                raise Unexpected(record, f"{type(error).__name__}: {error}") from None
            return
        if made.result is not None:
            made.result.close()
        if outcome == "error":
            raise Unexpected(record, f"succeeded, an error like {pattern!r} is expected")
        name = view_of(record)
        if name is not None:
            self._kept[name] = record
        self._settle()

    def _stream(self, record: StreamRecord) -> None:
        table = declaration(record)
        script = Told(*[[] for _ in range(table.parts)])
        description = LiveDescription(table.types, table.watermark, table.key, table.changelog)  # type: ignore[arg-type]
        self._session.registrations.stream(table.name, description, script)
        self._fed[table.name] = Fed(table, script)

    def _lookup(self, record: StreamRecord) -> None:
        self._session.registrations.lookup(*lookup_of(record))

    def _query(self, record: StreamRecord) -> None:
        types = record.rest.split()[0]
        if "----" in record.text.split("\n"):
            text, _, _ = record.text.partition("\n----")
            expected = record.rows[text.count("\n") + 2 :]
            found = self._rows(text)
            _equal(
                record,
                [rounded(row, types) for row in expected],
                [rounded(row, types) for row in found],
                "nosort" in record.rest,
            )
            return
        try:
            result = self._session.execute(record.text).result
        except TableFlowError as error:
            raise Unexpected(record, f"{type(error).__name__}: {error}") from None
        self._begin(record, result, types)
        # Two would write their late rows twice; the simulated clock of a job is its own.
        if self._mode.kept and "LATE INTO" not in record.text and not self._case.waits:
            table = f"kept_as_{record.name}"
            self._session.execute(f"CREATE STREAMING TABLE {table} AS {record.text}")
            self._queries[record.name].table = table

    def _subscribe(self, record: StreamRecord) -> None:
        self._begin(record, self._session.subscribe((record.rest.split()[0],)).result, "")

    def _begin(self, record: StreamRecord, result: object, types: str) -> None:
        started = getattr(result, "running", None)
        if not isinstance(started, JobResult) or record.name in self._queries:
            raise Unexpected(record, "is no query without end, or there is one of this name already")
        if types and len(types) != len(started.columns) - started.changes:
            raise Unexpected(record, f"the query has the columns {', '.join(c.name for c in started.columns)}")
        self._queries[record.name] = Running(record, started, types)
        self._settle()

    def _feed(self, record: StreamRecord) -> None:
        stream = self._fed[record.rest.split()[0]]
        told, weights = fed(record, stream.table)
        stream.rows += list(zip(told, weights or [1] * len(told), strict=True))
        size = 1 if self._mode.one_by_one else len(told)
        for start in range(0, len(told), size):
            of = None if weights is None else weights[start : start + size]
            stream.script.tell(Rows(told[start : start + size], of), record.part)
        self._settle()

    def _watermark(self, record: StreamRecord) -> None:
        name, *time = record.rest.partition(" part ")[0].split()
        self._fed[name].script.watermark(microseconds(" ".join(time)), record.part)
        self._settle()

    def _idle(self, record: StreamRecord) -> None:
        self._fed[record.rest.split()[0]].script.idle(record.part)
        self._settle()

    def _end(self, record: StreamRecord) -> None:
        self._end_all([self._fed[record.rest]] if record.rest else list(self._fed.values()))

    def _end_all(self, streams: Sequence[Fed]) -> None:
        for stream in streams:
            if not stream.ended:
                stream.ended = True
                stream.script.end()
        self._settle()

    def _wait(self, record: StreamRecord) -> None:
        for stream in self._fed.values():
            for part in range(stream.table.parts):
                stream.script.tell(Delay(round(float(record.rest) * 1e6)), part)
                stream.script.tell(Rows([]), part)
        self._settle()

    def _changes(self, record: StreamRecord) -> None:
        query = self._queries[record.name]
        if query.failure is not None:
            raise Unexpected(record, f"the query has failed: {query.failure}")
        found, query.pending = query.pending, []
        _equal(record, query.rounded(record.rows), query.rounded(found), "in order" in record.rest)

    _no_changes = _changes

    def _table(self, record: StreamRecord) -> None:
        self._settle()
        _equal(record, record.rows, self._rows(f"SELECT * FROM {record.rest}"), ordered=False)

    def _failure(self, record: StreamRecord) -> None:
        for name, query in self._queries.items():
            if query.failure is not None and _like(record.rest, query.failure):
                del self._queries[name]
                return
        for job in self._session.storage.shared.keeper.jobs:
            if job.state is JobState.FAILED and job.error is not None and _like(record.rest, job.error):
                self._kept.pop(job.called("default"), None)
                return
        raise Unexpected(record, f"no such failure: {[query.failure for query in self._queries.values()]}")

    def _warning(self, record: StreamRecord) -> None:
        news = [text for query in self._queries.values() for text in query.result.news]
        if not any(re.search(record.rest, text) for text in news):
            raise Unexpected(record, f"the warnings are {news}")

    def _rows(self, sql: str) -> list[Row]:
        result = self._session.execute(sql).result
        assert result is not None
        return cells(row for batch in iter(result.next_batch, None) for row in rows(batch))


def _like(pattern: str, error: TableFlowError) -> bool:
    return re.search(pattern or ".", str(error), re.DOTALL | re.IGNORECASE) is not None


def _equal(record: StreamRecord, expected: Sequence[Row], found: Sequence[Row], ordered: bool) -> None:
    ours, theirs = (list(found), list(expected)) if ordered else (sorted(found), sorted(expected))
    if ours != theirs:
        lines = ["    ".join(row) for row in ours]
        raise Unexpected(record, "\n    ".join(["found:", *(lines or ["nothing"])]))


def _compare(record: StreamRecord, total: Counter[Row], finished: Finished, query: str, types: str) -> None:
    if record.note("no batch") is not None:
        return
    answer = finished.answer(query)
    ours, theirs = (Counter({rounded(row, types): n for row, n in of.items()}) for of in (total, answer))
    if (ours != theirs) == (record.note("differs") is None):
        words = (
            "batch mode says the same"
            if ours == theirs
            else f"batch mode has {answer - total} too, and lacks {total - answer}"
        )
        raise Unexpected(record, words)
