"""What stands in FROM: tables, files, aliases, versions and joins, in the order in which they are written."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.sql import tokens, window_table_syntax
from tableflow.sql.expression_parser import NAMES, ExpressionParser

_JOIN_WORDS = frozenset({TokenType.ANTI, TokenType.SEMI, TokenType.ASOF, TokenType.PIVOT, TokenType.UNPIVOT})

SAMPLE = "WHERE rand() < 0.1 keeps about every tenth row, ORDER BY rand() LIMIT 10 any ten"
"""What to write instead of a sample."""


class RelationParser(ExpressionParser):
    """Reads relations; every one remembers where it stands."""

    TABLE_ALIAS_TOKENS: ClassVar[Any] = NAMES - tokens.NEVER_BARE_ALIASES - _JOIN_WORDS
    SUPPORTS_TABLE_QUERY = False
    TABLE_STARTS: ClassVar[Any] = NAMES | {
        TokenType.IDENTIFIER, TokenType.STRING, TokenType.L_PAREN, TokenType.LATERAL, TokenType.UNNEST,
        TokenType.VALUES, TokenType.LEFT, TokenType.RIGHT,
    }  # fmt: skip

    def _parse_string_as_identifier(self) -> exp.Identifier | None:
        found = super()._parse_string_as_identifier()
        if found is not None:
            found.meta["file"] = True
        return found

    def _parse_table_alias(self, alias_tokens: Any = None) -> exp.TableAlias | None:
        if self.ahead("MATCH_CONDITION", "(") or self.ahead("KEEP", "LAST") or self.ahead("LATE", "INTO"):
            return None
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
            if self.accept("MATCH_CONDITION"):
                self.expect_symbol("(")
                join.set("match_condition", self.operand(self._parse_disjunction))
                self.expect_symbol(")")
            without_on = kind is not None and kind.text.upper() == "CROSS"
            if not (without_on and self.ahead("ON", "CONFLICT")) and self._match(TokenType.ON):
                join.set("on", self.operand(self._parse_disjunction))
            elif self._match(TokenType.USING):
                join.set("using", self._parse_wrapped_csv(lambda: self._parse_id_var(any_token=False)))
        join.meta.update(start=place, end=self._prev.end)
        return join

    def operand_table(self) -> exp.Expr:
        """A relation of FROM, or an error."""
        if self._curr.token_type not in self.TABLE_STARTS and not window_table_syntax.begins(self):
            if self._curr and self._curr.token_type is TokenType.TABLE:
                window_table_syntax.refuse_unknown(self)
            self.fail("a table, subquery or file is expected")
        start = self._curr.start
        table: exp.Expr = self.operand(self._parse_table)
        table.meta.update(start=start, end=self._prev.end)
        return table

    def _parse_table(self, *args: Any, **kwargs: Any) -> Any:
        if not window_table_syntax.begins(self):
            return super()._parse_table(*args, **kwargs)
        table = window_table_syntax.parse(self)
        alias = self._parse_table_alias()
        if alias is not None:
            table.set("alias", alias)
        for join in self._parse_joins() if kwargs.get("joins") else ():
            table.append("joins", join)
        return table

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

    def _parse_table_hints(self) -> None:
        if self._curr.token_type is TokenType.HINT:
            self.refuse("a hint behind a table")

    def _parse_pivots(self) -> None:
        if self._curr.token_type in {TokenType.PIVOT, TokenType.UNPIVOT}:
            self.refuse(self._curr.text.upper())

    def _parse_table_sample(self, as_modifier: bool = False) -> None:
        if self._curr.token_type is TokenType.TABLE_SAMPLE:
            self.refuse("TABLESAMPLE", hint=SAMPLE)
