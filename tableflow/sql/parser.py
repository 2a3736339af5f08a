"""The query parser: sqlglot's, held to this dialect.

sqlglot accepts the union of some thirty dialects and forgives much.  Here every function call stays a plain call by
name (the registry decides what it means), clauses that the dialect does not have are not parsed, what sqlglot would
skip over silently is an error, and every operand remembers where it stands: ``meta["start"]`` and ``meta["end"]`` are
the offsets of its first and last character.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.parsers.base import BaseParser
from sqlglot.tokenizer_core import Token, TokenType

from tableflow.sql import function_syntax, tokens, window_syntax
from tableflow.sql.reader import NOT_WORDS, TokenReader
from tableflow.sql.type_names import parse_type

_NAMES = frozenset({TokenType.VAR, *tokens.UNRESERVED.values()})
_TYPED_LITERALS = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "DECIMAL", "JSON"})
_JOIN_WORDS = frozenset({TokenType.ANTI, TokenType.SEMI, TokenType.ASOF, TokenType.PIVOT, TokenType.UNPIVOT})


def _placed(parse: Callable[[Any], tuple[str, Any]]) -> Callable[[Any], tuple[str, Any]]:
    """A clause's parser that notes where its keyword stands: sqlglot takes clauses in any order, the binder does not."""

    def read(parser: Any) -> tuple[str, Any]:
        start = parser.current.start
        key, clause = parse(parser)
        for node in clause if isinstance(clause, list) else [clause]:
            if node is not None:
                node.meta["keyword"] = start
        return key, clause

    return read


