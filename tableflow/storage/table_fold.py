"""A table's state with everything in files, and the state that has gone on meanwhile put on top of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from tableflow.records import replace
from tableflow.storage.compaction import SMALLER, compact_segments
from tableflow.storage.data_file import FileOptions
from tableflow.storage.delete_file import write_deletes
from tableflow.storage.deletes import DeleteLayer, Deletes, merged_pairs
from tableflow.storage.disk import Disk
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.history import History
from tableflow.storage.key_lookup import MemoryKeys
from tableflow.storage.memory_segment import MemorySegment
from tableflow.storage.segment import Segment
from tableflow.storage.stored_deletes import stored_layer
from tableflow.storage.table_state import TableState


def fold_table(
    state: TableState, history: History, options: FileOptions, name: Callable[[], str], *, everything: bool = False
) -> TableState:
    """The same table without anything in memory, and without what only versions before ``history`` saw.

    Files are written and synced; the folder is not.
    """
    compacted = compact_segments(state, history, options, name, everything=everything)
    deletes = _fold_deletes(state, compacted.swept, compacted.segments, history[0].number, name)
    return replace(
        state, segments=compacted.segments, deletes=deletes, history=history, keys=MemoryKeys(state.end)
    )  # fmt: skip


def fold_new(state: TableState, history: History, options: FileOptions, name: Callable[[], str]) -> TableState:
    """As :func:`fold_table`, without reading a file: what is in memory goes into files of its own, the others stay.

    For a table of which a file is damaged: the rest of it, and of the database, goes on.
    """
    segments: list[Segment] = []
    new = [layer for layer in state.deletes.layers if layer.file is None]
    for in_memory, group in groupby(state.segments, lambda segment: isinstance(segment, MemorySegment)):
        part = tuple(group)
        if in_memory:
            alone = replace(state, segments=part, deletes=Deletes(new, state.deletes.truncations))
            part = compact_segments(alone, history, options, name).segments
        segments.extend(part)
    old = [layer for layer in state.deletes.layers if layer.file is not None]
    layers = [*old, *_written(state.disk, new, (), history[0].number, name)] if new else old
    return replace(
        state, segments=tuple(segments), deletes=Deletes(layers, state.deletes.truncations), history=history,
        keys=MemoryKeys(state.end),
    )  # fmt: skip


def _fold_deletes(
    state: TableState, swept: Sequence[tuple[int, int]], segments: Sequence[Segment], oldest: int,
    name: Callable[[], str],
) -> Deletes:  # fmt: skip
    """Deletes in files.  Where rows were swept away their deletes go too; else small files join what is new."""
    layers = list(state.deletes.layers)
    truncations = [
        (end, version)
        for end, version in state.deletes.truncations
        if version > oldest or any(segment.first < end for segment in segments)
    ]
    useless = 0
    for layer in layers:
        ids, versions = layer.pairs
        for first, end in swept:
            start, stop = np.searchsorted(ids, (first, end))
            useless += int((versions[start:stop] <= oldest).sum())
    if useless:
        return Deletes(_written(state.disk, layers, swept, oldest, name), truncations)
    new = [layer for layer in layers if layer.file is None]
    old = [layer for layer in layers if layer.file is not None]
    if not new:
        return Deletes(layers, truncations)
    rows = sum(layer.rows for layer in new)
    while old and old[-1].rows <= SMALLER * rows:
        rows += old[-1].rows
        new.append(old.pop())
    return Deletes([*old, *_written(state.disk, new, (), oldest, name)], truncations)


def _written(
    disk: Disk, layers: Sequence[DeleteLayer], swept: Sequence[tuple[int, int]], oldest: int, name: Callable[[], str]
) -> list[DeleteLayer]:
    ids, versions = merged_pairs(layer.pairs for layer in layers)
    for first, end in swept:
        kept = (ids < first) | (ids >= end) | (versions > oldest)
        ids, versions = ids[kept], versions[kept]
    if not len(ids):
        return []
    return [stored_layer(disk, write_deletes(disk, name(), ids, versions))]


def rebase(folded: TableState, tip: TableState) -> TableState:
    """``folded`` with what ``tip``, which went on from the state that was folded, has more."""
    if tip.version == folded.version:
        return folded
    end, version = folded.end, folded.version
    later: list[Segment] = []
    for segment in tip.segments:
        if isinstance(segment, MemorySegment) and segment.end > end:
            later.append(segment.slice(end, segment.end))
        elif isinstance(segment, FileSegment) and segment.first >= end:
            later.append(segment)
    layers = list(folded.deletes.layers)
    fresh = []
    for layer in tip.deletes.layers:
        if layer.file is None:
            ids, versions = layer.pairs
            after = versions > version
            if after.any():
                fresh.append((ids[after], versions[after]))
    if fresh:
        ids, versions = merged_pairs(fresh)
        layers.append(DeleteLayer(len(ids), (ids, versions)))
    truncations = [*folded.deletes.truncations, *(each for each in tip.deletes.truncations if each[1] > version)]
    history = folded.history
    for entry in tip.history:
        if entry.number > version:
            history = history.adding(entry)
    return replace(
        tip, segments=(*folded.segments, *later), deletes=Deletes(layers, truncations), history=history,
        keys=folded.keys,
    )  # fmt: skip
