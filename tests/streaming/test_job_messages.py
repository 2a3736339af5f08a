"""What processes say to each other about jobs comes back as it was said, and what was not said so is refused."""

from __future__ import annotations

import io
from datetime import datetime

import pytest

from tableflow import errors
from tableflow.connectors.option import OptionError
from tableflow.errors import SerializationError, Span, TableFlowError
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_messages import JSON, ROWS, STATEMENTS, Answer, Request, frame, read_frame, statement_name
from tableflow.session.outcome import Outcome
from tableflow.types import BIGINT, STRING, TimestampType


@pytest.mark.parametrize("name", STATEMENTS)
def test_requests(name: str) -> None:
    statement = STATEMENTS[name](Span(9, 11), 12)
    assert statement_name(statement) == name
    found = Request.from_bytes(Request(statement, "Größe", frozenset({3, 1})).to_bytes())
    assert found == Request(statement, "Größe", frozenset({1, 3}))
    assert found.statement.place == Span(9, 11)


def _sent(answer: Answer) -> Answer:
    stream = io.BytesIO(answer.to_frames())
    kind, head = read_frame(stream.read)
    assert kind == JSON

    def rows() -> bytes:
        kind, data = read_frame(stream.read)
        assert kind == ROWS
        return data

    found = Answer.from_bytes(head, rows)
    assert stream.read() == b""
    return found


def test_answers() -> None:
    rows = [["1", None, 7, datetime(2024, 1, 1)], ["ü", "", None, None]]
    types = {"a": STRING, "b": STRING, "n": BIGINT, "t": TimestampType(3)}
    outcome = _sent(Answer(Outcome(FixedResult.of(types, rows), warnings=("w",)), frozenset({4}))).outcome
    assert isinstance(outcome, Outcome)
    assert outcome.warnings == ("w",)
    assert outcome.result is not None
    batch = outcome.result.next_batch()
    assert batch is not None
    assert [tuple(row.values()) for row in batch.to_pylist()] == [tuple(row) for row in rows]
    assert [str(column.type)[:9] for column in outcome.result.columns][2:] == ["BIGINT", "TIMESTAMP"]
    none = _sent(Answer(Outcome(FixedResult(["a", "b"], [])))).outcome
    assert isinstance(none, Outcome)
    assert none.result is not None
    assert [column.name for column in none.result.columns] == ["a", "b"]
    assert none.result.next_batch() is None
    assert _sent(Answer(Outcome(message="done"), frozenset({4}))) == Answer(Outcome(message="done"), frozenset({4}))


@pytest.mark.parametrize(
    "kind", [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, TableFlowError)]
)
def test_errors(kind: type[TableFlowError]) -> None:
    found = _sent(Answer(kind("m", detail="d", hint="h", span=Span(1, 2)))).outcome
    assert type(found) is kind
    assert (found.message, found.detail, found.hint, found.span) == ("m", "d", "h", Span(1, 2))


def test_an_error_of_a_narrower_kind_comes_as_what_others_know() -> None:
    assert type(_sent(Answer(OptionError("m", option="o"))).outcome) is errors.CatalogError


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": 2}', b'{"format": 1}', b'{"format": 1, "told": 1}'])
def test_what_makes_no_sense_is_refused(data: bytes) -> None:
    for read in (Request.from_bytes, lambda data: Answer.from_bytes(data, lambda: b"")):
        with pytest.raises(SerializationError):
            read(data)


def test_frames() -> None:
    assert read_frame(io.BytesIO(frame(JSON, b"abc")).read) == (JSON, b"abc")
    for wrong in (b"X\0\0\0\0", b"J\0\0\0\x09"):
        with pytest.raises(SerializationError):
            read_frame(io.BytesIO(wrong).read, 8)
