"""One question to a lookup function: what it is given, what it gives, and whether it is asked once more.

Invariant: however often it is asked, every key's rows are those of one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, MultiState
from tableflow.columnar.representation import boundary
from tableflow.connectors.row_shape import RowShape
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.records import dataclass
from tableflow.serialization import serializable

_SHOWN_KEYS = 3


@serializable
@dataclass(frozen=True, slots=True)
class Retries:
    """How many more times to ask, microseconds after an answer, when it failed or when some key had no rows."""

    most: int = 0
    delay: int = 0
    failures: bool = True
    missing: bool = False

    @property
    def seconds(self) -> float:
        """The delay."""
        return self.delay / 1e6


class Question:
    """From keys to what the function takes, and from what it gives to a batch."""

    def __init__(self, options: Any, *, arrow: bool) -> None:
        self.table: str = options["table"]
        self._keys: Sequence[str] = options["keys"]
        self._arrow = arrow
        self._shape = RowShape(
            options["names"], options["types"], options["columns"], required=options["required"], subject="the answer"
        )
        read = [options["names"][i] for i in options["columns"]]
        self._places = [read.index(name) for name in self._keys]

    def keys(self, keys: Batch) -> Any:
        """A record batch with the key columns, or a list of tuples."""
        arrays = [boundary(column) for column in keys.columns]
        if self._arrow:
            return pa.RecordBatch.from_arrays(arrays, names=list(self._keys))
        return list(zip(*[array.to_pylist() for array in arrays], strict=True))

    def rows(self, found: Any, keys: Batch) -> Batch:
        """What the function has given."""
        try:
            if found is None:
                return self._shape.of_rows([])
            if isinstance(found, pa.RecordBatch):
                return self._shape.of_arrow(found)
            if isinstance(found, pa.Table) or hasattr(found, "__arrow_c_stream__"):
                parts = [self._shape.of_arrow(part) for part in pa.table(found).to_batches()]
                return concat(parts) if parts else self._shape.of_rows([])
            return self._shape.of_rows(list(found))
        except Exception as error:
            raise self.failed(error, keys) from error

    def of_keys(self, keys: Batch, rows: Batch) -> Batch:
        """Those of the rows that were asked for."""
        return _chosen(rows, _found(keys.columns, keys.rows, self._keys_of(rows), rows.rows))

    def missing(self, keys: Batch, rows: Batch) -> Batch | None:
        """The keys without rows; None if all have some."""
        there = _found(self._keys_of(rows), rows.rows, keys.columns, keys.rows)
        return None if there.all() else _chosen(keys, ~there)

    def _keys_of(self, rows: Batch) -> list[Column]:
        return [rows.columns[i] for i in self._places]

    def failed(self, error: BaseException, keys: Batch, times: int = 1) -> TableFlowError:
        """The error as the user sees it: which table, which keys, after how many times."""
        shown = list(zip(*[boundary(c.slice(0, _SHOWN_KEYS)).to_pylist() for c in keys.columns], strict=True))
        names, more = ", ".join(self._keys), keys.rows - len(shown)
        text = ", ".join(str(key[0]) if len(key) == 1 else str(key) for key in shown) + (
            f" and {more} more" if more else ""
        )
        said = error.message if isinstance(error, TableFlowError) else f"{type(error).__name__}: {error}"
        detail = error.detail if isinstance(error, TableFlowError) else None
        if times > 1:
            said = f"{said} (asked {times} times)"
        return ConnectorError(
            f"lookup table {self.table!r} gave no rows for {names} = {text}",
            detail=f"{said}: {detail}" if detail else said,
            hint=error.hint if isinstance(error, TableFlowError) else None,
        )


class Attempts:
    """A question until it is answered; :attr:`keys` are those to ask for next."""

    def __init__(self, question: Question, keys: Batch, retries: Retries) -> None:
        self.keys = keys
        self._question = question
        self._retries = retries
        self._times = 0
        self._found: list[Batch] = []

    def failed(self, error: Exception) -> None:
        """What the function raised; goes on unless it was the last time."""
        self._times += 1
        if self._times > self._retries.most or not self._retries.failures:
            raise self._question.failed(error, self.keys, self._times) from error

    def answered(self, found: Any) -> Batch | None:
        """What the function gave: all rows, or None if it is to be asked for the keys that are missing."""
        self._times += 1
        rows = self._question.rows(found, self.keys)
        if self._retries.missing:  # rows of a key that is not asked for again would come once more
            rows = self._question.of_keys(self.keys, rows)
        self._found.append(rows)
        if self._retries.missing and self._times <= self._retries.most:
            missing = self._question.missing(self.keys, rows)
            if missing is not None:
                self.keys = missing
                return None
        return concat(self._found) if len(self._found) > 1 else rows


def _found(known: Sequence[Column], many: int, keys: Sequence[Column], count: int) -> npt.NDArray[np.bool_]:
    """Which of the keys are among those that are known; as SQL compares them, so that a NULL is not."""
    state = MultiState([column.type for column in known], range(len(known)), [False] * len(known))
    state.apply(known, many)
    found: npt.NDArray[np.bool_] = state.probe(keys, count).heads() != NO_SLOT
    return found


def _chosen(of: Batch, rows: npt.NDArray[np.bool_]) -> Batch:
    if rows.all():
        return of
    chosen = np.flatnonzero(rows).astype(np.uint32)
    return Batch(take_columns(of.columns, chosen), len(chosen))
