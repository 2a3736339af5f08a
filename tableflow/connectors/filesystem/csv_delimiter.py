"""Delimiters that a file seems to have when it was read with another one: asked only to give a hint."""

from __future__ import annotations

from itertools import islice

from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import content_start, read_blocks, split_records

_CANDIDATES = (b";", b"\t", b"|", b",")
_BYTES, _RECORDS = 1 << 16, 20


def other_delimiter(file: FileVersion, quote: bytes | None, than: str = "") -> str | None:
    """What stands equally often in all of the first records of a file, outside of quotes; None if nothing does."""
    start = content_start(file)
    block = next(read_blocks(file, start, min(file.size, start + _BYTES), quote), None)
    if block is None:
        return None
    records = [record for record in islice(split_records(block.data, quote), _RECORDS) if record.strip()]
    if len(records) == _RECORDS or block.offset + len(block.data) < file.size:
        records = records[:-1] or records  # the last one may be cut
    for candidate in _CANDIDATES:
        counts = {_count(record, candidate, quote) for record in records}
        if candidate.decode() != than and len(counts) == 1 and counts != {0}:
            return candidate.decode()
    return None


def _count(record: bytes, delimiter: bytes, quote: bytes | None) -> int:
    outside = record.split(quote)[::2] if quote is not None else [record]
    return sum(part.count(delimiter) for part in outside)
