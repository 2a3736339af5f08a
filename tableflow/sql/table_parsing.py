"""CREATE TABLE, read token by token."""

from __future__ import annotations

from tableflow.errors import Span
from tableflow.sql.column_parsing import constraint_name, parse_check, parse_column, parse_key, parse_watermark
from tableflow.sql.option_syntax import parse_options
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.reader import UnreadableError
from tableflow.sql.table_syntax import LIKE_PARTS, LikeSyntax, TableSyntax
from tableflow.sql.target_syntax import column_names, parse_path


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
        table.options, table.options_at = parse_options(parser)
    if parser.ahead("AS"):
        _query(parser, table)
    elif table.untyped:
        raise UnreadableError("a type is expected", table.untyped[0])
    elif parser.ahead("SELECT") or parser.ahead("VALUES"):
        parser.fail("AS is expected before the query")
    elif parser.current and table.options is None:
        parser.fail("WITH is expected")
    elif not table.items and table.options is None:
        parser.fail("'(', WITH or AS is expected")
    return table


def _query(parser: TableFlowParser, table: TableSyntax) -> None:
    table.refused.append(("CREATE TABLE ... AS", parser.span()))
    parser.step()
    start = parser.span().start
    table.query = parser.parse_query()
    table.query_text = parser.sql[start : parser.previous_span().end]
    if parser.accept("WITH", "NO", "DATA"):
        table.with_data = False
    else:
        parser.accept("WITH", "DATA")


def _item(parser: TableFlowParser, table: TableSyntax) -> None:
    """A column or constraint."""
    name = constraint_name(parser)
    if parser.ahead("PRIMARY", "KEY") or parser.ahead("UNIQUE"):
        table.keys.append(parse_key(parser, table, name, None))
    elif parser.ahead("CHECK"):
        table.checks.append(parse_check(parser, table, name, None))
    elif parser.ahead("WATERMARK", "FOR") or _forgets_for(parser):
        table.watermarks.append(parse_watermark(parser))
    elif parser.ahead("FOREIGN", "KEY"):
        parser.refuse("a FOREIGN KEY constraint")
    elif name is not None:
        parser.fail("PRIMARY KEY, UNIQUE or CHECK is expected")
    elif parser.ahead("LIKE"):
        table.refused.append(("LIKE", parser.span()))
        table.items.append(_like(parser))
    else:
        parse_column(parser, table)


def _forgets_for(parser: TableFlowParser) -> bool:
    """Whether WATERMARK column AS comes next, where a column's type cannot be AS."""
    behind = parser.after(2)
    return parser.ahead("WATERMARK") and behind is not None and behind.text.upper() == "AS"


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
