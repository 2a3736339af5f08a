"""Splits of the event stream: cycles of events in turn, so that all splits advance through event time together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.config import FORCE_REPRESENTATION, PARALLELISM
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.nexmark.draws import Events
from tableflow.connectors.nexmark.tables import CYCLE, Generator, Rate, events_of
from tableflow.connectors.reading import ListAssigner
from tableflow.connectors.storage import column_from_arrow
from tableflow.runtime.source import Done, Later, Poll, Split
from tableflow.runtime.wake import After
from tableflow.serialization import serializable
from tableflow.types import SqlType

_STRIDE = 953
_TICK_MICROSECONDS = 1_000


@serializable
@dataclass(frozen=True, slots=True)
class NexmarkScan:
    """What to make: columns of the rows of ``table`` among the first ``events`` events, or among all that will ever come.

    ``rate`` is in events per second, ``base`` in ms since 1970; ``group``: so many events are shuffled in themselves.
    """

    table: str
    columns: tuple[tuple[str, SqlType], ...]
    events: int | None
    rate: int
    seed: int
    base: int
    paced: bool
    group: int


class NexmarkSource:
    """See the module; ``clock`` gives nanoseconds for a paced stream."""

    def __init__(
        self, scan: NexmarkScan, splits: int, representation: str, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._scan = scan
        self._splits = splits
        self._representation = representation
        self._clock = clock
        self._generator = Generator(scan.seed, Rate(scan.rate, scan.base))

    @property
    def bounded(self) -> bool:
        """Whether the number of events was given."""
        return self._scan.events is not None

    def assigner(self) -> ListAssigner:
        """Splits that end together; the offset of one is how many events of its cycles are done."""
        return ListAssigner(Split(f"{i} of {self._splits}", [i, self._splits]) for i in range(self._splits))

    def reader(self, split: Split, batch_rows: int) -> NexmarkReader:
        """A reader that goes on after the events done."""
        first, splits = split.definition
        return NexmarkReader(self, int(first), int(splits), int(split.offset or 0), batch_rows)

    def numbers(self, first: int, splits: int, done: int, count: int) -> Events:
        """The places in the stream of ``count`` events of a split after so many; fewer at the end."""
        own = np.arange(done, done + count, dtype=np.int64)
        places = (own // CYCLE * splits + first) * CYCLE + own % CYCLE
        total = self._scan.events
        return (places if total is None else places[places < total]).astype(np.uint64)

    def batch(self, places: Events) -> Batch:
        """The rows of the events that arrive at these places."""
        events = events_of(self._scan.table, self._arrived(places))
        columns = [
            column_from_arrow(self._generator.column(self._scan.table, name, events), of, of, self._representation)
            for name, of in self._scan.columns
        ]
        return Batch(columns, len(events))

    def _arrived(self, places: Events) -> Events:
        """The numbers of these events: groups of so many events are shuffled in themselves."""
        group, total = self._scan.group, self._scan.events
        if group <= 1:
            return places
        at = places.astype(np.int64)
        base = at // group * group
        whole = base + group <= (np.iinfo(np.int64).max if total is None else total)
        return np.where(whole, base + at * _STRIDE % group, at).astype(np.uint64)

    def happened(self, began: int) -> int | None:
        """How many events of the whole stream have happened since ``began``; None: all that are wanted."""
        return (self._clock() - began) * self._scan.rate // 1_000_000_000 + 1 if self._scan.paced else None

    def now(self) -> int:
        """The clock, in nanoseconds."""
        return self._clock()


class NexmarkReader:
    """Reads every ``splits``-th cycle of events, beginning with the cycle ``first``."""

    def __init__(self, source: NexmarkSource, first: int, splits: int, done: int, batch_rows: int) -> None:
        self._source = source
        self._first = first
        self._splits = splits
        self._done = done
        self._start = done
        self._batch_rows = batch_rows
        self._began: int | None = None

    def poll(self) -> Poll:
        """The next rows; a paced stream waits until they have happened, counted from the first poll."""
        if self._began is None:
            self._began = self._source.now()
        count = self._batch_rows
        happened = self._source.happened(self._began)
        if happened is not None:
            count = min(count, self._start + happened // self._splits - self._done)
            if count <= 0:
                return Later(After(_TICK_MICROSECONDS))
        places = self._source.numbers(self._first, self._splits, self._done, count)
        if not len(places):
            return Done()
        self._done += count
        return self._source.batch(places)

    def offset(self) -> Any:
        """How many events of the split's cycles are done."""
        return self._done

    def close(self) -> None:
        """Nothing is held."""


def open_source(scan: NexmarkScan, context: OpenContext) -> NexmarkSource:
    """The source of a scan, with a split per task."""
    settings = context.settings
    return NexmarkSource(scan, settings.get(PARALLELISM), settings.get(FORCE_REPRESENTATION))
