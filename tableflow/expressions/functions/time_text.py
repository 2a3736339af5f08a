"""Times as text: ``strftime`` with the percent codes of C, ``date_format`` with the letters of Java and of Flink.

A pattern is cut into pieces once.  Values that do not differ in what the pattern shows have one text, so the result is a
dictionary, and grouping by a day's text costs little more than grouping by a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.errors import BindError
from tableflow.expressions.casting import exact
from tableflow.expressions.casting.calendar import per_second
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding, Function, Kernel, accept
from tableflow.expressions.nodes import Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, from_arrow, numbers
from tableflow.records import dataclass

_FEW = 64
"""Texts that are written though no value may have them."""
_ROWS_OF_TEXT = 8
"""From so many rows for each text on they are a dictionary."""
_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86400

_CODES = {
    "Y": _DAY, "y": _DAY, "m": _DAY, "d": _DAY, "e": _DAY, "j": _DAY, "a": _DAY, "A": _DAY, "b": _DAY, "B": _DAY, "u": _DAY,
    "w": _DAY, "U": _DAY, "W": _DAY, "V": _DAY, "G": _DAY, "F": _DAY, "D": _DAY, "H": _HOUR, "I": _HOUR, "p": _HOUR, "M": _MINUTE,
    "R": _MINUTE, "S": _SECOND, "T": _SECOND,
}  # fmt: skip
"""Percent codes, and the seconds within which they show the same."""

_LETTERS = {
    "yyyy": "Y", "uuuu": "Y", "yy": "y", "uu": "y", "MMMM": "B", "MMM": "b", "MM": "m", "dd": "d", "DDD": "j", "EEEE": "A", "EEE": "a",
    "E": "a", "HH": "H", "hh": "I", "mm": "M", "ss": "S", "a": "p",
}  # fmt: skip
_UNPADDED = {"M": "m", "d": "d", "D": "j", "H": "H", "h": "I", "m": "M", "s": "S"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some codes (``text`` for Arrow), or the first ``digits`` digits of the second's fraction."""

    text: str
    seconds: int = _DAY
    digits: int = 0
    unpadded: bool = False


