"""What the beginning of a delimited file tells: its header, the number of fields, types of columns nobody declared."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.representation import canonical, from_arrow_type
from tableflow.connectors.filesystem.csv_block import BlockParser, Dialect, parse_text
from tableflow.connectors.filesystem.csv_delimiter import other_delimiter
from tableflow.connectors.filesystem.csv_quotes import check_quotes
from tableflow.connectors.filesystem.encoding import UTF8, decoded, to_utf8
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import (
    BLOCK_BYTES,
    content_start,
    last_record_end,
    read_blocks,
    split_records,
)
from tableflow.errors import ConnectorError
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the records of one file begin, how many fields they have, and the header's names."""

    start: int
    fields: int
    header: tuple[str, ...] | None


def read_layout(file: FileVersion, dialect: Dialect, columns: Sequence[FileColumn] | None) -> Layout:
    """The first record of a file decides; ``columns`` are the table's, None while they are being inferred."""
    start = content_start(file)
    block = next(read_blocks(file, start, min(file.size, start + BLOCK_BYTES), dialect.quote_byte), None)
    record = b"" if block is None else next(split_records(block.data, dialect.quote_byte), b"")
    if not record.strip():
        return Layout(file.size, len(columns or ()), None)
    cells = _cells(file, start, record, dialect)
    names = tuple(cell if cell.strip() else f"column{i}" for i, cell in enumerate(cells))
    if dialect.header != "auto":
        is_header = dialect.header == "true"
    else:
        following = (
            b"" if block is None else to_utf8(file, start + len(record), block.data[len(record) :], dialect.encoding)
        )
        if columns is None:
            is_header = _looks_like_header(cells, _types(following, dialect, len(cells)))
        else:
            is_header = _is_header_of(columns, file, cells, record, following, dialect)
    if is_header:
        return Layout(start + len(record), len(cells), names)
    return Layout(start, len(cells), None)


def _cells(file: FileVersion, offset: int, record: bytes, dialect: Dialect) -> list[str]:
    import csv

    line = decoded(file, offset, record, dialect.encoding).rstrip("\r\n")
    if dialect.quote is None:
        return line.split(dialect.delimiter)
    return next(csv.reader([line], delimiter=dialect.delimiter, quotechar=dialect.quote))


def _looks_like_header(cells: Sequence[str], following: Sequence[pa.DataType]) -> bool:
    """Texts only; where some are empty (an index without a name), a column below must be of another type than its name."""
    data = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells).encode()
    types = _types(data, Dialect(",", '"', "", "false", lenient=False), len(cells))
    present = [i for i, cell in enumerate(cells) if cell.strip()]
    if not present or not all(pa.types.is_string(types[i]) for i in present):
        return False
    plain = (pa.types.is_string, pa.types.is_binary, pa.types.is_null)
    return len(present) == len(cells) or any(not any(test(of) for test in plain) for of in following)


def _types(data: bytes, dialect: Dialect, fields: int) -> Sequence[pa.DataType]:
    """What the fields of some records look like; nothing if they cannot be read or there are none."""
    names = [f"f{i}" for i in range(fields)]
    try:
        types: Sequence[pa.DataType] = parse_text(data, dialect, names, None).schema.types if data.strip() else ()
    except pa.ArrowInvalid:
        return ()
    return types


def _is_header_of(
    columns: Sequence[FileColumn],
    file: FileVersion,
    cells: Sequence[str],
    record: bytes,
    following: bytes,
    dialect: Dialect,
) -> bool:
    """Whether the first record names declared columns; unless they must be found by name, also other names than theirs.

    Where nothing tells names from values the question is asked back: a row must neither be lost nor be made of a header.
    """
    if _names_all(cells, columns):
        return True
    if dialect.columns_by == "name" or len(cells) != len(columns):
        return False
    folded = {column.key[0].strip().lower() for column in columns}
    if any(cell.strip().lower() in folded for cell in cells):
        return True
    below = _types(following, dialect, len(cells))
    if not _looks_like_header(cells, below) or (not following.strip() and not all(cell.strip() for cell in cells)):
        return False
    names = [f"f{i}" for i in range(len(cells))]
    try:
        types = {name: canonical(column.type) for name, column in zip(names, columns, strict=True)}
        parse_text(to_utf8(file, 0, record, dialect.encoding), dialect, names, types)
    except pa.ArrowInvalid:
        return True
    if any(not pa.types.is_string(of) and not pa.types.is_null(of) for of in below):
        return True
    raise ConnectorError(
        f"file {file.path!r}: it is not clear whether its first line is a header",
        detail=f"it is {', '.join(cells)[:200]}; the columns are {', '.join(column.name for column in columns)[:200]}",
        hint="say it: HEADER true skips the line, HEADER false makes it a row",
    )


