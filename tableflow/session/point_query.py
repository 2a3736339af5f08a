"""Queries for rows by their key, answered without a plan and without a job: a look-up takes less than either."""

from __future__ import annotations

import pyarrow as pa

from tableflow.columnar.representation import boundary, declared
from tableflow.config import TIME_ZONE, Settings
from tableflow.planner.logical.nodes import Query
from tableflow.session.direct_rows import is_constant, is_direct, rows_of
from tableflow.session.fixed_result import BatchesResult
from tableflow.session.outcome import ResultColumn


def is_point_query(query: Query, settings: Settings) -> bool:
    """Whether :func:`answer` gives the rows; constant rows are left to a job, which costs them little."""
    return not is_constant(query.root) and is_direct(query.root, settings)


def answer(query: Query, settings: Settings) -> BatchesResult:
    """The rows."""
    zone = settings.get(TIME_ZONE)
    batch = rows_of(query)
    fields = query.columns
    schema = pa.schema([pa.field(f.name, declared(f.type, zone)) for f in fields])
    made = []
    if batch.rows:
        arrays = [boundary(column, zone=zone) for column in batch.columns]
        made.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return BatchesResult([ResultColumn(f.name, f.type, f.nullable) for f in fields], schema, made)
