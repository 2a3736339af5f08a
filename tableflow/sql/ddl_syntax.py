"""CREATE and DROP, read token by token."""

from __future__ import annotations

from tableflow.errors import CatalogError, Span
from tableflow.records import dataclass
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.reader import RefusedError
from tableflow.sql.statements import CreateSchema, Drop, DropSchema, ObjectKind
from tableflow.sql.table_parsing import parse_table
from tableflow.sql.table_syntax import TableSyntax
from tableflow.sql.target_syntax import parse_placed_path


@dataclass(frozen=True, slots=True)
class ViewText:
    """CREATE VIEW up to AS; the query is the rest of the text from ``start``."""

    name: tuple[str, ...]
    name_at: Span
    columns: tuple[str, ...]
    start: int
    temporary: bool
    or_replace: bool
    if_not_exists: bool


def parse_create(parser: TableFlowParser) -> TableSyntax | ViewText | CreateSchema:
    """A CREATE statement; for a view only what stands before its query."""
    parser.expect("CREATE")
    replace_at = parser.span()
    or_replace = parser.accept("OR")
    if or_replace:
        parser.expect("REPLACE")
    temporary = parser.accept("TEMPORARY") or parser.accept("TEMP")
    if parser.accept("VIEW"):
        return _view(parser, temporary=temporary, or_replace=or_replace)
    if not or_replace and not temporary and (parser.accept("SCHEMA") or parser.accept("DATABASE")):
        if_not_exists = _if_not_exists(parser)
        at = parser.span()
        schema = parser.name("a name")
        if schema.lower() == "information_schema":
            raise RefusedError(CatalogError("schema 'information_schema' exists already", span=at))
        return CreateSchema(schema, if_not_exists, names_at=(at,))
    if not temporary and _streaming(parser):
        table = TableSyntax(or_replace=or_replace, streaming=True)
        table.if_not_exists = _if_not_exists(parser)
        return parse_table(parser, table)
    if not parser.accept("TABLE"):
        kept = any(parser.ahead(word) for word in ("STREAM", "STREAMING", "MATERIALIZED"))
        parser.fail("STREAMING TABLE name AS is expected" if kept else "TABLE or VIEW is expected")
    refused = [("CREATE OR REPLACE TABLE", replace_at)] if or_replace else []
    table = TableSyntax(temporary=temporary, or_replace=or_replace, refused=refused)
    table.if_not_exists = _if_not_exists(parser)
    return parse_table(parser, table)


def _streaming(parser: TableFlowParser) -> bool:
    """STREAMING TABLE, or its other name."""
    if parser.accept("MATERIALIZED"):
        parser.expect("VIEW")
        return True
    if parser.accept("STREAMING"):
        parser.expect("TABLE")
        return True
    return False


def parse_drop(parser: TableFlowParser) -> Drop | DropSchema:
    """DROP TABLE, VIEW or SCHEMA, of several at once."""
    parser.expect("DROP")
    if parser.ahead("TEMPORARY"):
        parser.step()
    kind = None
    if _streaming(parser) or parser.accept("TABLE"):
        kind = ObjectKind.TABLE
    elif parser.accept("VIEW"):
        kind = ObjectKind.VIEW
    elif not parser.accept("SCHEMA") and not parser.accept("DATABASE"):
        parser.fail("TABLE or VIEW is expected")
    if_exists = parse_if_exists(parser)
    found = [parse_placed_path(parser)]
    while parser.accept_symbol(","):
        found.append(parse_placed_path(parser))
    names = tuple(name for name, _ in found)
    places = tuple(place for _, place in found)
    cascade = parser.accept("CASCADE")
    if not cascade:
        parser.accept("RESTRICT")
    if kind is not None:
        return Drop(kind, names, if_exists, cascade, names_at=places)
    return DropSchema(tuple(".".join(name) for name in names), if_exists, cascade, names_at=places)


def parse_if_exists(parser: TableFlowParser) -> bool:
    """IF EXISTS."""
    if not parser.accept("IF"):
        return False
    parser.expect("EXISTS")
    return True


def _if_not_exists(parser: TableFlowParser) -> bool:
    if not parser.accept("IF"):
        return False
    parser.expect("NOT", "EXISTS")
    return True


def _view(parser: TableFlowParser, *, temporary: bool, or_replace: bool) -> ViewText:
    if_not_exists = _if_not_exists(parser)
    name, name_at = parse_placed_path(parser)
    columns: list[str] = []
    if parser.accept_symbol("("):
        columns.append(parser.name("a column name"))
        while parser.accept_symbol(","):
            columns.append(parser.name("a column name"))
        parser.expect_symbol(")")
    if parser.ahead("WITH"):
        parser.refuse("options of a view")
    parser.expect("AS")
    start = parser.span().start
    parser.parse_query()
    return ViewText(name, name_at, tuple(columns), start, temporary, or_replace, if_not_exists)
