"""Errors of every stage, worded as a primary message, a detail and a hint.

Nothing a user types ends in a Python traceback: each stage raises a child of :class:`TableFlowError`,
and only :class:`InternalError` is a bug of ours.  A :class:`Span` points into the script, so that
:func:`render` can show line and column with the text underlined.
"""

from __future__ import annotations

from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of character offsets ``[start, end)`` into the script that was given."""

    start: int
    end: int

    def shifted(self, by: int) -> Span:
        """The same range in a text that begins ``by`` characters earlier."""
        return Span(self.start + by, self.end + by)

    def joined(self, other: Span | None) -> Span:
        """The smallest range that covers both."""
        if other is None:
            return self
        return Span(min(self.start, other.start), max(self.end, other.end))


class Warning(Exception):  # noqa: A001, N818 - PEP 249 names it so
    """Important warnings (PEP 249)."""


class Error(Exception):
    """Base of all errors (PEP 249)."""


class InterfaceError(Error):
    """Misuse of the Python interface itself, such as a closed cursor (PEP 249)."""


class DatabaseError(Error):
    """Errors of the engine (PEP 249)."""


class OperationalError(DatabaseError):
    """Problems that are not under the programmer's control (PEP 249)."""


class ProgrammingError(DatabaseError):
    """Mistakes in the statement or its parameters (PEP 249)."""


class NotSupportedError(DatabaseError):
    """A feature that is not there (PEP 249)."""


class TableFlowError(DatabaseError):
    """A failure with its kind, and what the user can do.

    ``message`` is lower case, without a full stop, and quotes the identifier it speaks of; ``detail``
    says what was found; ``hint`` says what to do.  ``retryable`` decides whether recovery may try again.
    ``script`` is the text that ``span`` points into, once somebody who has it has caught the error.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        span: Span | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.span = span
        self.script: str | None = None

    def at(self, span: Span | None) -> TableFlowError:
        """The same error, pointing at ``span`` if it did not point anywhere yet."""
        if self.span is None:
            self.span = span
        return self

    def __str__(self) -> str:
        return render(self, self.script).removeprefix("error: ")


class SqlSyntaxError(TableFlowError, ProgrammingError):
    """The text is not a statement of the dialect."""


class BindError(TableFlowError, ProgrammingError):
    """A name, type or arity does not fit."""


class UnsupportedError(TableFlowError, NotSupportedError):
    """A feature that is refused at planning time, by name and at its position."""


class PlanError(TableFlowError, ProgrammingError):
    """No plan satisfies the query under the given settings."""


class CatalogError(TableFlowError, ProgrammingError):
    """A table, view, schema or connector is missing, exists already or is declared wrongly."""


class ConfigError(TableFlowError, ProgrammingError):
    """A setting is unknown or its value does not fit its type."""


class ConnectorError(TableFlowError, OperationalError):
    """A file or an outside system could not be read or written; names it."""


class IntegrityError(TableFlowError):
    """A constraint does not hold; names table, constraint, row and values."""


class DataError(TableFlowError):
    """A row's value could not be computed: overflow, division by zero, a cast that fails."""


class RowError(DataError):
    """A row of a batch cannot be taken.

    ``row`` is its place among the ``rows`` of the batch as it came, so that whoever knows where the batch is from can say which row it is.
    """

    row: int | None = None
    rows = 0

    def within(self, row: int, rows: int) -> RowError:
        """The same error, of a row of a batch."""
        self.row, self.rows = row, rows
        return self


class MemoryLimitError(TableFlowError, OperationalError):
    """A growing structure was refused memory; names the operator, the bytes and ``memory.limit``."""


class CancelledError(TableFlowError, OperationalError):
    """The query was cancelled by its user."""


class JobError(TableFlowError, OperationalError):
    """A job behind the session has failed, so what a statement is asked for will not come; names the job and its error."""


class SerializationError(TableFlowError, OperationalError):
    """A plan, program or snapshot could not be read: damaged or of another version."""


class InternalError(TableFlowError):
    """An invariant of ours does not hold: a bug, to be reported."""


def locate(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def render(error: TableFlowError, text: str | None = None) -> str:
    """The error as a person reads it: message, place with the text underlined, detail, hint."""
    lines = [f"error: {error.message}"]
    if text is not None and error.span is not None and 0 <= error.span.start <= len(text):
        line, column = locate(text, error.span.start)
        source = text.split("\n")[line - 1].rstrip("\r")
        width = max(1, min(error.span.end - error.span.start, len(source) - column + 1))
        gutter = " " * len(str(line))
        shown = "".join(character if character.isprintable() else " " for character in source)
        lines += [
            f"{gutter}--> line {line}, column {column}",
            f"{gutter} |",
            f"{line} | {shown}",
            f"{gutter} | {' ' * (column - 1)}{'^' * width}",
        ]
    if error.detail:
        lines.append(f"detail: {error.detail}")
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)
