import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.sql import splitter
from tableflow.sql.lexer import Kind, lex
from tableflow.sql.splitter import is_complete, split


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("", []),
        (" ;; \n-- nothing\n;/* or */", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; x", ["SELECT ';'", "x"]),
        ("SELECT 'it''s;' || \"a;\"\"b\" || `c;`; x", ["SELECT 'it''s;' || \"a;\"\"b\" || `c;`", "x"]),
        ("a -- ; no\n b; c", ["a -- ; no\n b", "c"]),
        ("a /* ; /* nested ; */ ; */ b; c", ["a /* ; /* nested ; */ ; */ b", "c"]),
        ("CREATE x AS $$ a; b $$; c", ["CREATE x AS $$ a; b $$", "c"]),
        ("x $tag$ $$ ; $tag$; c", ["x $tag$ $$ ; $tag$", "c"]),
        (
            "EXECUTE STATEMENT SET BEGIN INSERT a; INSERT CASE WHEN b THEN c END; END; d",
            ["EXECUTE STATEMENT SET BEGIN INSERT a; INSERT CASE WHEN b THEN c END; END", "d"],
        ),
        ("SELECT begin FROM t; SELECT 2", ["SELECT begin FROM t", "SELECT 2"]),
        ("SELECT 'open ; x", ["SELECT 'open ; x"]),
    ],
)
def test_statements(script, texts):
    found = split(script)
    assert [statement.text for statement in found] == texts
    for statement in found:
        assert script[statement.start : statement.span.end] == statement.text


@pytest.mark.parametrize(
    ("script", "complete"),
    [
        ("SELECT 1;", True), ("SELECT 1", False), ("SELECT '1;", False), ("", True), ("/* a;", False),
        ("SELECT 1; -- done", True), ("EXECUTE STATEMENT SET BEGIN a;", False),
        ("EXECUTE STATEMENT SET BEGIN a; END;", True),
    ],
)  # fmt: skip
def test_complete(script, complete):
    assert is_complete(script) is complete


@given(st.text(alphabet=st.one_of(st.sampled_from("';\"`$-*/\n aE1.0x\\"), st.characters()), max_size=60))
def test_lexemes_cover_any_text(text):
    position = 0
    for lexeme in lex(text):
        assert lexeme.start == position
        assert text[lexeme.start : lexeme.end] == lexeme.text
        assert lexeme.text
        position = lexeme.end
    assert position == len(text)


@given(st.lists(st.sampled_from(["SELECT 1", "';'", "-- ;\n", "/* ; */", " ", ";", "$$ ; $$", '"a;b"', "x"])))
def test_every_semicolon_outside_quotes_ends_a_statement(pieces):
    script = " ".join(pieces)
    ends = sum(1 for lexeme in lex(script) if lexeme.kind is Kind.OPERATOR and lexeme.text == ";")
    assert len(split(script)) <= ends + 1
    assert all(";" not in [x.text for x in lex(each.text)] for each in split(script))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"), ('"a""b"', 'a"b'), ("`a``b`", "a`b"), ("$$a'b$$", "a'b"), ("$q$ $$ $q$", " $$ "),
        ("x'0aFF'", "0aFF"), ("1_000.5e3", "1000.5e3"), ("/*+ A(b) */", " A(b) "), (".5", ".5"),
    ],
)  # fmt: skip
def test_value(text, value):
    (lexeme,) = lex(text)
    assert lexeme.value == value


@given(st.text(alphabet="aE1 \n\t(),.*é\x1c\xa0+", max_size=40))
def test_a_statement_without_semicolon_is_the_text_without_space(text):
    alone, ended = split(text), split(f"{text};")
    assert [(each.text, each.start) for each in alone] == [(each.text, each.start) for each in ended]
    assert not any(each.terminated for each in alone)


PIECES = (
    "SELECT 1",
    "'a",
    "'",
    ";",
    " ",
    "\n",
    "-- c;\n",
    "--x",
    "/* ; */",
    '"',
    "$$",
    "begin",
    "\\",
    "e'\\'",
    "END",
    "`",
)


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_short_cuts_change_nothing(pieces: list[str]) -> None:
    script = "".join(pieces)
    plain = script.strip()
    if ";" in script or "--" in script or "/*" in script:
        assert split(script) == splitter._read(script)
    else:
        assert [part.text for part in split(script)] == ([plain] if plain else [])
