"""What two processes say to each other about jobs: who asks sends one request over a connection, who has the jobs one answer.

A *frame* is a kind (one byte), a length (four bytes, the most significant first) and so many bytes::

    asker                         holder of the lease
      J  request          ->
                          <-      W  (empty) every second while the statement is at work
                          <-      J  answer
                          <-      R  its rows as an Arrow IPC stream, if it has any

Requests and answers are JSON objects with ``format``, the number of what is described here.  A request has ``statement`` (one of
:data:`STATEMENTS`), ``job`` (its id, of those that name one), ``place`` (where the statement names it: offsets in the asker's text), ``schema``
(the current one), ``told`` (failed jobs that FLUSH has told this asker of) and ``tables`` (ids, of TABLES READ).  An answer has ``message``, ``warnings``, ``told`` and ``rows`` (whether a frame
with them follows), or ``error``: ``type`` (a class of :mod:`tableflow.errors`), ``message``, ``detail``, ``hint`` and ``place``.
Who closes its end while the statement is at work does not want the answer: the statement stops waiting.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from tableflow import errors
from tableflow.columnar.representation import from_arrow_type
from tableflow.errors import SerializationError, Span, TableFlowError
from tableflow.records import dataclass, replace
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_statements import JobStatement, TablesRead
from tableflow.session.outcome import Outcome
from tableflow.sql import statements as sql

FORMAT = 2
JSON, WORKING, ROWS = b"J", b"W", b"R"
BEAT_SECONDS = 1.0
"""How often a process that works on an answer says so."""
LONGEST_REQUEST = 1 << 20
"""Bytes: more is nothing that an asker sends."""
_HEAD = struct.Struct(">cI")

STATEMENTS: Mapping[str, Callable[[Span | None, int], JobStatement]] = {
    "SHOW JOBS": lambda place, _: sql.ShowJobs(span=place),
    "SHOW WATERMARKS": lambda place, _: sql.ShowWatermarks(span=place),
    "FLUSH": lambda place, _: sql.Flush(span=place),
    "STOP JOB": lambda place, job: sql.EndJob(span=place, job=job, action=sql.JobAction.STOP),
    "CANCEL JOB": lambda place, job: sql.EndJob(span=place, job=job, action=sql.JobAction.CANCEL),
    "EXPLAIN JOB": lambda place, job: sql.ExplainJob(span=place, job=job, view=sql.JobView.PLAN),
    "EXPLAIN ANALYZE JOB": lambda place, job: sql.ExplainJob(span=place, job=job, view=sql.JobView.ANALYZE),
    "EXPLAIN WATERMARK JOB": lambda place, job: sql.ExplainJob(span=place, job=job, view=sql.JobView.WATERMARK),
    "TABLES READ": lambda place, _: TablesRead(frozenset(), place),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and what of who asks makes a difference."""

    statement: JobStatement
    schema: str
    told: frozenset[int] = frozenset()

    def to_bytes(self) -> bytes:
        """As JSON."""
        place = self.statement.place
        return _json(
            statement=statement_name(self.statement),
            job=getattr(self.statement, "job", None),
            place=_of_place(place),
            schema=self.schema,
            told=sorted(self.told),
            tables=sorted(getattr(self.statement, "tables", ())),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """:class:`~tableflow.errors.SerializationError` for what is no request."""
        found = _object(data)
        try:
            statement = STATEMENTS[found["statement"]](_place(found["place"]), int(found["job"] or 0))
            if isinstance(statement, TablesRead):
                statement = replace(statement, tables=frozenset(map(int, found["tables"])))
            return cls(statement, str(found["schema"]), frozenset(map(int, found["told"])))
        except (KeyError, TypeError, ValueError) as error:
            raise SerializationError("a question about jobs makes no sense", detail=repr(error)) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave, or the error that it ended with."""

    outcome: Outcome | TableFlowError
    told: frozenset[int] = frozenset()

    def to_frames(self) -> bytes:
        """The frames, one after the other."""
        if isinstance(self.outcome, TableFlowError):
            return frame(JSON, _json(error=_of_error(self.outcome), told=sorted(self.told)))
        result = self.outcome.result
        head = _json(
            message=self.outcome.message,
            warnings=list(self.outcome.warnings),
            told=sorted(self.told),
            rows=result is not None,
        )
        if result is None:
            return frame(JSON, head)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, result.schema) as writer:
            while (batch := result.next_batch()) is not None:
                writer.write_batch(batch)
        return frame(JSON, head) + frame(ROWS, sink.getvalue().to_pybytes())

    @classmethod
    def from_bytes(cls, head: bytes, read_rows: Callable[[], bytes]) -> Answer:
        """From its first frame, and a function that gives the second one."""
        found = _object(head)
        try:
            told = frozenset(map(int, found["told"]))
            if "error" in found:
                return cls(_error(found["error"]), told)
            result = None
            if found["rows"]:
                with pa.ipc.open_stream(read_rows()) as reader:
                    table = reader.read_all()
                rows = list(zip(*[column.to_pylist() for column in table.columns], strict=True))
                result = FixedResult.of({field.name: from_arrow_type(field.type) for field in table.schema}, rows)
            return cls(Outcome(result, str(found["message"]), warnings=tuple(map(str, found["warnings"]))), told)
        except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise SerializationError("an answer about jobs makes no sense", detail=repr(error)) from None


def statement_name(statement: JobStatement) -> str:
    """Its words without its number."""
    match statement:
        case TablesRead():
            return "TABLES READ"
        case sql.ShowJobs():
            return "SHOW JOBS"
        case sql.ShowWatermarks():
            return "SHOW WATERMARKS"
        case sql.Flush():
            return "FLUSH"
        case sql.EndJob(action=action):
            return f"{action.name} JOB"
        case sql.ExplainJob(view=sql.JobView.PLAN):
            return "EXPLAIN JOB"
        case sql.ExplainJob(view=view):
            return f"EXPLAIN {view.name} JOB"


def frame(kind: bytes, data: bytes = b"") -> bytes:
    """A frame to be sent."""
    return _HEAD.pack(kind, len(data)) + data


def read_frame(receive: Callable[[int], bytes], longest: int = 0xFFFFFFFF) -> tuple[bytes, bytes]:
    """The next frame; ``receive`` gives exactly so many bytes."""
    kind, length = _HEAD.unpack(receive(_HEAD.size))
    if kind not in {JSON, WORKING, ROWS} or length > longest:
        raise SerializationError("what came is no frame of a message about jobs")
    return kind, receive(length) if length else b""


def _json(**values: Any) -> bytes:
    return json.dumps({"format": FORMAT, **values}).encode()


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SerializationError("a message about jobs is no JSON object")
    if found.get("format") != FORMAT:
        raise SerializationError(
            f"a message about jobs has format {found.get('format')!r}, and this version knows {FORMAT}",
            hint="use the same version of TableFlow in both processes",
        )
    return found


def _of_place(place: Span | None) -> list[int] | None:
    return None if place is None else [place.start, place.end]


def _place(found: Any) -> Span | None:
    return None if found is None else Span(int(found[0]), int(found[1]))


def _of_error(error: TableFlowError) -> dict[str, Any]:
    kind = next(cls.__name__ for cls in type(error).__mro__ if cls.__module__ == errors.__name__)
    return {
        "type": kind,
        "message": error.message,
        "detail": error.detail,
        "hint": error.hint,
        "place": _of_place(error.span),
    }


def _error(found: dict[str, Any]) -> TableFlowError:
    kind = getattr(errors, str(found["type"]), None)
    if not (isinstance(kind, type) and issubclass(kind, TableFlowError)):
        kind = TableFlowError
    return kind(str(found["message"]), detail=found["detail"], hint=found["hint"], span=_place(found["place"]))
