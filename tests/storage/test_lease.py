"""Who may write: the decision from facts, and a file system that has no locks."""

from __future__ import annotations

import errno
import fcntl
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tableflow.errors import ConnectorError
from tableflow.storage.database import Database
from tableflow.storage.lease import SILENCE, Holder, LeaseFacts, Outcome, decide
from tableflow.storage.local_disk import LocalDisk
from tests.storage.tables import create, insert

OTHER = Holder(1, "elsewhere", 0, 0, "other")
OWN = replace(OTHER, token="own")
WANTED = LeaseFacts(held=False, locked=True, named=True, token="own", holder=None)
HELD = replace(WANTED, held=True)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (WANTED, Outcome.HELD),
        (replace(WANTED, holder=OTHER), Outcome.TAKEN_OVER),  # who had the lock is gone
        (replace(WANTED, locked=False, holder=OTHER), Outcome.REFUSED),
        (replace(WANTED, locked=False, holder=OTHER, silence=SILENCE + 1, gone=True), Outcome.REFUSED),
        (replace(WANTED, named=False), Outcome.REFUSED),
        (replace(WANTED, locked=None), Outcome.HELD),
        (replace(WANTED, locked=None, holder=OTHER, silence=SILENCE), Outcome.REFUSED),
        (replace(WANTED, locked=None, holder=OTHER, silence=SILENCE + 1), Outcome.TAKEN_OVER),
        (replace(WANTED, locked=None, holder=OTHER, gone=True), Outcome.TAKEN_OVER),
        (HELD, Outcome.HELD),
        (replace(HELD, holder=OWN), Outcome.HELD),
        (replace(HELD, named=False), Outcome.LOST),
        (replace(HELD, locked=None, holder=OWN), Outcome.HELD),
        (replace(HELD, locked=None, holder=OTHER), Outcome.LOST),
        (replace(HELD, locked=None, named=False), Outcome.LOST),
    ],
)
def test_what_follows_from_what_is_found(facts: LeaseFacts, expected: Outcome) -> None:
    assert decide(facts) is expected


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    disk = LocalDisk(tmp_path / "db")
    time = [1_000_000_000]
    first = Database.open(disk, clock=lambda: time[0], background=False)
    table = create(first)
    time[0] += SILENCE
    with pytest.raises(ConnectorError, match="has a writer already"):
        Database.open(disk, clock=lambda: time[0], background=False)
    assert first.maintenance is not None
    assert first.maintenance.beat()
    time[0] += SILENCE
    with pytest.raises(ConnectorError, match="has a writer already"):
        Database.open(disk, clock=lambda: time[0], background=False)
    time[0] += 1
    second = Database.open(disk, clock=lambda: time[0], background=False)
    with pytest.raises(ConnectorError, match="no longer ours"):
        insert(first, table, [(1, "a")])
    assert not first.maintenance.beat()
    first.close()
    insert(second, table, [(2, "b")])
    second.close()
    assert (tmp_path / "db" / "lease").read_bytes() == b""
    (tmp_path / "db" / "lease").write_text(json.dumps({"pid": "no", "what": 1}))
    Database.open(disk, background=False).close()
