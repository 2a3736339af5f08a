"""Scans with predicates that prune, and the values of files as literals hold them."""

from collections import Counter

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors import Sources, file_provider
from tableflow.runtime.source import Done
from tests.connectors.scanning import boundary, spec_of


def scanned(path, names, predicates, batch_rows=1000):
    """The rows of a scan as an Arrow table, and what its readers and its assigner counted."""
    provider = file_provider(str(path))
    source = Sources().open(spec_of(provider, names, predicates))
    assigner = source.assigner()
    counts, parts = Counter(), []
    while (split := assigner.next(0)) is not None:
        reader = source.reader(split, batch_rows)
        while not isinstance(batch := reader.poll(), Done):
            parts.append([boundary(one) for one in batch.columns])
        counts.update(reader.take_counts())
        assert reader.take_counts() == {}
    counts.update(assigner.take_counts())
    types = [boundary_type(path, name) for name in names]
    arrays = [pa.chunked_array([part[i] for part in parts], types[i]) for i in range(len(names))]
    return pa.table(arrays, names=list(names)), counts


def boundary_type(path, name):
    from tableflow.columnar.representation import declared

    return declared(next(c.type for c in file_provider(str(path)).schema.columns if c.name == name))


def file_column(array):
    from tableflow.columnar.representation import canonical, from_arrow

    of = from_arrow_type(array.type)
    wide = from_arrow(array, of).array
    if isinstance(of, t.DecimalType):
        return [None if v is None else int(v.scaleb(of.scale)) for v in wide.cast(canonical(of)).to_pylist()]
    if isinstance(of, t.TimestampType | t.TimeType):
        return wide.cast(canonical(of)).cast(pa.int64()).to_pylist()
    return wide.cast(pa.int32()).to_pylist() if isinstance(of, t.DateType) else wide.to_pylist()