def _names_all(cells: Sequence[str], columns: Sequence[FileColumn]) -> bool:
    folded = {cell.strip().lower() for cell in cells}
    return all(column.key[0].strip().lower() in folded for column in columns)


def infer_columns(file: FileVersion, dialect: Dialect, layout: Layout) -> tuple[FileColumn, ...]:
    """Names and types from the first four megabytes of a file."""
    if layout.fields == 1 and dialect.sniffed and (other := other_delimiter(file, dialect.quote_byte)):
        raise ConnectorError(
            f"file {file.path!r} has one column, and looks as if {other!r} separated several",
            hint=f"read_csv({file.path!r}, delim = {other!r}) reads them; delim = ',' keeps the one column",
        )
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(layout.start)
        sample = opened.read(BLOCK_BYTES)
    if layout.start + len(sample) < file.size:
        sample = sample[: last_record_end(sample, dialect.quote_byte)]
    names = layout.header or tuple(f"column{i}" for i in range(layout.fields))
    if not sample.strip():
        return tuple(FileColumn(name, t.STRING) for name in names)
    fields = [f"f{i}" for i in range(layout.fields)]
    if not dialect.lenient:
        check_quotes(file, layout.start, sample, dialect.delimiter.encode(), dialect.quote_byte)
    raw, sample = sample, to_utf8(file, layout.start, sample, dialect.encoding)
    try:
        types = parse_text(sample, dialect, fields, None).schema.types
    except pa.ArrowInvalid as error:
        if not dialect.lenient:
            BlockParser(file, dialect, layout.fields, range(layout.fields), [pa.string()] * layout.fields).parse(
                layout.start, raw
            )  # raises with the line's number
            raise ConnectorError(f"file {file.path!r} could not be read", detail=str(error)) from error
        types = [pa.string()] * layout.fields
    if dialect.encoding == UTF8 and any(pa.types.is_binary(of) for of in types):
        decoded(file, layout.start, sample, UTF8)  # raises: what is not text is not what somebody wanted as bytes
    found = [inferred_type(of) for of in types]
    reals = [i for i, of in enumerate(found) if of == t.DOUBLE]
    if reals:
        texts = parse_text(sample, dialect, fields, {fields[i]: pa.string() for i in reals})
        for i in reals:
            found[i] = _exact(texts.column(fields[i]))
    return tuple(FileColumn(name, of) for name, of in zip(names, found, strict=True))


def _exact(texts: pa.ChunkedArray) -> t.SqlType:
    """What is read as DOUBLE only because it is too large for BIGINT: a DECIMAL if its digits do, else text."""
    present = texts.drop_null()
    if not pc.all(pc.match_substring_regex(present, r"^\s*[+-]?\d+\s*$")).as_py():
        return t.DOUBLE
    return whole_number_type(
        pc.max(pc.utf8_length(pc.utf8_ltrim(pc.utf8_trim_whitespace(present), "+-0"))).as_py() or 1
    )


def whole_number_type(digits: int) -> t.SqlType:
    """The type of whole numbers beyond BIGINT, which keeps all their digits."""
    return t.DecimalType(t.MAX_DECIMAL_PRECISION, 0) if digits <= t.MAX_DECIMAL_PRECISION else t.STRING


def inferred_type(of: pa.DataType) -> t.SqlType:
    """What a type inferred from text means: times get the usual precision, nothing but NULLs is text."""
    found = from_arrow_type(of)
    match found:
        case t.NullType():
            return t.STRING
        case t.TimestampType(zoned=zoned):
            return t.TIMESTAMP_LTZ if zoned else t.TIMESTAMP
        case t.TimeType():
            return t.TIME
        case _:
            return found
