"""A file is read as the table is now: columns added, dropped, renamed and widened since it was written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.representation import canonical, widen
from tableflow.storage.data_file import FileOptions
from tableflow.storage.description import KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.distinct import estimate
from tableflow.storage.file_reader import DataFileReader
from tableflow.storage.file_writer import DataFileWriter
from tableflow.storage.key_index import StoredKeyIndex
from tableflow.storage.zones import Zone
from tests.storage.file_columns import Files


def reader_of(of: t.SqlType, values: list[Any], chunk_rows: int = 100, keys: bool = False) -> DataFileReader:
    table = TableDescription((StoredColumn(0, "a", of),), (KeyConstraint("k", (0,)),) if keys else ())
    files = Files()
    writer = DataFileWriter(files, "t/f", table, FileOptions(chunk_rows=chunk_rows))
    writer.write([Column(of, pa.array(values, canonical(of)))], len(values))
    return DataFileReader.open(files, writer.finish())


D = Decimal
WIDER = [
    (t.TINYINT, t.BIGINT, [1, None, -7], [1, None, -7], (-7, 1)),
    (t.INT, t.DecimalType(12, 2), [1, None, -7], [D("1.00"), None, D("-7.00")], (-700, 100)),
    (t.INT, t.DOUBLE, [1, None, -7], [1.0, None, -7.0], (-7.0, 1.0)),
    (t.DecimalType(9, 2), t.DecimalType(30, 2), [D("1.25"), None], [D("1.25"), None], (125, 125)),
    (t.DecimalType(30, 2), t.DecimalType(38, 2), [D(10**27), None], [D(10**27), None], (10**29, 10**29)),
    (t.DecimalType(9, 2), t.DecimalType(12, 4), [D("1.25"), None], [D("1.2500"), None], (12500, 12500)),
    (t.FLOAT, t.DOUBLE, [0.5, None, 2.0], [0.5, None, 2.0], (0.5, 2.0)),
    (t.StringType(5), t.STRING, ["x", None, "y"], ["x", None, "y"], ("x", "y")),
    (t.StringType(5), t.StringType(9), ["x", None, "y"], ["x", None, "y"], ("x", "y")),
    (t.DATE, t.TIMESTAMP, [1, None], [86_400_000_000, None], (86_400_000_000, 86_400_000_000)),
    (t.TimestampType(3), t.TimestampType(6), [7, None], [7, None], (7, 7)),
    (t.TimestampType(6), t.TimestampType(9), [7, None], [7000, None], (7000, 7000)),
    (t.ArrayType(t.INT), t.ArrayType(t.BIGINT), [[1], None], [[1], None], (None, None)),
]


@pytest.mark.parametrize(("of", "now", "values", "expected", "bounds"), WIDER, ids=lambda v: str(v)[:24])
def test_a_wider_type(of: t.SqlType, now: t.SqlType, values: Any, expected: Any, bounds: Any) -> None:
    reader = reader_of(of, values)
    column = StoredColumn(0, "renamed", now)
    (read,) = reader.read(0, [column])
    assert read.type == now
    array = widen(read).array
    array.validate(full=True)
    if isinstance(now, t.TimestampType):
        array = array.cast(pa.int64())
    assert array.to_pylist() == expected
    assert reader.zone(0, column) == Zone(*bounds, 1, len(values))
    assert reader.statistics(column).zone == Zone(*bounds, 1, len(values))


@pytest.mark.parametrize(
    ("of", "value", "expected", "bound"),
    [
        (t.BIGINT, 5, 5, 5),
        (t.BIGINT, None, None, None),
        (t.STRING, "new", "new", "new"),
        (t.BYTES, b"new", b"new", b"new"),
        (t.DecimalType(9, 2), 125, D("1.25"), 125),
        (t.DOUBLE, float("inf"), float("inf"), float("inf")),
        (t.DATE, 0, pa.scalar(0, pa.date32()).as_py(), 0),
        (t.BOOLEAN, False, False, False),
        (t.ArrayType(t.INT), (1, None), [1, None], None),
        (t.RowType((t.RowField("a", t.INT),)), None, None, None),
    ],
    ids=str,
)
def test_a_column_added_since(of: t.SqlType, value: Any, expected: Any, bound: Any) -> None:
    reader = reader_of(t.INT, [1, 2, 3], chunk_rows=2)
    added = StoredColumn(1, "b", of, initial=value)
    for chunk, rows in enumerate(reader.chunks):
        read, old = reader.read(chunk, [added, StoredColumn(0, "a", t.INT)])
        assert (len(read), len(old), read.type) == (rows, rows, of)
        assert widen(read).array.to_pylist() == [expected] * rows
        assert reader.zone(chunk, added) == Zone(bound, bound, rows if value is None else 0, rows)
    assert reader.read(0, [added])[0].array.to_pylist() == [expected] * 2
    assert reader.statistics(added).zone.rows == 3
    assert reader.chunk_bytes(0, [added]) == 0


def test_a_key_of_another_type_is_hashed_anew() -> None:
    reader = reader_of(t.INT, [5, None, 7, 5], keys=True)
    for now, value in ((t.INT, 5), (t.BIGINT, 5), (t.DecimalType(12, 2), D(5)), (t.DOUBLE, 5.0)):
        probe = hash_rows([Column(now, pa.array([value], canonical(now)))])
        fresh = reader_of(t.INT, [5, None, 7, 5]).key_index([StoredColumn(0, "a", now)])
        assert [part.tolist() for part in fresh.find(probe)] == [[0, 0], [0, 3]]
        index = reader.key_index([StoredColumn(0, "a", now)])
        assert isinstance(index, StoredKeyIndex) == (now in {t.INT, t.BIGINT})
        assert [part.tolist() for part in index.find(probe)] == [[0, 0], [0, 3]]


def test_a_key_that_came_later() -> None:
    table = TableDescription((StoredColumn(0, "a", t.INT), StoredColumn(1, "b", t.STRING)))
    files = Files()
    writer = DataFileWriter(files, "t/f", table, FileOptions(chunk_rows=2))
    columns = [Column(t.INT, pa.array([1, 2, 3, 1])), Column(t.STRING, pa.array(["x", None, "x", "x"]))]
    writer.write(columns, 4)
    reader = DataFileReader.open(files, writer.finish())
    index = reader.key_index([table.columns[1], table.columns[0]])
    assert index is reader.key_index([table.columns[1], table.columns[0]])
    probes = hash_rows(columns[::-1])
    assert [part.tolist() for part in index.find(probes)] == [[0, 0, 2, 3, 3], [0, 3, 2, 0, 3]]
    assert len(reader.key_index([table.columns[0], StoredColumn(9, "new", t.INT)])) == 0


def test_sketches_of_a_type_that_hashes_otherwise_are_not_given() -> None:
    reader = reader_of(t.INT, list(range(500)))
    kept = reader.statistics(StoredColumn(0, "a", t.BIGINT)).sketch
    assert kept is not None
    assert estimate(kept) == 500
    assert reader.statistics(StoredColumn(0, "a", t.DecimalType(12, 2))).sketch is None


def test_long_text_has_short_bounds() -> None:
    texts = ["\U0010ffff" * 100, "a" * 1000, "b" + "\ud7ff" * 80]
    zone = reader_of(t.STRING, texts[1:]).zone(0, StoredColumn(0, "a", t.STRING))
    assert zone.minimum == "a" * 64
    assert zone.maximum == "b" + "\ud7ff" * 62 + "\ue000"
    assert zone.maximum > texts[2]
    assert reader_of(t.STRING, texts).zone(0, StoredColumn(0, "a", t.STRING)).maximum is None
    zone = reader_of(t.BYTES, [b"\x01" * 99, b"\x02" + b"\xff" * 99]).zone(0, StoredColumn(0, "a", t.BYTES))
    assert (zone.minimum, zone.maximum) == (b"\x01" * 64, b"\x03")


def test_a_nan_leaves_no_upper_bound() -> None:
    column = StoredColumn(0, "a", t.DOUBLE)
    reader = reader_of(t.DOUBLE, [1.0, float("nan"), 2.0, 3.0, float("nan"), float("nan"), None, None], chunk_rows=2)
    zones = [reader.zone(chunk, column) for chunk in range(4)]
    assert [(zone.minimum, zone.maximum) for zone in zones] == [(1.0, None), (2.0, 3.0), (None, None), (None, None)]
    assert reader.statistics(column).zone == Zone(None, None, 2, 8)
    assert np.isnan(reader.read(2, [column])[0].array.to_numpy()).all()
