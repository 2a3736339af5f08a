"""Helpers of this folder are imported by name, and a table with every type that all formats have."""

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parent))


def all_types(rows=10):
    """``rows`` rows; every third value of every column but the first is NULL."""

    def column(make):
        return [None if i % 3 == 2 else make(i) for i in range(rows)]

    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "flag": pa.array(column(lambda i: i % 2 == 0), pa.bool_()),
            "tiny": pa.array(column(lambda i: i % 100), pa.int8()),
            "small": pa.array(column(lambda i: -i), pa.int16()),
            "medium": pa.array(column(lambda i: i * 1000), pa.int32()),
            "single": pa.array(column(lambda i: i / 4), pa.float32()),
            "real": pa.array(column(lambda i: i / 8), pa.float64()),
            "price": pa.array(column(lambda i: Decimal(i * 7 - 20).scaleb(-2)), pa.decimal128(12, 2)),
            "huge": pa.array(column(lambda i: Decimal(10**25 + i).scaleb(-3)), pa.decimal128(30, 3)),
            "name": pa.array(column(lambda i: f'näme, "{i % 4}"\n' if i % 5 == 0 else f"n{i % 4}"), pa.string()),
            "day": pa.array(column(lambda i: dt.date(1969, 12, 25) + dt.timedelta(i)), pa.date32()),
            "at": pa.array(
                column(
                    lambda i: (
                        dt.datetime.fromisoformat("1969-12-31T23:59:00") + dt.timedelta(seconds=i % 60, microseconds=i)
                    )
                ),
                pa.timestamp("us"),
            ),
            "seen": pa.array(
                column(lambda i: dt.datetime(2020, 1, 1, i % 24, tzinfo=dt.UTC)), pa.timestamp("us", "UTC")
            ),
        }
    )


@pytest.fixture
def table():
    return all_types()
