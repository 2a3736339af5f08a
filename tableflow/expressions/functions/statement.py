"""What depends on the statement rather than on rows: its time, which is one for the whole statement; and chance."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Sequence
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.config import NULL_TIME_ADVICE
from tableflow.errors import Span
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding, Function, always, overloads
from tableflow.expressions.literals import literal_from_python
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.expressions.operand import Operand, build
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class StatementClock:
    """The instant at which a statement began, and the session's zone."""

    instant: dt.datetime
    zone: str = "UTC"

    @classmethod
    def now(cls, zone: str = "UTC") -> Self:
        """The clock of a statement that begins now."""
        return cls(dt.datetime.now(dt.UTC), zone)

    @property
    def local(self) -> dt.datetime:
        """The instant as the session's wall clock shows it, without zone."""
        return self.instant.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)


class PreparedClock(StatementClock):
    """The clock of a statement that is bound once and carried out again and again: its readings are columns."""


class JobClock(StatementClock):
    """The clock of a query that a job goes on answering: its readings are made of the time of each epoch."""


_FIRST_READING = -1_000_000
"""The id of the first reading's column; the others' are below it."""

_READINGS: dict[str, Callable[[StatementClock], object]] = {
    "current_timestamp": lambda clock: clock.instant,
    "now": lambda clock: clock.instant,
    "localtimestamp": lambda clock: clock.local,
    "current_date": lambda clock: clock.local.date(),
    "today": lambda clock: clock.local.date(),
    "current_time": lambda clock: clock.local.time(),
    "localtime": lambda clock: clock.local.time(),
}

EPOCH_TIME = "current_timestamp"
"""The call that stands for the time of the epoch in which a row is computed, in the plan of a job."""


def reads_clock(name: str) -> bool:
    """Whether a function without arguments tells the time of the statement."""
    return name in _READINGS


def read_clock(name: str, clock: StatementClock | None, span: Span | None) -> Expression | None:
    """What CURRENT_TIMESTAMP and its like mean in a statement: a literal as a rule; None for other names."""
    reading = _READINGS.get(name)
    if reading is None:
        return None
    literal = literal_from_python(reading(clock or StatementClock.now()), span)
    if isinstance(clock, JobClock):
        return _of_epoch(literal.type, span)
    if isinstance(clock, PreparedClock):
        return ColumnRef(literal.type, _FIRST_READING - tuple(_READINGS).index(name), name, span)
    return literal


def _of_epoch(of: t.SqlType, span: Span | None) -> Expression:
    """A reading of this type, made of the time of each epoch."""
    time: Expression = Call(t.TIMESTAMP_LTZ, EPOCH_TIME, (), span)
    return cast(cast(time, t.TIMESTAMP) if isinstance(of, t.TimeType) else time, of)


def clock_readings(clock: StatementClock, columns: Collection[int]) -> dict[int, Literal]:
    """What those of the columns that a :class:`PreparedClock` gave stand for in a statement of this time, by id."""
    readings = list(_READINGS.values())
    return {
        column: literal_from_python(readings[_FIRST_READING - column](clock))
        for column in columns
        if column <= _FIRST_READING
    }


def _bind_reading(name: str) -> Callable[[Sequence[Expression], Span | None], Expression]:
    def bind(_args: Sequence[Expression], span: Span | None) -> Expression:
        return literal_from_python(_READINGS[name](StatementClock.now()), span)

    return bind


