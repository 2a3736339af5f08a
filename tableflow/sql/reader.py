"""Reading tokens by hand, on top of sqlglot's parser: what statements other than queries are parsed with.

Errors of ours travel through sqlglot, which tries some tokens in several ways, inside its own kind of error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.sql.base_parser import BaseParser

Result = TypeVar("Result")

MAX_DEPTH = 1000
"""Deepest nesting of parentheses, calls and subqueries; deeper text is an error, not a crash."""

NOT_WORDS = frozenset({TokenType.STRING, TokenType.NUMBER, TokenType.HEX_STRING, TokenType.HINT})
"""Tokens whose text is never a keyword or a name."""


class RefusedError(ParseError):
    """Carries an error of ours out of sqlglot, through its attempts to read the same tokens in another way."""

    def __init__(self, cause: TableFlowError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class UnreadableError(ParseError):
    """A syntax error with its place; ``hint``: what to write, if the place tells."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span
        self.hint: str | None = None


class TokenReader(BaseParser):
    """One statement's tokens, read one after another."""

    def begin(self, text: str, given: list[Token]) -> None:
        """Start reading a statement's tokens."""
        self.reset()
        self.sql = text
        self._tokens, self._tokens_size = given, len(given)
        self._depth = 0
        self._index = -1
        self._advance()

    @property
    def current(self) -> Token:
        """The token that is read next; false at the end."""
        return self._curr

    @property
    def following(self) -> Token:
        """The token after the current one; false at the end."""
        return self._next

    def after(self, count: int) -> Token | None:
        """The token so many places behind the current one (below zero: before it); None beyond the ends."""
        index = self._index + count
        return self._tokens[index] if 0 <= index < self._tokens_size else None

    def place(self) -> int:
        """Where the reader stands, for :meth:`back`."""
        return self._index

    def back(self, place: int) -> None:
        """Return to a place that was read before."""
        self._retreat(place)

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
        if self._curr and self._curr.text == symbol and self._curr.token_type not in NOT_WORDS:
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
        if not self._curr or self._curr.token_type in NOT_WORDS or not self._curr.text.isidentifier():
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

    def refuse(self, what: str, span: Span | None = None, hint: str | None = None) -> NoReturn:
        """A feature that does not exist yet, named where it stands; ``hint``: what to write instead."""
        raise RefusedError(UnsupportedError(f"{what} is not supported yet", hint=hint, span=span or self.span()))

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
