"""EXECUTE STATEMENT SET BEGIN INSERT ...; INSERT ...; END: several INSERTs as one job.

Their queries become one, so what several of them read is read once: the UNION ALL of all, in which each row has the number of its
statement and NULL in the columns of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import Span, SqlSyntaxError, UnsupportedError
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Node, Project, Query, SetKind, SetOperation
from tableflow.records import replace
from tableflow.sql.binder.changes import bind_change
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.lexer import Kind, Lexeme, lex
from tableflow.sql.splitter import split
from tableflow.sql.statements import InsertIntoSink, Statement, StatementSet, Write
from tableflow.types import INT, Field

BEGINS = ("EXECUTE", "STATEMENT", "SET", "BEGIN")
"""The words before the statements."""


def bind_statement_set(
    text: str, start: int, context: StatementContext, begins: Sequence[str] = BEGINS
) -> StatementSet:
    """The statements, each of which writes to a table of a connector."""
    inside = _inside(text, start, begins)
    begin = start + inside.start
    inserts = []
    for part in split(text[inside.start : inside.end]):
        span = Span(begin + part.start, begin + part.start + len(part.text))
        first = part.text.split(None, 1)[0].upper()
        found = bind_change(part.text, span.start, context) if first in {"INSERT", "WITH"} else None
        if not isinstance(found, InsertIntoSink):
            raise _refused(first, found, span)
        inserts.append(replace(found, span=span))
    if not inserts:
        raise SqlSyntaxError("the statement set is empty", span=Span(start, start + len(text)))
    return StatementSet(tuple(inserts), _united(context, inserts))


def _refused(first: str, found: Statement | None, span: Span) -> UnsupportedError:
    """The error for what is no INSERT into a connector's table."""
    if isinstance(found, Write) and first in {"INSERT", "WITH"}:
        return UnsupportedError(
            f"table {'.'.join(found.target)!r} is stored by TableFlow, and a statement set writes to tables of connectors",
            hint="write the INSERT as a statement of its own, or keep the table with CREATE STREAMING TABLE ... AS",
            span=found.place or span,
        )
    word = "a query" if first in {"SELECT", "VALUES", "FROM", "WITH"} or first.startswith("(") else first
    return UnsupportedError(
        f"a statement set has INSERTs only, not {word}",
        hint="write INSERT INTO a table of a connector SELECT ...; what shows rows, or makes tables, is a statement of its own",
        span=span,
    )


def _inside(text: str, start: int, begins: Sequence[str]) -> Span:
    """What stands between BEGIN and the END that the text ends with."""
    lexemes = [one for one in lex(text) if one.kind not in {Kind.SPACE, Kind.COMMENT}]
    for found, word in zip([*lexemes, None, None, None], begins, strict=False):
        if found is None or found.text.upper() != word:
            raise _expected(word, found, text, start)
    last = lexemes[-1]
    if len(lexemes) == len(begins) or last.text.upper() != "END":
        raise _expected("END", None, text, start)
    return Span(lexemes[len(begins) - 1].end, last.start)


def _expected(word: str, found: Lexeme | None, text: str, start: int) -> SqlSyntaxError:
    place = Span(len(text), len(text)) if found is None else found.span
    return SqlSyntaxError(
        f"syntax error: {word} is expected",
        hint="EXECUTE STATEMENT SET BEGIN INSERT ...; INSERT ...; END",
        span=place.shifted(start),
    )


def _united(context: StatementContext, inserts: list[InsertIntoSink]) -> Query:
    """All rows: the statement's number, then the columns of all statements in order."""
    columns = [[one.query.columns[i] for i in one.values] for one in inserts]
    plans: list[Node] = []
    given: list[tuple[Field, ...]] = []
    for number, insert in enumerate(inserts):
        expressions: list[Expression] = [Literal(INT, number)]
        for other, fields in enumerate(columns):
            expressions += [
                ColumnRef(f.type, f.id, f.name) if other == number else Literal(f.type, None) for f in fields
            ]
        made = _fields(context, columns)
        plans.append(Project(insert.query.root, made, tuple(expressions)))
        given.append(made)
    if len(plans) == 1:
        return Query(plans[0], given[0])
    result = _fields(context, columns)
    return Query(SetOperation(SetKind.UNION_ALL, tuple(plans), result, tuple(given)), result)


def _fields(context: StatementContext, columns: list[list[Field]]) -> tuple[Field, ...]:
    number = context.field("statement", INT, nullable=False)
    return (number, *(context.field(f.name, f.type) for fields in columns for f in fields))
