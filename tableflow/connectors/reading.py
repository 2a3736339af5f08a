"""Readers and assigners that bounded connectors share.

A reader is a generator of :class:`Chunk` that can be started at a resume token; :class:`ChunkReader` makes it a
:class:`~tableflow.runtime.source.SplitReader` and turns what libraries raise into one
:class:`~tableflow.errors.ConnectorError` that names the file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.records import dataclass
from tableflow.runtime.source import Done, Poll, Split


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows (the selected ones), and the token with which a new reader of the split goes on after them.

    ``places`` are numbers of the rows, where the scan tells them.
    """

    columns: list[Column]
    rows: int
    resume: Any
    selection: Selection | None = None
    weights: npt.NDArray[np.int64] | None = None
    places: npt.NDArray[np.int64] | None = None


class ListAssigner:
    """Hands out splits of a known sequence, in order, to whoever asks; the sequence is advanced under a lock.

    ``counts`` is what the sequence counts while it is advanced.
    """

    def __init__(self, splits: Iterable[Split], counts: Counter[str] | None = None) -> None:
        self._left = len(splits) if isinstance(splits, Sized) else None
        self._splits = iter(splits)
        self._counts: Counter[str] = Counter() if counts is None else counts
        self._lock = threading.Lock()

    def next(self, task_index: int) -> Split | None:
        """The next split, or None for ever."""
        with self._lock:
            given = next(self._splits, None)
            if given is None:
                self._left = 0
            elif self._left is not None:
                self._left -= 1
            return given

    @property
    def exhausted(self) -> bool:
        """See :class:`~tableflow.runtime.source.Finite`."""
        return self._left == 0

    def take_counts(self) -> dict[str, int]:
        """See :class:`~tableflow.runtime.source.Counting`."""
        if not self._counts:  # as after nearly every split
            return {}
        with self._lock:
            return _taken(self._counts)


class ChunkReader:
    """Polls a generator of chunks; ``start(offset)`` opens it on the first poll, ``counts`` is what it counts."""

    def __init__(
        self,
        offset: Any,
        start: Callable[[Any], Iterator[Chunk]],
        subject: str,
        counts: Counter[str] | None = None,
    ) -> None:
        self._counts: Counter[str] = Counter() if counts is None else counts
        self._offset = offset
        self._start = start
        self._subject = subject
        self._chunks: Iterator[Chunk] | None = None

    def poll(self) -> Poll:
        """The next rows; any failure is a :class:`ConnectorError`."""
        try:
            if self._chunks is None:
                self._chunks = self._start(self._offset)
            for chunk in self._chunks:
                if chunk.rows > 0 and (chunk.selection is None or len(chunk.selection) > 0):
                    break
            else:
                return Done()
        except TableFlowError:
            raise
        except (pa.ArrowException, OSError, ValueError, EOFError) as error:
            raise read_error(self._subject, error) from error
        self._offset = chunk.resume
        return Batch(chunk.columns, chunk.rows, chunk.selection, chunk.weights)

    def offset(self) -> Any:
        """The token after the rows polled so far."""
        return self._offset

    def take_counts(self) -> dict[str, int]:
        """See :class:`~tableflow.runtime.source.Counting`."""
        return _taken(self._counts)

    def close(self) -> None:
        """Closes what the generator holds."""
        close = getattr(self._chunks, "close", None)
        self._chunks = iter(())
        if close is not None:
            close()


def _taken(counts: Counter[str]) -> dict[str, int]:
    if not counts:
        return {}
    taken = {name: count for name, count in counts.items() if count}
    counts.clear()
    return taken


def read_error(subject: str, error: BaseException) -> ConnectorError:
    """One paragraph for a failure of the system or of a library; ``subject`` names the file and the part of it."""
    match error:
        case FileNotFoundError():
            return ConnectorError(f"{subject} does not exist")
        case PermissionError():
            return ConnectorError(f"{subject} may not be read", detail="permission denied")
        case IsADirectoryError():
            return ConnectorError(f"{subject} is a directory")
    text = " ".join(str(error).split()) or type(error).__name__
    return ConnectorError(f"{subject} could not be read", detail=text[:500])
