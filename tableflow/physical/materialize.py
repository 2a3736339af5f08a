"""A result that is computed once and read several times, or whole before it is read."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat
from tableflow.physical.node import PhysicalNode, UnaryNode
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.publication import Publication
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedResult(UnaryNode):
    """One reader of the common subplan ``publication``; all readers have equal inputs.

    ``sources`` are the input's fields in the order of ``fields`` (which have new ids).
    """

    publication: str
    sources: tuple[Field, ...]


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRows(UnaryNode):
    """Terminal: contributes its batches to the published row set ``publication`` (made by lowering)."""

    publication: str


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScan(PhysicalNode):
    """Leaf: batches of a published row set, dealt out among the stage's tasks (made by lowering)."""

    publication: str


@dataclass(frozen=True, slots=True)
class PublishedRows:
    """The handle: all rows, in batches without selections, in the order of tasks and of arrival."""

    batches: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(batch.length for batch in self.batches)


class RowsSealer:
    """Puts the tasks' batches one after the other; there is nothing to do in parts."""

    def __init__(self) -> None:
        self._batches: tuple[Batch, ...] = ()

    def plan(self, partials: Sequence[list[Batch]]) -> int:
        """No parts."""
        self._batches = tuple(batch for batches in partials for batch in batches)
        return 0

    def seal(self, part: int) -> None:
        """Never called, for want of parts."""

    def finish(self) -> PublishedRows:
        """The rows."""
        return PublishedRows(self._batches)


class PublishRowsOperator(Operator):
    """Holds the rows of its task until all tasks have theirs; small batches are put together meanwhile."""

    _context: OperatorContext
    _reservation: Reservation

    def __init__(self, node: PublishRows) -> None:
        self._publication = node.publication
        self._whole: list[Batch] = []
        self._small: list[Batch] = []
        self._small_rows = 0
        self._bytes = 0
        self._adopted = False

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("rows")

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Holds the selected rows."""
        if batch.rows == 0:
            return None
        self._reservation.resize(self._bytes + batch.nbytes)
        batch = compact(batch)
        self._bytes += batch.nbytes
        self._small.append(batch)
        self._small_rows += batch.length
        if self._small_rows * 2 > self._context.batch_rows:
            self._put_together()
        return None

    def _put_together(self) -> None:
        if len(self._small) == 1:
            self._whole += self._small
        elif self._small:
            before = sum(batch.nbytes for batch in self._small)
            self._reservation.resize(self._bytes + before)
            whole = concat(self._small)
            self._whole.append(whole)
            self._bytes += whole.nbytes - before
            self._reservation.resize(self._bytes)
        self._small, self._small_rows = [], 0

    def on_end(self, port: int) -> Emission | None:
        """Contributes the rows; emits none."""
        self._put_together()
        return self._contribute()

    def _contribute(self) -> Emission:
        publication: Publication[list[Batch], PublishedRows] = self._context.publication(self._publication)
        publication.adopt(self._reservation)
        self._adopted = True
        whole, self._whole = self._whole, []
        yield from publication.contribute(self._context.task_index, whole, RowsSealer())

    def close(self) -> None:
        """Gives memory back that the publication has not taken over."""
        self._whole, self._small = [], []
        if hasattr(self, "_reservation") and not self._adopted:
            self._reservation.release()


class PublishedScanOperator(Operator):
    """Emits every ``parallelism``-th piece of the published rows, once they are there."""

    _context: OperatorContext

    def __init__(self, node: PublishedScan) -> None:
        self._publication = node.publication

    def open(self, context: OperatorContext) -> None:
        """Needs no state."""
        self._context = context

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Never called: the operator has no input."""
        return None

    def on_end(self, port: int) -> Emission | None:
        """The share of this task."""
        return self._emit()

    def _emit(self) -> Emission:
        context = self._context
        publication: Publication[list[Batch], PublishedRows] = context.publication(self._publication)
        while not publication.sealed.ready:
            yield Suspend(publication.sealed)
        size, number = context.batch_rows, 0
        for batch in publication.handle().batches:
            for first in range(0, batch.length, size):
                if number % context.parallelism == context.task_index:
                    yield batch if batch.length <= size else batch.slice(first, min(size, batch.length - first))
                number += 1
