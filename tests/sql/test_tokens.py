"""Tokens are what the lexemes of the same text say, which the splitter and the shell read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.errors import SqlSyntaxError
from tableflow.sql.lexer import Kind, significant
from tableflow.sql.tokens import tokenize

_PIECES = [
    "GROUP", "by", "ORDER", "PARTITION", "GROUPING", "SETS", "a1", "sum", " ", "\n", "\t ", "--x\n", "/* a /* b */ */",
    "/*+ NO_REORDER */", "'it''s'", "''", '"q"', '""', "`b`", "E'\\n'", "x'00'", "x'0'", "$$a'b$$", "$t$ $t$", "$$", "1",
    "1.5e3", "0x1F", "1_000", ".5", "1a", "(", ")", ",", ";", "::", "<=", "<", "!=", "||", "->>", "'open", "/* open", "é", "\\",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=12), st.booleans())
def test_tokens_are_the_lexemes_of_the_text(pieces: list[str], spaced: bool) -> None:
    text = (" " if spaced else "").join(pieces)
    try:
        lexemes = significant(text)
    except SqlSyntaxError as unreadable:
        with pytest.raises(SqlSyntaxError) as told:
            tokenize(text)
        assert (told.value.message, told.value.span) == (unreadable.message, unreadable.span)
        return
    try:
        tokens = tokenize(text)
    except SqlSyntaxError as refused:
        assert any(each.span == refused.span and each.kind in {Kind.QUOTED, Kind.BYTES} for each in lexemes)
        return
    starts, ends = [token.start for token in tokens], [token.end + 1 for token in tokens]
    halves = [i for i, each in enumerate(lexemes) if each.start not in starts]
    assert [each.start for i, each in enumerate(lexemes) if i not in halves] == starts
    assert [each.end for i, each in enumerate(lexemes) if i + 1 not in halves] == ends
    assert all(lexemes[i].text.upper() in {"BY", "SETS"} for i in halves)
    by_start = {each.start: each for each in lexemes}
    plain = [token for token in tokens if token.end + 1 == by_start[token.start].end]
    assert [token.text for token in plain] == [by_start[token.start].value for token in plain]


def test_pairs_of_words_are_one_token() -> None:
    tokens = tokenize("GROUP /* all */ BY a ORDER\nby b GROUP GROUP BY", 0)
    assert [token.text for token in tokens] == ["GROUP /* all */ BY", "a", "ORDER\nby", "b", "GROUP", "GROUP BY"]
