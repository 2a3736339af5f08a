"""The query parser: sqlglot's, held to this dialect.

sqlglot accepts the union of some thirty dialects and forgives much.  Here every function call stays a plain call by
name (the registry decides what it means), clauses that the dialect does not have are not parsed, what sqlglot would
skip over silently is an error, and every operand remembers where it stands: ``meta["start"]`` and ``meta["end"]`` are
the offsets of its first and last character.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, TypeVar

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.parsers.base import BaseParser
from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.sql import function_syntax, tokens
from tableflow.sql.type_names import parse_type

Result = TypeVar("Result")

MAX_DEPTH = 100
"""Deepest nesting of parentheses, calls and subqueries; deeper text is an error, not a crash."""
_FRAMES_PER_LEVEL = 40

_NAMES = frozenset({TokenType.VAR, *tokens.UNRESERVED.values()})
_NOT_NAMES = frozenset({TokenType.STRING, TokenType.NUMBER, TokenType.HEX_STRING, TokenType.HINT})
_TYPED_LITERALS = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "DECIMAL", "JSON"})
_JOIN_WORDS = frozenset({TokenType.ANTI, TokenType.SEMI, TokenType.ASOF, TokenType.PIVOT, TokenType.UNPIVOT})


class RefusedError(ParseError):
    """Carries an error of ours out of sqlglot, through its attempts to read the same tokens in another way."""

    def __init__(self, cause: TableFlowError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class UnreadableError(ParseError):
    """A syntax error with its place."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


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


class TableFlowParser(BaseParser):
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

    def begin(self, text: str, given: list[Token]) -> None:
        """Start reading a statement's tokens."""
        self.reset()
        self.sql = text
        self._tokens, self._tokens_size = given, len(given)
        self._depth = 0
        self._index = -1
        self._advance()
        limit = MAX_DEPTH * _FRAMES_PER_LEVEL
        if sys.getrecursionlimit() < limit:
            # sqlglot needs some twenty frames a level; Python's default would stop at about fifty levels
            sys.setrecursionlimit(limit)

    # reading by hand, for statements other than queries -------------------------------------------------------------

    @property
    def current(self) -> Token:
        """The token that is read next; false at the end."""
        return self._curr

    def step(self) -> None:
        """Read past the current token."""
        self._advance()

    def span(self) -> Span:
        """The place of the current token, or the end of the text."""
        token = self._curr
        return Span(token.start, token.end + 1) if token else Span(len(self.sql), len(self.sql))

    def previous_span(self) -> Span:
        """The place of the token that was read last."""
        return Span(self._prev.start, self._prev.end + 1) if self._prev else Span(0, 0)

    def accept(self, *words: str) -> bool:
        """Read these words if they all come next."""
        return bool(self._match_text_seq(*words))

    def expect(self, *words: str) -> None:
        """Read these words or fail."""
        for word in words:
            if not self._match_text_seq(word):
                self.fail(f"{word} is expected")

    def ahead(self, *words: str) -> bool:
        """Whether these words come next."""
        return bool(self._match_text_seq(*words, advance=False))

    def accept_symbol(self, symbol: str) -> bool:
        """Read an operator or bracket if it comes next."""
        if self._curr and self._curr.text == symbol and self._curr.token_type not in _NOT_NAMES:
            self._advance()
            return True
        return False

    def accept_pair(self, first: str, second: str) -> bool:
        """Read two symbols if both come next."""
        if self._curr.text == first and self._next.text == second:
            self._advance(2)
            return True
        return False

    def expect_symbol(self, symbol: str) -> None:
        """Read an operator or bracket or fail."""
        if not self.accept_symbol(symbol):
            self.fail(f"{symbol!r} is expected")

    def name(self, what: str) -> str:
        """Read an identifier or fail."""
        identifier = self._parse_id_var(any_token=False)
        if identifier is None:
            self.fail(f"{what} is expected")
        return str(identifier.this)

    def word(self, what: str) -> str:
        """Read a word, reserved or not, or fail."""
        if not self._curr or self._curr.token_type in _NOT_NAMES or not self._curr.text.isidentifier():
            self.fail(f"{what} is expected")
        self._advance()
        return str(self._prev.text)

    def string(self, what: str) -> str:
        """Read a string literal or fail."""
        if self._curr.token_type is not TokenType.STRING:
            self.fail(f"{what} is expected as a string")
        self._advance()
        return str(self._prev.text)

    def fail(self, message: str) -> NoReturn:
        """A syntax error at the current token."""
        self.raise_error(message)
        raise AssertionError

    def refuse(self, what: str, span: Span | None = None) -> NoReturn:
        """A feature that does not exist yet, named where it stands."""
        raise RefusedError(UnsupportedError(f"{what} is not supported yet", span=span or self.span()))

    def enter(self) -> None:
        """One more level of nesting; too many are a syntax error.  Left by :meth:`leave`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RefusedError(
                SqlSyntaxError(
                    f"the statement is nested more than {MAX_DEPTH} levels deep",
                    hint="split it with WITH or views",
                    span=self.span(),
                )
            )

    def leave(self) -> None:
        """One level of nesting less."""
        self._depth -= 1

    # what differs from sqlglot ---------------------------------------------------------------------------------------

    def raise_error(self, message: str, token: Any = None) -> None:
        """Stop at the token; the text is worked out only if nothing else can be read there."""
        at = token or self._curr
        raise UnreadableError(message, Span(at.start, at.end + 1) if at else Span(len(self.sql), len(self.sql)))

    def _try_parse(self, parse_method: Callable[[], Result], retreat: bool = False) -> Result | None:
        index, depth = self._index, self._depth
        try:
            this: Result | None = parse_method()
        except RefusedError:
            raise
        except ParseError:
            this, self._depth = None, depth
        if not this or retreat:
            self._retreat(index)
        return this

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
        if self._curr.token_type in _NOT_NAMES or not self._curr.text[:1].isidentifier():
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
            if self._match(TokenType.ON):
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
        if self.ahead("FOR", "SYSTEM_TIME") or self.ahead("FOR", "SYSTEM", "TIME"):
            self.refuse("FOR SYSTEM_TIME AS OF (a temporal or lookup join)")
        if self.ahead("FOR", "VERSION"):
            self.refuse("FOR VERSION AS OF")

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
