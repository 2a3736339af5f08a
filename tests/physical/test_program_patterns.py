"""Regular expressions and letters' case in programs: what Arrow's kernels (RE2, utf8proc) give, or no instruction at all."""

from __future__ import annotations

import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.programs import Program, instruction_fits
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.physical.node import Input
from tableflow.physical.program_judge import Judge, compile_steps
from tableflow.physical.project import ProjectColumns

TEXT = t.Field(0, "a", t.STRING)
URL = "https://www.nexmark.com/xyz/item.htm?query=1"


def call(name: str, *parameters: Any) -> Expression:
    literals = [Literal(t.BIGINT if isinstance(p, int) else t.STRING, p) for p in parameters]
    return resolve_call(name, [ColumnRef(TEXT.type, TEXT.id), *literals])


def program(of: Expression) -> Program | None:
    """None: there are no instructions for it."""
    if Judge({}).judge(of, (TEXT,)) is None:
        return None
    step = ProjectColumns(fields=(t.Field(1, "b", of.type),), input=Input(fields=(TEXT,)), expressions=(of,))
    return Program(compile_steps((TEXT,), {}, [step]))


def native(made: Program, texts: pa.Array) -> list[Any]:
    result = made.apply(Batch((Column(t.STRING, texts),), len(texts)))
    assert result is not None
    column: list[Any] = result.columns[0].array.to_pylist()
    return column


def reference(of: Expression, texts: pa.Array) -> list[Any]:
    found = evaluate(of, {TEXT.id: Column(t.STRING, texts)}, len(texts))
    assert found.errors is None
    values: list[Any] = found.column.array.to_pylist()
    return values


def alike(of: Expression, texts: list[str | None]) -> None:
    made = program(of)
    assert made is not None
    for array in (pa.array(texts, pa.string()), pa.array(texts, pa.string()).dictionary_encode()):
        assert native(made, array) == reference(of, array), of


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("(&|^)channel_id=([^&]*)", [URL, f"{URL}&channel_id=12", "channel_id=7&channel_id=8", "xchannel_id=1", "", None]),
        (r"^https?://(?:www\.)?([^/]+)/.*$", [URL, "http://a/", "http:///", "ftp://a/b", "https://www./\n", "x http://a/"]),
        (r"(\w+)@(\w+)\.com", ["mail ann@home.com", "a@b@c.com", "@.com", "é@x.com", "a_1@b.comx"]),
        ("(a|ab)(c|bcd)(d*)", ["abcd", "acd", "xabcdd"]),
        ("(a+?)(a*)(b??)", ["aaab", "b", ""]),
        (r"\bé|x{2,3}$", ["aé", "a é", "xxxx", "xx "]),
        ("(?s)a.(.*)", ["a\nb\n", "ba", "aéé"]),
        ("[]^-]+([^]a-]*)", ["x]^-b]", "--", "aa"]),
        ("(é+)([^a]?)", ["éééa", "éü", "a"]),
        ("(a|(b))*c", ["abac", "bc", "c", "ab"]),
    ],
)  # fmt: skip
def test_matches_and_groups_are_those_of_re2(pattern: str, texts: list[str | None]) -> None:
    alike(call("regexp_matches", pattern), texts)
    for group in range(3):
        if instruction_fits("extract.str", (pattern, group)):
            alike(call("regexp_extract", pattern, group), texts)
    if "\\b" not in pattern:
        alike(call("regexp_replace", pattern, r"<\0\\>"), texts)


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "a**", "(a*)*", "[[:alpha:]]", r"\pL", r"\1", "[é]", "(?P<x>a)", "a{,2}", "(", "a)", "[b-a]", r"\B", "*a"],
)  # fmt: skip
def test_what_is_not_known_for_certain_is_left_to_the_evaluator(pattern: str) -> None:
    assert not instruction_fits("matches.str", (pattern,))


def test_replacements_name_groups_that_are_there() -> None:
    assert instruction_fits("replace.str", ("(a)", r"\1"))
    assert not instruction_fits("replace.str", ("(a)", r"\2"))
    assert not instruction_fits("replace.str", ("(a)", r"\x"))
    assert program(call("regexp_replace", "a", "b", "g")) is None  # one instruction replaces the first match


