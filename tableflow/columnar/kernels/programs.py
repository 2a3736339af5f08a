"""Expression programs: typed instructions over registers, run natively on a batch in one call.

A :class:`ProgramDefinition` is a plain value (it travels in plans as JSON); a :class:`Program` is one loaded
instance with its scratch memory, for one task.  What the instructions mean is in ``native/program.h``; loading checks
every register, column and error number, so that a damaged document ends in a SerializationError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow.columnar import _native
from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.errors import DataError, SerializationError, Span
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.types import Field, SqlType, TypeFamily, family


@serializable
@dataclass(frozen=True, slots=True)
class Instruction:
    """``out`` is a register or -1; ``error`` is 1 + the index of the error it raises for a lane, or 0."""

    op: str
    out: int = -1
    args: tuple[int, ...] = ()
    immediates: tuple[Any, ...] = ()
    error: int = 0


@serializable
@dataclass(frozen=True, slots=True)
class LaneError:
    """What a row's failure says."""

    message: str
    span: Span | None = None


@serializable
@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """An output column: input ``column`` passed through in its representation, or ``register`` stored as ``format``."""

    type: SqlType
    column: int = -1
    register: int = -1
    format: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class ProgramDefinition:
    """Fields of the batches it takes, kinds of its registers, instructions, outputs, and its errors' texts."""

    inputs: tuple[Field, ...]
    registers: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[ProgramOutput, ...]
    errors: tuple[LaneError, ...] = ()

    @property
    def reads(self) -> frozenset[int]:
        """Positions of the columns that it computes with."""
        return frozenset([int(i.immediates[0]) for i in self.instructions if i.op.startswith("load.")])

    @property
    def filters(self) -> bool:
        """Whether it may drop rows."""
        return any(i.op.startswith("filter.") for i in self.instructions)


def instruction_fits(op: str, immediates: tuple[Any, ...]) -> bool:
    """Whether there is such an instruction with these parameters: a pattern may have no native form."""
    return _native.instruction_fits(op, immediates)


class RowError(DataError):
    """``row`` (its number in the batch) could not be computed."""

    def __init__(self, error: LaneError, row: int) -> None:
        super().__init__(error.message, span=error.span)
        self.row = row


_TEXTS = frozenset({TypeFamily.STRING, TypeFamily.BYTES, TypeFamily.JSON})


class Program:
    """A loaded program; single-owner."""

    def __init__(self, definition: ProgramDefinition) -> None:
        self.definition = definition
        try:
            self._native = _native.Program(
                list(definition.registers),
                [(i.op, i.out, list(i.args), tuple(i.immediates), i.error) for i in definition.instructions],
                [(o.column, o.register, o.format) for o in definition.outputs],
                len(definition.inputs),
                len(definition.errors),
            )
        except (ValueError, TypeError, IndexError, OverflowError, RuntimeError) as error:
            raise SerializationError("an expression program cannot be loaded", detail=str(error)) from error
        self._reads = definition.reads
        kinds = [family(f.type) for f in definition.inputs]
        flat = {i for i, kind in enumerate(kinds) if kind is not TypeFamily.NESTED}
        self._text = {i for i, kind in enumerate(kinds) if kind in _TEXTS}
        self._gathers = frozenset(o.column for o in definition.outputs if o.column in flat)
        self._nested = any(o.column >= 0 and o.column not in flat for o in definition.outputs)
        self._computes = any(o.register >= 0 for o in definition.outputs)
        self._filters = definition.filters

    def run(self, batch: Batch) -> tuple[list[Column], Selection | None]:
        """Output columns and the rows of them that count (None: all).

        Raises :class:`RowError` for a selected row that cannot be computed.
        """
        columns, selection, _, _ = self._run(batch)
        return columns, selection

    def apply(self, batch: Batch) -> Batch | None:
        """The batch of output rows with their weights, or None when there are none."""
        columns, selection, compact, rows = self._run(batch)
        if rows is None:
            return None
        weights = batch.weights
        event_time = None
        if batch.event_time is not None:
            passed = [i for i, o in enumerate(self.definition.outputs) if o.column == batch.event_time]
            event_time = passed[0] if passed else None
        if not compact:
            return Batch(columns, batch.length, selection, weights, event_time)
        if weights is not None:
            weights = weights[rows]
        return Batch(columns, len(columns[0]), None, weights, event_time)

    def feed(self, batch: Batch, table: GroupTable, keys: Sequence[int], arguments: Sequence[int]) -> int:
        """Groups the output rows by the outputs ``keys``, with ``arguments``, and stores nothing between; counts the rows.

        Raises as :meth:`run` does; the table is then of no further use.
        """
        needed = self._reads | self._gathers
        vectors = [column.vector if i in needed else None for i, column in enumerate(batch.columns)]
        result = self._native.feed(vectors, batch.length, batch.selection, table.native, list(keys), list(arguments))
        if result.failed:
            raise RowError(self.definition.errors[result.failed - 1], result.failed_row)
        return result.rows

    def text_columns(self, batch: Batch) -> list[Column]:
        """The columns of text that a batch of its input has: what it may keep of them is no larger."""
        return [c for i, c in enumerate(batch.columns) if i in self._text]

    def _run(self, batch: Batch) -> tuple[list[Column], Selection | None, bool, Any]:
        """Columns, their selection, whether they are dense, and the batch's rows they come from (None: no row)."""
        if not self.definition.instructions:
            rows: Any = slice(None) if batch.rows else None
            return [batch.columns[o.column] for o in self.definition.outputs], batch.selection, False, rows
        needed = self._reads
        if self._computes and (self._filters or batch.selection is not None):
            needed = needed | self._gathers
        vectors = [column.vector if i in needed else None for i, column in enumerate(batch.columns)]
        numbered = batch.weights is not None or self._nested
        result = self._native.run(vectors, batch.length, batch.selection, numbered)
        if result.failed:
            raise RowError(self.definition.errors[result.failed - 1], result.failed_row)
        selection = result.selection if result.dropped else batch.selection
        columns = [
            self._column(batch, output, vector, selection if result.compact else None)
            for output, vector in zip(self.definition.outputs, result.columns, strict=True)
        ]
        rows = slice(None) if selection is None else selection
        return columns, None if result.compact else selection, result.compact, rows if result.rows else None

    def _column(self, batch: Batch, output: ProgramOutput, vector: Any, rows: Selection | None) -> Column:
        if vector is not None:
            return Column(output.type, vector=vector)
        column = batch.columns[output.column]
        return column if rows is None else take(column, rows)
