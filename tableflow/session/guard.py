"""What every entrance of a session does with the text it is given and with errors on the way out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from tableflow.connectors.option import ColumnError, OptionError
from tableflow.errors import (
    BindError,
    CatalogError,
    ConfigError,
    Error,
    InternalError,
    Span,
    SqlSyntaxError,
    TableFlowError,
)
from tableflow.sql.splitter import ScriptStatement, split
from tableflow.sql.statements import Base, CreateTable, SetStatement

T = TypeVar("T")


def guarded(script: str, run: Callable[[], T]) -> T:
    """What ``run`` gives; its errors point into the script, and are for people."""
    try:
        return run()
    except TableFlowError as error:
        error.script = error.script or script
        raise
    except Error:
        raise
    except Exception as error:
        raise InternalError(
            "the statement could not be carried out",
            detail=f"{type(error).__name__}: {error}",
            hint="this is a bug in TableFlow; please report it with the statement",
        ) from error


@contextlib.contextmanager
def pointing(statement: Base) -> Iterator[None]:
    """Errors about what the statement names point at the name, unless they know better."""
    try:
        yield
    except (CatalogError, ConfigError) as error:
        if isinstance(error, OptionError) and isinstance(statement, CreateTable) and statement.options_at is not None:
            error.at(statement.options_at.of(error.option, value=error.value))
        elif isinstance(error, ColumnError) and isinstance(statement, CreateTable):
            error.at(statement.columns_at.get(error.column.lower(), statement.place))
        elif isinstance(error, ConfigError) and isinstance(statement, SetStatement) and error.detail is not None:
            error.at(statement.value_at)  # the detail says what the value should be
        elif statement.names_at:
            error.at(statement.place)
        raise


def notices(statement: Base) -> tuple[str, ...]:
    """What the binder has to say about a statement that it accepts."""
    return tuple(notice.message for notice in statement.warnings)


def statement_text(statement: Base, script: str) -> str:
    """The part of a script that is the statement."""
    span = statement.span
    return script.strip() if span is None else script[span.start : span.end].strip()


def only_statement(text: str) -> ScriptStatement:
    """The one statement of a text; :class:`~tableflow.errors.BindError` if there are none or several."""
    parts = split(unicode_text(text))
    if len(parts) != 1:
        refusal = BindError(
            f"one statement is expected, not {len(parts)}",
            hint="EXECUTE STATEMENT SET BEGIN INSERT ...; INSERT ...; END is one statement"
            if parts and parts[0].text.upper().split()[:3] == ["BEGIN", "STATEMENT", "SET"]
            else "run a script with `tableflow run FILE.sql`",
            span=parts[1].span if parts else None,
        )
        refusal.script = text
        raise refusal
    return parts[0]


def unicode_text(text: str) -> str:
    """The text itself; halves of surrogate pairs, which bytes that are not UTF-8 leave behind, are refused."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refusal = SqlSyntaxError("the text is not Unicode", span=Span(error.start, error.end))
        refusal.script = text
        raise refusal from None
    return text