class TableFlowParser(TokenReader):
    """Parses one statement's tokens; see the module for what differs from sqlglot."""

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
    STATEMENT_PARSERS: ClassVar[Any] = {}
    PROPERTY_PARSERS: ClassVar[Any] = {}
    ID_VAR_TOKENS: ClassVar[Any] = set(_NAMES)
    ALIAS_TOKENS: ClassVar[Any] = _NAMES - tokens.NEVER_BARE_ALIASES
    TABLE_ALIAS_TOKENS: ClassVar[Any] = _NAMES - tokens.NEVER_BARE_ALIASES - _JOIN_WORDS
    COLON_PLACEHOLDER_TOKENS: ClassVar[Any] = _NAMES
    FUNC_TOKENS: ClassVar[Any] = _NAMES | {
        TokenType.IDENTIFIER, TokenType.LEFT, TokenType.RIGHT, TokenType.EXISTS, TokenType.ANY, TokenType.ALL,
        TokenType.SOME,
    }  # fmt: skip
    BRACKETS: ClassVar[Any] = frozenset({TokenType.L_BRACKET})
    COLUMN_OPERATORS: ClassVar[Any] = {
        key: BaseParser.COLUMN_OPERATORS[key] for key in (TokenType.DOT, TokenType.DCOLON)
    }
    RANGE_PARSERS: ClassVar[Any] = {
        key: BaseParser.RANGE_PARSERS[key]
        for key in (TokenType.BETWEEN, TokenType.ILIKE, TokenType.IN, TokenType.IS, TokenType.LIKE)
    }
    FACTOR: ClassVar[Any] = {
        TokenType.DIV: exp.IntDiv, TokenType.MOD: exp.Mod, TokenType.SLASH: exp.Div, TokenType.STAR: exp.Mul,
    }  # fmt: skip
    TERM: ClassVar[Any] = {TokenType.DASH: exp.Sub, TokenType.PLUS: exp.Add, TokenType.COLLATE: exp.Collate}
    ASSIGNMENT: ClassVar[Any] = {}
    LAMBDAS: ClassVar[Any] = {}
    EQUALITY: ClassVar[Any] = {TokenType.EQ: exp.EQ, TokenType.NEQ: exp.NEQ}
    SUPPORTS_TABLE_QUERY = False
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

    def _parse_ordered(self, parse_method: Any = None) -> Any:
        if self._curr.token_type is TokenType.ALL:
            self._advance()
            return super()._parse_ordered(lambda: exp.Var(this="ALL"))
        return super()._parse_ordered(parse_method)

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

    def _parse_string_as_identifier(self) -> exp.Identifier | None:
        found = super()._parse_string_as_identifier()
        if found is not None:
            found.meta["file"] = True
        return found

    def _parse_table_alias(self, alias_tokens: Any = None) -> exp.TableAlias | None:
        explicit = self._match(TokenType.ALIAS)
        name = self._parse_id_var(any_token=False, tokens=alias_tokens or self.TABLE_ALIAS_TOKENS)
        if name is None:
            if explicit:
                self.fail("an alias is expected after AS")
            return None
        columns = None
        if self._curr.token_type is TokenType.L_PAREN:
            columns = self._parse_wrapped_csv(lambda: self._parse_id_var(any_token=False))
        return exp.TableAlias(this=name, columns=columns)

    def _advance_any(self, ignore_reserved: bool = False) -> Token | None:
        if self._curr.token_type in NOT_WORDS or not self._curr.text[:1].isidentifier():
            return None
        return super()._advance_any(ignore_reserved)

    def _parse_csv(self, parse_method: Callable[[], Any], sep: TokenType = TokenType.COMMA) -> list[Any]:
        first = parse_method()
        items = [] if first is None else [first]
        while self._curr.token_type is sep:
            if not items:
                self.fail("an expression is expected before ','")
            self._advance()
            item = parse_method()
            if item is None:
                self.fail("something is expected after ','")
            items.append(item)
        return items

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

    def _parse_value(self, values: bool = True) -> exp.Tuple:
        start = self._curr.start
        self.expect_symbol("(")
        row = exp.Tuple(expressions=self._parse_csv(self._parse_disjunction))
        self.expect_symbol(")")
        row.meta.update(start=start, end=self._prev.end)
        return row

    def _parse_join(self, skip_join_token: bool = False, parse_bracket: bool = False, alias_tokens: Any = None) -> Any:
        start = self._index
        place = self._curr.start
        if self._match(TokenType.COMMA):
            join = exp.Join(this=self.operand_table(), kind="COMMA")
        else:
            method, side, kind = self._parse_join_parts()
            if not self._match(TokenType.JOIN):
                self._retreat(start)
                return None
            join = exp.Join(this=self.operand_table())
            for key, word in (("method", method), ("side", side), ("kind", kind)):
                if word is not None:
                    join.set(key, word.text.upper())
            without_on = kind is not None and kind.text.upper() == "CROSS"
            if not (without_on and self.ahead("ON", "CONFLICT")) and self._match(TokenType.ON):
                join.set("on", self.operand(self._parse_disjunction))
            elif self._match(TokenType.USING):
                join.set("using", self._parse_wrapped_csv(lambda: self._parse_id_var(any_token=False)))
        join.meta.update(start=place, end=self._prev.end)
        return join

    def operand_table(self) -> exp.Expr:
        """A relation of FROM, or an error."""
        if self._curr.token_type not in self.TABLE_STARTS:
            self.fail("a table, subquery or file is expected")
        start = self._curr.start
        table: exp.Expr = self.operand(self._parse_table)
        table.meta.update(start=start, end=self._prev.end)
        return table

    TABLE_STARTS: ClassVar[Any] = _NAMES | {
        TokenType.IDENTIFIER, TokenType.STRING, TokenType.L_PAREN, TokenType.LATERAL, TokenType.UNNEST,
        TokenType.VALUES, TokenType.LEFT, TokenType.RIGHT,
    }  # fmt: skip

    def _parse_from(self, joins: bool = False, skip_from_token: bool = False, consume_pipe: bool = False) -> Any:
        if not self._match(TokenType.FROM):
            return None
        table = self.operand_table()
        for join in self._parse_joins() if joins else ():
            table.append("joins", join)
        return exp.From(this=table)

    def _parse_version(self) -> Any:
        start = self._curr
        if self.accept("FOR", "SYSTEM_TIME") or self.accept("FOR", "SYSTEM", "TIME"):
            kind = "SYSTEM_TIME"
        elif self.accept("FOR", "VERSION"):
            kind = "VERSION"
        else:
            return None
        self.expect("AS", "OF")
        version = exp.Version(this=kind, kind="AS OF", expression=self.operand(self._parse_bitwise))
        version.meta.update(start=start.start, end=start.end)
        return version

    def _parse_window(self, this: Any, alias: bool = False) -> Any:
        return window_syntax.parse_call(self, this)

    def _parse_window_clause(self) -> list[exp.Expr] | None:
        return window_syntax.parse_definitions(self) if self._match(TokenType.WINDOW) else None

    def _parse_into(self) -> None:
        if self._curr.token_type is TokenType.INTO:
            self.refuse("SELECT INTO")

    def _parse_table_hints(self) -> None:
        if self._curr.token_type is TokenType.HINT:
            self.refuse("a hint behind a table")

    def _parse_pivots(self) -> None:
        if self._curr.token_type in {TokenType.PIVOT, TokenType.UNPIVOT}:
            self.refuse(self._curr.text.upper())

    def _parse_table_sample(self, as_modifier: bool = False) -> None:
        if self._curr.token_type is TokenType.TABLE_SAMPLE:
            self.refuse("TABLESAMPLE")

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
