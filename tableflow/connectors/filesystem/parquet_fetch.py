"""A few rows of a Parquet file by their places: of each column only pages with such rows are decompressed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.connectors.filesystem.parquet_column import ArrowColumns, NativeColumn
from tableflow.connectors.filesystem.parquet_footer import FooterColumn
from tableflow.connectors.filesystem.parquet_reader import FileColumns

_BATCH_ROWS = 8192


def fetch_rows(of: FileColumns, places: npt.NDArray[np.int64], stopped: Callable[[], bool]) -> Iterator[Batch]:
    """The rows at ascending places, in that order, a batch for each row group; none any more once it is ``stopped``."""
    starts = np.array(of.footer.group_starts)
    bounds = np.searchsorted(places, starts)
    for group in np.flatnonzero(np.diff(bounds)).tolist():
        rows = places[bounds[group] : bounds[group + 1]] - starts[group]
        columns = _fetch_group(of, group, rows, stopped)
        if columns is None:
            return
        yield Batch(columns, len(rows))


def _fetch_group(
    of: FileColumns, group: int, rows: npt.NDArray[np.int64], stopped: Callable[[], bool]
) -> list[Column] | None:
    first, count = int(rows[0]), int(rows[-1] - rows[0]) + 1
    at = (rows - first).astype(np.uint32)
    columns: list[Column] = []
    file = of.files.open(of.footer.file)
    for i, place in enumerate(of.places):
        if stopped():
            return None
        columns.append(of.declared(i, _fetch_column(of, group, place, file.descriptor, first, count, at)))
    return columns


def _fetch_column(
    of: FileColumns, group: int, place: FooterColumn, fd: int, first: int, count: int, at: Selection
) -> Column:
    plan = of.footer.plan(group, place)
    if plan is None:  # as in files of which only some row groups are decoded natively
        arrow = ArrowColumns(of.footer, group, [place], first, _BATCH_ROWS)
        try:
            return take(arrow.read(count)[0], at)
        finally:
            arrow.close()
    native = NativeColumn(of.footer, group, place, plan, fd, _BATCH_ROWS, Counter())
    try:
        native.seek(first)
        return native.read_at(count, at)
    finally:
        native.close()
