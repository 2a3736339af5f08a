"""Files of rows: what is written comes back, as values, whatever the representation."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen
from tableflow.storage import column_buffer, file_writer
from tableflow.storage.data_file import DataFile, FileOptions
from tableflow.storage.description import KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.distinct import estimate
from tableflow.storage.file_reader import DataFileReader
from tableflow.storage.file_writer import DataFileWriter
from tableflow.storage.zones import Zone
from tests.kernels import columns as made
from tests.storage.file_columns import Files

MAP = t.MapType(t.STRING, t.INT)
ROW = t.RowType((t.RowField("a", t.BIGINT), t.RowField("b", t.ArrayType(t.STRING))))
EXACT = decimal.Context(prec=40)
FULL, FRACTION, FIXED = t.DecimalType(38, 0), t.DecimalType(38, 38), t.StringType(9, fixed=True)
NANOSECONDS, NANOTIME = t.TimestampType(9, zoned=True), t.TimeType(9)
MORE: dict[t.SqlType, st.SearchStrategy[Any]] = {
    t.SMALLINT: st.integers(-(2**15), 2**15 - 1),
    FULL: st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal),
    FRACTION: st.integers(-(10**38) + 1, 10**38 - 1).map(lambda i: Decimal(i).scaleb(-38, EXACT)),
    FIXED: st.text("ab ", max_size=9).map(lambda text: text.ljust(9)),
    t.JSON: st.sampled_from(['{"a":1}', "[]", "null"]),
    NANOSECONDS: st.integers(-(2**63) + 1, 2**63 - 1),
    NANOTIME: st.integers(0, 86_400 * 10**9 - 1),
    MAP: st.dictionaries(made.TEXTS, st.none() | st.integers(-5, 5), max_size=3).map(lambda d: list(d.items())),
    ROW: st.fixed_dictionaries(
        {"a": st.none() | st.integers(-9, 9), "b": st.none() | st.lists(st.none() | made.TEXTS, max_size=2)}
    ),
}
TYPES = [*made.VALUES, *MORE]


@st.composite
def parts(draw: Any, of: t.SqlType) -> list[Column]:
    """What several writes of one column give."""
    result = []
    for size in draw(st.lists(st.sampled_from([0, 1, 2, 7, 30]), min_size=1, max_size=4)):
        if of in MORE:
            one = st.none() | MORE[of]
            values = draw(st.lists(one, min_size=size, max_size=size) | one.map(lambda v, n=size: [v] * n))
            array = pa.array(values, canonical(of))
            start = draw(st.integers(0, size))
            result.append(Column(of, array.slice(start)))
        else:
            result.append(draw(made.columns(of, draw(made.values_of(of, size)))))
    return result


def description(*types: t.SqlType, keys: tuple[KeyConstraint, ...] = (), first: int = 3) -> TableDescription:
    stored = tuple(StoredColumn(first + i, f"name {i}", of) for i, of in enumerate(types))
    return TableDescription(stored, keys, next_column=first + len(types))


def write(files: Files, of: TableDescription, batches: list[list[Column]], **options: Any) -> DataFile:
    writer = DataFileWriter(files, "t/f", of, FileOptions(**options))
    for columns in batches:
        writer.write(columns, len(columns[0]))
    return writer.finish()


def comparable(column: Column) -> list[Any]:
    """Values that are equal when they are the same value, -0.0 and 0.0 told apart."""
    array = widen(column).array
    if pa.types.is_timestamp(array.type) or pa.types.is_time(array.type):
        array = array.cast(pa.int64())
    return [
        ("NaN" if math.isnan(v) else (v, math.copysign(1, v))) if isinstance(v, float) else v for v in array.to_pylist()
    ]


def everything(reader: DataFileReader, columns: tuple[StoredColumn, ...]) -> list[list[Any]]:
    read = [reader.read(chunk, columns) for chunk in range(len(reader.chunks))]
    for rows, chunk in zip(reader.chunks, read, strict=True):
        assert [len(column) for column in chunk] == [rows] * len(columns)
        for column in chunk:
            column.array.validate(full=True)
    return [[v for chunk in read for v in comparable(chunk[i])] for i in range(len(columns))]


@pytest.mark.parametrize("of", TYPES, ids=str)
@given(data=st.data())
@settings(max_examples=30)
def test_values_come_back(of: t.SqlType, data: st.DataObject) -> None:
    written = data.draw(parts(of))
    rows = data.draw(st.sampled_from([1, 3, 8, 1000]))
    compression = data.draw(st.sampled_from(["none", "lz4", "zstd"]))
    table, files = description(of), Files()
    file = write(files, table, [[column] for column in written], chunk_rows=rows, compression=compression)
    reader = DataFileReader.open(files, file)
    expected = [v for column in written for v in comparable(column)]
    assert everything(reader, table.columns) == [expected]
    assert (file.rows, sum(reader.chunks)) == (len(expected), len(expected))
    assert all(chunk == rows for chunk in reader.chunks[:-1])
    assert set(files.synced) == set(files.content) == set(file.names)
    reader.verify()
    for chunk in range(len(reader.chunks)):
        zone = reader.zone(chunk, table.columns[0])
        values = expected[sum(reader.chunks[:chunk]) :][: reader.chunks[chunk]]
        assert (zone.nulls, zone.rows) == (values.count(None), len(values))
        check_bounds(of, reader.read(chunk, table.columns)[0], zone.minimum, zone.maximum)


def check_bounds(of: t.SqlType, column: Column, low: Any, high: Any) -> None:
    from tableflow.expressions.literals import storage_values
    from tableflow.expressions.operand import Operand

    values = [v for v in storage_values(Operand(of, column.array)) if v is not None]
    numbers = [v for v in values if v == v]
    assert low is None or all(low <= v for v in numbers)
    assert high is None or (all(v <= high for v in values) and len(values) == len(numbers))
    if values == numbers and values and not isinstance(values[0], tuple) and of is not t.JSON:
        assert low is not None
        assert high is not None


def test_several_columns_are_told_apart_by_id() -> None:
    table = description(t.STRING, t.INT, t.STRING, t.BYTES, t.DecimalType(9, 2))
    batch = [
        Column(t.STRING, pa.array(["x", "y"] * 50)),
        Column(t.INT, pa.array(range(100), pa.int32())),
        Column(t.STRING, pa.array([str(i) for i in range(100)])),
        Column(t.BYTES, pa.array([b"p", b"q", b"p", b"p"] * 25)),
        Column(t.DecimalType(9, 2), pa.array([Decimal("1.25")] * 100, pa.decimal128(9, 2))),
    ]
    files = Files()
    reader = DataFileReader.open(files, write(files, table, [batch], chunk_rows=33))
    assert everything(reader, table.columns) == [comparable(column) for column in batch]
    assert everything(reader, (table.columns[3], table.columns[1])) == [comparable(batch[3]), comparable(batch[1])]
    stored = [column.array.type for column in reader.read(0, table.columns)]
    assert stored == [
        pa.dictionary(pa.int8(), pa.string()),
        pa.int8(),
        pa.string(),
        pa.dictionary(pa.int8(), pa.binary()),
        pa.int8(),
    ]


def test_a_file_has_one_width_for_all_chunks() -> None:
    table, files = description(t.BIGINT), Files()
    parts = [pa.array([1, 2, None]), pa.array([300, None, 4]), pa.array([2**40, 5, 6])]
    batches = [[Column(t.BIGINT, part)] for part in parts]
    reader = DataFileReader.open(files, write(files, table, batches[:2], chunk_rows=3))
    assert {reader.read(chunk, table.columns)[0].array.type for chunk in (0, 1)} == {pa.int16()}
    reader = DataFileReader.open(files, write(files, table, batches, chunk_rows=3))
    assert {reader.read(chunk, table.columns)[0].array.type for chunk in (0, 1, 2)} == {pa.int64()}
    assert everything(reader, table.columns) == [[1, 2, None, 300, None, 4, 2**40, 5, 6]]


def test_reading_copies_nothing() -> None:
    table, files = description(t.BIGINT, t.STRING), Files()
    batch = [Column(t.BIGINT, pa.array(range(5000))), Column(t.STRING, pa.array([f"text {i}" for i in range(5000)]))]
    file = write(files, table, [batch])
    mapped = pa.py_buffer(bytes(files.content[file.data_name]))
    files.map = lambda name: mapped  # type: ignore[method-assign]
    reader = DataFileReader.open(files, file)
    for column in reader.read(0, table.columns):
        for buffer in column.array.buffers():
            assert buffer is None or mapped.address <= buffer.address < mapped.address + mapped.size


def test_an_empty_file() -> None:
    table, files = description(t.BIGINT, t.STRING, keys=(KeyConstraint("k", (3,)),)), Files()
    file = write(files, table, [])
    reader = DataFileReader.open(files, file)
    assert (file.rows, reader.chunks, len(reader.key_index(table.columns[:1]))) == (0, (), 0)
    reader.verify()


def test_row_ids() -> None:
    table, files = description(t.BIGINT), Files()
    writer = DataFileWriter(files, "t/f", table, FileOptions(chunk_rows=2), row_ids=True)
    ids = np.array([4, 5, 9, 2**40, 2**40 + 1])
    writer.write([Column(t.BIGINT, pa.array(range(3)))], 3, ids[:3])
    writer.write([Column(t.BIGINT, pa.array(range(2)))], 2, ids[3:])
    with pytest.raises(ValueError, match="row ids"):
        writer.write([Column(t.BIGINT, pa.array(range(2)))], 2)
    file = writer.finish()
    assert file.row_ids == (4, 2**40 + 1)
    reader = DataFileReader.open(files, file)
    assert [reader.row_ids(chunk).tolist() for chunk in range(3)] == [[4, 5], [9, 2**40], [2**40 + 1]]
    assert [reader.row_id_bounds(chunk) for chunk in range(3)] == [(4, 5), (9, 2**40), (2**40 + 1, 2**40 + 1)]
    assert DataFileReader.open(files, write(files, table, [[Column(t.BIGINT, pa.array([1]))]])).row_ids(0) is None


def test_row_ids_ascend() -> None:
    writer = DataFileWriter(Files(), "t/f", description(t.BIGINT), row_ids=True)
    writer.write([Column(t.BIGINT, pa.array(range(2)))], 2, np.array([5, 5]))
    with pytest.raises(ValueError, match="ascend"):
        writer.finish()


def test_what_is_aborted_leaves_nothing() -> None:
    table, files = description(t.BIGINT, keys=(KeyConstraint("k", (3,)),)), Files()
    writer = DataFileWriter(files, "t/f", table)
    writer.write([Column(t.BIGINT, pa.array([1]))], 1)
    writer.abort()
    assert files.content == {}
    full = Files()
    create = full.create

    def fail(name: str) -> Any:
        if name.endswith(".json"):
            raise OSError(28, "no space left on device")
        return create(name)

    full.create = fail  # type: ignore[method-assign]
    writer = DataFileWriter(full, "t/f", table)
    writer.write([Column(t.BIGINT, pa.array([1]))], 1)
    with pytest.raises(OSError, match="no space"):
        writer.finish()
    assert full.content == {}


def test_a_writer_is_full_by_rows_and_by_bytes() -> None:
    table = description(t.BIGINT)
    writer = DataFileWriter(Files(), "t/f", table, FileOptions(file_rows=10))
    writer.write([Column(t.BIGINT, pa.array(range(9)))], 9)
    assert not writer.full
    writer.write([Column(t.BIGINT, pa.array(range(1)))], 1)
    assert writer.full
    writer = DataFileWriter(Files(), "t/f", table, FileOptions(chunk_rows=100, file_bytes=4000))
    writer.write([Column(t.BIGINT, pa.array([2**60] * 300))], 300)
    assert not writer.full
    writer.write([Column(t.BIGINT, pa.array([2**60] * 300))], 300)
    assert writer.full


def test_long_text_ends_a_chunk_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_writer, "_CHUNK_BYTES", 1000)
    table, files = description(t.STRING, t.BIGINT, t.ArrayType(t.STRING)), Files()
    texts = ["x" * 300] * 9 + ["y"] * 20 + ["z" * 5000]
    first = [
        Column(t.STRING, pa.array(texts, pa.large_string())),
        Column(t.BIGINT, pa.array(range(30))),
        Column(t.ArrayType(t.STRING), pa.array([["a"], None] * 15)),
    ]
    second = [column.slice(9, 20) for column in first]
    reader = DataFileReader.open(files, write(files, table, [first, second, second, first]))
    expected = [comparable(column) for column in first]
    middle = [comparable(column) for column in second]
    assert everything(reader, table.columns) == [e + m + m + e for e, m in zip(expected, middle, strict=True)]
    assert max(reader.chunks) > 10
    for chunk, rows in enumerate(reader.chunks):
        assert rows == 1 or reader.read(chunk, table.columns)[0].array.nbytes <= 1000


def test_a_dictionary_that_grows_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    table, files = description(t.STRING), Files()
    few = Column(t.STRING, pa.array(["a long text", "another text", None] * 100))
    many = Column(t.STRING, pa.array([f"text number {i}" for i in range(3000)]))
    for batches, coded in (([few, few], True), ([few, many, few], False)):
        reader = DataFileReader.open(files, write(files, table, [[batch] for batch in batches], chunk_rows=300))
        assert everything(reader, table.columns) == [[v for batch in batches for v in comparable(batch)]]
        assert pa.types.is_dictionary(reader.read(0, table.columns)[0].array.type) == coded
    monkeypatch.setattr(column_buffer, "_DICTIONARY", 20)
    reader = DataFileReader.open(files, write(files, table, [[few], [few]], chunk_rows=300))
    assert everything(reader, table.columns) == [comparable(few) * 2]
    assert reader.read(1, table.columns)[0].array.type == pa.string()


def test_a_dictionary_of_many_entries_has_wider_codes() -> None:
    table, files = description(t.STRING), Files()
    for entries, width in ((128, pa.int8()), (129, pa.int16()), (40_000, pa.int32())):
        texts = Column(t.STRING, pa.array([f"a rather long text, number {i // 3}" for i in range(3 * entries)]))
        reader = DataFileReader.open(files, write(files, table, [[texts]], chunk_rows=3 * entries))
        assert reader.read(0, table.columns)[0].array.type == pa.dictionary(width, pa.string())
        assert everything(reader, table.columns) == [comparable(texts)]


def test_statistics() -> None:
    table, files = description(t.BIGINT, t.STRING, t.ArrayType(t.INT)), Files()
    batch = [
        Column(t.BIGINT, pa.array([None if i == 50 else i % 7 for i in range(100)])),
        Column(t.STRING, pa.array(["ab", "c"] * 50)),
        Column(t.ArrayType(t.INT), pa.array([[1, 2]] * 100, pa.list_(pa.int32()))),
    ]
    reader = DataFileReader.open(files, write(files, table, [batch], chunk_rows=30))
    numbers, texts, lists = (reader.statistics(column) for column in table.columns)
    assert numbers.zone == Zone(0, 6, 1, 100)
    assert texts.zone == Zone("ab", "c", 0, 100)
    assert (lists.zone, lists.sketch) == (Zone(None, None, 0, 100), None)
    assert texts.average_bytes == 5.5  # 32 bits of offset
    assert [estimate(each.sketch) for each in (numbers, texts) if each.sketch is not None] == [7, 2]
