"""What the beginning of a file of JSON tells: whether it is one array, names and types of columns nobody declared."""

from __future__ import annotations

import json as std_json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.connectors.filesystem.csv_layout import inferred_type, whole_number_type
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.json_block import JsonParser
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import BLOCK_BYTES, content_start, last_record_end
from tableflow.connectors.storage import NATURAL
from tableflow.errors import ConnectorError
from tableflow.records import replace

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ZONED = re.compile(r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$")


def is_array(file: FileVersion) -> bool:
    """Whether a file's first character is an opening bracket."""
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(content_start(file))
        while data := opened.read(4096):
            if data.strip():
                return data.lstrip()[:1] == b"["
    return False


def read_sample(file: FileVersion) -> bytes:
    """Lines from the beginning of a file; an array is written as lines."""
    start = content_start(file)
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(start)
        if not is_array(file):
            data = opened.read(BLOCK_BYTES)
            return data if start + len(data) >= file.size else data[: last_record_end(data, None)]
        try:
            objects = std_json.load(opened)
        except ValueError as error:
            raise ConnectorError(f"file {file.path!r} is not valid JSON", detail=str(error)) from None
        return b"\n".join(std_json.dumps(one).encode() for one in objects[:10_000])


def is_object(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(std_json.loads(line), dict)
    except ValueError:
        return False


def infer_columns(file: FileVersion, sample: bytes) -> tuple[FileColumn, ...]:
    """The columns of a sample of lines."""
    try:
        table = pa_json.read_json(
            pa.BufferReader(sample), pa_json.ReadOptions(use_threads=False, block_size=len(sample) + 1)
        )
    except pa.ArrowInvalid as error:
        if not is_array(file):
            JsonParser(file, (), {}, NATURAL).parse(content_start(file), sample)  # raises with the line's number
        text = " ".join(str(error).split()).removeprefix("JSON parse error: ")
        raise ConnectorError(
            f"columns of file {file.path!r} could not be inferred", detail=text, hint="declare the table's columns"
        ) from None
    types = {field.name: inferred_type(field.type) for field in table.schema}
    large = [name for name, of in types.items() if of == t.DOUBLE and _may_be_whole(table.column(name))]
    timed = [name for name, of in types.items() if _has_times(of)]
    rows = _objects(sample) if large or timed else []
    for name in large:
        values = [row[name] for row in rows if row.get(name) is not None]
        if all(isinstance(value, int) for value in values):
            types[name] = whole_number_type(max(len(str(abs(value))) for value in values))
    for name in timed:
        types[name] = _with_zones(types[name], [row.get(name) for row in rows])
    return tuple(FileColumn(name, of) for name, of in types.items())


def _has_times(of: t.SqlType) -> bool:
    match of:
        case t.TimestampType():
            return True
        case t.ArrayType(element=element):
            return _has_times(element)
        case t.RowType(fields=fields):
            return any(_has_times(field.type) for field in fields)
    return False


def _with_zones(of: t.SqlType, values: Sequence[Any]) -> t.SqlType:
    """The type with what its texts say of times: pyarrow takes dates, and times with an offset, for times without."""
    match of:
        case t.TimestampType():
            texts = [value for value in values if isinstance(value, str)]
            if all(map(_DATE.fullmatch, texts)):
                return t.DATE
            zoned = {_ZONED.search(text) is not None for text in texts}
            return t.STRING if len(zoned) > 1 else replace(of, zoned=True in zoned)
        case t.ArrayType(element=element):
            inner = [each for value in values if isinstance(value, list) for each in value]
            return replace(of, element=_with_zones(element, inner))
        case t.RowType(fields=fields):
            rows = [value for value in values if isinstance(value, dict)]
            return t.RowType(
                tuple(
                    replace(field, type=_with_zones(field.type, [row.get(field.name) for row in rows]))
                    for field in fields
                )
            )
    return of


def _objects(sample: bytes) -> list[dict[str, Any]]:
    """The objects of a sample with their numbers as they are written; pyarrow has read them before."""
    decoder, text, at = std_json.JSONDecoder(parse_float=Decimal), sample.decode(), 0
    found: list[dict[str, Any]] = []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def _may_be_whole(column: pa.ChunkedArray) -> bool:
    """Whether numbers may be integers that are DOUBLE only because BIGINT does not hold them."""
    whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
    return bool(whole) and pc.max(pc.abs(column)).as_py() >= 2.0**63
