"""Any statement: the first keyword decides who reads it, and the result is data.

What reads statements other than queries is loaded for the first of them: a query in a fresh process does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tableflow.errors import InternalError, Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.expressions.registry import JobClock, StatementClock
from tableflow.nearest import nearest
from tableflow.planner.logical.nodes import Query
from tableflow.planner.stream_facts import is_endless
from tableflow.records import replace
from tableflow.recursion import with_room
from tableflow.sql import session_grammar
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.queries import bind_query
from tableflow.sql.binder.target import find_managed
from tableflow.sql.dialect import parse_query
from tableflow.sql.dml_parsing import CHANGES
from tableflow.sql.later_statements import FIRST_WORDS, refuse_later
from tableflow.sql.lexer import Kind, Lexeme, lex
from tableflow.sql.statements import (
    CopyTo,
    CreateManagedTable,
    CreateStreamingTable,
    Describe,
    Explain,
    InsertIntoSink,
    QueryStatement,
    SetStatement,
    ShowVersions,
    Statement,
    StatementSet,
    Vacuum,
    Write,
)
from tableflow.sql.tokens import tokenize

Result = TypeVar("Result")

_QUERIES = frozenset({"SELECT", "WITH", "FROM", "VALUES", "("})
_EXPLAINED = frozenset({"CREATE", "COPY", "EXECUTE", "STATEMENT"})
"""Words that begin a statement with a query, besides those of changes."""
_TRANSACTIONS = frozenset({"BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "ABORT"})
_DEFINITIONS = frozenset({"CREATE", "DROP", "ALTER", "COPY", "TRUNCATE"})
_BEGINNINGS = "a statement begins with a word such as SELECT, INSERT, CREATE, DROP, SET, SHOW or EXPLAIN"
_INSTEAD = {
    "HELP": "SHOW TABLES, SHOW FUNCTIONS, SHOW CONNECTORS, SHOW SETTINGS and SHOW JOBS list what there is; DESCRIBE t shows columns",
    "KILL": "CANCEL JOB id ends a job at once, STOP JOB id at an epoch; SHOW JOBS lists them",
    "LIST": "SHOW TABLES lists tables",
}
"""What else the first words of statements of other systems are."""
_FIRST = sorted((_QUERIES | session_grammar.OWNED | FIRST_WORDS | CHANGES | _DEFINITIONS | {"EXECUTE"}) - {"("})


def bind_statement(text: str, start: int, begin: Callable[[], StatementContext]) -> Statement:
    """The statement that the text is, bound in a context of ``begin``, which is called again where room has to be made."""

    def attempt() -> Statement:
        context = begin()
        bound = _bound(text, start, context)
        if context.reads_clock and type(context.clock) is StatementClock and _goes_on(bound):
            told = context.clock
            context = begin()
            context.clock = JobClock(told.instant, told.zone)
            bound = _bound(text, start, context)
        return replace(bound, warnings=tuple(context.warnings))

    try:
        statement = with_room(attempt)
    except RecursionError:
        raise SqlSyntaxError(
            "the statement is nested too deeply",
            hint="split it with WITH or views",
            span=Span(start, start + len(text)),
        ) from None
    return replace(statement, span=Span(start, start + len(text)))


def _goes_on(statement: Statement) -> bool:
    """Whether a job answers the statement for ever, so that there is no one time for all of it."""
    query = getattr(statement, "query", None)
    return isinstance(query, Query) and is_endless(query.root)


def _bound(text: str, start: int, context: StatementContext) -> Statement:
    first = _first(text)
    if first is None:
        raise SqlSyntaxError("the statement is empty", span=Span(start, start + len(text)))
    word = first.text.upper()
    refuse_later(text, start)
    if word in CHANGES or (word == "WITH" and is_change(text)):
        from tableflow.sql.binder.changes import bind_change

        return bind_change(text, start, context)
    if word in _QUERIES:
        return QueryStatement(query_of(text, start, context))
    if word in _DEFINITIONS:
        return _definition(word, text, start, context)
    if word == "EXECUTE":
        from tableflow.sql.binder.statement_set import bind_statement_set

        return bind_statement_set(text, start, context)
    if word in session_grammar.OWNED:
        return _command(text, start, context)
    span = first.span.shifted(start)
    if (word == "BEGIN" and _words(text)[1:3] == ["STATEMENT", "SET"]) or word == "STATEMENT":
        raise SqlSyntaxError(
            f"{' '.join(_words(text)[:3])} begins no statement",
            hint="EXECUTE STATEMENT SET BEGIN INSERT ...; INSERT ...; END is one statement",
            span=span,
        )
    if word in _TRANSACTIONS:
        raise UnsupportedError(
            f"{word} is not supported",
            detail="one statement is one transaction: it is done wholly or not at all",
            hint="MERGE, INSERT ... ON CONFLICT and UPDATE ... FROM change many rows in one statement",
            span=span,
        )
    if first.kind is Kind.ERROR:
        raise SqlSyntaxError(first.reason, span=span)
    near = nearest(word, _FIRST)
    raise SqlSyntaxError(
        f"{first.text!r} begins no statement",
        hint=_INSTEAD.get(word) or (f"did you mean {near}?" if near else _BEGINNINGS),
        span=span,
    )


def _words(text: str) -> list[str]:
    return text.upper().replace(";", " ").split()


def _definition(word: str, text: str, start: int, context: StatementContext) -> Statement:
    from tableflow.sql.binder import ddl

    match word:
        case "CREATE":
            return ddl.bind_create(text, start, context)
        case "DROP":
            return ddl.bind_drop(text, start)
        case "ALTER":
            return ddl.bind_altering(text, start, context)
        case "COPY":
            return ddl.bind_copying(text, start, context)
        case _:
            return ddl.bind_truncate(text, start, context)


def query_of(text: str, start: int, context: StatementContext) -> Query:
    """A query bound as a whole."""
    parsed = located(start, lambda: parse_query(text))
    source = Source(text, parsed.tokens, start)
    bound = bind_query(context, source, parsed.tree, Ctes(), None)
    if bound.outer:
        raise InternalError("a query refers to a block around it, and there is none")
    context.check_parameters_used([source])
    return Query(localized(bound.plan, context.zone), bound.columns)


def located(start: int, parse: Callable[[], Result]) -> Result:
    """What ``parse`` gives; the spans of its errors are moved from the statement's text into the script."""
    try:
        return parse()
    except TableFlowError as error:
        if error.span is not None:
            error.span = error.span.shifted(start)
        raise


