"""Functions of text.  Positions and lengths count characters (code points), from 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding, Function, Kernel, accept, always, overloads
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Operand, blank, both, from_arrow, numbers, repeated, rows_of, rowwise

_S, _N = t.STRING, t.BIGINT
LONGEST = 2**20
"""Characters (bytes for REPEAT) up to which functions make text longer; more is an error, not a lack of memory."""


def _arrow(function: Callable[..., Any]) -> Kernel:
    """A kernel over Arrow data, constants as scalars."""

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        return from_arrow(to, function(*(arg.datum for arg in args)))

    return kernel


def _with_constants(function: Callable[..., Any], rare: Callable[..., Any]) -> Kernel:
    """``function(text, *values)`` if all arguments after the first are constants, else ``rare`` for each row."""

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        if all(arg.constant and arg.valid is None for arg in args[1:]):
            return from_arrow(to, function(args[0].plain, *(arg.value for arg in args[1:])))
        return rowwise(to, args, rare)

    return kernel


def _slice(text: pa.Array, start: int, length: int | None = None) -> pa.Array:
    if start < 0:
        stop = None if length is None or start + length >= 0 else start + length
        return pc.utf8_slice_codeunits(text, start, stop)
    stop = None if length is None else max(start - 1 + length, 0)
    return pc.utf8_slice_codeunits(text, max(start - 1, 0), stop)


def _substring(text: str, start: int, length: int | None = None) -> str:
    first = start - 1 if start >= 0 else len(text) + start
    if length is None:
        return text[max(first, 0) :]
    if length < 0:
        raise ValueError("a length is not negative")
    return text[max(first, 0) : max(first + length, 0)]


def _substring_kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
    negative = len(args) == 3 and not (args[2].constant and args[2].valid is None and args[2].value >= 0)
    return rowwise(to, args, _substring) if negative else _with_constants(_slice, _substring)(args, to)


def _substring_can_fail(call: Call) -> bool:
    length = call.args[2] if len(call.args) == 3 else None
    return length is not None and not (isinstance(length, Literal) and (length.value is None or length.value >= 0))


def _left(text: str, count: int) -> str:
    return text[:count]


def _left_arrow(text: pa.Array, count: int) -> pa.Array:
    return pc.utf8_slice_codeunits(text, 0, count)


def _right(text: str, count: int) -> str:
    return text[max(len(text) - count, 0) :] if count >= 0 else text[-count:]


def _right_arrow(text: pa.Array, count: int) -> pa.Array:
    if count == 0:
        return pc.utf8_slice_codeunits(text, 0, 0)
    return pc.utf8_slice_codeunits(text, -count, None)


def _padded(text: str, count: int, padding: str = " ", *, left: bool) -> str:
    if count > LONGEST:
        raise ValueError("the text is too long")
    missing = count - len(text)
    if missing <= 0 or not padding:
        return text[: max(count, 0)]
    fill = (padding * (missing // len(padding) + 1))[:missing]
    return fill + text if left else text + fill


def _pad_kernel(*, left: bool) -> Kernel:
    arrow = pc.later("utf8_lpad" if left else "utf8_rpad")

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        simple = all(arg.constant and arg.valid is None for arg in args[1:])
        if simple and 0 <= args[1].value <= LONGEST and (len(args) == 2 or len(args[2].value) == 1):
            padded = arrow(args[0].plain, args[1].value, args[2].value if len(args) == 3 else " ")
            return from_arrow(to, pc.utf8_slice_codeunits(padded, 0, args[1].value))
        return rowwise(to, args, lambda *values: _padded(*values, left=left))

    return kernel


def _trim_kernel(arrow: Callable[..., Any], rare: Callable[..., Any]) -> Kernel:
    def function(text: pa.Array, characters: str = " ") -> pa.Array:
        return arrow(text, characters=characters) if characters else text

    return _with_constants(function, rare)


def _position(args: Sequence[Operand], to: t.SqlType) -> Operand:
    text, part = args
    ascii_only = bool(pc.all(pc.string_is_ascii(text.plain)).as_py() in (True, None))
    if part.constant and part.valid is None and ascii_only:
        found = pc.find_substring(text.plain, part.value)
        return from_arrow(to, pc.add(pc.cast(found, pa.int64()), 1))
    return rowwise(to, args, lambda whole, sought: whole.find(sought) + 1)


def _replace(text: pa.Array, old: str, new: str) -> pa.Array:
    return pc.replace_substring(text, old, new) if old else text


def _repeat(args: Sequence[Operand], to: t.SqlType) -> Operand:
    text, count = args
    lengths = numbers(Operand(t.BIGINT, pc.cast(pc.binary_length(text.plain), pa.int64())))
    times = np.clip(numbers(count), 0, LONGEST + 1)
    too_long = both(np.broadcast_to(lengths * times > LONGEST, rows_of(text, count)), text.valid, count.valid)
    times = np.where(lengths * times > LONGEST, 0, times)
    texts = repeated(text.plain, rows_of(text, count)) if text.constant else text.plain
    counts = pa.array(np.broadcast_to(times, len(texts)))
    if count.valid is not None:
        counts = blank(counts, ~np.broadcast_to(count.valid, len(texts)))
    return from_arrow(to, pc.binary_repeat(texts, counts), too_long)


def _too_long(call: Call) -> bool:
    """Whether the number of characters asked for may be too large."""
    count = call.args[1]
    return not (isinstance(count, Literal) and (count.value is None or count.value <= LONGEST))


def _ascii(text: str) -> int:
    return ord(text[0]) if text else 0


def _concat_rule(args: Sequence[Expression]) -> Binding | None:
    texts = [a if isinstance(a.type, t.StringType) else _as_text(a) for a in args]
    if not args or any(text is None for text in texts):
        return None
    return Binding(tuple(text for text in texts if text is not None), t.STRING)


def _as_text(argument: Expression) -> Expression | None:
    nested = isinstance(argument.type, (t.ArrayType, t.MapType, t.RowType, t.BytesType))
    return None if nested else cast(argument, t.STRING)


def _concat(args: Sequence[Operand], to: t.SqlType) -> Operand:
    if len(args) == 1:
        return args[0].with_type(to)
    return from_arrow(to, pc.binary_join_element_wise(*(arg.datum for arg in args), ""))


def _concat_ws(args: Sequence[Operand], to: t.SqlType) -> Operand:
    # Arrow's join with skipped NULLs loses rows in which every text is NULL, so this is done row by row.
    rows = rows_of(*args)
    separators, *texts = (repeated(a.plain, rows).to_pylist() if a.constant else a.plain.to_pylist() for a in args)
    parts = zip(*texts, strict=True) if texts else [()] * rows
    joined = [
        None if separator is None else separator.join(part for part in row if part is not None)
        for separator, row in zip(separators, parts, strict=True)
    ]
    return Operand(to, pa.array(joined, pa.string()))


def _contains(match: Callable[..., Any], rare: Callable[[str, str], bool]) -> Kernel:
    return _with_constants(match, rare)


def _bind_position(args: Sequence[Expression], span: Span | None) -> Expression:
    taken = [accept(argument, _S) for argument in args]
    if len(taken) != 2 or taken[0] is None or taken[1] is None:
        raise BindError("POSITION takes two strings", hint="position(part IN text)", span=span)
    return Call(_N, "strpos", (taken[1], taken[0]), span)


def _entry(
    name: str,
    signature: str,
    doc: str,
    example: tuple[str, str],
    variants: Sequence[tuple[Sequence[t.SqlType], t.SqlType]],
    kernel: Kernel,
    *aliases: str,
) -> Function:
    return Function(name, signature, doc, example, "strings", rule=overloads(*variants), kernel=kernel, aliases=aliases)


def _char(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return rowwise(to, args, chr)


_PAD = overloads(((_S, _N), _S), ((_S, _N, _S), _S))
FUNCTIONS = (
    Function(
        "concat", "a || b",
        "Texts one after the other; other scalars are cast to STRING. NULL if any is NULL. Also: `concat(a, b)`.", ("'a' || 1", "a1"), "strings",
        rule=_concat_rule, kernel=_concat, aliases=("||",),
    ),
    Function(
        "concat_ws", "concat_ws(separator, text, ...)", "Texts with a separator between them; NULLs are left out.",
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"), "strings", rule=_concat_rule, kernel=_concat_ws, strict=False,
    ),
    _entry("length", "length(text)", "Number of characters.", ("length('Zoë')", "3"), [((_S,), _N)],
           _arrow(pc.later("utf8_length")), "char_length", "character_length", "len"),
    _entry("octet_length", "octet_length(text)", "Number of bytes.", ("octet_length('Zoë')", "4"),
           [((_S,), _N), ((t.BYTES,), _N)], _arrow(pc.later("binary_length")), "strlen"),
    _entry("upper", "upper(text)", "In capitals.", ("upper('aé')", "AÉ"), [((_S,), _S)], _arrow(pc.later("utf8_upper")), "ucase"),
    _entry("lower", "lower(text)", "In small letters.", ("lower('AÉ')", "aé"), [((_S,), _S)], _arrow(pc.later("utf8_lower")), "lcase"),
    _entry("initcap", "initcap(text)", "Each word with a capital.", ("initcap('new york')", "New York"), [((_S,), _S)],
           _arrow(pc.later("utf8_title"))),
    _entry("reverse", "reverse(text)", "Characters from last to first.", ("reverse('abc')", "cba"), [((_S,), _S)],
           _arrow(pc.later("utf8_reverse"))),
    _entry("trim", "trim(text [, characters])", "Without blanks (or the given characters) at both ends.",
           ("trim('  a ')", "a"), [((_S,), _S), ((_S, _S), _S)], _trim_kernel(pc.later("utf8_trim"), str.strip), "btrim"),
    _entry("ltrim", "ltrim(text [, characters])", "Without blanks (or the given characters) at the start.",
           ("ltrim('xxa', 'x')", "a"), [((_S,), _S), ((_S, _S), _S)], _trim_kernel(pc.later("utf8_ltrim"), str.lstrip)),
    _entry("rtrim", "rtrim(text [, characters])", "Without blanks (or the given characters) at the end.",
           ("rtrim('a  ')", "a"), [((_S,), _S), ((_S, _S), _S)], _trim_kernel(pc.later("utf8_rtrim"), str.rstrip)),
    Function(
        "substring", "substring(text, start [, length])",
        "Characters from a position on, which counts from the end if it is negative. A negative length is an error.",
        ("substring('tableflow', 6)", "flow"), "strings",
        rule=overloads(((_S, _N), _S), ((_S, _N, _N), _S)), kernel=_substring_kernel, aliases=("substr",),
        can_raise=_substring_can_fail, failure="a length is negative",
    ),
    _entry("left", "left(text, count)", "The first characters; with a negative count all but the last.",
           ("left('abc', 2)", "ab"), [((_S, _N), _S)], _with_constants(_left_arrow, _left)),
    _entry("right", "right(text, count)", "The last characters; with a negative count all but the first.",
           ("right('abc', 2)", "bc"), [((_S, _N), _S)], _with_constants(_right_arrow, _right)),
    Function(
        "lpad", "lpad(text, count [, padding])", "Filled from the left, or cut, to so many characters, up to 1,048,576.",
           ("lpad('7', 3, '0')", "007"), "strings", rule=_PAD, kernel=_pad_kernel(left=True),
        can_raise=_too_long, failure="the text is too long",
    ),
    Function(
        "rpad", "rpad(text, count [, padding])", "Filled from the right, or cut, to so many characters, up to 1,048,576.",
           ("rpad('ab', 4, '.')", "ab.."), "strings", rule=_PAD, kernel=_pad_kernel(left=False),
        can_raise=_too_long, failure="the text is too long",
    ),
    _entry("strpos", "strpos(text, part)", "Where a part first occurs; 0 if it does not.", ("strpos('banana', 'nan')", "3"),
           [((_S, _S), _N)], _position, "instr"),
    Function(
        "position", "position(part IN text)", "Where a part first occurs; 0 if it does not.",
        ("position('nan' IN 'banana')", "3"), "strings", bind=_bind_position,
    ),
    _entry("replace", "replace(text, old, new)", "Every occurrence replaced.", ("replace('banana', 'a', 'o')", "bonono"),
           [((_S, _S, _S), _S)],
           _with_constants(_replace, lambda text, old, new: text.replace(old, new) if old else text)),
    Function(
        "repeat", "repeat(text, count)", "So many times, up to a mebibyte.", ("repeat('ab', 3)", "ababab"), "strings",
        rule=overloads(((_S, _N), _S)), kernel=_repeat, can_raise=always, failure="the text is too long",
    ),
    _entry("starts_with", "starts_with(text, part)", "Whether text begins with a part.", ("starts_with('abc', 'ab')", "true"),
           [((_S, _S), t.BOOLEAN)], _contains(pc.later("starts_with"), str.startswith), "prefix"),
    _entry("ends_with", "ends_with(text, part)", "Whether text ends in a part.", ("ends_with('abc', 'ab')", "false"),
           [((_S, _S), t.BOOLEAN)], _contains(pc.later("ends_with"), str.endswith), "suffix"),
    _entry("contains", "contains(text, part)", "Whether a part occurs in text.", ("contains('abc', 'b')", "true"),
           [((_S, _S), t.BOOLEAN)], _contains(pc.later("match_substring"), str.__contains__)),
    _entry("ascii", "ascii(text)", "Code point of the first character; 0 of an empty text.", ("ascii('A')", "65"),
           [((_S,), t.INT)], lambda args, to: rowwise(to, args, _ascii), "unicode"),
    Function(
        "chr", "chr(code)", "The character of a code point.", ("chr(65)", "A"), "strings", rule=overloads(((_N,), _S)),
        kernel=_char, can_raise=always, failure="there is no such character",
    ),
)  # fmt: skip