def test_a_pattern_that_tries_everything_ends() -> None:
    for pattern in (r"\w+@", r"(\w+)\s*$", r"(?:\w+\s)+@", r".*a.*b@"):
        alike(call("regexp_matches", pattern), ["a" * 300_000 + "!", "ab " * 50_000 + "!"])
    alike(call("regexp_matches", "(?:a|aa|a?b)+c" * 3), ["a" * 5000, "a" * 3000 + "c" + "b" * 50 + "cbc"])


def test_a_text_is_null_where_it_was_whatever_is_made_of_it() -> None:
    made = call("regexp_extract", "(a)", 1)
    for name in ("is_null", "is_not_null"):
        alike(resolve_call(name, [made]), ["a", None, "b"])
        alike(resolve_call(name, [Call(t.STRING, "lower", (made,))]), ["a", None, "b"])


def test_bytes_that_are_no_characters_stay_as_they_are() -> None:
    texts = [b"abc\xf0", b"\x9f\x98\x80d", b"\xe2\x82", b"\xff\xc3", b"a\xc3\xa9\xc3z", "é".encode() * 40 + b"\xf0"]
    bytes_ = pa.array(texts, pa.binary())
    unchecked = pa.Array.from_buffers(pa.string(), len(texts), bytes_.buffers())
    made = program(call("upper"))
    assert made is not None
    result = made.apply(Batch((Column(t.STRING, unchecked),), len(texts)))
    assert result is not None
    assert result.columns[0].array.cast(pa.binary()).to_pylist() == [
        b"ABC\xf0", b"\x9f\x98\x80D", b"\xe2\x82", b"\xff\xc3", b"A\xc3\x89\xc3Z", "É".encode() * 40 + b"\xf0"
    ]  # fmt: skip


@pytest.mark.slow
def test_letters_change_as_unicode_says() -> None:
    known = [c for c in range(0x110000) if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs")]
    texts = pa.array([f"aZ{chr(c)}" for c in known])
    for name in ("lower", "upper"):
        made = program(call(name))
        assert made is not None
        assert native(made, texts) == reference(call(name), texts)


LETTERS = "ab1_ \n-é&"
ATOMS = st.sampled_from(
    [
        *"ab1_&- é.^$",
        "[^a]",
        "[ab]",
        "[a-b1]",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        "[^&]",
        r"[^\d]",
        "[^ab]",
        r"\.",
        r"\b",
        r"\A",
        r"\z",
    ]
)
REPEATED = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}", "{2,}"])


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    piece = st.tuples(st.one_of(ATOMS, ATOMS, inner.map("({})".format), inner.map("(?:{})".format)), REPEATED).map(
        "".join
    )
    return st.lists(st.lists(piece, max_size=3).map("".join), min_size=1, max_size=3).map("|".join)


PATTERNS = st.tuples(st.sampled_from(["", "", "(?s)"]), st.recursive(ATOMS, grouped, max_leaves=12)).map("".join)


@pytest.mark.slow
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.lists(st.text(LETTERS, max_size=10), min_size=1, max_size=20))
def test_any_pattern_gives_what_re2_gives(pattern: str, texts: list[str]) -> None:
    if not instruction_fits("matches.str", (pattern,)):
        return
    made = pa.array([*texts, "", None], pa.string())
    found = [call("regexp_matches", pattern)]
    found += [call("regexp_extract", pattern, g) for g in range(10) if instruction_fits("extract.str", (pattern, g))]
    found += [
        call("regexp_replace", pattern, r) for r in (r"<\0\\>", r"\1-") if instruction_fits("replace.str", (pattern, r))
    ]
    for of in found:
        one = program(of)
        assert one is not None
        assert native(one, made) == reference(of, made), of


@pytest.mark.parametrize(
    ("old", "new"),
    [("c", ""), ("c", "é"), ("aa", "a"), ("é", "c"), ("xc", "xcxc"), ("x" * 20, ""), ("not there", "!")],
)
def test_parts_of_texts_are_replaced_and_counted(old: str, new: str) -> None:
    texts = [None, "", "c", "ccc", "aaaaa", "é", "école", "xc" * 400, "x" * 61 + "c", "é" * 500 + "c", "a" * 255 + "é"]
    replaced = call("replace", old, new)
    alike(replaced, texts)
    alike(resolve_call("length", [replaced]), texts)
    alike(call("length"), texts)


def test_nothing_and_what_is_computed_is_not_replaced_by_instructions() -> None:
    assert program(call("replace", "", "a")) is None
    column = ColumnRef(TEXT.type, TEXT.id)
    assert program(resolve_call("replace", [column, column, Literal(t.STRING, "a")])) is None
