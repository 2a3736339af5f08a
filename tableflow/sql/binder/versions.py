"""Managed tables as they were: FOR VERSION AS OF, FOR SYSTEM_TIME AS OF, and what changed between two versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from tableflow import types
from tableflow.catalog.provider import TableProvider
from tableflow.errors import BindError, CatalogError, Span, TableFlowError, UnsupportedError
from tableflow.expressions.coercion import cast
from tableflow.expressions.fold import fold
from tableflow.expressions.localize import localize
from tableflow.expressions.nodes import Expression, Literal
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.scope import did_you_mean
from tableflow.storage.provider import managed

TABLE_CHANGES = "table_changes"


def versioned(block: Block, node: exp.Table, provider: TableProvider) -> tuple[TableProvider, str]:
    """The table at the version that FOR ... AS OF behind it says, and the words for that; without it the table itself."""
    clause = node.args.get("version")
    if clause is None:
        return provider, ""
    span = block.source.span(clause)
    words = f"FOR {clause.name} AS OF"
    if clause.expression.find(exp.Column) is not None:
        raise refused(f"{words} a column (a temporal or lookup join)", span)
    table = managed(provider)
    if table is None:
        raise UnsupportedError(
            f"{words} is not supported here",
            detail="only tables that TableFlow stores keep versions",
            span=span,
        )
    place = block.source.span(clause.expression)
    try:
        if clause.name == "VERSION":
            number = _version(block, clause.expression, words)
            with _naming(".".join(part.name for part in node.parts)):
                found = table.at(version=number)
        else:
            time = _time(block, clause.expression, words)
            with _naming(".".join(part.name for part in node.parts)):
                found = table.at(time=time)
        return found, f" FOR VERSION AS OF {found.version}"
    except TableFlowError as error:
        raise error.at(place) from None


@contextlib.contextmanager
def _naming(table: str) -> Iterator[None]:
    """Errors of the storage, which does not know what a table is called, say it."""
    try:
        yield
    except CatalogError as error:
        message = error.message.replace("the table", f"table {table!r}", 1)
        raise CatalogError(message, detail=error.detail, hint=error.hint) from None


def _constant(block: Block, node: exp.Expr, what: str) -> Expression:
    if node.find(exp.Query) is not None:
        raise BindError(f"{what} takes a constant", span=block.source.span(node))
    outside = Block.begin(block.context, block.source, block.ctes, None)
    return ExpressionBinder(outside, Clause(what)).bind(node)


def _version(block: Block, node: exp.Expr, what: str, outer: Span | None = None) -> int:
    value: Any = _value(fold(_constant(block, node, what)))
    if not isinstance(value, int) or isinstance(value, bool):
        raise BindError(f"{what} takes the number of a version", span=block.source.span(node) or outer)
    return value


def _value(expression: Expression) -> Any:
    if isinstance(expression, Literal) and isinstance(expression.type, types.IntegerType):
        return expression.value
    return None


def _time(block: Block, node: exp.Expr, what: str) -> int:
    """Microseconds since 1970; text and times without zone are the session's wall clock."""
    found = _constant(block, node, what)
    span = block.source.span(node)
    if not isinstance(found.type, (types.TimestampType, types.DateType, types.StringType)):
        raise BindError(f"{what} takes a time, this is {found.type}", span=span)
    instant = fold(localize(cast(found, types.TIMESTAMP_LTZ), block.context.zone))
    if not isinstance(instant, Literal) and isinstance(folded := fold(found), Literal):
        raise BindError(
            f"{folded.value!r} is no timestamp", hint=f"write {what} '2026-01-31 12:00:00', or a date", span=span
        )
    if not isinstance(instant, Literal) or instant.value is None:
        raise BindError(f"{what} takes a constant time", span=span)
    return int(instant.value)


def table_changes(block: Block, node: exp.Anonymous, span: Span | None) -> tuple[TableProvider, str]:
    """``table_changes('t', after [, up to])``: what the versions behind the first, up to and with the last, changed.

    The second value is the call in words: scans of different versions are different tables to the planner.
    """
    args = node.expressions
    if len(args) not in {2, 3} or not (isinstance(args[0], exp.Literal) and args[0].is_string):
        raise BindError(
            "TABLE_CHANGES takes the name of a table and one or two versions",
            hint="table_changes('t', 3) or table_changes('t', 3, 9)",
            span=span,
        )
    name = args[0].name
    place = block.source.span(args[0])
    path = tuple(part.strip('"') for part in name.split("."))
    provider = block.context.catalog.table(path)
    if provider is None and block.context.catalog.view(path) is not None:
        raise CatalogError(f"{name!r} is a view, which keeps no changes", hint="name a table that it reads", span=place)
    if provider is None:
        raise CatalogError(
            f"table {name!r} does not exist", hint=did_you_mean(name, block.context.catalog.names()), span=place
        )
    table = managed(provider)
    if table is None:
        raise UnsupportedError(
            f"table {name!r} keeps no changes", detail="only tables that TableFlow stores do", span=place
        )
    first = _version(block, args[1], "TABLE_CHANGES", span)
    last = _version(block, args[2], "TABLE_CHANGES", span) if len(args) > 2 else table.version
    for number, node_of in zip((first, last), args[1:], strict=False):
        if number > table.version:
            try:
                with _naming(name):
                    table.at(version=number)
            except TableFlowError as error:
                raise error.at(block.source.span(node_of)) from None
    if last < first:
        raise BindError(
            "the second version is before the first", hint="write the older one first", span=block.source.span(args[-1])
        )
    try:
        with _naming(name):
            return table.changes(first, last), f"{TABLE_CHANGES}({name}, {first}, {last})"
    except TableFlowError as error:
        raise error.at(span) from None
