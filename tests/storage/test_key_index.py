"""Key indexes find every row of a key, in memory and mapped, and tell damage."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.errors import ConnectorError
from tableflow.storage.key_index import (
    BLOCK,
    KeyIndex,
    StoredKeyIndex,
    key_hashes,
    key_index,
    merge,
    open_key_index,
    write_key_index,
)
from tests.storage.file_columns import Files


def stored(index: KeyIndex, files: Files | None = None) -> StoredKeyIndex:
    files = files or Files()
    return open_key_index(files, "t/f.index-0", write_key_index(files, "t/f.index-0", index))


def positions(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint32)


def expected(hashes: list[int], probes: list[int]) -> list[tuple[int, int]]:
    return [(p, at) for p, probe in enumerate(probes) for at, each in enumerate(hashes) if each == probe]


SMALL = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1])


@given(st.lists(SMALL, max_size=30), st.lists(SMALL, max_size=100))
def test_every_row_of_a_hash_is_found_in_order(hashes: list[int], probes: list[int]) -> None:
    memory = key_index(np.array(hashes, np.uint64), positions(len(hashes)))
    for index in (memory, stored(memory)):
        found = index.find(np.array(probes, np.uint64))
        assert list(zip(*(part.tolist() for part in found), strict=True)) == expected(hashes, probes)
        assert len(index) == len(hashes)


@pytest.mark.parametrize("probes", [1, 63, 200, 20_000])
def test_runs_that_cross_blocks(probes: int) -> None:
    generator = np.random.default_rng(probes)
    hashes = generator.integers(0, 9, 3 * BLOCK + 17).astype(np.uint64) << np.uint64(60)
    index = stored(key_index(hashes, positions(len(hashes))))
    wanted = generator.integers(0, 12, probes).astype(np.uint64) << np.uint64(60)
    wanted = (
        wanted[: 5 if probes > 1 else 1] if probes < 1000 else np.append(wanted[:2], np.arange(probes, dtype=np.uint64))
    )
    numbers, rows = index.find(wanted)
    for number, probe in enumerate(wanted[:5].tolist()):
        assert rows[numbers == number].tolist() == np.flatnonzero(hashes == probe).tolist()
    assert (np.diff(numbers) >= 0).all()


@given(st.lists(st.lists(SMALL, max_size=12), min_size=1, max_size=4), st.lists(SMALL, max_size=9))
def test_merged_indexes_find_the_rows_of_all_runs(runs: list[list[int]], probes: list[int]) -> None:
    indexes = [key_index(np.array(run, np.uint64), positions(len(run))) for run in runs]
    offsets = np.cumsum([0, *map(len, runs)])[:-1].tolist()
    found = merge(indexes, offsets).find(np.array(probes, np.uint64))
    every = [each for run in runs for each in run]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected(every, probes)


def test_keys_with_a_null_are_left_out() -> None:
    numbers = Column(t.INT, pa.array([1, None, 3, 4], pa.int32()))
    texts = Column(t.STRING, pa.array(["a", "b", None, "d"]).dictionary_encode())
    hashes, at = key_hashes([numbers, texts], 4)
    assert at.tolist() == [0, 3]
    assert hashes.tolist() == hash_rows([numbers, texts])[[0, 3]].tolist()
    assert key_hashes([Column(t.INT, pa.array([5, 6]))], 2)[1].tolist() == [0, 1]


def test_every_byte_of_an_index_is_checked() -> None:
    files = Files()
    generator = np.random.default_rng(3)
    hashes = generator.integers(0, 2**64, 300, np.uint64)
    index = key_index(hashes, positions(300))
    head = write_key_index(files, "t/f.index-0", index)
    content = bytes(files.content["t/f.index-0"])
    for at in range(0, len(content), 7):
        files.content["t/f.index-0"][:] = content
        files.content["t/f.index-0"][at] ^= 1 << at % 8
        with pytest.raises(ConnectorError, match=r"file 't/f.index-0' is damaged"):
            open_key_index(files, "t/f.index-0", head).find(hashes[:1])
    for size in (0, 5, 40, len(content) - 1):
        files.content["t/f.index-0"][:] = content[:size]
        with pytest.raises(ConnectorError, match="is damaged"):
            open_key_index(files, "t/f.index-0", head)
    files.content["t/f.index-0"][:] = content
    open_key_index(files, "t/f.index-0", head).verify()


def test_damage_is_found_when_the_block_is_touched() -> None:
    files = Files()
    hashes = np.arange(4 * BLOCK, dtype=np.uint64) << np.uint64(40)
    head = write_key_index(files, "t/f.index-0", key_index(hashes, positions(len(hashes))))
    files.content["t/f.index-0"][-1] ^= 4  # of the last position
    index = open_key_index(files, "t/f.index-0", head)
    assert index.find(hashes[5:6])[1].tolist() == [5]
    with pytest.raises(ConnectorError, match="block 3 of its positions"):
        index.find(hashes[-1:])


@pytest.mark.slow
def test_a_lookup_in_ten_million_rows_costs_microseconds() -> None:
    hashes = np.arange(10_000_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    order = np.argsort(hashes)
    index = KeyIndex(hashes[order], order.astype(np.uint32))
    mapped = stored(index)
    for each in (index, mapped):
        probes = [hashes[i : i + 1] for i in range(0, 10_000_000, 33_333)]
        for probe in probes:
            each.find(probe)  # the first touch verifies
        start = time.thread_time()
        found = [int(each.find(probe)[1][0]) for probe in probes]
        assert (time.thread_time() - start) / len(probes) < 0.0002
        assert found == list(range(0, 10_000_000, 33_333))
