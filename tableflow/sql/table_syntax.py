"""CREATE TABLE and column definitions, read token by token into what was written; what it means the binder decides.

What only managed tables have (defaults, checks, ...) is noted with its place in ``refused``: a connector's table refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import CatalogError, Span
from tableflow.sql.dml_syntax import Name
from tableflow.sql.option_syntax import parse_options
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.reader import UnreadableError
from tableflow.sql.target_syntax import column_names
from tableflow.sql.type_names import parse_type
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression as it was written."""

    tree: exp.Expr
    text: str
    span: Span


@dataclass(slots=True)
class ColumnSyntax:
    """A column definition; ``type`` is None if it is the generated expression's (or the query's)."""

    name: Name
    type: SqlType | None
    nullable: bool = True
    default: Formula | None = None
    generated: Formula | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class KeySyntax:
    """PRIMARY KEY or UNIQUE."""

    name: Name | None
    columns: tuple[Name, ...]
    primary: bool
    enforced: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CheckSyntax:
    """CHECK; ``column`` is the one that it stands behind."""

    name: Name | None
    condition: Formula
    column: str | None


@dataclass(frozen=True, slots=True)
class LikeSyntax:
    """LIKE, with what is left out of EVERY part that a table may have."""

    path: tuple[str, ...]
    span: Span
    excluded: frozenset[str]


LIKE_PARTS = ("DEFAULTS", "CONSTRAINTS", "GENERATED", "COMMENTS", "OPTIONS")


@dataclass(slots=True)
class TableSyntax:
    """CREATE TABLE."""

    name: tuple[str, ...] = ()
    name_span: Span = field(default_factory=lambda: Span(0, 0))
    items: list[ColumnSyntax | LikeSyntax] = field(default_factory=list)
    keys: list[KeySyntax] = field(default_factory=list)
    checks: list[CheckSyntax] = field(default_factory=list)
    comment: str | None = None
    partitioned: tuple[Name, ...] = ()
    options: tuple[tuple[str, str], ...] | None = None
    options_end: Span = field(default_factory=lambda: Span(0, 0))
    query: exp.Expr | None = None
    with_data: bool = True
    temporary: bool = False
    or_replace: bool = False
    if_not_exists: bool = False
    refused: list[tuple[str, Span]] = field(default_factory=list)
    untyped: list[Span] = field(default_factory=list)

    @property
    def columns(self) -> list[ColumnSyntax]:
        """The columns that are written out."""
        return [item for item in self.items if isinstance(item, ColumnSyntax)]


def parse_path(parser: TableFlowParser) -> tuple[str, ...]:
    """A name, qualified or not."""
    parts = [parser.name("a name")]
    while parser.accept_symbol("."):
        parts.append(parser.name("a name"))
    return tuple(parts)


def parse_table(parser: TableFlowParser, table: TableSyntax) -> TableSyntax:
    """CREATE TABLE from behind its keywords to the end."""
    at = parser.span().start
    table.name = parse_path(parser)
    table.name_span = Span(at, parser.previous_span().end)
    if parser.ahead("LIKE"):
        table.refused.append(("CREATE TABLE ... LIKE", parser.span()))
        table.items.append(_like(parser))
    elif parser.accept_symbol("("):
        _item(parser, table)
        while parser.accept_symbol(","):
            _item(parser, table)
        parser.expect_symbol(")")
    if parser.accept("COMMENT"):
        table.comment = parser.string("a comment")
    if parser.accept("PARTITIONED"):
        parser.expect("BY")
        table.partitioned = column_names(parser)
    if parser.ahead("WITH"):
        parser.step()
        table.options = parse_options(parser)
        table.options_end = parser.previous_span()
    if parser.ahead("AS"):
        _query(parser, table)
    elif table.untyped:
        raise UnreadableError("a type is expected", table.untyped[0])
    elif parser.current and table.options is None:
        parser.fail("WITH is expected")
    elif not table.items and table.options is None:
        parser.fail("'(', WITH or AS is expected")
    return table


def _query(parser: TableFlowParser, table: TableSyntax) -> None:
    table.refused.append(("CREATE TABLE ... AS", parser.span()))
    parser.step()
    table.query = parser.parse_query()
    if parser.accept("WITH", "NO", "DATA"):
        table.with_data = False
    else:
        parser.accept("WITH", "DATA")


def _item(parser: TableFlowParser, table: TableSyntax) -> None:
    """A column or constraint."""
    name = _constraint_name(parser)
    if parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(_key(parser, table, name, None))
    elif parser.ahead("CHECK"):
        table.checks.append(_check(parser, table, name, None))
    elif parser.ahead("WATERMARK", "FOR"):
        parser.refuse("WATERMARK FOR")
    elif parser.ahead("FOREIGN", "KEY"):
        parser.refuse("FOREIGN KEY constraints")
    elif name is not None:
        parser.fail("PRIMARY KEY, UNIQUE or CHECK is expected")
    elif parser.ahead("LIKE"):
        table.refused.append(("LIKE", parser.span()))
        table.items.append(_like(parser))
    else:
        parse_column(parser, table)


def _constraint_name(parser: TableFlowParser) -> Name | None:
    if not parser.accept("CONSTRAINT"):
        return None
    at = parser.span()
    return Name(parser.name("a constraint name"), at)


