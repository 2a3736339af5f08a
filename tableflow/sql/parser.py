"""The query parser: sqlglot's, held to this dialect.

sqlglot accepts the union of some thirty dialects and forgives much.  Here clauses that the dialect does not have are not
parsed, and what sqlglot would skip over silently is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.sql import emit_syntax, tokens, window_syntax, window_table_syntax
from tableflow.sql.base_parser import BaseParser
from tableflow.sql.relation_parser import RelationParser


def _placed(parse: Callable[[Any], tuple[str, Any]]) -> Callable[[Any], tuple[str, Any]]:
    """A clause's parser that notes where its keyword stands: sqlglot takes clauses in any order, the binder does not."""

    def read(parser: Any) -> tuple[str, Any]:
        start = parser.current.start
        key, clause = parse(parser)
        if isinstance(clause, exp.Group) and not any(clause.args.values()) and clause.args.get("all") is None:
            parser.fail("an expression is expected after GROUP BY")
        for node in clause if isinstance(clause, list) else [clause]:
            if node is not None:
                node.meta["keyword"] = start
        return key, clause

    return read


class TableFlowParser(RelationParser):
    """Parses one statement's tokens; see the module for what differs from sqlglot."""

    STATEMENT_PARSERS: ClassVar[Any] = {}
    PROPERTY_PARSERS: ClassVar[Any] = {}
    SET_OP_MODIFIERS: ClassVar[Any] = {"order", "limit", "offset"}
    QUERY_MODIFIER_PARSERS: ClassVar[Any] = {
        **{
            key: _placed(BaseParser.QUERY_MODIFIER_PARSERS[key])
            for key in (
                TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.WINDOW,
                TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET,
            )
        },
        TokenType.FETCH: _placed(lambda self: ("limit", self.parse_fetch())),
        tokens.UNRESERVED["EMIT"]: _placed(emit_syntax.parse_emit),
    }  # fmt: skip
    QUERY_MODIFIER_TOKENS: ClassVar[Any] = set(QUERY_MODIFIER_PARSERS)

    def parse_query(self) -> exp.Expr:
        """A whole query: WITH, SELECT, FROM first, VALUES or parentheses, and what may follow."""
        found = self._parse_ddl_select()
        if found is None:
            self.fail("a query is expected")
        return found

    def _parse_statement(self) -> exp.Expr:
        return self.parse_query()

    def _parse_select(self, *args: Any, **kwargs: Any) -> Any:
        if self._curr.token_type is TokenType.TABLE:
            window_table_syntax.refuse_unknown(self)
            self.refuse("TABLE as an argument or query")
        start = self._curr.start
        self.enter()
        found = super()._parse_select(*args, **{**kwargs, "consume_pipe": False})
        self.leave()
        if found is not None and "start" not in found.meta:
            found.meta.update(start=start, end=self._prev.end)
        return found

    def _parse_hint(self) -> exp.Hint | None:
        if not self._match(TokenType.HINT):
            return None
        # the place of the text between /*+ and */
        return exp.Hint(expressions=[self._prev.text]).update_positions(self._prev)

    def _parse_ordered(self, parse_method: Any = None) -> Any:
        if self._curr.token_type is TokenType.ALL:
            self._advance()
            return super()._parse_ordered(lambda: exp.Var(this="ALL"))
        return super()._parse_ordered(parse_method)

    def _parse_value(self, values: bool = True) -> exp.Tuple:
        start = self._curr.start
        self.expect_symbol("(")
        row = exp.Tuple(expressions=self._parse_csv(self._parse_disjunction))
        self.expect_symbol(")")
        row.meta.update(start=start, end=self._prev.end)
        return row

    def _parse_window_clause(self) -> list[exp.Expr] | None:
        return window_syntax.parse_definitions(self) if self._match(TokenType.WINDOW) else None

    def _parse_into(self) -> None:
        if self._curr.token_type is TokenType.INTO:
            self.refuse("SELECT INTO")

    def parse_fetch(self) -> exp.Limit:
        """FETCH {FIRST | NEXT} [n] {ROW | ROWS} ONLY, the standard's LIMIT."""
        self._advance()
        if not (self.accept("FIRST") or self.accept("NEXT")):
            self.fail("FIRST or NEXT is expected")
        count = exp.Literal.number(1) if self.ahead("ROW") or self.ahead("ROWS") else self._parse_term()
        if not (self.accept("ROWS") or self.accept("ROW")):
            self.fail("ROWS is expected")
        self.expect("ONLY")
        return exp.Limit(expression=count)
