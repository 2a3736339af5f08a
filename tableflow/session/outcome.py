"""What a statement gives: rows, or a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from tableflow.records import dataclass
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result."""

    name: str
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One operator of a finished job: its line in the plan, busy microseconds of all its tasks, rows it gave."""

    label: str
    busy: float
    rows: int


class Result(Protocol):
    """Rows that come batch by batch."""

    @property
    def columns(self) -> Sequence[ResultColumn]:
        """Names and types."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The schema of the record batches."""
        ...

    @property
    def changes(self) -> bool:
        """Whether the first column, ``op``, says what each row does: ``+I``, ``-U``, ``+U`` or ``-D``."""
        ...

    @property
    def endless(self) -> bool:
        """Whether some input has no end."""
        ...

    @property
    def stays(self) -> bool:
        """Whether rows may come for ever."""
        ...

    def next_batch(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """The next rows, never an empty batch; None at the end, TimeoutError when none have come in so many seconds."""
        ...

    def cancel(self) -> None:
        """Stops the query, from any thread."""
        ...

    def close(self) -> None:
        """Ends the query if it still runs and gives everything back."""
        ...

    def times(self) -> Sequence[OperatorTime]:
        """Where the time went so far."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """``result`` for statements with rows, else ``message``; ``rowcount`` is -1 where rows were not changed."""

    result: Result | None = None
    message: str = ""
    rowcount: int = -1
    warnings: tuple[str, ...] = ()
