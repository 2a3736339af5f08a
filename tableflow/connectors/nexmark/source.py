"""From the definition of a scan to its rows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.config import BATCH_ROWS, FORCE_REPRESENTATION, PARALLELISM
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.draws import Events
from tableflow.connectors.generated import GeneratedSource, Pace, tasks_reading
from tableflow.connectors.nexmark.tables import CYCLE, Generator, Rate, events_of
from tableflow.connectors.preloaded import MadeRows, PreloadedSource
from tableflow.connectors.storage import column_from_arrow
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable
from tableflow.types import SqlType

KIND = "nexmark"
_STRIDE = 953


@serializable
@dataclass(frozen=True, slots=True)
class NexmarkScan:
    """What to make: columns of the rows of ``table`` among the first ``events`` events, or among all that will ever come.

    ``preloaded``: all rows are made before the first one is given, and kept by the connection.  ``rate`` is in events per second, ``base`` in ms since 1970; ``group``: so many
    events are shuffled in themselves; ``live``: those that are paced come at their event time;
    ``tasks``: so many make them.
    """

    table: str
    columns: tuple[tuple[str, SqlType], ...]
    events: int | None
    rate: int
    seed: int
    base: int
    paced: bool
    group: int
    preloaded: bool = False
    live: bool = False
    tasks: int | None = None


class Maker:
    """Makes the rows of a scan."""

    def __init__(self, scan: NexmarkScan, representation: str) -> None:
        self._scan = scan
        self._representation = representation
        self._generator = Generator(scan.seed, Rate(scan.rate, scan.base))

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


def _pace(scan: NexmarkScan) -> Pace:
    """How many events come when."""
    began = None
    if scan.live:  # event time is that of the clock outside
        began = time.monotonic_ns() - (time.time_ns() - scan.base * 1_000_000)
    return Pace(scan.events, scan.rate if scan.paced else None, CYCLE, began=began)


def open_source(scan: NexmarkScan, context: OpenContext) -> GeneratedSource | PreloadedSource:
    """The source of a scan, with a split per task: cycles of events in turn, so that every split has all kinds."""
    settings = context.settings
    representation, splits, batch_rows = (
        settings.get(FORCE_REPRESENTATION), tasks_reading(scan.tasks, settings.get(PARALLELISM)), settings.get(BATCH_ROWS),
    )  # fmt: skip
    pace = _pace(scan)

    def generated(some: NexmarkScan) -> GeneratedSource:
        return GeneratedSource(Maker(some, representation).batch, pace, splits)

    if not scan.preloaded:
        return generated(scan)
    types = dict(scan.columns)

    def of_columns(names: Sequence[str]) -> GeneratedSource:
        return generated(replace(scan, columns=tuple((name, types[name]) for name in names)))

    name = repr((KIND, replace(scan, columns=()), representation, splits, batch_rows))
    rows = context.objects.once(name, lambda: MadeRows(batch_rows))
    return PreloadedSource(rows, list(types), of_columns)
