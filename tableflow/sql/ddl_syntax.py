"""CREATE and DROP, read token by token: what the dialect has later is refused by name where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokenizer_core import TokenType

from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import BindError, CatalogError, Span
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.statements import CreateTable, Drop, ObjectKind
from tableflow.sql.type_names import parse_type

_LATER_KINDS = {
    ("STREAMING",): "CREATE STREAMING TABLE", ("MATERIALIZED",): "CREATE MATERIALIZED VIEW", ("FUNCTION",): "CREATE FUNCTION",
    ("AGGREGATE",): "CREATE AGGREGATE FUNCTION", ("TABLE", "FUNCTION"): "CREATE TABLE FUNCTION",
    ("WINDOW",): "CREATE WINDOW FUNCTION", ("SCHEMA",): "CREATE SCHEMA", ("DATABASE",): "CREATE DATABASE",
    ("CATALOG",): "CREATE CATALOG", ("INDEX",): "CREATE INDEX", ("EXTERNAL",): "CREATE EXTERNAL TABLE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ViewText:
    """CREATE VIEW up to AS; the query is the rest of the text from ``start``."""

    name: tuple[str, ...]
    columns: tuple[str, ...]
    start: int
    temporary: bool
    or_replace: bool
    if_not_exists: bool


def parse_create(parser: TableFlowParser) -> CreateTable | ViewText:
    """A CREATE statement; for a view only what stands before its query."""
    parser.expect("CREATE")
    replace_at = parser.span()
    or_replace = parser.accept("OR")
    if or_replace:
        parser.expect("REPLACE")
    temporary = parser.accept("TEMPORARY") or parser.accept("TEMP")
    for words, what in _LATER_KINDS.items():
        if parser.ahead(*words):
            parser.refuse(what)
    if parser.accept("VIEW"):
        return _view(parser, temporary=temporary, or_replace=or_replace)
    if not parser.accept("TABLE"):
        parser.fail("TABLE or VIEW is expected")
    if or_replace:
        parser.refuse("CREATE OR REPLACE TABLE", replace_at)
    return _table(parser, temporary=temporary)


def parse_drop(parser: TableFlowParser) -> Drop:
    """DROP TABLE or VIEW."""
    parser.expect("DROP")
    if parser.ahead("TEMPORARY"):
        parser.step()
    for words, what in _LATER_KINDS.items():
        if parser.ahead(*words):
            parser.refuse(what.replace("CREATE", "DROP"))
    if parser.accept("TABLE"):
        kind = ObjectKind.TABLE
    else:
        if not parser.accept("VIEW"):
            parser.fail("TABLE or VIEW is expected")
        kind = ObjectKind.VIEW
    if_exists = parser.accept("IF")
    if if_exists:
        parser.expect("EXISTS")
    name = _path(parser)
    if parser.ahead("CASCADE"):
        parser.refuse("CASCADE")
    if parser.ahead(","):
        parser.refuse(f"DROP of several {kind.value}s at once")
    parser.accept("RESTRICT")
    return Drop(kind, (name,), if_exists)


def _path(parser: TableFlowParser) -> tuple[str, ...]:
    parts = [parser.name("a name")]
    while parser.accept_symbol("."):
        parts.append(parser.name("a name"))
    return tuple(parts)


def _if_not_exists(parser: TableFlowParser) -> bool:
    if not parser.accept("IF"):
        return False
    parser.expect("NOT", "EXISTS")
    return True


def _view(parser: TableFlowParser, *, temporary: bool, or_replace: bool) -> ViewText:
    if_not_exists = _if_not_exists(parser)
    name = _path(parser)
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
    return ViewText(name, tuple(columns), start, temporary, or_replace, if_not_exists)


def _table(parser: TableFlowParser, *, temporary: bool) -> CreateTable:
    if_not_exists = _if_not_exists(parser)
    name_at = parser.span()
    name = _path(parser)
    if parser.ahead("LIKE"):
        parser.refuse("CREATE TABLE ... LIKE")
    body = _Body()
    if parser.accept_symbol("("):
        body.item(parser)
        while parser.accept_symbol(","):
            body.item(parser)
        parser.expect_symbol(")")
    comment = parser.string("a comment") if parser.accept("COMMENT") else None
    partitioned = _partitioned(parser, body)
    has_options = parser.ahead("WITH")
    options = _options(parser) if has_options else ()
    if parser.ahead("AS"):
        parser.refuse("CREATE TABLE ... AS")
    if not has_options:
        if parser.current:
            parser.fail("WITH is expected")
        parser.refuse("a managed table (CREATE TABLE without WITH)", name_at)
    if "connector" not in {key.lower() for key, _ in options}:
        raise CatalogError(
            f"table {name[-1]!r} names no connector",
            hint="write WITH ('connector' = 'filesystem', 'path' = ..., 'format' = ...)",
            span=parser.previous_span(),
        )
    return CreateTable(
        name, body.definitions(), options, body.key, partitioned, comment, temporary, if_not_exists, text=parser.sql
    )


def _partitioned(parser: TableFlowParser, body: _Body) -> tuple[str, ...]:
    if not parser.accept("PARTITIONED"):
        return ()
    parser.expect("BY")
    parser.expect_symbol("(")
    names = [body.known(parser)]
    while parser.accept_symbol(","):
        names.append(body.known(parser))
    parser.expect_symbol(")")
    return tuple(names)


def _options(parser: TableFlowParser) -> tuple[tuple[str, str], ...]:
    parser.expect("WITH")
    parser.expect_symbol("(")
    options: dict[str, str] = {}
    while True:
        at = parser.span()
        key = _option_key(parser)
        if key in options:
            raise CatalogError(f"option {key!r} is given twice", span=at)
        parser.expect_symbol("=")
        options[key] = _option_value(parser)
        if not parser.accept_symbol(","):
            break
    parser.expect_symbol(")")
    return tuple(options.items())


def _option_key(parser: TableFlowParser) -> str:
    if parser.current.token_type is TokenType.STRING:
        return parser.string("an option").lower()
    parts = [parser.word("an option")]
    while parser.current.text in {".", "-"}:
        parts.append(parser.current.text)
        parser.step()
        parts.append(parser.word("an option"))
    return "".join(parts).lower()


def _option_value(parser: TableFlowParser) -> str:
    token = parser.current
    if token.token_type is TokenType.STRING or token.token_type is TokenType.NUMBER:
        parser.step()
        return token.text
    return parser.word("the value of the option")


class _Body:
    """Columns and constraints between the parentheses."""

    def __init__(self) -> None:
        self.columns: dict[str, ColumnDefinition] = {}
        self.key: tuple[str, ...] = ()
        self.key_at: Span | None = None

    def item(self, parser: TableFlowParser) -> None:
        """One column or constraint."""
        if parser.accept("CONSTRAINT"):
            parser.name("a constraint name")
        if parser.ahead("PRIMARY", "KEY"):
            self._primary_key(parser)
        elif parser.ahead("WATERMARK", "FOR"):
            parser.refuse("WATERMARK FOR")
        elif parser.ahead("UNIQUE") or parser.ahead("CHECK") or parser.ahead("FOREIGN"):
            parser.refuse(f"{parser.current.text.upper()} constraints")
        else:
            self._column(parser)

    def _column(self, parser: TableFlowParser) -> None:
        at = parser.span()
        name = parser.name("a column name")
        if name.lower() in self.columns:
            raise CatalogError(f"column {name!r} is declared twice", span=at)
        if parser.ahead("AS"):
            parser.refuse("a computed column (AS)")
        column_type = parse_type(parser)
        if parser.ahead("METADATA"):
            parser.refuse("METADATA")
        nullable = True
        while parser.current and parser.current.text not in {",", ")"}:
            if parser.accept("NOT", "NULL"):
                nullable = False
            elif parser.accept("PRIMARY", "KEY"):
                self._set_key(parser, (name,), at)
            elif parser.accept("COMMENT"):
                parser.string("a comment")
            elif parser.ahead("METADATA") or parser.ahead("DEFAULT") or parser.ahead("GENERATED"):
                parser.refuse(parser.current.text.upper())
            elif not parser.accept("NULL"):
                parser.fail("',' or ')' is expected")
        self.columns[name.lower()] = ColumnDefinition(name, column_type, nullable)

    def _primary_key(self, parser: TableFlowParser) -> None:
        at = parser.span()
        parser.expect("PRIMARY", "KEY")
        parser.expect_symbol("(")
        names = [parser.name("a column name")]
        while parser.accept_symbol(","):
            names.append(parser.name("a column name"))
        parser.expect_symbol(")")
        self._set_key(parser, tuple(names), at)

    def _set_key(self, parser: TableFlowParser, names: tuple[str, ...], at: Span) -> None:
        if self.key:
            raise CatalogError("a table has one primary key", span=at)
        if not parser.accept("NOT", "ENFORCED"):
            raise BindError(
                "the primary key of a connector's table cannot be enforced",
                hint="write PRIMARY KEY ... NOT ENFORCED: it is then a promise",
                span=at,
            )
        self.key, self.key_at = names, at

    def known(self, parser: TableFlowParser) -> str:
        """A declared column's name."""
        at = parser.span()
        name = parser.name("a column name")
        if self.columns and name.lower() not in self.columns:
            raise CatalogError(f"column {name!r} is not declared", span=at)
        return name

    def definitions(self) -> tuple[ColumnDefinition, ...]:
        """All columns; those of the primary key are not NULL."""
        for name in self.key:
            if name.lower() not in self.columns:
                raise CatalogError(f"column {name!r} of the primary key is not declared", span=self.key_at)
        keys = {name.lower() for name in self.key}
        return tuple(
            ColumnDefinition(column.name, column.type, column.nullable and lowered not in keys)
            for lowered, column in self.columns.items()
        )
