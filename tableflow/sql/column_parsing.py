"""Column definitions and constraints, read token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import CatalogError, Span
from tableflow.sql.dml_syntax import Name
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.table_syntax import CheckSyntax, ColumnSyntax, Formula, KeySyntax, TableSyntax, WatermarkSyntax
from tableflow.sql.target_syntax import column_names
from tableflow.sql.type_names import parse_type


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
    if parser.accept("METADATA"):
        _metadata(parser, column)
    while parser.current and parser.current.text not in {",", ")"}:
        if not _column_constraint(parser, table, column):
            break
    return column


def constraint_name(parser: TableFlowParser) -> Name | None:
    """CONSTRAINT and a name, if they come next."""
    if not parser.accept("CONSTRAINT"):
        return None
    at = parser.span()
    return Name(parser.name("a constraint name"), at)


def _column_constraint(parser: TableFlowParser, table: TableSyntax, column: ColumnSyntax) -> bool:
    """One of the things that may stand behind a column; False at something else."""
    constraint = constraint_name(parser)
    at = parser.span()
    if parser.accept("NOT", "NULL"):
        column.nullable = False
    elif parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(parse_key(parser, table, constraint, column.name))
    elif parser.ahead("CHECK"):
        table.checks.append(parse_check(parser, table, constraint, column.name.text))
    elif parser.accept("COMMENT"):
        column.comment = parser.string("a comment")
    elif parser.accept("DEFAULT"):
        table.refused.append(("DEFAULT", at))
        column.default = formula(parser, parser._parse_bitwise)
    elif parser.ahead("AS") or parser.ahead("GENERATED"):
        _generated(parser, table, column)
    elif parser.ahead("REFERENCES") or parser.ahead("FOREIGN", "KEY"):
        parser.refuse("a FOREIGN KEY constraint")
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
    parser.expect("AS")
    column.generated = formula(parser, parser._parse_disjunction)
    if parser.ahead("VIRTUAL"):
        parser.refuse("VIRTUAL (generated columns are stored)")
    parser.accept("STORED")


def _metadata(parser: TableFlowParser, column: ColumnSyntax) -> None:
    column.metadata = parser.string("the key") if parser.accept("FROM") else column.name.text
    if not parser.accept("VIRTUAL"):
        parser.fail("VIRTUAL is expected")


def parse_watermark(parser: TableFlowParser) -> WatermarkSyntax:
    """WATERMARK FOR column AS expression."""
    start = parser.span().start
    parser.expect("WATERMARK")
    if not parser.accept("FOR"):
        parser.fail(f"FOR is expected: WATERMARK FOR {parser.current.text} AS ...")
    at = parser.span()
    column = Name(parser.name("the column of event time"), at)
    if not parser.ahead("AS"):
        name = column.text
        parser.fail(f"AS is expected, and what time has come to: {name} AS {name} - INTERVAL '5' SECOND")
    parser.step()
    expression = formula(parser, parser._parse_disjunction)
    return WatermarkSyntax(column, expression, Span(start, parser.previous_span().end))


def formula(parser: TableFlowParser, parse: Callable[[], Any]) -> Formula:
    """An expression with its text; parentheses around the whole are left out."""
    start = parser.span().start
    tree: exp.Expr = parser.operand(parse)
    span = Span(start, parser.previous_span().end)
    text = parser.sql[span.start : span.end]
    if isinstance(tree, exp.Paren):
        text = text.strip()[1:-1].strip()
    return Formula(tree, text, span)


def parse_key(parser: TableFlowParser, table: TableSyntax, name: Name | None, column: Name | None) -> KeySyntax:
    """PRIMARY KEY or UNIQUE; ``column`` is the one that it stands behind."""
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


def parse_check(parser: TableFlowParser, table: TableSyntax, name: Name | None, column: str | None) -> CheckSyntax:
    """CHECK; ``column`` is the one that it stands behind."""
    table.refused.append(("CHECK constraints", parser.span()))
    parser.expect("CHECK")
    if parser.current.token_type is not TokenType.L_PAREN:
        parser.fail("'(' is expected")
    return CheckSyntax(name, formula(parser, parser._parse_unary), column)


def parse_constraint(parser: TableFlowParser, table: TableSyntax) -> None:
    """A constraint of the table, for ALTER TABLE ... ADD."""
    name = constraint_name(parser)
    if parser.ahead("CHECK"):
        table.checks.append(parse_check(parser, table, name, None))
    elif parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(parse_key(parser, table, name, None))
    elif parser.ahead("FOREIGN", "KEY"):
        parser.refuse("a FOREIGN KEY constraint")
    else:
        parser.fail("CHECK, PRIMARY KEY or UNIQUE is expected")
