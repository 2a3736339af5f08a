"""LIKE and regular expressions (RE2's syntax).

A pattern that is a literal is checked at planning time; one that comes from data and is wrong is its row's error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.errors import BindError
from tableflow.expressions.function import Binding, Function, Kernel, Rule, overloads
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Operand, both, from_arrow, repeated, rows_of

_S = t.STRING
_FEW_ROWS = 32


def like_parts(pattern: str, escape: str | None) -> list[str | None]:
    """The pattern as literal texts, None for % and the empty text for _; ValueError if an escape escapes nothing."""
    parts: list[str | None] = []
    text = ""
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise ValueError("the pattern ends in its escape character")
            text += following
        elif character in "%_":
            parts += [text] if text else []
            parts.append(None if character == "%" else "")
            text = ""
        else:
            text += character
    return [*parts, text] if text else parts


def like(text: pa.Array, pattern: str, escape: str | None, *, ignore_case: bool) -> pa.Array:
    """Where text matches a LIKE pattern, by the cheapest search that decides it."""
    parts = like_parts(pattern, escape)
    options = {"ignore_case": ignore_case}
    match parts:
        case []:
            return pc.equal(text, "")
        case [None]:
            return pc.if_else(text.is_valid(), pa.scalar(value=True), pa.scalar(None, pa.bool_()))
        case [str(whole)] if whole and not ignore_case:
            return pc.equal(text, whole)
        case [str(start), None] if start:
            return pc.starts_with(text, start, **options)
        case [None, str(end)] if end:
            return pc.ends_with(text, end, **options)
        case [None, str(middle), None] if middle:
            if ignore_case:
                return pc.match_substring(text, middle, **options)
            # Few queries search texts outside of programs.
            from tableflow.columnar.kernels.text_search import containing

            return containing(text, middle)
    return pc.match_substring_regex(text, like_regex(parts), **options)


def like_regex(parts: Sequence[str | None]) -> str:
    """An RE2 expression that matches the same texts as the parts of a LIKE pattern."""
    inner = list(parts)
    start = end = ""
    # A % at an end is the absence of an anchor.
    while inner and inner[0] is None:
        inner.pop(0)
        start = "open"
    while inner and inner[-1] is None:
        inner.pop()
        end = "open"
    body = "".join(".*" if part is None else "." if part == "" else _quoted(part) for part in inner)
    return f"(?s){'' if start else chr(92) + 'A'}{body}{'' if end else chr(92) + 'z'}"


@lru_cache(maxsize=1024)
def _like_segments(pattern: str, escape: str | None) -> tuple[str, ...] | None:
    """The texts between the % of a pattern; None if it has a character that stands for any."""
    segments = [""]
    for part in like_parts(pattern, escape):
        if part is None:
            segments.append("")
        elif part == "":
            return None
        else:
            segments[-1] += part
    return tuple(segments)


def _like_text(text: str, pattern: str, escape: str | None = None) -> bool | None:
    """Whether one text matches a pattern; None for patterns that need an expression."""
    _check_escape(escape)
    segments = _like_segments(pattern, escape)
    if segments is None or len(segments) == 1:
        return None if segments is None else text == segments[0]
    first, *middle, last = segments
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for segment in middle:
        found = text.find(segment, at, end)
        if found < 0:
            return False
        at = found + len(segment)
    return True


def _check_escape(escape: str | None) -> None:
    if escape is not None and len(escape) != 1:
        raise ValueError("an escape is one character")


def _quoted(text: str) -> str:
    return "".join("\\" + c if c.isascii() and not c.isalnum() and c not in "_\n" else c for c in text)


Single: TypeAlias = Callable[..., "bool | None"]


def _row_by_row(texts: pa.Array, columns: Sequence[Sequence[Any]], single: Single, to: t.SqlType) -> Operand | None:
    """``single(text, *parameters)`` of each row; None if it cannot say for one of them."""
    found: list[bool | None] = []
    errors = np.zeros(len(texts), np.bool_)
    for row, (text, *values) in enumerate(zip(texts.to_pylist(), *columns, strict=True)):
        matches = None
        if None not in values:
            try:
                matches = single(text or "", *values)
            except ValueError:
                errors[row] = text is not None
            else:
                if matches is None:
                    return None
        found.append(None if text is None else matches)
    return Operand(to, pa.array(found, _storage(to)), errors=errors if errors.any() else None)


def _by_pattern(
    args: Sequence[Operand], to: t.SqlType, function: Callable[..., Any], single: Single | None = None
) -> Operand:
    """``function(text, *parameters)``, once for constants, else once for each combination of parameters.

    ``single`` does it for one text if it can, which is cheaper when there are many combinations.
    """
    text, *parameters = args
    rows = rows_of(*args)
    if all(parameter.constant and parameter.valid is None for parameter in parameters):
        try:
            return from_arrow(to, function(text.plain, *(parameter.value for parameter in parameters)))
        except (ValueError, pa.ArrowInvalid):
            nothing = pa.nulls(len(text), _storage(to))
            return Operand(to, nothing, errors=both(np.ones(len(text), np.bool_), text.valid))
    texts = repeated(text.plain, rows) if text.constant else text.plain
    columns = [p.plain.to_pylist() * (rows if p.constant else 1) for p in parameters]
    if single is not None and len(set(zip(*columns, strict=True))) * _FEW_ROWS > rows:
        found = _row_by_row(texts, columns, single, to)
        if found is not None:
            return found
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, values in enumerate(zip(*columns, strict=True)):
        groups.setdefault(values, []).append(row)
    pieces, order = [], []
    errors = np.zeros(rows, np.bool_)
    for values, members in groups.items():
        chosen = texts.take(pa.array(members))
        try:
            missing = any(value is None for value in values)
            piece = pa.nulls(len(members), _storage(to)) if missing else function(chosen, *values)
        except (ValueError, pa.ArrowInvalid):
            piece = pa.nulls(len(members), _storage(to))
            errors[members] = True
        pieces.append(piece.cast(_storage(to)))
        order += members
    if not pieces:
        return Operand(to, pa.nulls(0, _storage(to)))
    inverse = np.empty(rows, np.int64)
    inverse[order] = np.arange(rows)
    result = pa.concat_arrays(pieces).take(pa.array(inverse))
    wrong = both(errors, text.valid if not text.constant else None)
    return Operand(to, result, errors=wrong if wrong is not None and wrong.any() else None)


def _storage(to: t.SqlType) -> pa.DataType:
    return {t.BOOLEAN: pa.bool_(), t.STRING: pa.string()}[to]


def _like_kernel(*, ignore_case: bool) -> Kernel:
    def function(text: pa.Array, pattern: str, escape: str | None = None) -> pa.Array:
        _check_escape(escape)
        return like(text, pattern, escape, ignore_case=ignore_case)

    return lambda args, to: _by_pattern(args, to, function, None if ignore_case else _like_text)


def _checked(rule: Rule, check: Callable[..., Any]) -> Rule:
    """The rule, refusing literals that ``check`` raises for."""

    def checked(args: Sequence[Expression]) -> Binding | None:
        binding = rule(args)
        if binding is None:
            return None
        parameters = binding.args[1:]
        if all(isinstance(p, Literal) and p.value is not None for p in parameters):
            try:
                check(*(p.value for p in parameters if isinstance(p, Literal)))
            except (ValueError, pa.ArrowInvalid) as error:
                pattern = parameters[0].value if isinstance(parameters[0], Literal) else ""
                raise BindError(
                    f"pattern {pattern!r} is not valid",
                    detail=str(error).partition("\n")[0],
                    span=getattr(parameters[0], "span", None),
                ) from None
        return binding

    return checked


def _check_like(pattern: str, escape: str | None = None) -> None:
    _check_escape(escape)
    like_parts(pattern, escape)


def _flagged(pattern: str, flags: str) -> str:
    unknown = set(flags) - set("gims")
    if unknown:
        raise ValueError(f"unknown flag {min(unknown)!r}; g, i, m and s are known")
    kept = "".join(flag for flag in "ims" if flag in flags)
    return f"(?{kept}){pattern}" if kept else pattern


def _matches(text: pa.Array, pattern: str, flags: str = "") -> pa.Array:
    return pc.match_substring_regex(text, _flagged(pattern, flags))


def _replaced(text: pa.Array, pattern: str, replacement: str, flags: str = "") -> pa.Array:
    count = None if "g" in flags else 1
    return pc.replace_substring_regex(text, _flagged(pattern, flags), replacement, max_replacements=count)


def _named_groups(pattern: str) -> str:
    """The pattern with every capturing group named g1, g2, ... and the whole match g0."""
    count = 0

    def rename(found: re.Match[str]) -> str:
        nonlocal count
        if found.group() != "(":
            return found.group()
        count += 1
        return f"(?P<g{count}>"

    # Escapes and character classes are passed over, so that only parentheses that open a group are left.
    named = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<[^=!][^>]*>|\(\?|\(", rename, pattern, flags=re.DOTALL)
    return f"(?P<g0>{named})"


_EMPTY, _NOTHING = pa.scalar("", pa.string()), pa.scalar(None, pa.string())


def _extracted(text: pa.Array, pattern: str, group: int = 0) -> pa.Array:
    parts = pc.extract_regex(text, _named_groups(pattern))
    if parts.type.get_field_index(f"g{group}") < 0:
        raise ValueError(f"the pattern has no group {group}")
    found = parts.field(f"g{group}")
    return pc.if_else(text.is_valid(), pc.if_else(parts.is_valid(), found, _EMPTY), _NOTHING)


def _check_regex(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *parameters: function(pa.array([""]), *parameters)


def _may_be_invalid(call: Call) -> bool:
    return not all(isinstance(arg, Literal) for arg in call.args[1:])


def _entry(
    name: str, signature: str, doc: str, example: tuple[str, str], rule: Rule, kernel: Kernel, *aliases: str
) -> Function:
    return Function(
        name, signature, doc, example, "patterns", rule=rule, kernel=kernel, aliases=aliases, can_raise=_may_be_invalid,
        failure="the pattern is not valid",
    )  # fmt: skip


def _regex_kernel(function: Callable[..., Any]) -> Kernel:
    return lambda args, to: _by_pattern(args, to, function)


_LIKE = _checked(overloads(((_S, _S), t.BOOLEAN), ((_S, _S, _S), t.BOOLEAN)), _check_like)
_MATCH = overloads(((_S, _S), t.BOOLEAN), ((_S, _S, _S), t.BOOLEAN))
_REPLACE = overloads(((_S, _S, _S), _S), ((_S, _S, _S, _S), _S))
_EXTRACT = overloads(((_S, _S), _S), ((_S, _S, t.BIGINT), _S))

FUNCTIONS = (
    _entry(
        "like", "text LIKE pattern [ESCAPE character]",
        "Whether text matches a pattern in which % stands for any text and _ for any character.",
        ("'tableflow' LIKE 'table%'", "true"), _LIKE, _like_kernel(ignore_case=False),
    ),
    _entry(
        "ilike", "text ILIKE pattern [ESCAPE character]", "LIKE without regard to case.", ("'ABC' ILIKE 'a_c'", "true"),
        _LIKE, _like_kernel(ignore_case=True),
    ),
    _entry(
        "regexp_matches", "regexp_matches(text, pattern [, flags])",
        "Whether a regular expression matches somewhere in text. Flags: i (any case), m (lines), s (. matches newlines).",
        ("regexp_matches('abc', 'b.')", "true"), _checked(_MATCH, _check_regex(_matches)), _regex_kernel(_matches),
        "regexp_like",
    ),
    _entry(
        "regexp_replace", "regexp_replace(text, pattern, replacement [, flags])",
        "The first match replaced, every one with flag g; \\1 in the replacement is the first group.",
        ("regexp_replace('banana', 'a(.)', '\\1a', 'g')", "bnanaa"), _checked(_REPLACE, _check_regex(_replaced)),
        _regex_kernel(_replaced),
    ),
    _entry(
        "regexp_extract", "regexp_extract(text, pattern [, group])",
        "The first match, or one of its groups; empty if nothing matches.",
        ("regexp_extract('order 66', '([0-9])([0-9])', 2)", "6"), _checked(_EXTRACT, _check_regex(_extracted)),
        _regex_kernel(_extracted),
    ),
)  # fmt: skip
