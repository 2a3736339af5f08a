"""What a connector implements to be read: splits handed out on request, and a reader per split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.records import dataclass
from tableflow.runtime.events import Idle, Watermark
from tableflow.runtime.operator import Wake
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class Split:
    """A part of a source: connector-defined, JSON-ready ``definition``; ``offset`` resumes inside it."""

    id: str
    definition: Any
    offset: Any = None


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing to give now; ask again when ``wake`` is ready."""

    wake: Wake


@dataclass(frozen=True, slots=True)
class Done:
    """The split is finished."""


Poll: TypeAlias = Batch | Later | Done | Watermark | Idle
"""A reader whose origin knows the time of its split may say so; most leave that to WATERMARK FOR and the idle timeout."""


class SplitAssigner(Protocol):
    """Hands splits out to the tasks of a source; one per source and job, called from any worker thread."""

    def next(self, task_index: int) -> Split | Later | None:
        """The next split for this task, :class:`Later`, or None when there will be no more."""
        ...


class SplitReader(Protocol):
    """Reads one split; owned by one task."""

    def poll(self) -> Poll:
        """At most a batch of rows, without blocking on I/O; a bounded amount of decoding (tens of ms) is fine."""
        ...

    def offset(self) -> Any:
        """Where a new reader of this split would go on after what was polled so far."""
        ...

    def close(self) -> None:
        """Closes files; may be called in any state."""
        ...


class Counting(Protocol):
    """What an assigner or a reader may be besides: it counts what EXPLAIN ANALYZE shows of the source."""

    def take_counts(self) -> Mapping[str, int]:
        """What was counted since the last call, by name."""
        ...


class Finite(Protocol):
    """What an assigner may be besides: it knows, without being asked for another, that it has no split left."""

    @property
    def exhausted(self) -> bool:
        """Whether all splits that will ever be are handed out."""
        ...


class CatchingUp(Protocol):
    """What a reader may be besides: it knows how far its origin has come, and gives epochs after what was there before."""

    def newest(self) -> int:
        """Where the origin stands now, as a number that only grows."""
        ...

    def reached(self, position: int) -> bool:
        """Whether everything up to a position has been given, and nothing of what belongs together with later things."""
        ...


class Backlogged(Protocol):
    """What a reader may be besides: it can say when it has given what of its origin is there now.

    Of others it is known when they have nothing to give; a reader that always has something, or looks now and then, has to say
    it.  It may be polled before what it waits for is ready.
    """

    def backlog(self) -> Callable[[], bool]:
        """A question whether all that is there at this moment has been given."""
        ...


@runtime_checkable
class BlockingReader(Protocol):
    """What a connector that must block gives instead of a :class:`SplitReader`; used by one thread at a time."""

    def read(self) -> Batch | Done | None:
        """Waits for rows; None when there were none for a while or it was interrupted.

        It may have ``newest`` and ``reached`` of :class:`CatchingUp` besides, which are called by the thread that reads.
        """
        ...

    def interrupt(self) -> None:
        """Makes a blocked :meth:`read` return soon; from any thread."""
        ...

    def offset(self) -> Any:
        """Where a new reader would go on after what was read."""
        ...

    def close(self) -> None:
        """Closes connections and files."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class KeyList:
    """All values that wanted rows have in a column stored as integers: storage values, ascending, each once."""

    column: ColumnRef
    values: npt.NDArray[np.int64]


@runtime_checkable
class Narrowable(Protocol):
    """What a source may be besides: it can leave out rows of which more is known once a build is sealed."""

    def narrowed(self, predicates: Sequence[Expression], lists: Sequence[KeyList]) -> Source:
        """The same source, which need not give rows that do not satisfy every conjunct or are not listed (but may).

        Columns have the table's names.  Asked before the first split is handed out.
        """
        ...


class Source(Protocol):
    """Made from a :class:`~tableflow.runtime.graph.SourceSpec` by the function given to the runtime."""

    @property
    def bounded(self) -> bool:
        """Whether its splits end."""
        ...

    def assigner(self) -> SplitAssigner:
        """A fresh assigner over all splits."""
        ...

    def reader(self, split: Split, batch_rows: int) -> SplitReader | BlockingReader:
        """A reader that starts at the split's offset; one that blocks gets a thread of its own."""
        ...
