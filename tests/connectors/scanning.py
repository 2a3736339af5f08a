"""Scans a provider the way the runtime does, for tests."""

import json

import pyarrow as pa

from tableflow.catalog.provider import ScanRequest
from tableflow.columnar.representation import boundary
from tableflow.connectors import Sources
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.source import Done


def spec_of(provider, columns=None, predicates=(), limit=None):
    names = tuple(columns) if columns is not None else tuple(c.name for c in provider.schema.columns)
    kind, options = provider.source(provider.accept(ScanRequest(names, tuple(predicates), limit)))
    return SourceSpec(kind, json.loads(json.dumps(options)))  # a spec is a plain value


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
