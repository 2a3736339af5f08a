"""Generated rows made once and given from memory: to measure what comes behind a source.

Columns are kept one by one, so that another query over the same rows makes only those that none before has read.
Invariant: splits and their offsets (how many batches were given) are the same whoever made the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.connectors.generated import GeneratedSource
from tableflow.connectors.reading import ListAssigner
from tableflow.runtime.source import Done, Poll, Split

SourceOf: TypeAlias = Callable[[Sequence[str]], GeneratedSource]
"""The source of some columns of the rows."""


class MadeRows:
    """The rows of a bounded source as far as they were made."""

    def __init__(self, batch_rows: int) -> None:
        self._batch_rows = batch_rows
        self._columns: dict[str, dict[str, list[Column]]] = {}
        self.splits: list[Split] = []
        self._rows: dict[str, list[int]] = {}

    def make(self, names: Sequence[str], source_of: SourceOf) -> None:
        """Makes the columns that are not there yet."""
        missing = [name for name in dict.fromkeys(names) if name not in self._columns]
        if self.splits and not missing:
            return
        source = source_of(missing)
        assigner = source.assigner()
        splits: list[Split] = []
        made: dict[str, dict[str, list[Column]]] = {name: {} for name in missing}
        while isinstance(split := assigner.next(0), Split):
            batches = self._batches(source, split)
            splits.append(split)
            self._rows[split.id] = [batch.length for batch in batches]
            for place, name in enumerate(missing):
                made[name][split.id] = [batch.columns[place] for batch in batches]
        self.splits = splits
        self._columns.update(made)

    def _batches(self, source: GeneratedSource, split: Split) -> list[Batch]:
        reader = source.reader(split, self._batch_rows)
        batches: list[Batch] = []
        while isinstance(batch := reader.poll(), Batch):
            batches.append(batch)
        return batches

    def batches(self, split: str, names: Sequence[str]) -> list[Batch]:
        """The rows of a split."""
        columns = [self._columns[name][split] for name in names]
        return [Batch([each[i] for each in columns], rows) for i, rows in enumerate(self._rows[split])]


class PreloadedSource:
    """Columns of rows that were made before the first batch is asked for."""

    bounded = True

    def __init__(self, rows: MadeRows, names: Sequence[str], source_of: SourceOf) -> None:
        rows.make(names, source_of)
        self._splits = rows.splits
        self._batches = {split.id: rows.batches(split.id, names) for split in self._splits}

    def assigner(self) -> ListAssigner:
        """The splits of the source."""
        return ListAssigner(self._splits)

    def reader(self, split: Split, _batch_rows: int) -> PreloadedReader:
        """A reader from the batch at the offset on."""
        return PreloadedReader(self._batches[split.id], int(split.offset or 0))


class PreloadedReader:
    """Gives batches one by one; the offset is how many were given."""

    def __init__(self, batches: list[Batch], given: int) -> None:
        self._batches = batches
        self._given = given

    def poll(self) -> Poll:
        """The next batch."""
        if self._given == len(self._batches):
            return Done()
        self._given += 1
        return self._batches[self._given - 1]

    def offset(self) -> Any:
        """How many batches were given."""
        return self._given

    def close(self) -> None:
        """The source keeps the batches."""