def parse_column(parser: TableFlowParser, table: TableSyntax) -> ColumnSyntax:
    """A column definition, with the constraints that stand behind it."""
    at = parser.span()
    name = Name(parser.name("a column name"), at)
    column = ColumnSyntax(name, None)
    if any(each.name.text.lower() == name.text.lower() for each in table.columns):
        raise CatalogError(f"column {name.text!r} is declared twice", span=at)
    table.items.append(column)
    if parser.current.text in {",", ")"}:
        table.untyped.append(parser.span())
        return column
    if not parser.ahead("AS") and not parser.ahead("GENERATED"):
        column.type = parse_type(parser)
    if parser.ahead("METADATA"):
        parser.refuse("METADATA")
    while parser.current and parser.current.text not in {",", ")"}:
        if not _column_constraint(parser, table, column):
            break
    return column


def _column_constraint(parser: TableFlowParser, table: TableSyntax, column: ColumnSyntax) -> bool:
    """One of the things that may stand behind a column; False at something else."""
    constraint = _constraint_name(parser)
    at = parser.span()
    if parser.accept("NOT", "NULL"):
        column.nullable = False
    elif parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(_key(parser, table, constraint, column.name))
    elif parser.ahead("CHECK"):
        table.checks.append(_check(parser, table, constraint, column.name.text))
    elif parser.accept("COMMENT"):
        column.comment = parser.string("a comment")
    elif parser.accept("DEFAULT"):
        table.refused.append(("DEFAULT", at))
        column.default = formula(parser, parser._parse_bitwise)
    elif parser.ahead("AS") or parser.ahead("GENERATED"):
        _generated(parser, table, column)
    elif parser.ahead("METADATA") or parser.ahead("REFERENCES"):
        parser.refuse(parser.current.text.upper())
    elif constraint is not None or not parser.accept("NULL"):
        parser.fail("',' or ')' is expected")
    return True


def _generated(parser: TableFlowParser, table: TableSyntax, column: ColumnSyntax) -> None:
    at = parser.span()
    if parser.accept("GENERATED"):
        if parser.ahead("BY", "DEFAULT") or parser.ahead("ALWAYS", "AS", "IDENTITY"):
            parser.refuse("GENERATED ... AS IDENTITY")
        parser.expect("ALWAYS")
        table.refused.append(("GENERATED", at))
    else:
        table.refused.append(("a computed column (AS)", at))
    parser.expect("AS")
    column.generated = formula(parser, parser._parse_disjunction)
    if parser.ahead("VIRTUAL"):
        parser.refuse("VIRTUAL (generated columns are stored)")
    parser.accept("STORED")


def formula(parser: TableFlowParser, parse: Callable[[], Any]) -> Formula:
    """An expression with its text; parentheses around the whole are left out."""
    start = parser.span().start
    tree: exp.Expr = parser.operand(parse)
    span = Span(start, parser.previous_span().end)
    text = parser.sql[span.start : span.end]
    if isinstance(tree, exp.Paren):
        text = text.strip()[1:-1].strip()
    return Formula(tree, text, span)


def _key(parser: TableFlowParser, table: TableSyntax, name: Name | None, column: Name | None) -> KeySyntax:
    at = parser.span()
    primary = parser.accept("PRIMARY", "KEY")
    if not primary:
        table.refused.append(("UNIQUE constraints", at))
        parser.expect("UNIQUE")
    columns = (column,) if column is not None else column_names(parser)
    enforced = not parser.accept("NOT", "ENFORCED")
    if enforced:
        parser.accept("ENFORCED")
    return KeySyntax(name, columns, primary, enforced, at if column is None else column.span)


def _check(parser: TableFlowParser, table: TableSyntax, name: Name | None, column: str | None) -> CheckSyntax:
    table.refused.append(("CHECK constraints", parser.span()))
    parser.expect("CHECK")
    if parser.current.token_type is not TokenType.L_PAREN:
        parser.fail("'(' is expected")
    return CheckSyntax(name, formula(parser, parser._parse_unary), column)


def parse_constraint(parser: TableFlowParser, table: TableSyntax) -> None:
    """A constraint of the table, for ALTER TABLE ... ADD."""
    name = _constraint_name(parser)
    if parser.ahead("CHECK"):
        table.checks.append(_check(parser, table, name, None))
    elif parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(_key(parser, table, name, None))
    elif parser.ahead("FOREIGN", "KEY"):
        parser.refuse("FOREIGN KEY constraints")
    else:
        parser.fail("CHECK, PRIMARY KEY or UNIQUE is expected")


def _like(parser: TableFlowParser) -> LikeSyntax:
    parser.expect("LIKE")
    at = parser.span().start
    path = parse_path(parser)
    span = Span(at, parser.previous_span().end)
    excluded: set[str] = set()
    while parser.ahead("INCLUDING") or parser.ahead("EXCLUDING"):
        excluding = parser.current.text.upper() == "EXCLUDING"
        parser.step()
        what = parser.current.text.upper()
        if what not in (*LIKE_PARTS, "ALL"):
            parser.fail(f"ALL, {', '.join(LIKE_PARTS[:-1])} or {LIKE_PARTS[-1]} is expected")
        parser.step()
        parts = set(LIKE_PARTS) if what == "ALL" else {what}
        excluded = excluded | parts if excluding else excluded - parts
    return LikeSyntax(path, span, frozenset(excluded))
