"""ALTER TABLE and TRUNCATE, read token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.column_parsing import formula, parse_column, parse_constraint
from tableflow.sql.ddl_syntax import parse_if_exists
from tableflow.sql.dml_syntax import Name
from tableflow.sql.option_syntax import parse_options
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.statement_base import OptionPlaces
from tableflow.sql.table_syntax import Formula, TableSyntax
from tableflow.sql.target_syntax import parse_path
from tableflow.sql.type_names import parse_type
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class AddColumn:
    """ADD COLUMN; ``table`` holds the column and the constraints that stand behind it."""

    table: TableSyntax
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropColumn:
    """DROP COLUMN."""

    column: Name
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """RENAME COLUMN a TO b."""

    column: Name
    to: Name


@dataclass(frozen=True, slots=True)
class RenameTable:
    """RENAME TO."""

    to: Name


@dataclass(frozen=True, slots=True)
class SetType:
    """ALTER COLUMN ... TYPE."""

    column: Name
    type: SqlType
    span: Span


@dataclass(frozen=True, slots=True)
class SetDefault:
    """SET DEFAULT, or without a value DROP DEFAULT."""

    column: Name
    default: Formula | None


@dataclass(frozen=True, slots=True)
class SetNullable:
    """SET NOT NULL, or (``nullable``) DROP NOT NULL."""

    column: Name
    nullable: bool


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """ADD a constraint of the table."""

    table: TableSyntax
    span: Span


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """DROP CONSTRAINT."""

    constraint: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    """RENAME CONSTRAINT a TO b."""

    constraint: Name
    to: Name


@dataclass(frozen=True, slots=True)
class SetOptions:
    """SET (options)."""

    options: tuple[tuple[str, str], ...]
    options_at: OptionPlaces


Alteration: TypeAlias = (
    AddColumn | DropColumn | RenameColumn | RenameTable | SetType | SetDefault | SetNullable | AddConstraint
    | DropConstraint | RenameConstraint | SetOptions
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlterSyntax:
    """ALTER TABLE with its alterations, done one after the other."""

    name: tuple[str, ...]
    span: Span
    if_exists: bool
    alterations: tuple[Alteration, ...]


def parse_alter(parser: TableFlowParser) -> AlterSyntax:
    """ALTER TABLE."""
    parser.expect("ALTER")
    for other in ("VIEW", "SCHEMA", "DATABASE", "FUNCTION", "CATALOG"):
        if parser.ahead(other):
            parser.refuse(f"ALTER {other}")
    parser.expect("TABLE")
    if_exists = parse_if_exists(parser)
    at = parser.span().start
    name = parse_path(parser)
    span = Span(at, parser.previous_span().end)
    alterations = [_alteration(parser)]
    while parser.accept_symbol(","):
        alterations.append(_alteration(parser))
    return AlterSyntax(name, span, if_exists, tuple(alterations))


def parse_truncate(parser: TableFlowParser) -> tuple[tuple[str, ...], Span]:
    """TRUNCATE [TABLE] t."""
    parser.expect("TRUNCATE")
    parser.accept("TABLE")
    at = parser.span().start
    name = parse_path(parser)
    span = Span(at, parser.previous_span().end)
    if parser.ahead(","):
        parser.refuse("TRUNCATE of several tables at once")
    return name, span


def _alteration(parser: TableFlowParser) -> Alteration:
    for word, parse in _ALTERATIONS.items():
        if parser.accept(word):
            return parse(parser)
    return parser.fail("ADD, DROP, RENAME, ALTER or SET is expected")


def _name(parser: TableFlowParser, what: str = "a column name") -> Name:
    at = parser.span()
    return Name(parser.name(what), at)


def _add(parser: TableFlowParser) -> Alteration:
    table = TableSyntax()
    at = parser.span()
    if not parser.ahead("COLUMN") and any(
        parser.ahead(*words)
        for words in (("CONSTRAINT",), ("CHECK",), ("PRIMARY", "KEY"), ("UNIQUE",), ("FOREIGN", "KEY"))
    ):
        parse_constraint(parser, table)
        return AddConstraint(table, at)
    parser.accept("COLUMN")
    if_not_exists = parser.accept("IF")
    if if_not_exists:
        parser.expect("NOT", "EXISTS")
    parse_column(parser, table)
    if table.untyped:
        parser.fail("a type is expected")
    if parser.ahead("FIRST") or parser.ahead("AFTER"):
        parser.refuse(f"ADD COLUMN ... {parser.current.text.upper()}")
    return AddColumn(table, if_not_exists)


def _drop(parser: TableFlowParser) -> Alteration:
    constraint = parser.accept("CONSTRAINT")
    if not constraint:
        parser.accept("COLUMN")
    if_exists = parse_if_exists(parser)
    if constraint:
        return DropConstraint(_name(parser, "a constraint name"), if_exists)
    column = _name(parser)
    cascade = parser.accept("CASCADE")
    if not cascade:
        parser.accept("RESTRICT")
    return DropColumn(column, if_exists, cascade)


def _rename(parser: TableFlowParser) -> Alteration:
    if parser.accept("TO"):
        return RenameTable(_name(parser, "a table name"))
    if parser.accept("CONSTRAINT"):
        constraint = _name(parser, "a constraint name")
        parser.expect("TO")
        return RenameConstraint(constraint, _name(parser, "a constraint name"))
    parser.accept("COLUMN")
    column = _name(parser)
    parser.expect("TO")
    return RenameColumn(column, _name(parser))


def _alter_column(parser: TableFlowParser) -> Alteration:
    parser.accept("COLUMN")
    column = _name(parser)
    dropped = parser.accept("DROP")
    if not dropped and parser.accept("TYPE"):
        return _type(parser, column)
    if not dropped:
        parser.expect("SET")
        if parser.accept("DATA", "TYPE"):
            return _type(parser, column)
    if parser.accept("NOT", "NULL"):
        return SetNullable(column, nullable=dropped)
    if not parser.accept("DEFAULT"):
        parser.fail("DEFAULT, NOT NULL or DATA TYPE is expected")
    return SetDefault(column, None if dropped else formula(parser, parser._parse_bitwise))


def _type(parser: TableFlowParser, column: Name) -> SetType:
    at = parser.span().start
    of = parse_type(parser)
    if parser.ahead("USING"):
        parser.refuse("USING (write UPDATE into another column)")
    return SetType(column, of, Span(at, parser.previous_span().end))


def _set(parser: TableFlowParser) -> SetOptions:
    return SetOptions(*parse_options(parser))


_ALTERATIONS: dict[str, Callable[[TableFlowParser], Alteration]] = {
    "ADD": _add,
    "DROP": _drop,
    "RENAME": _rename,
    "ALTER": _alter_column,
    "SET": _set,
}
