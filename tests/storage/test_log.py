"""The log by itself: whole records or none, whatever follows them; one file after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.errors import ConnectorError
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.log import LogReader, LogWriter, log_name
from tableflow.storage.memory_disk import MemoryDisk


def written(payloads: list[bytes], durable: int = 0) -> tuple[MemoryDisk, list[int]]:
    """A log of these records, and where each ends."""
    disk = MemoryDisk()
    log = LogWriter.create(disk, 1)
    ends = []
    for number, payload in enumerate(payloads):
        log.append(number + 1, payload, min(durable, number))
        ends.append(log.position)
    return disk, ends


def read(disk: MemoryDisk) -> list[bytes]:
    return [record.payload for record in LogReader(disk, 1, 1).records()]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6), st.data())
def test_a_log_that_is_cut_or_changed_anywhere_ends_there(payloads: list[bytes], data: st.DataObject) -> None:
    disk, ends = written(payloads)
    content = disk.read(log_name(1))
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = content[:at] + data.draw(st.sampled_from([b"", bytes(100), content]))
    else:
        damaged = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
    file = disk.create(log_name(1))
    file.write(damaged)
    file.close()
    whole = sum(end <= at for end in ends)
    expected = len(payloads) if damaged[: len(content)] == content else whole
    assert read(disk) == payloads[:expected]
    reader = LogReader(disk, 1, 1)
    list(reader.records())
    reader.check_end()  # none of it was durable
    resumed = LogWriter.resume(disk, 1, reader.position)
    resumed.append(reader.sequence, b"next", 0)
    assert read(disk) == [*payloads[:expected], b"next"]


def test_damage_before_what_was_durable_is_an_error() -> None:
    disk, ends = written([b"one", b"two", b"three"], durable=9)
    content = bytearray(disk.read(log_name(1)))
    content[ends[0] - 1] ^= 1
    file = disk.create(log_name(1))
    file.write(content)
    reader = LogReader(disk, 1, 1)
    assert list(reader.records()) == []
    with pytest.raises(ConnectorError, match="commit 1 was durable and cannot be read"):
        reader.check_end()


def test_a_reader_that_is_overtaken_while_it_looks_at_the_end_finds_no_damage() -> None:
    disk, _ = written([b"one"])
    reader = LogReader(disk, 1, 1)
    assert len(list(reader.records())) == 1
    log = LogWriter(disk, 1, disk.append(log_name(1)))
    log.append(2, b"two", 1)
    log.append(3, b"three", 2)
    reader.check_end()
    assert [record.payload for record in reader.records()] == [b"two", b"three"]


def test_a_reader_follows_the_log_from_file_to_file() -> None:
    disk = MemoryDisk()
    log = LogWriter.create(disk, 1)
    reader = LogReader(disk, 1, 1)
    found: list[bytes] = []
    for number in range(1, 40):
        log.append(number, str(number).encode(), 0)
        if number % 7 == 0:
            following = LogWriter.create(disk, log.number + 1)
            log.link(number + 1)
            log = following
        if number % 3 == 0:
            found.extend(record.payload for record in reader.records())
    assert found == [str(number).encode() for number in range(1, 40)]
    assert reader.number == 6


def test_a_reader_notices_that_a_record_was_taken_back() -> None:
    disk, ends = written([b"one"])
    log = LogWriter(disk, 1, disk.append(log_name(1)))
    reader = LogReader(disk, 1, 1)
    log.append(2, b"two", 1)
    assert len(list(reader.records())) == 2
    assert reader.unchanged()
    log.cut(ends[0])
    assert not reader.unchanged()
    log.append(2, b"too", 1)
    assert not reader.unchanged()


def test_a_log_that_goes_on_elsewhere_keeps_no_room(tmp_path: Path) -> None:
    disk = LocalDisk(tmp_path)
    log = LogWriter.create(disk, 1)
    log.append(1, b"one", 0)
    reserved = disk.facts(log_name(1))
    log.link(2)
    end = log.position
    log.close()
    facts = disk.facts(log_name(1))
    assert reserved is not None
    assert facts is not None
    assert reserved.size > facts.size == end
    following = LogWriter.create(disk, 2)
    following.append(2, b"two", 1)
    following.close()
    assert [record.payload for record in LogReader(disk, 1, 1).records()] == [b"one", b"two"]
