"""Which files of a partitioned directory a scan need not open, told by the names of their directories.

Sound: a file is left out only if some conjunct over partition columns alone is not TRUE for its values.  Where a name cannot be
read or a conjunct fails, all files stay, so that reading them says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow.catalog.known_values import KnownValues
from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn, Partitions
from tableflow.connectors.filesystem.partitions import values_of
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.storage import column_from_arrow, fitted
from tableflow.errors import TableFlowError
from tableflow.expressions.evaluation import project
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import ColumnRef, Expression, walk
from tableflow.expressions.operand import Operand
from tableflow.expressions.properties import deterministic
from tableflow.types import StringType


def names_of(predicate: Expression) -> frozenset[str]:
    """The columns that a conjunct reads."""
    return frozenset(node.name for node in walk(predicate) if isinstance(node, ColumnRef))


def judges_partitions(predicate: Expression, columns: Sequence[FileColumn]) -> bool:
    """Whether a conjunct can be computed from the names of directories."""
    read = names_of(predicate)
    return bool(read) and read <= {column.name for column in columns} and deterministic(predicate)


def matching_files(files: tuple[FileVersion, ...], partitions: Partitions | None) -> tuple[FileVersion, ...]:
    """The files whose partition satisfies every conjunct."""
    if partitions is None or not partitions.predicates or not files:
        return files
    try:
        places: dict[tuple[str | None, ...], int] = {}
        of_file = [places.setdefault(tuple(values_of(file.path, partitions.columns)), len(places)) for file in files]
        batch = _as_rows(list(places), partitions.columns)
        kept = np.ones(batch.length, np.bool_)
        for predicate in partitions.predicates:
            at = {column.name: i for i, column in enumerate(partitions.columns)}
            found = {node.id: at[node.name] for node in walk(predicate) if isinstance(node, ColumnRef)}
            true = project([predicate], batch, found)[0].array.fill_null(fill_value=False)
            kept &= true.to_numpy(zero_copy_only=False)
    except (TableFlowError, pa.ArrowException, ValueError):
        return files
    return tuple([file for file, place in zip(files, of_file, strict=True) if kept[place]])


def known_partitions(
    files: Sequence[FileVersion], rows: Sequence[int], columns: Sequence[FileColumn]
) -> dict[str, KnownValues]:
    """What names of directories tell of all rows, where ``rows`` says how many each file has; nothing where one cannot be read."""
    filled = [(file, count) for file, count in zip(files, rows, strict=True) if count]
    try:
        texts = [tuple(values_of(file.path, columns)) for file, _ in filled]
        read = _as_rows(texts, columns).columns
        values = [storage_values(Operand(column.type, column.array)) for column in read]
    except (TableFlowError, pa.ArrowException, ValueError):
        return {}
    found = {}
    for column, of_files in zip(columns, values, strict=True):
        nulls = sum(count for (_, count), value in zip(filled, of_files, strict=True) if value is None)
        present = [value for value in of_files if value is not None]
        ordered = present and not (isinstance(column.type, StringType) and column.type.fixed)
        found[column.name] = KnownValues(nulls, (min(present), max(present)) if ordered else None)
    return found


def _as_rows(texts: Sequence[tuple[str | None, ...]], columns: Sequence[FileColumn]) -> Batch:
    """The values of different partitions as rows."""
    made = []
    for i, column in enumerate(columns):
        array = pc.cast(pa.array([each[i] for each in texts], pa.string()), canonical(column.type))
        made.append(column_from_arrow(fitted(array, column.type), column.type, column.type, "natural"))
    return Batch(made, len(texts))
