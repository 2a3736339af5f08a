"""Casts from text: what does not read as a value of the type is that row's error.

Blanks around a value are ignored.  Text is checked with a regular expression first and converted by Arrow after, so
that one row that cannot be read does not fail the others.
"""

from __future__ import annotations

import json
import uuid

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.expressions.casting import exact
from tableflow.expressions.operand import (
    Array,
    Mask,
    Operand,
    blank,
    both,
    build,
    either,
    from_arrow,
    rowwise,
    validity,
)

_NUMBER = r"^(?P<sign>[+-]?)(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d{1,4}))?$"
_FLOAT = r"^[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|inf|infinity|nan)$"
_TRUE, _FALSE = pa.array(["true", "t", "yes", "y", "on", "1"]), pa.array(["false", "f", "no", "n", "off", "0"])


def trimmed(of: Operand) -> pa.Array:
    """The text without blanks around it."""
    return pc.utf8_trim_whitespace(of.plain)


def parse_boolean(of: Operand, to: t.SqlType) -> Operand:
    """true, t, yes, y, on, 1 and their opposites, in any case."""
    text = pc.utf8_lower(trimmed(of))
    true, known = _mask(pc.is_in(text, _TRUE)), _mask(pc.is_in(text, pa.concat_arrays([_TRUE, _FALSE])))
    return build(to, true, of.valid, ~known, constant=of.constant)


def parse_float(of: Operand, to: t.FloatType) -> Operand:
    """Numbers in plain or exponent notation, inf, infinity, nan."""
    text = trimmed(of)
    bad = both(~_mask(pc.match_substring_regex(text, _FLOAT, ignore_case=True)), _all(of))
    kept = pc.replace_substring_regex(blank(text, bad), r"^\+", "")
    # Arrow reads the nearest number of the type it is asked for; to read a DOUBLE first would round a FLOAT twice.
    kind = pa.float32() if to.bits == 32 else pa.float64()
    values = pc.cast(kept, kind).fill_null(0.0).to_numpy(zero_copy_only=False)
    lost = np.isinf(values) & ~_mask(pc.match_substring(text, "inf", ignore_case=True))
    return build(to, values, of.valid, either(bad, lost), constant=of.constant)


def parse_exact(of: Operand, to: t.SqlType) -> Operand:
    """Integers (no fraction but zeros allowed) and decimals (rounded half away from zero)."""
    text = trimmed(of)
    parts = pc.extract_regex(text, _NUMBER)
    sign, whole, part, exponent = (parts.field(i) for i in range(4))
    scale = exact.scale_of(to)
    digits = pc.add(pc.utf8_length(whole), pc.utf8_length(part)).fill_null(0)
    bad = both(~_mask(parts.is_valid()) | ~_mask(pc.greater(digits, 0)), _all(of))
    if isinstance(to, t.IntegerType):
        bad = either(bad, both(_mask(pc.not_equal(exponent, "")) | _mask(pc.match_substring_regex(part, "[1-9]"))))
    # One digit beyond the scale decides the rounding, the ones behind it cannot change it.
    tail = pc.utf8_slice_codeunits(pc.utf8_rpad(part, scale + 1, "0"), 0, scale + 1)
    joined = pc.binary_join_element_wise(whole, tail, "")
    rare = _mask(pc.not_equal(exponent, "")) | _mask(pc.greater(pc.utf8_length(joined), 18))
    values = pc.cast(blank(joined, either(bad, rare)), pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    values = exact.rescale(np.where(_mask(pc.equal(sign, "-")), -values, values), -1)
    rare = rare & (bad is None or ~bad)
    if rare.any():
        values = values.astype(object)
        for row in np.flatnonzero(rare):
            values[row] = _scaled(text[int(row)].as_py(), scale)
    errors = either(bad, exact.outside(values, to))
    return build(to, exact.wrapped(values, errors), of.valid, errors, constant=of.constant)


def _scaled(text: str, scale: int) -> int:
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, part = mantissa.partition(".")
    power = int(exponent or 0) - len(part) + scale
    value = int(whole + part)
    if power >= 0:
        # More digits than any type holds: the range check refuses the value, its size does not matter.
        return value * int(10 ** min(power, 80))
    divisor = int(10 ** min(-power, 6000))
    magnitude = (2 * abs(value) + divisor) // (2 * divisor)
    return -magnitude if text.startswith("-") else magnitude


def parse_json(of: Operand, to: t.SqlType) -> Operand:
    """JSON text that is well-formed; it is kept as it was written."""
    return rowwise(to, [of], lambda text: (json.loads(text), text)[1])


def parse_bytes(of: Operand, to: t.SqlType) -> Operand:
    """The text's bytes in UTF-8."""
    return from_arrow(to, of.plain.cast(pa.binary()))


def decode_bytes(of: Operand, to: t.SqlType) -> Operand:
    """Bytes as text, which they must be in UTF-8."""
    return rowwise(to, [of], lambda data: data.decode("utf-8"))


def canonical_uuid(text: str) -> str:
    """A UUID in its usual spelling."""
    return str(uuid.UUID(text))


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def _all(of: Operand) -> Mask | None:
    return validity(of.array)


__all__ = [
    "Array", "canonical_uuid", "decode_bytes", "parse_boolean", "parse_bytes", "parse_exact", "parse_float", "parse_json",
    "trimmed",
]  # fmt: skip
