"""A damaged table stops neither folding of the others nor, as far as its damage goes, its own; and the log stays bounded."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import pytest

from tableflow.errors import CancelledError, ConnectorError
from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.folding import Folder
from tableflow.storage.local_disk import LocalDisk
from tableflow.storage.maintenance import FULL, LAGGING
from tests.storage.tables import KEYED, create, insert, replace_rows, rows_of, settings


def opened(place: Path) -> Database:
    quick = settings(storage__removal_delay="0 s", storage__inline_rows="3")
    return Database.open(LocalDisk(place), settings=quick, background=False)


def logs(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "log").iterdir())


@pytest.mark.parametrize("suffix", [".arrow", ".json", ".index-0", ".deletes"])
def test_a_table_with_a_damaged_file_is_folded_around_it(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / "db"
    database = opened(place)
    one, two = create(database, "one", KEYED), create(database, "two", KEYED)
    insert(database, one, [(number, "x") for number in range(8)])
    replace_rows(database, one, lambda row: row[0] < 3, [(0, "y")])
    insert(database, two, [(1, "a")])
    database.fold()
    database.close()
    shutil.copytree(place, tmp_path / "copy")
    for path in (place / "tables" / str(one)).glob(f"*{suffix}"):
        if not path.name.startswith("manifest"):
            content = path.read_bytes()
            path.write_bytes(bytes(255 - byte for byte in content))
    database = opened(place)
    insert(database, two, [(2, "b")])
    for number in range(3):
        try:
            insert(database, one, [(100 + number, "new")])
        except ConnectorError:
            break  # the key cannot be checked
    version = database.state().table(one).version
    before = logs(place)
    for _ in range(2):
        with contextlib.suppress(ConnectorError):  # not every damage is in the way
            database.fold([one])
    assert database.maintenance is not None
    database.collect()
    assert logs(place) != before, "the old log is gone"
    assert rows_of(database, two) == [(1, "a"), (2, "b")]
    database.close()
    for path in (tmp_path / "copy" / "tables" / str(one)).iterdir():
        shutil.copy(path, place / "tables" / str(one) / path.name)
    again = opened(place)
    table = again.state().table(one)
    assert table.version == version
    expected = [
        (0, "y"),
        *((number, "new") for number in range(100, 100 + version - 3)),
        *((n, "x") for n in range(3, 8)),
    ]
    assert rows_of(again, one) == sorted(expected, key=repr)
    again.fold([one])
    assert rows_of(again, one) == sorted(expected, key=repr)
    again.close()
    assert check_database(LocalDisk(place)).problems == ()


def test_a_table_without_its_manifest_keeps_what_was_in_the_log(tmp_path: Path) -> None:
    place = tmp_path / "db"
    database = opened(place)
    one, two = create(database, "one", KEYED), create(database, "two", KEYED)
    insert(database, one, [(1, "a")])
    database.fold()
    insert(database, one, [(2, "b")])
    replace_rows(database, one, lambda row: row[0] == 1, [(number, "many") for number in range(10, 15)])
    insert(database, two, [(1, "a")])
    expected = rows_of(database, one)
    database.close()
    (manifest,) = (place / "tables" / str(one)).glob("manifest*")
    content = manifest.read_bytes()
    manifest.write_bytes(content[:-5])
    database = opened(place)
    for turn in range(3):
        insert(database, two, [(10 + turn, "b")])
        if turn == 0:
            with pytest.raises(ConnectorError, match="is damaged"):
                database.fold()
        else:
            database.fold()
        database.collect()
        assert len(logs(place)) == 1
        with pytest.raises(ConnectorError, match="is damaged"):
            database.state().table(one)
    assert len(rows_of(database, two)) == 4
    database.close()
    database = opened(place)
    database.collect()
    assert any("is damaged" in problem for problem in check_database(LocalDisk(place)).problems)
    manifest.write_bytes(content)
    assert rows_of(database, one) == expected
    insert(database, one, [(3, "c")])
    database.fold()
    assert rows_of(database, one) == sorted([*expected, (3, "c")], key=repr)
    database.close()
    again = opened(place)
    again.collect()
    assert rows_of(again, one) == sorted([*expected, (3, "c")], key=repr)
    again.close()
    report = check_database(LocalDisk(place))
    assert (report.problems, report.remarks) == ((), ())


def test_commits_wait_for_a_fold_that_lags_and_fail_when_none_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = threading.Event(), threading.Event()
    fold = Folder.fold

    def slow(self: Folder, everything: frozenset[int] = frozenset()) -> None:
        began.set()
        assert go.wait(30)
        fold(self, everything)

    monkeypatch.setattr(Folder, "fold", slow)
    database = Database.open(LocalDisk(tmp_path), settings=settings(storage__fold_commits="5"))
    table = create(database)
    for number in range(5 * LAGGING - 1):
        insert(database, table, [(number, "x")])
    assert began.wait(10)
    with pytest.raises(CancelledError, match="waited for the log"):
        database.transaction([table], cancelled=lambda: True)
    waiting = threading.Thread(target=insert, args=(database, table, [(-1, "late")]))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    go.set()
    waiting.join(30)
    assert not waiting.is_alive()

    def failing(self: Folder, everything: frozenset[int] = frozenset()) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "fold", failing)
    with pytest.raises(ConnectorError, match="log is too long") as error:
        for number in range(5 * FULL + 10):
            insert(database, table, [(number, "x")])
    assert "no space is left" in str(error.value)
    monkeypatch.undo()
    database.fold()
    insert(database, table, [(-2, "again")])
    database.close()
