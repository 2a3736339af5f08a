"""Expressions: sqlglot's parser, held to this dialect.

Every function call stays a plain call by name (the registry decides what it means), and every operand remembers where
it stands: ``meta["start"]`` and ``meta["end"]`` are the offsets of its first and last character.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.sql import function_syntax, tokens, window_syntax
from tableflow.sql.base_parser import BaseParser
from tableflow.sql.reader import TokenReader
from tableflow.sql.type_names import parse_type

NAMES = frozenset({TokenType.VAR, *tokens.UNRESERVED.values()})
"""Tokens that may be a name without quotes."""

_LITERALS = frozenset({TokenType.NUMBER, TokenType.STRING})
_TYPED_LITERALS = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "DECIMAL", "JSON"})


class ExpressionParser(TokenReader):
    """Reads expressions; subqueries in them are read by the class below that reads queries."""

    ID_VAR_TOKENS: ClassVar[Any] = set(NAMES)
    ALIAS_TOKENS: ClassVar[Any] = NAMES - tokens.NEVER_BARE_ALIASES
    FUNCTIONS: ClassVar[Any] = {}
    FUNCTION_PARSERS: ClassVar[Any] = function_syntax.PARSERS
    FUNCTIONS_WITH_ALIASED_ARGS: ClassVar[Any] = set()
    NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {"CASE": lambda self: self.parse_case()}
    NO_PAREN_FUNCTIONS: ClassVar[Any] = {
        token: function_syntax.without_parentheses(token.name.lower())
        for token in (
            TokenType.CURRENT_DATE, TokenType.CURRENT_TIME, TokenType.CURRENT_TIMESTAMP, TokenType.LOCALTIME,
            TokenType.LOCALTIMESTAMP,
        )
    }  # fmt: skip
    COLON_PLACEHOLDER_TOKENS: ClassVar[Any] = NAMES
    FUNC_TOKENS: ClassVar[Any] = NAMES | {
        TokenType.IDENTIFIER, TokenType.LEFT, TokenType.RIGHT, TokenType.EXISTS, TokenType.ANY, TokenType.ALL,
        TokenType.SOME,
    }  # fmt: skip
    ARRAY_CONSTRUCTORS: ClassVar[Any] = {"ARRAY": exp.Array}
    BRACKETS: ClassVar[Any] = frozenset({TokenType.L_BRACKET})
    COLUMN_OPERATORS: ClassVar[Any] = {
        key: BaseParser.COLUMN_OPERATORS[key] for key in (TokenType.DOT, TokenType.DCOLON)
    }
    RANGE_PARSERS: ClassVar[Any] = {
        key: BaseParser.RANGE_PARSERS[key]
        for key in (
            TokenType.BETWEEN,
            TokenType.ILIKE,
            TokenType.IN,
            TokenType.IS,
            TokenType.LIKE,
            TokenType.SIMILAR_TO,
        )
    }
    FACTOR: ClassVar[Any] = {
        TokenType.DIV: exp.IntDiv, TokenType.MOD: exp.Mod, TokenType.SLASH: exp.Div, TokenType.STAR: exp.Mul,
    }  # fmt: skip
    TERM: ClassVar[Any] = {TokenType.DASH: exp.Sub, TokenType.PLUS: exp.Add, TokenType.COLLATE: exp.Collate}
    ASSIGNMENT: ClassVar[Any] = {}
    LAMBDAS: ClassVar[Any] = {}
    EQUALITY: ClassVar[Any] = {TokenType.EQ: exp.EQ, TokenType.NEQ: exp.NEQ}

    def _parse_unary(self) -> Any:
        token = self._curr
        self.enter()
        node = super()._parse_unary()
        self.leave()
        if node is not None:
            meta = node.meta
            meta["start"] = token.start
            meta["end"] = self._prev.end
        return node

    def _parse_range(self, this: Any = None, parse_is: bool = False) -> Any:
        token = self._curr
        node = super()._parse_range(this, parse_is)
        if node is not None and this is None:
            meta = node.meta
            meta["start"] = token.start
            meta["end"] = self._prev.end
        return node

    def _parse_in(self, this: Any, alias: bool = False) -> Any:
        literals = self._literals()
        if literals is None:
            return super()._parse_in(this, alias)
        return self.expression(exp.In(this=this, expressions=literals))

    def _literals(self) -> list[exp.Expr] | None:
        """Numbers and texts in parentheses, read without the many steps of an expression; None if it is anything else."""
        if self._curr.token_type is not TokenType.L_PAREN:
            return None
        found: list[exp.Expr] = []
        for index in range(self._index + 1, self._tokens_size - 1, 2):
            token, after = self._tokens[index], self._tokens[index + 1].token_type
            if token.token_type not in _LITERALS or (after is not TokenType.COMMA and after is not TokenType.R_PAREN):
                return None
            literal = exp.Literal(this=token.text, is_string=token.token_type is TokenType.STRING)
            found.append(literal.update_positions(token))
            if after is TokenType.R_PAREN:
                self._advance(index + 2 - self._index)
                return found
        return None

    def _parse_type(self, parse_interval: bool = True, fallback_to_identifier: bool = False) -> Any:
        kind = self._curr.token_type
        if kind is TokenType.INTERVAL:
            return self._parse_column_ops(function_syntax.parse_interval(self))
        if kind is TokenType.PLACEHOLDER or kind is TokenType.COLON:
            return self._parse_column_ops(self.parse_placeholder())
        if kind is TokenType.VAR and self._curr.text.upper() in _TYPED_LITERALS and self._is_typed_literal():
            sql_type = exp.DataType(this=exp.DType.UNKNOWN)
            sql_type.meta["sql_type"] = parse_type(self)
            literal = exp.Literal.string(self.string("a value")).update_positions(self._prev)
            return self._parse_column_ops(exp.Cast(this=literal, to=sql_type, typed=True))
        return super()._parse_type(parse_interval=False, fallback_to_identifier=fallback_to_identifier)

    def _is_typed_literal(self) -> bool:
        if self._next.token_type is TokenType.STRING:
            return True
        index = self._index + 1
        while index < self._tokens_size and self._tokens[index].text.upper() in {
            "(", ")", ",", "WITH", "WITHOUT", "LOCAL", "TIME", "ZONE", *"0123456789",
        }:  # fmt: skip
            index += 1
        closes = self._tokens[index - 1].text.upper() in {")", "ZONE"}
        return closes and index < self._tokens_size and self._tokens[index].token_type is TokenType.STRING

    def _parse_types(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("allow_identifiers") is False:
            return None
        node = exp.DataType(this=exp.DType.UNKNOWN)
        node.meta["sql_type"] = parse_type(self)
        return node

    def parse_placeholder(self) -> exp.Expr:
        """``?`` or ``:name``."""
        token = self._curr
        self._advance()
        if token.token_type is TokenType.PLACEHOLDER:
            return exp.Placeholder().update_positions(token)
        if not self._curr or not self._curr.text.isidentifier():
            self.fail("the name of a parameter is expected after ':'")
        self._advance()
        return exp.Placeholder(this=self._prev.text).update_positions(token)

    def _parse_identifier(self) -> exp.Expr | None:
        return self._identifier_expression(quoted=True) if self._match(TokenType.IDENTIFIER) else None

    def _parse_between(self, this: Any) -> exp.Between:
        symmetric = True if self.accept("SYMMETRIC") else None
        low = self._parse_bitwise()
        if not self._match(TokenType.AND):
            self.fail("AND is expected in BETWEEN")
        return exp.Between(this=this, low=low, high=self.operand(self._parse_bitwise), symmetric=symmetric)

    def operand(self, parse: Callable[[], Any]) -> Any:
        """What ``parse`` reads, or an error that an expression is missing."""
        found = parse()
        if found is None:
            self.fail("an expression is expected")
        return found

    def parse_case(self) -> exp.Case:
        """CASE after its keyword."""
        subject = None if self._curr.token_type is TokenType.WHEN else self.operand(self._parse_disjunction)
        arms = []
        while self._match(TokenType.WHEN):
            condition = self.operand(self._parse_disjunction)
            self.expect("THEN")
            arms.append(exp.If(this=condition, true=self.operand(self._parse_disjunction)))
        if not arms:
            self.fail("WHEN is expected")
        default = self.operand(self._parse_disjunction) if self._match(TokenType.ELSE) else None
        self.expect("END")
        return exp.Case(this=subject, ifs=arms, default=default)

    def _parse_bracket(self, this: Any = None) -> Any:
        if self._curr.token_type is not TokenType.L_BRACKET:
            return this
        if isinstance(this, exp.Column) and not this.table and this.name.upper() == "MAP" and not this.this.quoted:
            self._advance()
            entries = [] if self.accept_symbol("]") else self._parse_csv(self._parse_disjunction)
            if entries:
                self.expect_symbol("]")
            return self._parse_bracket(exp.Anonymous(this="map", expressions=entries))
        return super()._parse_bracket(this)

    def _parse_window(self, this: Any, alias: bool = False) -> Any:
        return window_syntax.parse_call(self, this)
