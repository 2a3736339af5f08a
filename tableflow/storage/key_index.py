"""Where in a file the rows of a key may be: hashes of keys in order, each with the row's position.

The file (little-endian): magic, version, rows, blocks, the first hash of every block, checksums of every block of hashes and
of positions, then all hashes (uint64), then all positions (uint32).  The head's checksum is in the side file; a
block is verified when a search first touches it.  Equal hashes are neighbours, in order of position.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import equal_ranges, hash_rows
from tableflow.storage.damage import checksum, damaged, guarded
from tableflow.storage.disk import Disk

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

_HEAD = struct.Struct("<8sIIQ")
_MAGIC = b"TFINDEX1"
BLOCK = 16_384
"""Rows of a block."""


class Probes:
    """Hashes to look for, put in order once for all the indexes that are searched."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = np.ascontiguousarray(hashes, np.uint64)
        self.order = np.argsort(self.hashes) if len(self.hashes) > 1 else np.zeros(len(self.hashes), np.int64)
        self.ordered = self.hashes[self.order]

    def __len__(self) -> int:
        return len(self.hashes)


class KeyIndex:
    """Hashes in order and the positions that have them; in memory, or mapped and verified block by block."""

    def __init__(self, hashes: Hashes, positions: npt.NDArray[np.uint32]) -> None:
        self.hashes = hashes
        self.positions = positions
        self._fences: Hashes | None = None

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def nbytes(self) -> int:
        """Bytes of hashes and positions."""
        return int(self.hashes.nbytes + self.positions.nbytes)

    def find(self, hashes: Hashes | Probes) -> tuple[Positions, Positions]:
        """Pairs (number of the probe, position of a row with that hash), in order of probe, then of position."""
        probes = hashes if isinstance(hashes, Probes) else Probes(hashes)
        first, counts = self._ranges(probes.ordered)
        found = np.flatnonzero(counts)
        if not len(found):
            return found, found
        hits, first, counts = probes.order[found], first[found], counts[found]
        if len(hits) > 1:
            back = np.argsort(hits)
            hits, first, counts = hits[back], first[back], counts[back]
        if len(hits) == int(counts.sum()):
            rows = first
        else:
            hits = np.repeat(hits, counts)
            starts = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
            rows = starts + np.arange(len(hits))
        self._touch_positions(rows)
        return hits, self.positions[rows].astype(np.int64)

    def _ranges(self, probes: Hashes) -> tuple[Positions, Positions]:
        """Where the run of each probe begins and how long it is; probes ascend."""
        return equal_ranges(self.hashes, probes)

    def _touch_positions(self, rows: Positions) -> None:
        """Verifies what is about to be read."""


