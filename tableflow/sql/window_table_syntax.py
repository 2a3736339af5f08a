"""Window table functions of FROM in all their spellings, read into one form.

``TUMBLE(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' HOUR)``, ``TUMBLE(t, ts, INTERVAL '1' HOUR)``, the same with
named arguments, ``TABLE(TUMBLE(...))``, and ``TUMBLE(TABLE t, 100 ROWS)``.

Several columns of PARTITION BY and ORDER BY may stand in parentheses.  Behind a bare comma there may be one more of them or the next
argument: since a function with PARTITION BY or ORDER BY needs all its arguments, those too many in front are columns.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import BindError, Span
from tableflow.nearest import nearest
from tableflow.records import dataclass
from tableflow.sql.reader import RefusedError

if TYPE_CHECKING:
    from tableflow.sql.relation_parser import RelationParser

NAMES = frozenset({"TUMBLE", "HOP", "CUMULATE", "SESSION", "GLOBAL", "PUNCTUATED", "LANDMARK", "DELTA"})
META = "windows"
"""Where the tree's node of a window table function keeps its :class:`WindowTableSyntax`."""


@dataclass(slots=True)
class RowCount:
    """``100 ROWS`` as an argument."""

    count: exp.Expr


@dataclass(slots=True)
class Argument:
    """An argument behind the relation, with its name if it has one; a DESCRIPTOR's value is its columns."""

    value: Any
    name: str = ""
    described: bool = False
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class WindowTableSyntax:
    """A window table function: the relation it reads, how its rows are divided and ordered, and what else it is given."""

    name: str
    relation: exp.Expr
    partition: list[exp.Expr] = field(default_factory=list)
    order: list[exp.Ordered] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    bare: bool = False
    """Whether the last of PARTITION BY and ORDER BY has no parentheses, so that the first arguments may be more of its columns."""

    def take(self, arguments: list[Argument]) -> None:
        """These arguments are columns of the last clause."""
        if self.order:
            self.order += [
                each.value if isinstance(each.value, exp.Ordered) else exp.Ordered(this=each.value)
                for each in arguments
            ]
        else:
            self.partition += [each.value for each in arguments]


def begins(parser: RelationParser) -> bool:
    """Whether a window table function comes next."""
    if parser.current.token_type is TokenType.TABLE:
        inside = parser.after(2)
        return parser.following.token_type is TokenType.L_PAREN and inside is not None and inside.text.upper() in NAMES
    called = parser.current.token_type is TokenType.VAR and parser.current.text.upper() in NAMES
    return called and parser.following.token_type is TokenType.L_PAREN


def refuse_unknown(parser: RelationParser) -> None:
    """Refuses by its name what is no window function in ``name(TABLE t ...)`` or ``TABLE(name(...))``; at ``TABLE``."""
    name, opened = parser.after(-2), parser.after(-1)
    if parser.following.token_type is TokenType.L_PAREN:
        opened, name = parser.following, parser.after(2)
    if opened is None or name is None or opened.token_type is not TokenType.L_PAREN or not name.text.isidentifier():
        return
    meant = nearest(name.text, NAMES)
    cause = BindError(
        f"there is no table function {name.text!r}",
        hint=f"did you mean {meant}?" if meant else f"{', '.join(sorted(NAMES))} take a TABLE",
        span=Span(name.start, name.end + 1),
    )
    raise RefusedError(cause)


def parse(parser: RelationParser) -> exp.Table:
    """The function as a table of the tree."""
    start = parser.current.start
    wrapped = parser.current.token_type is TokenType.TABLE
    if wrapped:
        parser.step()
        parser.step()
        if not begins(parser):
            parser.fail("a window function such as TUMBLE(...) is expected")
    parser.enter()
    name = parser.current
    parser.step()
    parser.step()
    found = _arguments(parser, name.text.upper())
    parser.expect_symbol(")")
    parser.leave()
    if wrapped:
        parser.expect_symbol(")")
    table = exp.Table(this=exp.Anonymous(this=name.text))
    table.meta.update({META: found, "start": start, "end": parser.previous_span().end - 1})
    return table


def _arguments(parser: RelationParser, name: str) -> WindowTableSyntax:
    found: WindowTableSyntax | None = None
    given: list[Argument] = []
    while True:
        start, label = parser.current.start, _label(parser)
        if label == "DATA" or (found is None and not label and not given):
            if found is not None:
                parser.fail(f"one relation is expected in {name}")
            found = _relation(parser, name)
        else:
            argument = _argument(parser)
            argument.name, argument.start, argument.end = label, start, parser.previous_span().end
            given.append(argument)
            if found is not None and found.bare and all(map(_may_be_column, given)):
                _go_on(parser, found, given)
        if not parser.accept_symbol(","):
            break
    if found is None:
        parser.fail("DATA => a table is expected")
    found.arguments = given
    return found


def _label(parser: RelationParser) -> str:
    if parser.following.token_type is not TokenType.FARROW:
        return ""
    label: str = parser.current.text.upper()
    parser.step()
    parser.step()
    return label


def _relation(parser: RelationParser, name: str) -> WindowTableSyntax:
    if parser.current.token_type is TokenType.TABLE and not begins(parser):
        parser.step()
    found = WindowTableSyntax(name, parser.operand_table())
    if parser._match(TokenType.PARTITION_BY):
        found.bare = parser.current.token_type is not TokenType.L_PAREN
        found.partition = _one_or_more(parser, lambda: parser.operand(parser._parse_bitwise))
    _order(parser, found)
    return found


def _order(parser: RelationParser, found: WindowTableSyntax) -> bool:
    if not parser._match(TokenType.ORDER_BY):
        return False
    found.bare = parser.current.token_type is not TokenType.L_PAREN
    found.order = _one_or_more(parser, lambda: parser.operand(parser._parse_ordered))
    return True


def _may_be_column(argument: Argument) -> bool:
    return not argument.name and not argument.described and not isinstance(argument.value, RowCount)


def _go_on(parser: RelationParser, found: WindowTableSyntax, given: list[Argument]) -> None:
    """Where only a column can stand before what comes next, what was taken for arguments is columns."""
    if not found.order and parser.current.token_type is TokenType.ORDER_BY:
        found.take(given)
        given.clear()
        _order(parser, found)
    elif found.order and parser.current.text.upper() in {"ASC", "DESC", "NULLS"}:
        last = given[-1]
        last.value = parser._parse_ordered(lambda: last.value)
        found.take(given)
        given.clear()


def _one_or_more(parser: RelationParser, parse: Any) -> list[Any]:
    """One item, or several in parentheses: behind a bare comma the next argument stands."""
    if not parser.accept_symbol("("):
        return [parse()]
    items: list[Any] = parser._parse_csv(parse)
    parser.expect_symbol(")")
    return items


def _argument(parser: RelationParser) -> Argument:
    if parser.ahead("DESCRIPTOR", "("):
        parser.step()
        parser.step()
        columns = parser._parse_csv(lambda: parser.operand(parser._parse_column))
        parser.expect_symbol(")")
        return Argument(columns, described=True)
    value = parser.operand(parser._parse_disjunction)
    return Argument(RowCount(value) if parser.accept("ROWS") else value)
