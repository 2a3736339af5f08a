"""The JSON format: one object per line, or one array of objects.

Lines are decoded in blocks, into the columns that are read and nothing else, see :mod:`json_block`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from tableflow.connectors.filesystem.declared_columns import check_columns
from tableflow.connectors.filesystem.encoding import check_utf8
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Reading
from tableflow.connectors.filesystem.json_block import JsonParser
from tableflow.connectors.filesystem.json_sample import infer_columns, is_array, is_object, read_sample
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import Block, content_start, read_blocks, record_starts
from tableflow.connectors.filesystem.text_rows import Rows
from tableflow.connectors.reading import Chunk
from tableflow.errors import ConnectorError
from tableflow.runtime.source import Split

SPLIT_BYTES = 16 << 20


class JsonFormat(Format):
    """See the module."""

    name = "json"
    follows = True

    def first_record(self, scan: FileScan, file: FileVersion) -> int:
        """Behind a byte order mark; one array of objects cannot grow."""
        if is_array(file):
            raise ConnectorError(
                f"file {file.path!r} is one array", hint="a file that is followed has one object per line"
            )
        return content_start(file)

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """Names and types from the first four megabytes of the first file that has rows."""
        for file in files:
            sample = read_sample(file)
            check_utf8(file, content_start(file), sample)
            if options.get("json.ignore-parse-errors"):
                sample = b"".join(line for line in sample.splitlines(keepends=True) if is_object(line))
            if sample.strip():
                return infer_columns(file, sample)
        raise ConnectorError(f"file {files[0].path!r} has no rows to infer columns from", hint="declare the columns")

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Every type but INTERVAL can be declared."""
        check_columns(columns, self.name)
        return columns

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """Ranges of about 16 MB of each file; a file that is one array is one split."""
        for number, file in enumerate(scan.files):
            start = content_start(file)
            if start >= file.size:
                continue
            starts = iter([start]) if is_array(file) else record_starts(file, start, SPLIT_BYTES, None)
            for one, end in pairwise(chain(starts, [file.size])):
                yield Split(f"{file.path}+{one}", [number, one, end])

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Rows of one range; the resume token is (offset of the block, rows of it delivered)."""
        number, start, end = split.definition
        file = scan.files[number]
        file.check()
        parser = JsonParser(file, scan.read_columns, dict(scan.options), representation)
        at, skip = (start, 0) if offset is None else offset
        if is_array(file):
            blocks = iter([(start, parser.parse_array(start))])
        else:
            blocks = ((b.offset, _parsed(file, parser, b)) for b in read_blocks(file, at, end, None))
        for block_offset, rows in blocks:
            done, skip = skip, 0
            for part in rows.slices(done, batch_rows):
                done += part.length
                yield Chunk(part.columns, part.length, [block_offset, done])


def _parsed(file: FileVersion, parser: JsonParser, block: Block) -> Rows:
    check_utf8(file, block.offset, block.view)
    return parser.parse(block.offset, block.view)
