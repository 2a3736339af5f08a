"""Quotes in delimited text: one that is never closed swallows what follows, so it is found before anything is parsed.

A quote at the beginning of a field opens it; the next one that is not doubled closes it, and a delimiter or a line end has
to follow.  Elsewhere a quote is a character like others.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of
from tableflow.errors import ConnectorError

_LINE_END = (b"\n", b"\r", b"")


@lru_cache(maxsize=16)
def _whole_fields(delimiter: bytes, quote: bytes) -> re.Pattern[bytes]:
    """Quoted fields that are as they should be."""
    d, q = re.escape(delimiter), re.escape(quote)
    return re.compile(rb"(?:^|(?<=[\n\r])|(?<=" + d + rb"))" + q + rb"[^" + q + rb"]*(?:" + q + q + rb"[^" + q + rb"]*)*" + q
                      + rb"(?=" + d + rb"|[\r\n]|\Z)")  # fmt: skip


def check_quotes(file: FileVersion, offset: int, data: bytes, delimiter: bytes, quote: bytes | None) -> None:
    """Raises :class:`ConnectorError` for a quote in a block of whole records that is not closed as it has to be."""
    if quote is None or quote not in data or quote not in _whole_fields(delimiter, quote).sub(b"", data):
        return
    at = data.find(quote)
    while at >= 0:
        if at and data[at - 1 : at] not in (delimiter, b"\n", b"\r"):
            at = data.find(quote, at + 1)
            continue
        end = _closing(data, at + 1, quote)
        if end < 0 or data[end + 1 : end + 2] not in (delimiter, *_LINE_END):
            raise _unclosed(file, offset + at, None if end < 0 else offset + end)
        at = data.find(quote, end + 1)


def _closing(data: bytes, at: int, quote: bytes) -> int:
    while (end := data.find(quote, at)) >= 0 and data[end + 1 : end + 2] == quote:
        at = end + 2
    return end


def _unclosed(file: FileVersion, opened: int, closed: int | None) -> ConnectorError:
    detail = "the file ends inside of it"
    if closed is not None:
        detail = f"the next quote, on line {line_of(file, closed)}, ends no field: other text follows it"
    return ConnectorError(
        f"file {file.path!r}, line {line_of(file, opened)}: a quote that opens here is not closed",
        detail=detail,
        hint="a quote inside of a quoted field is doubled; option quote = '' ('csv.disable-quote-character' in WITH) reads "
        "quotes as text",
    )
