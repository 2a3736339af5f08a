"""Columns of rows that are known by where they stand in a table, read when it is known which rows are left.

Invariant: rows come out as they came in, each once for each time that it came, with the values that stand at its position.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, concat_steps, take_rows_steps
from tableflow.columnar.representation import widen
from tableflow.config import PARALLELISM
from tableflow.errors import InternalError
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.steps import pausing
from tableflow.records import dataclass
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.lookup import Call, OpenLookup
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.serialization import serializable
from tableflow.types import BIGINT, Field

_MOST_ASKED = 2048
"""Rows of one question: what is read for them is accounted when it is there."""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class FetchColumns(UnaryNode):
    """Each row with the columns ``fetched``, which ``lookup`` knows by the column ``position`` (an id), in the order of the rows.

    ``fields``: columns of the input and of ``fetched``.
    """

    table: str
    lookup: SourceSpec
    position: int
    fetched: tuple[Field, ...]


class FetchColumnsOperator(Operator):
    """Asks for each position once, in ascending order, as many questions at a time as there are threads."""

    _context: OperatorContext
    _reservation: Reservation
    _lookup: OpenLookup

    def __init__(self, node: FetchColumns) -> None:
        where = positions(node.input.fields)
        fetched = positions(node.fetched)
        self._position = where[node.position]
        self._columns = [(f.id in fetched, fetched[f.id] if f.id in fetched else where[f.id]) for f in node.fields]
        self._spec = node.lookup

    def open(self, context: OperatorContext) -> None:
        """Readies the table."""
        self._context = context
        self._at_once = context.settings.get(PARALLELISM)
        self._reservation = context.reserve("fetched rows")
        self._lookup = context.lookup(self._spec)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The rows with all columns."""
        return self._complete(compact(batch)) if batch.rows else None

    def _complete(self, rows: Batch) -> Emission:
        numbers = widen(rows.columns[self._position]).array.to_numpy()
        wanted, places = np.unique(numbers, return_inverse=True)
        answers = yield from self._answers(wanted)
        found = yield from pausing(concat_steps(answers))
        if found.length != len(wanted):
            raise InternalError(f"{len(wanted)} rows were asked for, {found.length} were fetched")
        found = yield from pausing(take_rows_steps(found, places.astype(np.int64)))
        columns = [found.columns[i] if fetched else rows.columns[i] for fetched, i in self._columns]
        yield Batch(columns, rows.length, None, rows.weights)
        self._reservation.release()

    def _answers(self, wanted: npt.NDArray[np.int64]) -> Generator[Suspend, None, list[Batch]]:
        """What was fetched for ascending positions."""
        size = min(_MOST_ASKED, -(-len(wanted) // self._at_once))
        starts = deque(range(0, len(wanted), size))
        calls: deque[Call] = deque()
        answers: list[Batch] = []
        held = 0
        while starts or calls:
            while starts and len(calls) < self._at_once:
                part = wanted[starts[0] : starts.popleft() + size]
                calls.append(self._lookup.call(Batch([Column(BIGINT, pa.array(part))], len(part))))
            call = calls.popleft()
            while not call.answered.ready:
                yield Suspend(call.answered)
            answers.append(call.result())
            held += answers[-1].nbytes
            self._reservation.resize(3 * held)  # the answers, put together, in the order of the rows
        self._context.count("fetched_rows", len(wanted))
        return answers

    def close(self) -> None:
        """Gives memory back; the context closes what was asked."""
        if hasattr(self, "_reservation"):
            self._reservation.release()
