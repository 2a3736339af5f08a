"""What a whole statement shares while it is bound, and where its texts stand in the script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from tableflow.catalog.provider import Catalog
from tableflow.errors import BindError, Span, UnsupportedError
from tableflow.expressions.casting.zones import UTC
from tableflow.expressions.literals import literal_from_python
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.expressions.registry import StatementClock
from tableflow.planner.logical.time_nodes import NullTime
from tableflow.records import replace
from tableflow.sql.statements import Notice
from tableflow.types import Field, SqlType

MAX_RELATIONS = 5_000
"""Tables, CTEs and views of one statement, each reference counted: WITH can double them at every step."""

Parameters = Sequence[Any] | Mapping[str, Any]
"""Python values, or :class:`ColumnRef`s to columns with a value for each row (executemany)."""


class StatementContext:
    """Fresh ids, parameters, warnings and limits of one statement."""

    def __init__(self, catalog: Catalog, parameters: Parameters = (), clock: StatementClock | None = None) -> None:
        self.catalog = catalog
        self.clock = clock
        self.parameters = parameters
        self.warnings: list[Notice] = []
        self.views: tuple[str, ...] = ()
        self._next_id = 0
        self._next_block = 0
        self._relations = 0
        self.used: set[str] = set()
        self.null_time = NullTime.FAIL
        """What becomes of rows of a table whose event time is NULL."""
        self.processing_times: set[int] = set()
        """Ids of columns that are PROCTIME()."""
        self.reads_clock = False
        """Whether a function was called that tells the time of the statement."""
        self.late: set[tuple[str, int]] = set()
        """Every LATE INTO so far: the text in which it stands, and where."""

    @property
    def zone(self) -> str:
        """The session's time zone."""
        return UTC if self.clock is None else self.clock.zone

    def field(self, name: str, type: SqlType, *, nullable: bool = True) -> Field:
        """A column with a fresh id."""
        self._next_id += 1
        return Field(self._next_id, name, type, nullable)

    def renewed(self, field: Field) -> Field:
        """The same column under a fresh id."""
        return self.field(field.name, field.type, nullable=field.nullable)

    def block(self) -> int:
        """The number of a new SELECT block."""
        self._next_block += 1
        return self._next_block

    def count_relation(self, span: Span | None) -> None:
        """One more table, CTE or view reference; too many are an error."""
        self._relations += 1
        if self._relations > MAX_RELATIONS:
            raise UnsupportedError(
                f"the statement reads more than {MAX_RELATIONS} relations once WITH and views are expanded", span=span
            )

    def warn(self, message: str, span: Span | None) -> None:
        """Tell the user something that does not stop the statement."""
        notice = Notice(message, span)
        if notice not in self.warnings:
            self.warnings.append(notice)

    def check_parameters_used(self, texts: Sequence[Source]) -> None:
        """Every given value has to have a place."""
        given = self.parameters
        if isinstance(given, Mapping):
            unused = [str(name) for name in given if str(name) not in self.used]
            if unused:
                raise BindError(
                    f"no parameter is named {unused[0]!r}", detail=f"the statement does not contain :{unused[0]}"
                )
            return
        wanted = sum(len(text.placeholders) for text in texts)
        if len(given) != wanted:
            raise BindError(f"{len(given)} parameters were given to a statement with {wanted}")


class Source:
    """A text that is bound: the statement itself, or a view's, whose places in the script are those of its reference."""

    def __init__(self, text: str, tokens: Sequence[Token], offset: int = 0, fixed: Span | None = None) -> None:
        self.text = text
        self.offset = offset
        self.fixed = fixed
        marks = [token.start for token in tokens if token.token_type is TokenType.PLACEHOLDER]
        self.placeholders = {start: number for number, start in enumerate(marks)}

    def place(self, start: int, end: int) -> Span:
        """A range of this text as a place in the script."""
        return self.fixed or Span(start + self.offset, end + self.offset)

    def span(self, node: Any) -> Span | None:
        """Where a node of the tree stands; from its parts if sqlglot kept no place for itself."""
        if self.fixed is not None:
            return self.fixed
        found = _range(node)
        return None if found is None else Span(found[0] + self.offset, found[1] + self.offset)

    def offsets(self, node: exp.Expr) -> Span:
        """Where a node of the tree stands in this text."""
        found = _range(node)
        return Span(*found) if found else Span(0, len(self.text))

    def slice(self, node: exp.Expr) -> str:
        """The text of a node, with runs of white space as one blank."""
        found = _range(node)
        return " ".join(self.text[found[0] : found[1]].split()) if found else node.key


def parameter(context: StatementContext, source: Source, node: exp.Placeholder) -> Expression:
    """The value given for ``?`` or ``:name``: a literal, or the column that stands for it when there is one per row."""
    span = source.span(node)
    given, name = context.parameters, node.args.get("this")
    if name:
        if not isinstance(given, Mapping):
            raise BindError(f"parameter :{name} needs a value by name", hint="give the values as a mapping", span=span)
        if name not in given:
            raise BindError(f"no value was given for parameter :{name}", span=span)
        context.used.add(name)
        return _given(given[name], span)
    if isinstance(given, Mapping):
        raise BindError("parameter ? needs a value by position", hint="give the values as a sequence", span=span)
    number = source.placeholders.get(node.meta.get("start", -1), len(given))
    if number >= len(given):
        raise BindError(
            f"no value was given for parameter {number + 1}",
            detail=f"the statement has {len(source.placeholders)}, given were {len(given)}",
            span=span,
        )
    return _given(given[number], span)


def _given(value: Any, span: Span | None) -> Expression:
    return replace(value, span=span) if isinstance(value, ColumnRef) else literal_from_python(value, span)


def _range(node: Any) -> tuple[int, int] | None:
    """Offsets of a node in its text: its own, else those of the parts below it."""
    if not isinstance(node, exp.Expr):
        return None
    start, end = node.meta_get("start"), node.meta_get("end")
    if start is not None and end is not None:
        return start, end + 1
    known: tuple[int, int] | None = node.meta_get("range")
    if known is not None:
        return known
    low, high = None, None
    for part in node.iter_expressions():
        found = _range(part)
        if found is not None:
            low = found[0] if low is None else min(low, found[0])
            high = found[1] if high is None else max(high, found[1])
    if low is None or high is None:
        return None
    node.meta["range"] = low, high
    return low, high
