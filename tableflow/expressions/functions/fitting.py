"""Text that has to fit: what assigning to a column of VARCHAR(n) or CHAR(n) does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.expressions.function import Function, always, overloads
from tableflow.expressions.operand import Operand, blank, numbers, rowwise

_LONGEST_SHOWN = 60


def _fit(args: Sequence[Operand], to: t.SqlType) -> Operand:
    """Only blanks at the end may be cut."""
    if not args[1].constant:
        return rowwise(to, args, _fitted)
    text, limits = args[0].plain, numbers(args[1])
    lengths = pc.utf8_length(text).fill_null(0).to_numpy(zero_copy_only=False)
    long = lengths > limits
    if not long.any():
        return Operand(to, text, constant=args[0].constant)
    limit = int(limits[0])
    kept = pc.utf8_rtrim(text, " ")
    needed = pc.utf8_length(kept).fill_null(0).to_numpy(zero_copy_only=False)
    padded = pc.if_else(pc.greater(pc.utf8_length(text), limit), pc.utf8_slice_codeunits(text, 0, limit), text)
    errors = needed > limits
    if not errors.any():
        return Operand(to, padded, constant=args[0].constant)
    return Operand(to, blank(padded, errors), constant=args[0].constant, errors=errors)


def _fitted(text: str, limit: int) -> str:
    if len(text.rstrip(" ")) > limit:
        raise ValueError("it does not fit")
    return text[:limit]


def _worded(values: Sequence[Any], _to: t.SqlType) -> str:
    text, limit = values
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return f"text {shown!r} has {len(text)} characters, {limit} fit"


FUNCTIONS = (
    Function(
        "fit", "fit(text, count)",
        "The text, cut to so many characters if only blanks are lost, else an error: what a VARCHAR column does.",
        ("fit('ab   ', 3)", "ab "), "strings", rule=overloads(((t.STRING, t.BIGINT), t.STRING)), kernel=_fit,
        can_raise=always, failure=_worded,
    ),
)  # fmt: skip