class StoredKeyIndex(KeyIndex):
    """A mapped index file."""

    def __init__(self, name: str, content: pa.Buffer, head_checksum: int) -> None:
        data = memoryview(content)
        magic, version, blocks, rows = _HEAD.unpack_from(data)
        size = _HEAD.size + 24 * blocks
        if magic != _MAGIC or version != 1 or blocks != -(-rows // BLOCK) or len(data) != size + 12 * rows:
            raise damaged(name, "its head does not fit its size")
        if checksum(data[:size]) != head_checksum:
            raise damaged(name, "the checksum of its head does not fit")
        heads = np.frombuffer(content, np.uint64, 3 * blocks, _HEAD.size)
        super().__init__(
            np.frombuffer(content, np.uint64, rows, size), np.frombuffer(content, np.uint32, rows, size + 8 * rows)
        )
        self._name = name
        self._first = heads[:blocks]
        self._checksums = heads[blocks:]
        self._verified = np.zeros(2 * blocks, np.bool_)
        self._blocks = blocks

    def _ranges(self, probes: Hashes) -> tuple[Positions, Positions]:
        if not self._blocks:
            return super()._ranges(probes)
        # A search of everything looks into many blocks, one of a block into none that is not verified.
        if len(probes) >= self._blocks:
            self._verify(np.arange(self._blocks), 0)
            return super()._ranges(probes)
        low = np.maximum(np.searchsorted(self._first, probes, "left") - 1, 0)
        high = np.maximum(np.searchsorted(self._first, probes, "right") - 1, 0)
        self._verify(np.concatenate([low, high]), 0)
        first = [self._within(block, probe, "left") for block, probe in zip(low.tolist(), probes, strict=True)]
        last = [self._within(block, probe, "right") for block, probe in zip(high.tolist(), probes, strict=True)]
        return np.array(first, np.int64), np.array(last, np.int64) - first

    def _within(self, block: int, probe: np.uint64, side: Literal["left", "right"]) -> int:
        start = block * BLOCK
        return start + int(np.searchsorted(self.hashes[start : start + BLOCK], probe, side))

    def _touch_positions(self, rows: Positions) -> None:
        self._verify(rows // BLOCK, self._blocks)

    def _verify(self, blocks: Positions, base: int) -> None:
        fresh = blocks[~self._verified[blocks + base]]
        if not len(fresh):
            return
        values: npt.NDArray[np.generic] = self.positions if base else self.hashes
        for block in np.unique(fresh).tolist():
            if checksum(values[block * BLOCK : (block + 1) * BLOCK]) != int(self._checksums[base + block]):
                what = "positions" if base else "hashes"
                raise damaged(self._name, f"the checksum of block {block} of its {what} does not fit")
            self._verified[base + block] = True

    def verify(self) -> None:
        """Looks at everything."""
        every = np.arange(self._blocks)
        self._verify(every, 0)
        self._verify(every, self._blocks)


def key_hashes(columns: Sequence[Column], rows: int) -> tuple[Hashes, npt.NDArray[np.uint32]]:
    """Hashes of the keys in these columns and the positions they are of; rows with a NULL in the key are left out."""
    positions = np.arange(rows, dtype=np.uint32)
    hashes = hash_rows(columns)
    kept: npt.NDArray[np.bool_] | None = None
    for column in columns:
        if column.array.null_count or pa.types.is_dictionary(column.array.type):
            valid = column.array.is_valid().to_numpy(zero_copy_only=False)
            kept = valid if kept is None else kept & valid
    return (hashes, positions) if kept is None or bool(kept.all()) else (hashes[kept], positions[kept])


def key_index(hashes: Hashes, positions: npt.NDArray[np.uint32]) -> KeyIndex:
    """An index in memory of hashes in any order, whose positions ascend."""
    order = np.argsort(hashes)  # three times faster than a stable sort
    ordered = hashes[order]
    equal = ordered[1:] == ordered[:-1]
    if bool(equal.any()):
        run = np.flatnonzero(np.concatenate([equal, [False]]) | np.concatenate([[False], equal]))
        order[run] = order[run][np.lexsort((order[run], ordered[run]))]
    return KeyIndex(ordered, positions[order])


def merge(indexes: Sequence[KeyIndex], offsets: Sequence[int]) -> KeyIndex:
    """One index over several runs of rows, each of which begins at its offset; runs are in order."""
    hashes = np.concatenate([index.hashes for index in indexes])
    positions = np.concatenate(
        [index.positions + np.uint32(offset) for index, offset in zip(indexes, offsets, strict=True)]
    )
    order = np.argsort(hashes, kind="stable")  # of runs that are sorted: a merge
    return KeyIndex(hashes[order], positions[order])


def write_key_index(disk: Disk, name: str, index: KeyIndex) -> int:
    """Writes and syncs an index file; its head's checksum."""
    blocks = -(-len(index) // BLOCK)
    starts = range(0, len(index), BLOCK)
    sums = [checksum(np.ascontiguousarray(index.hashes[at : at + BLOCK])) for at in starts]
    sums += [checksum(np.ascontiguousarray(index.positions[at : at + BLOCK])) for at in starts]
    head = _HEAD.pack(_MAGIC, 1, blocks, len(index)) + index.hashes[::BLOCK].tobytes() + np.array(sums, "<u8").tobytes()
    out = disk.create(name)
    try:
        out.write(head)
        if len(index):
            out.write(np.ascontiguousarray(index.hashes).view(np.uint8))
            out.write(np.ascontiguousarray(index.positions).view(np.uint8))
        out.sync()
    finally:
        out.close()
    return checksum(head)


def open_key_index(disk: Disk, name: str, head_checksum: int) -> StoredKeyIndex:
    """Maps an index file; raises :class:`~tableflow.errors.ConnectorError` for a damaged one."""
    with guarded(name, "the index cannot be read"):
        return StoredKeyIndex(name, disk.map(name), head_checksum)
