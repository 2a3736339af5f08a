"""The EMIT clause as it is written."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.reader import UnreadableError

if TYPE_CHECKING:
    from tableflow.sql.parser import TableFlowParser

META = "emit"
"""Where the tree's node of an EMIT keeps its :class:`EmitSyntax`."""


@dataclass(slots=True)
class TriggerSyntax:
    """``ON WINDOW CLOSE``, ``ON UPDATE``, or (``every``) EVERY an interval or a number of rows."""

    words: str
    span: Span
    every: Any = None
    rows: bool = False
    event_time: bool = False


@dataclass(slots=True)
class EmitSyntax:
    """EMIT; None is what was not written."""

    triggers: list[TriggerSyntax] = field(default_factory=list)
    keep: Any = None
    keep_rows: bool = False
    keep_span: Span | None = None
    lateness: Any = None
    lateness_span: Span | None = None
    late_into: tuple[str, ...] | None = None
    late_span: Span | None = None
    late_name_span: Span | None = None


CLAUSES = (
    "EMIT ON WINDOW CLOSE | ON UPDATE | EVERY INTERVAL '10' SECOND [OF EVENT TIME] | EVERY 1000 ROWS [, more of them] "
    "[KEEP LAST 100 ROWS | KEEP LAST INTERVAL '1' MINUTE] [WITH LATENESS INTERVAL '1' MINUTE] [LATE INTO late_rows]"
)
"""What can be written, for errors."""

_UNITS = frozenset({"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MILLISECOND", "MICROSECOND"})
_TRIGGERS = (("ON", "WINDOW"), ("ON", "UPDATE"), ("EVERY",))


def parse_emit(parser: TableFlowParser) -> tuple[str, exp.Expr]:
    """The clause from its keyword on, as sqlglot's parser of modifiers wants it."""
    try:
        return _emit(parser)
    except UnreadableError as error:
        error.hint = error.hint or CLAUSES
        raise


def _emit(parser: TableFlowParser) -> tuple[str, exp.Expr]:
    start = parser.span().start
    parser.step()
    found = EmitSyntax()
    if not parser.ahead("KEEP") and not parser.ahead("WITH") and not parser.ahead("LATE"):
        found.triggers.append(_trigger(parser))
        while parser.accept_symbol(","):
            found.triggers.append(_trigger(parser))
    at = parser.span().start
    if parser.accept("KEEP"):
        parser.expect("LAST")
        found.keep = parser.operand(parser._parse_unary)
        found.keep_rows = parser.accept("ROWS") or parser.accept("ROW")
        found.keep_span = Span(at, parser.previous_span().end)
    at = parser.span().start
    if parser.accept("WITH"):
        parser.expect("LATENESS")
        found.lateness = parser.operand(parser._parse_unary)
        found.lateness_span = Span(at, parser.previous_span().end)
    at = parser.span().start
    if parser.accept("LATE"):
        parser.expect("INTO")
        at_name = parser.span().start
        names = [parser.name("the name of a table")]
        while parser.accept_symbol("."):
            names.append(parser.name("the name of a table"))
        found.late_into = tuple(names)
        found.late_name_span = Span(at_name, parser.previous_span().end)
        found.late_span = Span(at, parser.previous_span().end)
    if any(parser.ahead(*words) for words in _TRIGGERS):
        parser.fail("triggers stand first in EMIT, with commas between")
    node = exp.Var(this="EMIT")
    node.meta.update({META: found, "start": start, "end": parser.previous_span().end - 1})
    return "emit", node


def _trigger(parser: TableFlowParser) -> TriggerSyntax:
    start = parser.span().start

    def made(words: str, **given: Any) -> TriggerSyntax:
        return TriggerSyntax(words, Span(start, parser.previous_span().end), **given)

    if parser.accept("ON"):
        if parser.accept("WINDOW"):
            parser.expect("CLOSE")
            return made("ON WINDOW CLOSE")
        if parser.accept("UPDATE"):
            return made("ON UPDATE")
        parser.fail("WINDOW CLOSE or UPDATE is expected")
    if not parser.accept("EVERY"):
        parser.fail("ON or EVERY is expected")
    every = parser.operand(parser._parse_unary)
    if parser.accept("ROWS") or parser.accept("ROW"):
        return made("EVERY", every=every, rows=True)
    if (parser.current.text or "").upper().removesuffix("S") in _UNITS:
        parser.fail("a time is written as INTERVAL '10' SECOND")
    event_time = parser.accept("OF")
    if event_time:
        if parser.ahead("PROCESSING"):
            parser.fail("EVENT TIME is expected, or nothing: then it is processing time")
        parser.expect("EVENT", "TIME")
    return made("EVERY", every=every, event_time=event_time)
