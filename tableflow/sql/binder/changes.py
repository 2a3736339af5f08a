"""INSERT, UPDATE, DELETE and MERGE: read as a whole, bound by the statement's own module."""

from __future__ import annotations

import itertools

from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import TableFlowError
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.insert import bind_insert
from tableflow.sql.binder.merge import bind_merge
from tableflow.sql.binder.update import bind_delete, bind_update
from tableflow.sql.dialect import parse_with
from tableflow.sql.dml_parsing import CHANGES, parse_change
from tableflow.sql.dml_syntax import Change, Delete, Insert, Merge, Update
from tableflow.sql.plain_rows import PartOfQueryError, read_plain_rows
from tableflow.sql.statements import InsertIntoSink, Write
from tableflow.sql.tokens import tokenize


def bind_change(text: str, start: int, context: StatementContext) -> Write | InsertIntoSink:
    """One of the four statements, with the WITH before it."""
    try:
        tokens, change = _parsed(text)
    except TableFlowError as error:
        error.span = error.span.shifted(start) if error.span is not None else None
        raise
    source = Source(text, tokens, start)
    found = _bound(context, source, change)
    context.check_parameters_used([source])
    return found


def _parsed(text: str) -> tuple[list[Token], Change]:
    """The statement's tokens (but for rows that were read without) and what they say."""
    plain = read_plain_rows(text)
    if plain is not None:
        try:
            return plain.tokens, parse_with(text, plain.tokens, lambda parser: parse_change(parser, plain))
        except PartOfQueryError:
            pass
    tokens = tokenize(text)
    return tokens, parse_with(text, tokens, parse_change)


def _bound(context: StatementContext, source: Source, change: Change) -> Write | InsertIntoSink:
    match change:
        case Insert():
            return bind_insert(context, source, change)
        case Update():
            return bind_update(context, source, change)
        case Delete():
            return bind_delete(context, source, change)
        case Merge():
            return bind_merge(context, source, change)


def begins_change(tokens: list[Token]) -> bool:
    """Whether a statement that begins with WITH changes a table: what follows the last definition says so."""
    depth = 0
    for before, token in itertools.pairwise(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and before.token_type is TokenType.R_PAREN and token.token_type is TokenType.VAR:
            if token.text.upper() in CHANGES:
                return True
        elif depth == 0 and token.token_type in {TokenType.SELECT, TokenType.FROM, TokenType.VALUES}:
            return False
    return False
