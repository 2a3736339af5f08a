"""Parts of texts between separators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.expressions.function import Function, Kernel, overloads
from tableflow.expressions.operand import Operand, from_arrow, rowwise

_S, _N = t.STRING, t.BIGINT


def _part(text: str, separator: str, index: int) -> str:
    parts = text.split(separator) if separator else [text]
    position = index - 1 if index > 0 else len(parts) + index
    return parts[position] if 0 <= position < len(parts) and index else ""


def _part_or_null(text: str, separator: str, index: int) -> str | None:
    parts = text.split(separator) if separator else [text]
    return parts[index] if 0 <= index < len(parts) else None


def _parts(texts: pa.Array, separator: str, index: int) -> pa.Array:
    """The parts at an index from 1, NULL where there is none."""
    lists = pc.split_pattern(texts, separator, max_splits=index)
    offsets = lists.offsets.to_numpy()
    wanted = offsets[:-1] + index - 1
    return lists.values.take(pa.array(wanted, mask=wanted >= offsets[1:]))


def _kernel(of_row: Callable[[str, str, int], str | None], first: int, missing: str | None) -> Kernel:
    """Texts, one separator and one index (counted from ``first``) by Arrow, anything else row by row."""

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        texts, separator, index = args
        constant = separator.constant and index.constant and separator.valid is None and index.valid is None
        if not constant or not separator.value or not 1 <= index.value + 1 - first < 2**31:
            return rowwise(to, args, of_row)
        found = _parts(texts.plain, separator.value, index.value + 1 - first)
        if missing is not None:
            found = pc.if_else(texts.plain.is_valid(), found.fill_null(missing), pa.scalar(None, pa.string()))
        return from_arrow(to, found)

    return kernel


_RULE = overloads(((_S, _S, _N), _S))
FUNCTIONS = (
    Function(
        "split_part", "split_part(text, separator, index)",
        "One of the parts between separators, counted from the end if negative; empty if there is none.",
        ("split_part('a,b,c', ',', 2)", "b"), "strings", rule=_RULE, kernel=_kernel(_part, 1, ""),
    ),
    Function(
        "split_index", "split_index(text, separator, index)",
        "One of the parts between separators, counted from 0, as in Flink; NULL if there is none.",
        ("split_index('a,b,c', ',', 2)", "c"), "strings", rule=_RULE, kernel=_kernel(_part_or_null, 0, None),
    ),
)  # fmt: skip
