"""Expressions that a table keeps as text: defaults, generated columns, checks.

They are bound when the table is made, so that mistakes show at once, and again in each statement that writes.  They see the
table's own columns by their bare names, and no subqueries, aggregates or parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from tableflow.errors import BindError, InternalError, Span, TableFlowError, UnsupportedError
from tableflow.expressions.localize import localize
from tableflow.expressions.nodes import Expression
from tableflow.expressions.properties import deterministic
from tableflow.records import dataclass
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.scope import Relation, Scope, did_you_mean
from tableflow.sql.dialect import parse_with
from tableflow.sql.tokens import tokenize
from tableflow.types import Field

DEFAULT, GENERATED, CHECK = "DEFAULT", "a generated column", "CHECK"
COMPUTED, WATERMARK = "a computed column", "WATERMARK FOR"
_REPEATABLE = frozenset({GENERATED, CHECK})
"""What is kept, or has to hold, whenever it is computed."""
_ELSEWHERE = "Pacific/Chatham"
"""Any zone but UTC."""
_TIME = frozenset({
    "current_timestamp", "now", "localtimestamp", "current_date", "today", "current_time", "localtime",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of an expression, its tree, and where the text stands (spans of trees count from ``tree_start``)."""

    tree: exp.Expr
    source: Source


def reread(text: str, place: Span) -> StoredText:
    """A text that a table keeps; errors point at ``place``."""
    tokens = tokenize(text)
    tree = parse_with(text, tokens, lambda parser: parser.operand(parser._parse_disjunction))
    return StoredText(tree, Source(text, tokens, fixed=place))


def bind_stored(context: StatementContext, stored: StoredText, clause: str, columns: Sequence[Field]) -> Expression:
    """The expression over these columns of its table."""
    _check_form(stored, clause, columns)
    block = Block.begin(context, stored.source, Ctes(), None)
    block.scope = Scope.of(Relation("", tuple(columns)))
    binder = ExpressionBinder(block, Clause(clause))
    found = binder.condition(stored.tree) if clause == CHECK else binder.bind(stored.tree)
    if clause in {*_REPEATABLE, WATERMARK} and not deterministic(found):
        raise BindError(
            f"{clause} must give the same value whenever it is computed",
            detail="a function in it does not",
            hint="use DEFAULT for values that are made once" if clause == GENERATED else None,
            span=stored.source.span(stored.tree),
        )
    if clause in _REPEATABLE and localize(found, _ELSEWHERE) != found:
        raise BindError(
            f"{clause} must give the same value whenever it is computed",
            detail="it depends on the session's time zone",
            hint="say which zone: AT TIME ZONE '...'",
            span=stored.source.span(stored.tree),
        )
    return found


def bind_text(context: StatementContext, text: str, place: Span, clause: str, columns: Sequence[Field]) -> Expression:
    """:func:`bind_stored` of a text that a table keeps."""
    try:
        return bind_stored(context, reread(text, place), clause, columns)
    except TableFlowError as error:
        error.span = place
        error.detail = f"in {clause} ({text})" + (f": {error.detail}" if error.detail else "")
        raise


def _check_form(stored: StoredText, clause: str, columns: Sequence[Field]) -> None:
    source = stored.source
    for node in stored.tree.find_all(exp.Query, exp.Placeholder, exp.Column, exp.Anonymous):
        span = source.span(node)
        if isinstance(node, exp.Query):
            raise UnsupportedError(f"a subquery in {clause} is not supported", span=span)
        if isinstance(node, exp.Placeholder):
            raise BindError(f"{clause} cannot hold parameters", span=span)
        if isinstance(node, exp.Anonymous):
            if clause in _REPEATABLE and node.name.lower() in _TIME:
                raise BindError(
                    f"{clause} must give the same value whenever it is computed",
                    detail=f"{node.name} depends on when that is",
                    span=span,
                )
        elif clause == DEFAULT and not isinstance(node.this, exp.Star):
            raise BindError(
                "DEFAULT cannot refer to columns", hint="use a generated column: name AS expression", span=span
            )
        elif isinstance(node, exp.Column) and len(node.parts) > 1 and not _is_member(node, columns):
            raise BindError(
                f"{clause} names columns without their table",
                hint=did_you_mean(node.name, [column.name for column in columns]),
                span=span,
            )


def _is_member(node: exp.Column, columns: Sequence[Field]) -> bool:
    """``column.field`` of a ROW."""
    return node.parts[0].name.lower() in {column.name.lower() for column in columns}


def columns_read(text: str) -> frozenset[str]:
    """Lower-case names of the columns that a kept text reads."""
    return frozenset(name for name, _ in _places(text))


def renamed_in(text: str, old: str, new: str) -> str:
    """The text with a column under another name."""
    quoted = '"' + new.replace('"', '""') + '"'
    for name, token in sorted(_places(text), key=lambda found: -found[1].start):
        if name == old.lower():
            text = text[: token.start] + quoted + text[token.end + 1 :]
    return text


def _places(text: str) -> list[tuple[str, Token]]:
    """Names of columns and their tokens.

    A column's own place depends on what the parser made of its surroundings; the identifier in it was made of one token and
    remembers which.
    """
    tokens = tokenize(text)
    by_start = {token.start: token for token in tokens}
    tree = parse_with(text, tokens, lambda parser: parser.operand(parser._parse_disjunction))
    found: list[tuple[str, Token]] = []
    for node in tree.find_all(exp.Column):
        if isinstance(node.parent, exp.Is) and node.arg_key == "expression":
            continue  # IS UNKNOWN
        name = node.parts[0]
        token = by_start.get(name.meta.get("start", -1))
        if token is None or token.text.lower() != name.name.lower():
            raise InternalError(f"column {name.name!r} has no place in ({text})")
        found.append((name.name.lower(), token))
    return found