def _random(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return build(to, np.random.default_rng().random(len(args[0])))


def _processing_time(args: Sequence[Operand], to: t.SqlType) -> Operand:
    now = time.time_ns() // 1_000_000 * 1_000
    return build(to, np.full(len(args[0]), now, np.int64))


def _watermark_of(args: Sequence[Expression]) -> Binding | None:
    taken = len(args) == 1 and isinstance(args[0].type, t.TimestampType)
    return Binding(tuple(args), args[0].type) if taken else None


def _has_event_time(args: Sequence[Operand], to: t.SqlType) -> Operand:
    missing = args[0].array.is_null().to_numpy(zero_copy_only=False)
    return build(to, np.ones(len(args[0]), np.bool_), None, missing if missing.any() else None)


def _uuid(args: Sequence[Operand], to: t.SqlType) -> Operand:
    """Version 4 of RFC 9562: 122 random bits."""
    rows = len(args[0])
    data = np.random.default_rng().integers(0, 256, (rows, 16), np.uint8)
    data[:, 6] = data[:, 6] & 0x0F | 0x40
    data[:, 8] = data[:, 8] & 0x3F | 0x80
    digits = data.tobytes().hex()
    texts = (digits[32 * row : 32 * row + 32] for row in range(rows))
    return Operand(to, pa.array([f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in texts], pa.string()))


FUNCTIONS = (
    Function(
        "current_timestamp", "current_timestamp", "When the statement began (in a job: the epoch of the row), a TIMESTAMP_LTZ.",
        ("current_timestamp = now()", "true"), "statement", bind=_bind_reading("now"), aliases=("now",),
        deterministic=False,
    ),
    Function(
        "localtimestamp", "localtimestamp", "CURRENT_TIMESTAMP as the session's wall clock shows it: a TIMESTAMP.",
        ("localtimestamp IS NULL", "false"), "statement", bind=_bind_reading("localtimestamp"),
    ),
    Function(
        "current_date", "current_date", "The day of CURRENT_TIMESTAMP, in the session's zone.",
        ("current_date = today()", "true"), "statement", bind=_bind_reading("today"), aliases=("today",),
    ),
    Function(
        "current_time", "current_time", "The time of day of CURRENT_TIMESTAMP, in the session's zone.",
        ("current_time IS NULL", "false"), "statement", bind=_bind_reading("localtime"), aliases=("localtime",),
    ),
    Function(
        "proctime", "proctime()", "When the row is processed, a TIMESTAMP_LTZ(3); another time for each batch.",
        ("proctime() IS NULL", "false"), "statement", rule=overloads(((), t.TimestampType(3, zoned=True))),
        kernel=_processing_time, deterministic=False,
    ),
    Function(
        "current_watermark", "current_watermark(timestamp)",
        "How far event time has come where the row is, in the type of its argument; NULL over finished data.",
        ("current_watermark(TIMESTAMP '2024-01-01 00:00:00') IS NULL", "true"), "statement", rule=_watermark_of,
        kernel=lambda args, to: build(to, np.zeros(len(args[0]), np.int64), np.zeros(len(args[0]), np.bool_)),
        deterministic=False, strict=False,
    ),
    Function(
        "has_event_time", "has_event_time(timestamp)", "TRUE; an error for NULL.",
        ("has_event_time(TIMESTAMP '2024-01-01 00:00:00')", "true"), "statement",
        rule=overloads(((t.TIMESTAMP,), t.BOOLEAN)),
        kernel=_has_event_time, strict=False, can_raise=always,
        failure="an event time is NULL", advice=NULL_TIME_ADVICE,
    ),
    Function(
        "ingestion_time", "ingestion_time()", "When the row came into its table, a TIMESTAMP_LTZ(3).",
        ("ingestion_time() IS NULL", "false"), "statement", rule=overloads(((), t.TimestampType(3, zoned=True))),
        kernel=_processing_time, deterministic=False,
    ),
    Function(
        "random", "random()", "A number from 0 up to but without 1, another one for each row.", ("random() < 1", "true"),
        "statement", rule=overloads(((), t.DOUBLE)), kernel=_random, aliases=("rand",), deterministic=False,
    ),
    Function(
        "uuid", "uuid()", "A random UUID (version 4), another one for each row.", ("length(uuid())", "36"),
        "statement", rule=overloads(((), t.STRING)), kernel=_uuid, aliases=("gen_random_uuid",), deterministic=False,
    ),
)  # fmt: skip