def _command(text: str, start: int, context: StatementContext) -> Statement:
    command = located(start, lambda: session_grammar.parse_command(text))
    if not isinstance(command, session_grammar.Embedded):
        command = replace(command, names_at=tuple(place.shifted(start) for place in command.names_at))
        if isinstance(command, SetStatement) and command.value_at is not None:
            command = replace(command, value_at=command.value_at.shifted(start))
        if isinstance(command, (Vacuum, ShowVersions)) and command.name:
            doing = "vacuumed" if isinstance(command, Vacuum) else "asked for its versions"
            find_managed(context, command.name, command.names_at[0], doing)
        return command
    if is_change(command.text) or _word(command.text) in _EXPLAINED:
        return _explained_change(command, start, context)
    query = query_of(command.text, start + command.offset, context)
    if command.kind is None:
        return Describe(query=query)
    return Explain(command.kind, query, command.text)


def is_change(text: str) -> bool:
    """Whether the text changes a table, with or without a WITH before it."""
    word = _word(text)
    if word != "WITH":
        return word in CHANGES
    from tableflow.sql.binder.changes import begins_change

    return begins_change(tokenize(text))


def _word(text: str) -> str:
    first = _first(text)
    return "" if first is None else first.text.upper()


def _explained_change(command: session_grammar.Embedded, start: int, context: StatementContext) -> Explain:
    """EXPLAIN of a statement that writes."""
    begins = start + command.offset
    span = Span(begins, begins + len(command.text))
    if command.kind is None:
        raise UnsupportedError(
            "DESCRIBE of a statement that writes is not supported", hint="DESCRIBE the query it writes", span=span
        )
    statement: Statement
    if _word(command.text) == "STATEMENT":
        from tableflow.sql.binder.statement_set import BEGINS, bind_statement_set

        statement = bind_statement_set(command.text, begins, context, BEGINS[1:])
    else:
        statement = _bound(command.text, begins, context)
    writes = Write | CreateManagedTable | CreateStreamingTable | CopyTo | InsertIntoSink | StatementSet
    if not isinstance(statement, writes) or statement.query is None:
        raise UnsupportedError("EXPLAIN of a statement without a query is not supported", span=span)
    return Explain(command.kind, statement.query, command.text, replace(statement, span=span))


def _first(text: str) -> Lexeme | None:
    return next((lexeme for lexeme in lex(text) if lexeme.kind not in {Kind.SPACE, Kind.COMMENT}), None)
