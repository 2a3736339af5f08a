"""Values of every type, in every representation, through the log, files, folds and reopening; keys of every type."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.representation import canonical, from_arrow, widen
from tableflow.errors import CatalogError, IntegrityError, UnsupportedError
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind, KeyConstraint, StoredColumn, TableDescription
from tableflow.storage.memory_disk import MemoryDisk
from tests.storage.tables import create, settings

VALUES: list[tuple[t.SqlType, list[Any]]] = [
    (t.BOOLEAN, [True, False, None, True]),
    (t.TINYINT, [1, -128, None, 127]),
    (t.INT, [1, -(2**31), None, 7]),
    (t.BIGINT, [2**62, -1, None, 0]),
    (t.DecimalType(9, 2), [100, -5, None, 999_999_999]),
    (t.DecimalType(30, 4), [10**29, -1, None, 0]),
    (t.FLOAT, [1.5, math.inf, None, -0.5]),
    (t.DOUBLE, [1e300, -1.0, None, 0.1]),
    (t.STRING, ["", "ä€😀", None, "x" * 300]),
    (t.StringType(5), ["a", "abcde", None, ""]),
    (t.BytesType(), [b"", b"\x00\xff", None, b"abc"]),
    (t.DATE, [0, -1, None, 20_000]),
    (t.TimeType(3), [0, 86_399_999_000, None, 1_000]),
    (t.TimestampType(6), [0, -1, None, 1_700_000_000_000_000]),
    (t.TimestampType(9, zoned=True), [0, -1, None, 1_700_000_000_000_000_001]),
    (t.INTERVAL, [pa.MonthDayNano([1, 2, 3_000]), pa.MonthDayNano([0, 0, 0]), None, pa.MonthDayNano([0, -1, 0])]),
    (t.JsonType(), ['{"a":1}', "[]", None, "1"]),
    (t.ArrayType(t.INT), [[1, None], [], None, [3]]),
    (t.MapType(t.STRING, t.BIGINT), [[("a", 1)], [], None, [("b", None)]]),
    (t.RowType((t.RowField("x", t.INT), t.RowField("y", t.STRING))), [{"x": 1, "y": "a"}, {"x": None, "y": None}, None, {"x": 2, "y": ""}]),
]  # fmt: skip
DESCRIPTION = TableDescription(
    tuple(StoredColumn(number, f"c{number}", of) for number, (of, _) in enumerate(VALUES)), next_column=len(VALUES)
)


def array(of: t.SqlType, values: list[Any]) -> pa.Array:
    kind = canonical(of)
    if isinstance(of, t.DecimalType):
        scaled = pa.array(values, pa.decimal128(38, 0))
        return pa.Array.from_buffers(kind, len(values), scaled.buffers(), scaled.null_count)
    if isinstance(of, t.DateType | t.TimeType | t.TimestampType):
        return pa.array(values, pa.int32() if isinstance(of, t.DateType) else pa.int64()).view(kind)
    return pa.array(values, kind)


def represented(column: Column, how: str) -> Column:
    held = column.array
    match column.type, how:
        case t.StringType() | t.BytesType(), "other":
            return Column(column.type, held.dictionary_encode())
        case t.DecimalType(precision=9), "other":
            low = np.frombuffer(held.buffers()[1], np.int64)[::2]
            mask = held.is_null().to_numpy(zero_copy_only=False)
            return Column(column.type, pa.array(low, pa.int64(), mask=mask))
        case t.IntegerType(bits=64), "other":
            return from_arrow(pa.array([1, None, 3, 4], pa.int8()), t.BIGINT)
        case _, "sliced":
            return Column(column.type, pa.concat_arrays([held, held]).slice(2, 4))
    return column


def values(database: Database, table: int) -> list[list[Any]]:
    view = database.state().table(table).at()
    whole = concat(list(view.batches([column.id for column in DESCRIPTION.columns])))
    return [plain(column) for column in whole.columns]


def plain(column: Column) -> list[Any]:
    """The values; of instants their numbers, since Python has no nanoseconds."""
    held = widen(column).array
    return (held.cast(pa.int64()) if pa.types.is_timestamp(held.type) else held).to_pylist()


@pytest.mark.parametrize("inline", ["0", "100"])
def test_values_of_every_type_and_representation(inline: str) -> None:
    disk = MemoryDisk()
    few = settings(storage__inline_rows=inline)
    database = Database.open(disk, settings=few, background=False)
    table = create(database, description=DESCRIPTION)
    expected: list[list[Any]] = [[] for _ in VALUES]
    for how in ("plain", "other", "sliced"):
        columns = [represented(Column(of, array(of, given)), how) for of, given in VALUES]
        for rows, column in zip(expected, columns, strict=True):
            rows.extend(plain(column))
        with database.transaction([table]) as transaction:
            writer = transaction.writer(table)
            writer.write(columns, 4)
            writer.finish()
            transaction.commit(ChangeKind.INSERT)
    assert values(database, table) == expected
    statistics = database.state().table(table).at().statistics()
    assert statistics.rows == 12
    assert statistics.columns["c8"].nulls == 3
    for _ in range(2):
        database.close()
        database = Database.open(disk, settings=few, background=False)
        assert values(database, table) == expected
        assert database.state().table(table).at().statistics().columns["c1"].maximum == 127
        database.fold([table])
        assert values(database, table) == expected
    database.close()


@pytest.mark.parametrize(
    ("of", "given"),
    [each for each in VALUES if not isinstance(each[0], t.ArrayType | t.MapType | t.RowType)],
    ids=lambda each: str(each) if isinstance(each, t.SqlType) else "",
)
@pytest.mark.parametrize("folded", [False, True])
def test_keys_of_every_type(of: t.SqlType, given: list[Any], folded: bool) -> None:
    description = TableDescription(
        (StoredColumn(0, "k", of), StoredColumn(1, "n", t.INT)), (KeyConstraint("u", (0,)),), next_column=2
    )
    database = Database.open(MemoryDisk(), background=False)
    table = create(database, description=description)
    distinct = list(dict.fromkeys(given))

    def insert(keys: list[Any]) -> None:
        with database.transaction([table]) as transaction:
            writer = transaction.writer(table)
            numbers = Column(t.INT, pa.array(range(len(keys)), pa.int32()))
            writer.write([Column(of, array(of, keys)), numbers], len(keys))
            writer.finish()
            transaction.commit(ChangeKind.INSERT)

    insert([*distinct, None])  # NULL conflicts with nothing, itself included
    if folded:
        database.fold()
    insert([None])
    for key in distinct:
        if key is not None:
            with pytest.raises(IntegrityError, match="duplicate key"):
                insert([key])
    found = database.state().table(table).at().find((0,), [Column(of, array(of, distinct))])
    assert [row >= 0 for row in found] == [key is not None for key in distinct]
    database.close()


def test_what_could_not_be_written_is_refused_at_once() -> None:
    database = Database.open(MemoryDisk(), background=False)
    nested = (StoredColumn(0, "a", t.ArrayType(t.INT)),)
    with pytest.raises(UnsupportedError, match="'a' cannot be part of a key"):
        create(database, description=TableDescription(nested, (KeyConstraint("u", (0,)),)))
    with pytest.raises(CatalogError, match="unknown compression 'brotli'"):
        create(database, description=TableDescription(nested, options=(("compression", "brotli"),)))
    assert database.state().tables == {}
    database.close()


def test_equal_numbers_of_different_bits_are_one_key() -> None:
    description = TableDescription((StoredColumn(0, "k", t.DOUBLE),), (KeyConstraint("u", (0,)),), next_column=1)
    database = Database.open(MemoryDisk(), background=False)
    table = create(database, description=description)

    def insert(value: float) -> None:
        with database.transaction([table]) as transaction:
            writer = transaction.writer(table)
            writer.write([Column(t.DOUBLE, pa.array([value]))], 1)
            writer.finish()
            transaction.commit(ChangeKind.INSERT)

    insert(0.0)
    insert(math.nan)
    for value in (-0.0, -math.nan):
        with pytest.raises(IntegrityError):
            insert(value)
        database.fold()
        with pytest.raises(IntegrityError):
            insert(value)
    database.close()


def test_a_table_without_columns_counts_rows() -> None:
    disk = MemoryDisk()
    database = Database.open(disk, background=False)
    table = create(database, description=TableDescription(()))
    with database.transaction([table]) as transaction:
        for rows in (2, 3):
            writer = transaction.writer(table)
            writer.write([], rows)
            writer.finish()
        transaction.commit(ChangeKind.INSERT)
    database.close()
    again = Database.open(disk, background=False)
    view = again.state().table(table).at()
    assert view.rows == 5 == sum(batch.rows for batch in view.batches([]))
    assert np.concatenate([batch.columns[0].array for batch in view.batches([None])]).tolist() == [0, 1, 2, 3, 4]
    again.close()


def test_a_key_that_is_added_later_is_checked_for_all_rows() -> None:
    database = Database.open(MemoryDisk(), background=False)
    plain = TableDescription((StoredColumn(0, "k", t.INT), StoredColumn(1, "n", t.INT)), next_column=2)
    table = create(database, description=plain)

    def insert(rows: list[tuple[int, int]]) -> None:
        with database.transaction([table]) as transaction:
            writer = transaction.writer(table)
            writer.write([Column(t.INT, pa.array(each, pa.int32())) for each in zip(*rows, strict=True)], len(rows))
            writer.finish()
            transaction.commit(ChangeKind.INSERT)

    def constrain(*columns: int) -> None:
        keys = (KeyConstraint("u", columns),)
        with database.transaction([table]) as transaction:
            transaction.describe(table, TableDescription(plain.columns, keys, next_column=2))
            transaction.commit(ChangeKind.ALTER)

    insert([(1, 1), (2, 1)])
    database.fold()
    insert([(1, 2), (3, 1)])
    with pytest.raises(IntegrityError, match="unique constraint 'u'"):
        constrain(0)
    constrain(0, 1)
    with pytest.raises(IntegrityError):
        insert([(2, 1)])
    insert([(2, 2)])
    with database.transaction([table]) as transaction:
        transaction.delete(table, np.array([0]))
        transaction.commit(ChangeKind.DELETE)
    insert([(1, 1)])
    with pytest.raises(IntegrityError):
        insert([(1, 1)])
    database.close()
