"""What may follow a call: WITHIN GROUP, FILTER, IGNORE NULLS, OVER; and the WINDOW clause.

sqlglot skips over what is missing here, so all of it is read by hand, into sqlglot's nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

if TYPE_CHECKING:
    from tableflow.sql.expression_parser import ExpressionParser

_UNITS = ("ROWS", "RANGE", "GROUPS")
_NO_FRAME = frozenset({")", "ORDER BY", "PARTITION BY", *_UNITS})
"""What may follow a base window of the name GROUPS, but not the frame."""


def parse_call(parser: ExpressionParser, call: Any) -> Any:
    """The call with what follows it."""
    start = call.meta_get("start") if isinstance(call, exp.Expr) else None
    if parser.accept("WITHIN", "GROUP"):
        parser.expect_symbol("(")
        order = parser._parse_order()
        if order is None:
            parser.fail("ORDER BY is expected in WITHIN GROUP")
        parser.expect_symbol(")")
        call = exp.WithinGroup(this=call, expression=order)
    if parser.ahead("FILTER", "("):
        parser.step()
        parser.step()
        parser.expect("WHERE")
        condition = exp.Where(this=parser.operand(parser._parse_disjunction))
        parser.expect_symbol(")")
        call = exp.Filter(this=call, expression=condition)
    for words, kind in ((("IGNORE", "NULLS"), exp.IgnoreNulls), (("RESPECT", "NULLS"), exp.RespectNulls)):
        if parser.accept(*words):
            call = kind(this=call)
            break
    if not parser._match(TokenType.OVER):
        return call
    if parser.accept_symbol("("):
        over = _specification(parser, call)
    else:
        over = exp.Window(this=call, alias=_name(parser, "'(' or the name of a window is expected after OVER"))
    if start is not None:
        over.meta.update(start=start, end=parser.previous_span().end - 1)
    return over


def parse_definitions(parser: ExpressionParser) -> list[exp.Expr]:
    """WINDOW name AS (...), ..., the keyword being read."""
    found: list[exp.Expr] = []
    while not found or parser.accept_symbol(","):
        name = _name(parser, "the name of a window is expected")
        parser.expect("AS")
        parser.expect_symbol("(")
        found.append(_specification(parser, name))
    return found


def _name(parser: ExpressionParser, expected: str) -> exp.Expr:
    found: exp.Expr | None = parser._parse_id_var(any_token=False)
    if found is None:
        parser.fail(expected)
    return found


def _specification(parser: ExpressionParser, this: Any) -> exp.Window:
    """What stands between the parentheses, and the closing one."""
    base = None
    unit = parser.current.text.upper()
    following = parser._next.text.upper() if parser._next else ""
    if unit not in _UNITS or (unit == "GROUPS" and following in _NO_FRAME):
        base = parser._parse_id_var(any_token=False)
    partition: list[Any] = []
    if parser._match(TokenType.PARTITION_BY):
        partition = parser._parse_csv(parser._parse_disjunction)
        if not partition:
            parser.fail("an expression is expected after PARTITION BY")
    order = parser._parse_order()
    frame = _frame(parser)
    parser.expect_symbol(")")
    return exp.Window(this=this, alias=base, partition_by=partition, order=order, spec=frame)


def _frame(parser: ExpressionParser) -> exp.WindowSpec | None:
    unit = next((word for word in _UNITS if parser.accept(word)), None)
    if unit is None:
        return None
    end: tuple[Any, str | None] = (None, None)
    if parser.accept("BETWEEN"):
        start = _bound(parser)
        parser.expect("AND")
        end = _bound(parser)
    else:
        start = _bound(parser)
    return exp.WindowSpec(
        kind=unit, start=start[0], start_side=start[1], end=end[0], end_side=end[1], exclude=_excluded(parser)
    )


def _bound(parser: ExpressionParser) -> tuple[Any, str | None]:
    """The offset and the side; CURRENT ROW has none."""
    if parser.accept("CURRENT", "ROW"):
        return "CURRENT ROW", None
    offset: Any = "UNBOUNDED" if parser.accept("UNBOUNDED") else parser.operand(parser._parse_bitwise)
    side = next((word for word in ("PRECEDING", "FOLLOWING") if parser.accept(word)), None)
    if side is None:
        parser.fail("PRECEDING or FOLLOWING is expected")
    return offset, side


def _excluded(parser: ExpressionParser) -> str | None:
    if not parser.accept("EXCLUDE"):
        return None
    options = (("CURRENT", "ROW"), ("GROUP",), ("TIES",), ("NO", "OTHERS"))
    excluded = next((words for words in options if parser.accept(*words)), None)
    if excluded is None:
        parser.fail("CURRENT ROW, GROUP, TIES or NO OTHERS is expected after EXCLUDE")
    return " ".join(excluded)