@lru_cache(maxsize=256)
def _percent(pattern: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    place = 0
    while place < len(pattern):
        if pattern[place] != "%":
            pieces.append(_Piece(pattern[place]))
            place += 1
            continue
        code = pattern[place + 1 : place + 2]
        unpadded = code == "-"
        if unpadded:
            code = pattern[place + 2 : place + 3]
        place += 3 if unpadded else 2
        if code == "%":
            pieces.append(_Piece("%%"))
        elif code in {"f", "g", "n"}:
            pieces.append(_Piece("", 0, {"f": 6, "g": 3, "n": 9}[code]))
        elif code in _CODES:
            pieces.append(_Piece(f"%{code}", _CODES[code], unpadded=unpadded))
        else:
            raise ValueError(
                f"%{code} has no meaning in it; it has %Y %m %d %H %M %S %f %j %a %b and others of C's codes"
            )
    return _joined(pieces)


@lru_cache(maxsize=256)
def _letters(pattern: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    quoted = False
    for letter, run in groupby(pattern):
        text = "".join(run)
        if letter == "'":
            pairs, odd = divmod(len(text), 2)
            pieces.append(_Piece("'" * pairs))
            quoted ^= bool(odd)
        elif quoted or not (letter.isascii() and letter.isalpha()):
            pieces.append(_Piece(text.replace("%", "%%")))
        elif letter in "SN" and len(text) <= 9:
            pieces.append(_Piece("", 0, len(text)))
        elif text in _LETTERS:
            pieces.append(_Piece(f"%{_LETTERS[text]}", _CODES[_LETTERS[text]]))
        elif text in _UNPADDED:
            pieces.append(_Piece(f"%{_UNPADDED[text]}", _CODES[_UNPADDED[text]], unpadded=True))
        else:
            raise ValueError(
                f"{text} has no meaning in it; it has yyyy MM dd HH mm ss SSS, MMM, EEE, hh, a, DDD; text stands in quotes"
            )
    if quoted:
        raise ValueError("a quote is not closed")
    return _joined(pieces)


def _joined(pieces: Sequence[_Piece]) -> tuple[_Piece, ...]:
    """Neighbours that Arrow can write at once."""
    found: list[_Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and not (piece.digits or piece.unpadded or last.digits or last.unpadded):
            found[-1] = _Piece(last.text + piece.text, min(last.seconds, piece.seconds))
        else:
            found.append(piece)
    return tuple(found)


def _written(values: Array, unit: int, pieces: Sequence[_Piece]) -> tuple[pa.Array, Array]:
    """The texts of moments in units of a second's part, and which of them each has."""
    shown = min((piece.seconds for piece in pieces), default=_DAY)
    distinct, codes = _distinct(values // (unit * shown) if shown else values)
    seconds = distinct * shown if shown else distinct // unit
    parts = [_fraction(distinct, unit, piece) if piece.digits else _text(seconds, piece) for piece in pieces]
    texts = (
        parts[0]
        if len(parts) == 1
        else pc.binary_join_element_wise(*parts, "")
        if parts
        else pa.array([""] * len(distinct))
    )
    return texts.cast(pa.string()), codes


def _coded(texts: pa.Array, codes: Array, valid: Mask | None) -> pa.Array:
    """Texts as a dictionary, where these are few: different moments may have one text, so that it is not there twice."""
    distinct = texts.dictionary_encode()
    codes = distinct.indices.to_numpy()[codes]
    indices = pa.array(codes, pa.int32(), mask=None if valid is None else ~valid)
    return pa.DictionaryArray.from_arrays(indices, distinct.dictionary)


def _distinct(values: Array) -> tuple[Array, Array]:
    """Numbers of which all values are some, ascending, and where each value is among them."""
    low, high = exact.extremes(values)
    if high - low < max(_FEW, len(values) // 8):  # near each other: some that do not occur are cheaper than to sort
        return np.arange(low, high + 1), values - low
    distinct, codes = np.unique(values, return_inverse=True)
    return distinct, codes


def _fraction(moments: Array, unit: int, piece: _Piece) -> pa.Array:
    # from the right number of digits to those that are wanted, cut and not rounded
    fraction = moments % unit * (1_000_000_000 // unit) // 10 ** (9 - piece.digits)
    return pc.utf8_lpad(pa.array(fraction).cast(pa.string()), piece.digits, "0")


def _text(seconds: Array, piece: _Piece) -> pa.Array:
    text = pc.strftime(pa.array(seconds).cast(pa.timestamp("s")), piece.text)
    return pc.if_else(pc.equal(text, "00"), "0", pc.utf8_ltrim(text, "0")) if piece.unpadded else text


def _kernel(read: Callable[[str], tuple[_Piece, ...]]) -> Kernel:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        moment, pattern = args
        days = isinstance(moment.type, t.DateType)
        values = numbers(moment) * (_DAY if days else 1)
        texts, codes = _written(values, 1 if days else per_second(moment.type), read(pattern.value or ""))
        if len(texts) * _ROWS_OF_TEXT <= len(codes):
            return Operand(to, _coded(texts, codes, moment.valid))
        rows = pa.array(codes, mask=None if moment.valid is None else ~moment.valid)
        return from_arrow(to, texts.take(rows))

    return kernel


def _rule(read: Callable[[str], tuple[_Piece, ...]]) -> Callable[[Sequence[Expression]], Binding | None]:
    def rule(args: Sequence[Expression]) -> Binding | None:
        if len(args) != 2:
            return None
        value, pattern = args
        if isinstance(value.type, t.NullType):
            value = cast(value, t.TIMESTAMP)
        text = accept(pattern, t.STRING)
        if text is None or not isinstance(value.type, (t.DateType, t.TimestampType)):
            return None
        if not isinstance(text, Literal):
            raise BindError("the pattern of a time's text is a constant", span=getattr(pattern, "span", None))
        if text.value is not None:
            try:
                read(text.value)
            except ValueError as error:
                raise BindError(
                    f"the pattern {text.value!r} cannot be used", detail=str(error), span=getattr(pattern, "span", None)
                ) from None
        return Binding((value, text), t.STRING)

    return rule


FUNCTIONS = (
    Function(
        "strftime", "strftime(value, pattern)", "A date or timestamp as text, by C's codes; %f are microseconds, %g milliseconds, "
        "%-d is a number without zeros before it.", ("strftime(DATE '1995-03-05', '%-d %B %Y')", "5 March 1995"), "dates",
        rule=_rule(_percent), kernel=_kernel(_percent),
    ),
    Function(
        "date_format", "date_format(value, pattern)", "A date or timestamp as text, by Java's letters, as in Flink.",
        ("date_format(TIMESTAMP '1995-03-15 10:20:30', 'yyyy/MM/dd HH:mm')", "1995/03/15 10:20"), "dates",
        rule=_rule(_letters), kernel=_kernel(_letters),
    ),
)  # fmt: skip
