"""Scans a provider the way the runtime does, for tests; and data to scan."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from tableflow.catalog.provider import ScanRequest
from tableflow.columnar.representation import boundary
from tableflow.connectors import Sources
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.source import Done
from tableflow.serialization import dumps, loads


def spec_of(provider, columns=None, predicates=(), limit=None):
    names = tuple(columns) if columns is not None else tuple(c.name for c in provider.schema.columns)
    kind, options = provider.source(provider.accept(ScanRequest(names, tuple(predicates), limit)))
    return loads(dumps(SourceSpec(kind, options)))  # a spec travels in a job graph


def splits_of(source):
    assigner = source.assigner()
    found = []
    while (split := assigner.next(0)) is not None:
        found.append(split)
    assert assigner.next(1) is None
    return found


def batches_of(source, batch_rows=1000):
    for split in splits_of(source):
        reader = source.reader(split, batch_rows)
        while not isinstance(batch := reader.poll(), Done):
            assert 0 < batch.length <= batch_rows
            yield batch
        assert isinstance(reader.poll(), Done)
        reader.close()


def rows_of(batch):
    if not batch.columns:
        return [()] * batch.length
    arrays = [boundary(column) for column in batch.columns]
    names = [str(i) for i in range(len(arrays))]
    return [tuple(row.values()) for row in pa.RecordBatch.from_arrays(arrays, names).to_pylist()]


def scan(provider, columns=None, predicates=(), limit=None, batch_rows=1000, sources=None):
    """All rows as tuples of Python values."""
    source = (sources or Sources()).open(spec_of(provider, columns, predicates, limit))
    return [row for batch in batches_of(source, batch_rows) for row in rows_of(batch)]


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
