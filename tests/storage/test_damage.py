"""Whatever happens to a file, reading it gives what was written or one clear error: never a crash, never other values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.errors import ConnectorError
from tableflow.storage.data_file import DataFile, FileOptions
from tableflow.storage.description import KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.file_reader import DataFileReader
from tableflow.storage.file_writer import DataFileWriter
from tests.storage.file_columns import Files

pytestmark = pytest.mark.slow

NESTED = t.ArrayType(t.STRING)
TABLE = TableDescription(
    tuple(
        StoredColumn(i, f"name {i}", of)
        for i, of in enumerate((t.BIGINT, t.STRING, t.STRING, t.DOUBLE, t.BOOLEAN, NESTED, t.DecimalType(30, 2)))
    ),
    (KeyConstraint("k", (0,)), KeyConstraint("u", (2, 0))),
)
ROWS = 70


def columns() -> list[Column]:
    numbers = [None if i % 9 == 4 else i * 1000 for i in range(ROWS)]
    values: list[Any] = [
        pa.array(numbers, pa.int64()),
        pa.array(["red", "green", None, "blue"] * 17 + ["red", "red"]),
        pa.array([f"text number {i}" for i in range(ROWS)]),
        pa.array([i / 7 for i in range(ROWS)]),
        pa.array([i % 3 == 0 for i in range(ROWS)]),
        pa.array([[str(i), None] if i % 2 else None for i in range(ROWS)]),
        pa.array([Decimal(10**25 + i) for i in range(ROWS)], pa.decimal128(30, 2)),
    ]
    return [Column(column.type, array) for column, array in zip(TABLE.columns, values, strict=True)]


def written(compression: str = "none", row_ids: bool = True) -> tuple[Files, DataFile]:
    files = Files()
    writer = DataFileWriter(files, "t/f", TABLE, FileOptions(chunk_rows=32, compression=compression), row_ids=row_ids)
    writer.write(columns(), ROWS, np.arange(ROWS) * 3 if row_ids else None)
    return files, writer.finish()


def everything(files: Files, file: DataFile) -> list[Any]:
    reader = DataFileReader.open(files, file)
    result: list[Any] = []
    for chunk in range(len(reader.chunks)):
        result.extend(column.array.to_pylist() for column in reader.read(chunk, TABLE.columns))
        ids = reader.row_ids(chunk)
        result.append(None if ids is None else ids.tolist())
        result.extend(reader.zone(chunk, column) for column in TABLE.columns)
    for column in TABLE.columns:
        result.append(reader.statistics(column))
    for key in TABLE.keys:
        index = reader.key_index([TABLE.column(column) for column in key.columns])
        result.append([part.tolist() for part in index.find(np.array(index.hashes))])
    return result


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_a_flipped_bit_anywhere_is_found_or_harmless(compression: str) -> None:
    files, file = written(compression)
    expected = everything(files, file)
    for name in file.names:
        content = bytes(files.content[name])
        found = 0
        step = 3 if name == file.data_name and compression == "none" else 13
        for at in range(0, len(content), step):
            files.content[name][at] ^= 1 << at % 8
            try:
                assert everything(files, file) == expected, (name, at)
            except ConnectorError as error:
                assert name in error.message, (name, at)
                assert "is damaged" in error.message
                assert error.hint is not None
                found += 1
            with pytest.raises(ConnectorError, match="is damaged"):
                DataFileReader.open(files, file).verify()
            files.content[name][:] = content
        assert found > len(content) / step / 2


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_file_of_another_length(compression: str) -> None:
    files, file = written(compression)
    for name in file.names:
        content = bytes(files.content[name])
        for size in [*range(0, len(content), max(1, len(content) // 60)), len(content) - 1, len(content) + 1]:
            files.content[name][:] = (content + b"\0")[:size]
            with pytest.raises(ConnectorError, match=f"file '{name}' is damaged"):
                everything(files, file)
        files.content[name][:] = content


def test_a_file_that_is_gone() -> None:
    files, file = written()
    for name in file.names:
        content = files.content.pop(name)
        with pytest.raises(ConnectorError, match=f"file '{name}' cannot be read"):
            everything(files, file)
        files.content[name] = content


def test_an_error_names_the_file_the_column_and_the_chunk() -> None:
    files, file = written(row_ids=False)
    content = files.content[file.data_name]
    at = content.index(b"text number 40")
    content[at] ^= 1
    reader = DataFileReader.open(files, file)
    assert len(reader.read(0, TABLE.columns)[2]) == 32
    assert reader.read(1, TABLE.columns[:2])[0].array[9].as_py() == 41_000
    with pytest.raises(ConnectorError, match=r"file 't/f.arrow' is damaged: the checksum of column 2 of chunk 1"):
        reader.read(1, TABLE.columns)


def test_another_side_file_is_refused() -> None:
    files, file = written()
    with pytest.raises(ConnectorError, match="checksum does not fit"):
        DataFileReader.open(files, DataFile(file.name, file.rows, file.bytes, file.checksum ^ 1))
    with pytest.raises(ConnectorError, match="format version 99"):
        DataFileReader.open(files, DataFile(file.name, file.rows, file.bytes, file.checksum, 99))


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_many_threads_read_one_file(compression: str) -> None:
    files, file = written(compression)
    expected = [column.array.to_pylist() for column in DataFileReader.open(files, file).read(1, TABLE.columns)]
    for _ in range(20):
        reader = DataFileReader.open(files, file)
        with ThreadPoolExecutor(4) as pool:
            for read in pool.map(lambda _, r=reader: r.read(1, TABLE.columns), range(8)):
                assert [column.array.to_pylist() for column in read] == expected
