"""Readers of other processes take what is durable, and no more; what another start of the machine left counts as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tableflow.storage.announcement import SYNCED, announced
from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.log import LogWriter
from tests.storage.tables import create, insert, rows_of


class Elsewhere(LocalDisk):
    """The folder as seen after another start of the machine."""

    boot = "another"  # type: ignore[assignment]


def test_a_record_is_not_read_before_it_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(LocalDisk(tmp_path), background=False)
    table = create(database)
    insert(database, table, [(1, "a")])
    reader = Database.open(LocalDisk(tmp_path), writable=False)
    seen = []

    def sync(_: LogWriter) -> None:
        late = Database.open(LocalDisk(tmp_path), writable=False)
        seen.append((rows_of(reader, table), rows_of(late, table)))

    monkeypatch.setattr(LogWriter, "sync", sync)
    insert(database, table, [(2, "b")])
    insert(database, table, [(3, "c")])
    monkeypatch.undo()
    assert seen == [([(1, "a")],) * 2, ([(1, "a"), (2, "b")],) * 2]
    assert rows_of(reader, table) == [(1, "a"), (2, "b"), (3, "c")]
    database.fold()
    insert(database, table, [(4, "d")])
    assert len(rows_of(reader, table)) == 4
    database.close()


def test_after_another_start_of_the_machine_all_that_is_there_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database.open(LocalDisk(tmp_path), background=False)
    table = create(database)
    insert(database, table, [(1, "a")])
    assert announced(LocalDisk(tmp_path)) == 2
    before = (tmp_path / SYNCED).read_bytes()
    insert(database, table, [(2, "b")])
    database.close()
    (tmp_path / SYNCED).write_bytes(before)  # it is not synced itself
    assert len(rows_of(Database.open(LocalDisk(tmp_path), writable=False), table)) == 1
    assert check_database(LocalDisk(tmp_path)).problems == ()
    assert len(rows_of(Database.open(Elsewhere(tmp_path), writable=False), table)) == 2
    for content in (b"", before[:-1], bytes(len(before))):
        (tmp_path / SYNCED).write_bytes(content)
        assert announced(LocalDisk(tmp_path)) is None
        assert len(rows_of(Database.open(LocalDisk(tmp_path), writable=False), table)) == 2
    (tmp_path / SYNCED).unlink()
    assert len(rows_of(Database.open(LocalDisk(tmp_path), writable=False), table)) == 2
    Database.open(LocalDisk(tmp_path), background=False).close()
    assert announced(LocalDisk(tmp_path)) == 3
    monkeypatch.setattr(LocalDisk, "boot", "")
    assert announced(LocalDisk(tmp_path)) is None
