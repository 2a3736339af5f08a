"""The end of a statement that writes: a commit, and what is said of rows that break a key."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.session.direct_rows import is_constant
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind
from tableflow.storage.key_check import DuplicateKeyError
from tableflow.storage.transaction import Transaction


def commit(transaction: Transaction, statement: sql.Write, *, numbered: bool = False) -> None:
    """Commits; errors of keys know of the statement's ON CONFLICT, and (``numbered``) say which of its rows it is."""
    _ending(statement, transaction.commit, numbered=numbered)


def end_statement(transaction: Transaction, statement: sql.Write) -> None:
    """Ends a statement of a transaction that goes on; errors are those of :func:`commit`."""
    _ending(statement, transaction.end_statement, numbered=False)


def _ending(statement: sql.Write, end: Callable[[ChangeKind], object], *, numbered: bool) -> None:
    try:
        end(statement.kind)
    except DuplicateKeyError as error:
        error.hint = _hint(statement, error) or error.hint
        if numbered and error.number is not None and error.rows > 1 and writes_its_rows(statement):
            error.detail = f"row {error.number + 1:,} has {error.values}, which {error.what}"
        raise error.at(statement.span) from None


def writes_its_rows(statement: sql.Write) -> bool:
    """Whether the rows it adds are those that it was given, each of them and in their order."""
    if statement.keep_first or statement.action is not None or statement.row_id is not None:
        return False
    return statement.kind is ChangeKind.APPEND or is_constant(statement.query.root)


def _hint(statement: sql.Write, error: DuplicateKeyError) -> str | None:
    if statement.conflict == error.key and error.twice:
        return "ON CONFLICT DO UPDATE cannot affect a row twice: give each key once"
    if statement.conflict is not None:
        return f"choose other values: ON CONFLICT speaks of {statement.conflict!r} alone"
    if statement.keep_first:
        named = " and ".join(repr(key.name) for key in statement.keep_first)
        return f"choose other values: ON CONFLICT speaks of {named} alone, without a key it speaks of all"
    if statement.kind is ChangeKind.INSERT:
        return "choose other values, or say what to do with ON CONFLICT"
    if statement.kind in {ChangeKind.APPEND, ChangeKind.COPY}:
        return "keep such rows out, or read them with INSERT INTO ... SELECT ... ON CONFLICT"
    return None
