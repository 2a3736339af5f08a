"""INSERT, UPDATE, DELETE and MERGE, read token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import BindError, Span
from tableflow.sql.dml_syntax import (
    Assignment,
    Cell,
    Change,
    Conflict,
    Constant,
    Delete,
    Insert,
    Match,
    Merge,
    MergeInsert,
    MergeOther,
    MergeUpdate,
    Name,
    Row,
    Rows,
    Update,
    When,
)
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.plain_rows import PartOfQueryError, PlainRows
from tableflow.sql.reader import RefusedError
from tableflow.sql.target_syntax import column_names, parse_name, parse_target

_CONSTANTS = frozenset({TokenType.NUMBER, TokenType.STRING, TokenType.NULL, TokenType.TRUE, TokenType.FALSE})
_AFTER_VALUES = frozenset({
    TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT, TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET,
    TokenType.FETCH,
})  # fmt: skip
"""What makes VALUES a part of a larger query."""
_ENDS = frozenset({TokenType.COMMA, TokenType.R_PAREN})


def parse_change(parser: TableFlowParser, plain: PlainRows | None = None) -> Change:
    """One of the four statements, with the WITH before it; ``plain`` are rows of VALUES that are read already."""
    with_ = parser._parse_with()
    if plain is not None:
        parser.expect("INSERT")
        return _insert(parser, with_, plain)
    for word, parse in _STATEMENTS.items():
        if parser.accept(word):
            return parse(parser, with_)
    return parser.fail("INSERT, UPDATE, DELETE or MERGE is expected")


def _insert(parser: TableFlowParser, with_: exp.Expr | None, plain: PlainRows | None = None) -> Insert:
    if parser.ahead("OR"):
        parser.refuse("INSERT OR ... (write ON CONFLICT)")
    if parser.ahead("OVERWRITE"):
        parser.refuse("INSERT OVERWRITE (write TRUNCATE, then INSERT)")
    parser.expect("INTO")
    parser.accept("TABLE")
    target = parse_target(parser, None)
    columns = column_names(parser) if _names_ahead(parser) else None
    if parser.ahead("OVERRIDING"):
        parser.refuse("OVERRIDING")
    by_name = parser.accept("BY", "NAME")
    if not by_name:
        parser.accept("BY", "POSITION")
    source: Rows | exp.Expr | None = None
    if not parser.accept("DEFAULT", "VALUES"):
        source = _source(parser, plain)
    return Insert(with_, target, columns, by_name, source, _conflict(parser), _returning(parser))


def _names_ahead(parser: TableFlowParser) -> bool:
    """Whether a list of columns comes, and not a query in parentheses."""
    following = parser.following
    return parser.current.token_type is TokenType.L_PAREN and following.token_type not in {
        TokenType.SELECT, TokenType.L_PAREN, TokenType.WITH, TokenType.VALUES, TokenType.FROM,
    }  # fmt: skip


def _source(parser: TableFlowParser, plain: PlainRows | None) -> Rows | exp.Expr:
    if parser.current.token_type is not TokenType.VALUES:
        return parser.parse_query()
    mark = parser.place()
    parser.step()
    rows = [parse_row(parser)] if plain is None else list(plain.rows)
    while parser.accept_symbol(","):
        rows.append(parse_row(parser))
    if parser.current.token_type not in _AFTER_VALUES:
        return Rows(rows)
    if plain is not None:
        raise PartOfQueryError
    parser.back(mark)
    return parser.parse_query()


def parse_row(parser: TableFlowParser) -> Row:
    """A row in parentheses."""
    start = parser.span().start
    parser.expect_symbol("(")
    cells: list[Cell] = [_cell(parser)]
    while parser.accept_symbol(","):
        cells.append(_cell(parser))
    parser.expect_symbol(")")
    return Row(cells, Span(start, parser.previous_span().end))


def _cell(parser: TableFlowParser) -> Cell:
    token, following = parser.current, parser.following
    if token.token_type in _CONSTANTS and following.token_type in _ENDS:
        parser.step()
        return Constant(token.token_type, token.text, token.start, token.end + 1)
    if token.token_type is TokenType.DASH and following.token_type is TokenType.NUMBER:
        mark = parser.place()
        parser.step()
        parser.step()
        if parser.current.token_type in _ENDS:
            return Constant(following.token_type, following.text, token.start, following.end + 1, negative=True)
        parser.back(mark)
    found: exp.Expr = parser.operand(parser._parse_disjunction)
    return found


def _conflict(parser: TableFlowParser) -> Conflict | None:
    start = parser.span().start
    if not parser.accept("ON", "CONFLICT"):
        return None
    columns: tuple[Name, ...] = ()
    constraint = None
    if parser.accept("ON", "CONSTRAINT"):
        at = parser.span()
        constraint = Name(parser.name("the name of a constraint"), at)
    elif parser.current.token_type is TokenType.L_PAREN:
        columns = column_names(parser)
        if parser.ahead("WHERE"):
            parser.refuse("ON CONFLICT (columns) WHERE, a partial key")
    span = Span(start, parser.previous_span().end)
    parser.expect("DO")
    if parser.accept("NOTHING"):
        return Conflict(columns, constraint, (), None, span)
    parser.expect("UPDATE", "SET")
    return Conflict(columns, constraint, _assignments(parser), _where(parser), span)


def _returning(parser: TableFlowParser) -> list[exp.Expr] | None:
    if not parser.accept("RETURNING"):
        return None
    items: list[exp.Expr] = parser._parse_expressions()
    if not items:
        parser.fail("an expression is expected")
    return items


def _where(parser: TableFlowParser) -> exp.Expr | None:
    if not parser.accept("WHERE"):
        return None
    found: exp.Expr = parser.operand(parser._parse_disjunction)
    return found


def _assignments(parser: TableFlowParser) -> tuple[Assignment, ...]:
    found = [_assignment(parser)]
    while parser.accept_symbol(","):
        found.append(_assignment(parser))
    return tuple(found)


def _assignment(parser: TableFlowParser) -> Assignment:
    start = parser.span().start
    if parser.current.token_type is not TokenType.L_PAREN:
        column = _assigned_column(parser)
        parser.expect_symbol("=")
        value: exp.Expr = parser.operand(parser._parse_disjunction)
        return Assignment((column,), (value,), Span(start, parser.previous_span().end))
    columns = column_names(parser)
    parser.expect_symbol("=")
    parser.accept("ROW")
    found: exp.Expr = parser.operand(parser._parse_disjunction)
    span = Span(start, parser.previous_span().end)
    if isinstance(found, exp.Tuple):
        return Assignment(columns, tuple(found.expressions), span)
    return Assignment(columns, (found.this if isinstance(found, exp.Paren) else found,), span)


def _assigned_column(parser: TableFlowParser) -> Name:
    name = parse_name(parser)
    if parser.current.text == "[":
        parser.refuse("assigning to an element")
    if parser.current.text == ".":
        parser.step()
        field = parser.name("a name")
        raise RefusedError(
            BindError(
                f"SET names a column of the table, not {name.text}.{field}",
                detail="fields of a ROW cannot be set one by one, and the table's name does not stand before a column",
                hint=f"write SET {field} = ... for a column; SET {name.text} = ROW(...) for a whole row",
                span=Span(name.span.start, parser.previous_span().end),
            )
        )
    return name


def _update(parser: TableFlowParser, with_: exp.Expr | None) -> Update:
    target = parse_target(parser, frozenset({"SET"}))
    parser.expect("SET")
    assignments = _assignments(parser)
    source = parser._parse_from(joins=True)
    return Update(with_, target, assignments, source, _where(parser), _returning(parser))


def _delete(parser: TableFlowParser, with_: exp.Expr | None) -> Delete:
    parser.expect("FROM")
    target = parse_target(parser, frozenset({"RETURNING"}))
    source = None
    if parser.accept("USING"):
        table = parser.operand_table()
        for join in parser._parse_joins():
            table.append("joins", join)
        source = exp.From(this=table)
    return Delete(with_, target, source, _where(parser), _returning(parser))


def _merge(parser: TableFlowParser, with_: exp.Expr | None) -> Merge:
    parser.expect("INTO")
    target = parse_target(parser, frozenset())
    parser.expect("USING")
    source = parser.operand_table()
    parser.expect("ON")
    condition: exp.Expr = parser.operand(parser._parse_disjunction)
    clauses = []
    while parser.current.token_type is TokenType.WHEN:
        clauses.append(_when(parser))
    if not clauses:
        parser.fail("WHEN is expected")
    return Merge(with_, target, source, condition, tuple(clauses), _returning(parser))


def _when(parser: TableFlowParser) -> When:
    start = parser.span().start
    parser.expect("WHEN")
    negated = parser.accept("NOT")
    parser.expect("MATCHED")
    match = Match.MATCHED
    if negated:
        match = Match.BY_TARGET
        if parser.accept("BY", "SOURCE"):
            match = Match.BY_SOURCE
        else:
            parser.accept("BY", "TARGET")
    span = Span(start, parser.previous_span().end)
    condition = parser.operand(parser._parse_disjunction) if parser.accept("AND") else None
    parser.expect("THEN")
    return When(match, condition, _then(parser, match), span)


def _then(parser: TableFlowParser, match: Match) -> MergeUpdate | MergeInsert | MergeOther:
    if parser.accept("DO", "NOTHING"):
        return MergeOther.NOTHING
    if match is Match.BY_TARGET:
        parser.expect("INSERT")
        return _merge_insert(parser)
    if parser.accept("DELETE"):
        return MergeOther.DELETE
    if parser.ahead("INSERT"):
        parser.fail(f"WHEN {match.value} updates or deletes")
    parser.expect("UPDATE")
    if parser.accept("BY", "NAME") and not parser.ahead("SET"):
        return MergeUpdate(())
    parser.expect("SET")
    return MergeUpdate(()) if parser.accept_symbol("*") else MergeUpdate(_assignments(parser))


def _merge_insert(parser: TableFlowParser) -> MergeInsert:
    if parser.accept_symbol("*") or parser.accept("BY", "NAME"):
        return MergeInsert(None, None, by_name=True)
    columns = column_names(parser) if parser.current.token_type is TokenType.L_PAREN else None
    if columns is None and parser.accept("DEFAULT", "VALUES"):
        return MergeInsert(None, None)
    parser.expect("VALUES")
    return MergeInsert(columns, parse_row(parser))


_STATEMENTS: dict[str, Callable[[TableFlowParser, Any], Change]] = {
    "INSERT": _insert,
    "UPDATE": _update,
    "DELETE": _delete,
    "MERGE": _merge,
}
CHANGES = frozenset(_STATEMENTS)
"""The words that begin these statements."""
