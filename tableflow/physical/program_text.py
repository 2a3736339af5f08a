"""Text as instructions: patterns, parts, lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tableflow import types as t
from tableflow.columnar.kernels.programs import instruction_fits
from tableflow.expressions.nodes import Call, Literal
from tableflow.physical.program_builder import INT64, NotCompilableError, Value
from tableflow.records import replace

if TYPE_CHECKING:
    from tableflow.physical.program_compiler import Compiler


def like(compiler: Compiler, call: Call) -> Value:
    """LIKE with a constant pattern."""
    value, pattern, *escape = call.args
    texts = [item.value for item in (pattern, *escape) if isinstance(item, Literal) and isinstance(item.value, str)]
    if len(texts) != len(call.args) - 1 or not isinstance(value.type, t.StringType):
        raise NotCompilableError("LIKE with a computed pattern")
    text, mark = texts[0], texts[1] if escape else ""
    if len(mark) > 1:
        raise NotCompilableError("LIKE with such an escape")
    return compiler.builder.emit("like.str", "bool", [compiler.value(value)], immediates=(text, mark))


def part_test(compiler: Compiler, call: Call, before: str, after: str) -> Value:
    """Whether text begins with, ends in or contains a constant."""
    value, part = call.args
    if not isinstance(part, Literal) or part.value is None or not isinstance(value.type, t.StringType):
        raise NotCompilableError(call.function)
    literal = "".join(f"\\{c}" if c in "%_\\" else c for c in part.value)
    return compiler.builder.emit(
        "like.str", "bool", [compiler.value(value)], immediates=(f"{before}{literal}{after}", "\\")
    )


def length(compiler: Compiler, call: Call) -> Value:
    """Number of characters; of a text with replaced parts this is known without making it."""
    (of,) = call.args
    if not isinstance(of.type, t.StringType):
        raise NotCompilableError(call.function)
    if isinstance(of, Call) and of.function == "replace" and (parts := _constant_parts(of)) is not None:
        text = compiler.value(of.args[0])
        return compiler.builder.emit("substituted_length.str", "i64", [text], INT64, immediates=parts)
    return compiler.builder.emit("length.str", "i64", [compiler.value(of)], (0, 2**31))


def substitution(compiler: Compiler, call: Call) -> Value:
    """A constant text, which is not empty, replaced by another one wherever it occurs."""
    parts = _constant_parts(call)
    if parts is None:
        raise NotCompilableError("replace with computed texts")
    return compiler.builder.emit("substitute.str", "str", [compiler.value(call.args[0])], immediates=parts)


def _constant_parts(call: Call) -> tuple[str, str] | None:
    """What is replaced, and by what; None where that is not known, or nothing."""
    text, *others = call.args
    old, new = [item.value if isinstance(item, Literal) else None for item in others]
    if not isinstance(text.type, t.StringType) or not isinstance(old, str) or not isinstance(new, str):
        return None
    return (old, new) if old else None


def octet_length(compiler: Compiler, call: Call) -> Value:
    """Number of bytes."""
    if not isinstance(call.args[0].type, t.StringType):
        raise NotCompilableError(call.function)
    return compiler.builder.emit("byte_length.str", "i64", [compiler.value(call.args[0])], (0, 2**31))


def substring(compiler: Compiler, call: Call) -> Value:
    """Characters from a position on."""
    build = compiler.builder
    if not isinstance(call.args[0].type, t.StringType) or len(call.args) not in (2, 3):
        raise NotCompilableError(call.function)
    text, start = compiler.value(call.args[0]), build.convert(compiler.value(call.args[1]), "i64")
    if len(call.args) == 2:
        count = build.constant("i64", INT64[1])
    else:
        count = build.convert(compiler.value(call.args[2]), "i64")
    error = build.error("a length is negative", call.span)
    result = build.emit("substring.str", "str", [text, start, count], error=error)
    harmless = count.constant and (count.literal is None or count.literal >= 0)
    return replace(result, fails=any(v.fails for v in (text, start, count))) if harmless else result


def concat(compiler: Compiler, call: Call) -> Value:
    """Texts one after the other; many of them in pairs of pairs, lest the first ones be copied again and again."""
    if not all(isinstance(arg.type, t.StringType) for arg in call.args):
        raise NotCompilableError(call.function)
    parts = [compiler.value(arg) for arg in call.args]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        joined = [compiler.builder.emit("concat.str", "str", [a, b]) for a, b in pairs]
        parts = [*joined, *parts[len(parts) & ~1 :]]
    return parts[0]


def letters(compiler: Compiler, call: Call) -> Value:
    """In small or in capital letters."""
    if not isinstance(call.args[0].type, t.StringType):
        raise NotCompilableError(call.function)
    return compiler.builder.emit(f"{call.function}.str", "str", [compiler.value(call.args[0])])


def regular(op: str, kind: str) -> Callable[[Compiler, Call], Value]:
    """A regular expression with constant parameters, if the pattern has a native form."""

    def compiled(compiler: Compiler, call: Call) -> Value:
        text, *parameters = call.args
        values = [p.value for p in parameters if isinstance(p, Literal) and p.value is not None]
        if len(values) != len(parameters) or not isinstance(text.type, t.StringType):
            raise NotCompilableError(f"{call.function} with computed parameters")
        if op == "extract" and len(values) == 1:
            values.append(0)
        if not instruction_fits(f"{op}.str", tuple(values)):
            raise NotCompilableError(f"{call.function} with such a pattern")
        return compiler.builder.emit(f"{op}.str", kind, [compiler.value(text)], immediates=tuple(values))

    return compiled
