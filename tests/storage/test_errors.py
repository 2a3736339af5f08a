"""What people are told: one clear error each, and what is not damaged stays usable."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tableflow.errors import CatalogError, ConnectorError
from tableflow.storage.check import check_database
from tableflow.storage.damage import checksum
from tableflow.storage.database import Database
from tableflow.storage.failure import StaleStateError
from tableflow.storage.format_version import FORMAT_VERSION
from tableflow.storage.local_disk import LocalDisk
from tests.storage.tables import KEYED, create, insert, rows_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "db"


def made(place: Path, *names: str) -> list[int]:
    """A database with tables that are in files; it is closed."""
    database = Database.open(LocalDisk(place), background=False)
    tables = [create(database, name, KEYED) for name in names]
    for table in tables:
        insert(database, table, [(number, f"text {number}") for number in range(10_000)])
    database.fold()
    database.close()
    return tables


def test_a_folder_with_other_things_is_not_a_database(place: Path) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("mine")
    with pytest.raises(CatalogError, match="is not a database") as error:
        Database.open(LocalDisk(place))
    assert error.value.detail == "it holds 'thesis.tex', and no tableflow.json"
    assert sorted(path.name for path in place.iterdir()) == ["thesis.tex"]
    with pytest.raises(CatalogError, match="is a file"):
        Database.open(LocalDisk(place / "thesis.tex"))


def test_reading_what_does_not_exist(place: Path) -> None:
    with pytest.raises(ConnectorError, match="does not exist"):
        Database.open(LocalDisk(place), writable=False)
    assert not place.exists()


def rewritten(path: Path, change: tuple[str, str]) -> None:
    """The file with other content whose checksum fits."""
    text = path.read_text().partition("\n")[2].rstrip("\n").replace(*change)
    path.write_text(f"{checksum(text.encode()):016x}\n{text}\n")


def test_a_manifest_of_a_newer_format_is_refused(place: Path) -> None:
    """So is the root; all other tables can be used."""
    newer, other = made(place, "newer", "other")
    (manifest,) = place.glob(f"tables/{newer}/manifest-*")
    newer_format = (f'"format_version":{FORMAT_VERSION}', '"format_version":77')
    rewritten(manifest, newer_format)
    database = Database.open(LocalDisk(place), background=False)
    insert(database, other, [(100_000, "x")])
    assert len(rows_of(database, other)) == 10_001
    with pytest.raises(
        ConnectorError,
        match=f"file 'tables/{newer}/{manifest.name}' of .* was written by a newer tableflow: it has format version 77",
    ) as error:
        database.state().table(newer)
    assert error.value.hint == "use the version of tableflow that wrote it, or a newer one"
    database.close()
    rewritten(place / "root", newer_format)
    with pytest.raises(ConnectorError, match=r"file 'root' of .* has format version 77"):
        Database.open(LocalDisk(place))


def test_a_newer_format_is_refused(place: Path) -> None:
    made(place)
    for version in (FORMAT_VERSION + 1, 0, "2"):
        (place / "tableflow.json").write_text(json.dumps({"kind": "tableflow database", "format_version": version}))
        with pytest.raises(
            ConnectorError, match=f"was written by a newer tableflow: it has format version {version}"
        ) as error:
            Database.open(LocalDisk(place))
        assert error.value.detail == f"this version of tableflow reads format versions up to {FORMAT_VERSION}"


def test_a_database_of_the_first_format_is_read_and_becomes_one_of_this_when_it_is_written(place: Path) -> None:
    (table,) = made(place, "old")
    now, first = f'"format_version":{FORMAT_VERSION}', '"format_version":1'
    for path in (*place.glob(f"tables/{table}/manifest-*"), place / "root"):
        assert now in path.read_text()
        rewritten(path, (now, first))
    identity = place / "tableflow.json"
    identity.write_text(json.dumps({"kind": "tableflow database", "format_version": 1}))
    reader = Database.open(LocalDisk(place), writable=False)
    assert len(rows_of(reader, table)) == 10_000
    reader.close()
    assert json.loads(identity.read_text())["format_version"] == 1
    database = Database.open(LocalDisk(place), background=False)
    assert json.loads(identity.read_text())["format_version"] == FORMAT_VERSION
    insert(database, table, [(100_000, "x")])
    assert len(rows_of(database, table)) == 10_001
    database.close()


def test_a_second_writer_hears_who_has_it(place: Path) -> None:
    first = Database.open(LocalDisk(place), background=False)
    table = create(first)
    with pytest.raises(ConnectorError, match="has a writer already") as error:
        Database.open(LocalDisk(place))
    assert f"process {os.getpid()} on " in str(error.value.detail)
    reader = Database.open(LocalDisk(place), writable=False)
    insert(first, table, [(1, "a")])
    assert rows_of(reader, table) == [(1, "a")]
    with pytest.raises(ConnectorError, match="open for reading only"):
        reader.transaction([table])
    first.close()
    Database.open(LocalDisk(place), background=False).close()


def test_a_lease_that_is_lost_is_noticed_before_the_next_commit(place: Path) -> None:
    database = Database.open(LocalDisk(place), background=False)
    table = create(database)
    (place / "lease").unlink()
    with pytest.raises(ConnectorError, match="no longer ours to write"):
        insert(database, table, [(1, "a")])
    assert database.maintenance is not None
    assert not database.maintenance.beat()
    with pytest.raises(ConnectorError, match="no longer ours to write"):
        database.fold()
    other = Database.open(LocalDisk(place), background=False)
    insert(other, table, [(2, "b")])
    assert rows_of(other, table) == [(2, "b")]
    database.close()
    insert(other, table, [(3, "c")])
    other.close()


def test_the_lease_of_a_killed_process_is_taken_over(place: Path) -> None:
    program = f"""
        import os
        from tableflow.storage.database import Database
        from tableflow.storage.local_disk import LocalDisk
        Database.open(LocalDisk({str(place)!r}))
        print(os.getpid(), flush=True)
        input()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    pid = holder.stdout.readline().strip()
    with pytest.raises(ConnectorError) as error:
        Database.open(LocalDisk(place))
    assert f"process {pid} on " in str(error.value.detail)
    holder.kill()
    holder.communicate()
    database = Database.open(LocalDisk(place), background=False)
    assert database.lease is not None
    assert database.lease.outcome.value == "taken over"
    database.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_can_be_read(place: Path) -> None:
    (table,) = made(place, "t")
    for path in [place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with pytest.raises(ConnectorError, match="cannot be written"):
            Database.open(LocalDisk(place))
        assert len(rows_of(Database.open(LocalDisk(place), writable=False), table)) == 10_000
    finally:
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)


def test_a_disk_that_may_not_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, for those who may write everywhere."""
    (table,) = made(place, "t")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("create", "append", "lock", "rename", "remove", "sync"):
        monkeypatch.setattr(LocalDisk, name, refuse)
    with pytest.raises(ConnectorError, match="cannot be written") as error:
        Database.open(LocalDisk(place))
    assert "Read-only file system" in str(error.value.detail)
    assert len(rows_of(Database.open(LocalDisk(place), writable=False), table)) == 10_000
    assert check_database(LocalDisk(place)).problems == ()


@pytest.mark.parametrize("suffix", [".arrow", ".json", ".index-0", "manifest"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_leaves_other_tables_usable(place: Path, suffix: str, damage: str) -> None:
    one, two = made(place, "one", "two")
    folder = place / "tables" / str(one)
    wanted = [path for path in folder.iterdir() if (suffix == "manifest") == path.name.startswith("manifest")]
    (path,) = [path for path in wanted if suffix == "manifest" or path.name.endswith(suffix)]
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    report = check_database(LocalDisk(place))
    assert len(report.problems) == 1
    assert report.problems[0].startswith("table 'one': ")
    assert path.name in report.problems[0]
    database = Database.open(LocalDisk(place), background=False)
    insert(database, two, [(-1, "on")])
    assert len(rows_of(database, two)) == 10_001
    with pytest.raises(ConnectorError, match=path.name.partition(".")[0]):
        rows_of(database, one)
        insert(database, one, [(5_000, "there already")])
    database.fold()
    database.collect()
    database.close()
    if damage == "flip":
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
        again = Database.open(LocalDisk(place), background=False)
        assert len(rows_of(again, one)) >= 10_000, "what was repaired is there again"
        again.close()


@pytest.mark.parametrize("name", ["root", "log/00000002.log"])
def test_a_damaged_root_or_log_is_named(place: Path, name: str) -> None:
    made(place, "t")
    (place / name).unlink()
    with pytest.raises(ConnectorError, match=r"root|log"):
        Database.open(LocalDisk(place))
    report = check_database(LocalDisk(place))
    assert len(report.problems) == 1
    with pytest.raises(ConnectorError):
        Database.open(LocalDisk(place), writable=False)


def test_a_damaged_record_in_the_middle_of_the_log_is_an_error(place: Path) -> None:
    """What follows it was acknowledged: it must not be taken for a torn end and cut."""
    database = Database.open(LocalDisk(place), background=False)
    table = create(database)
    for number in range(5):
        insert(database, table, [(number, "a")])
    database.close()
    path = place / "log" / "00000001.log"
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConnectorError, match=r"log.*is damaged: commit \d was durable and cannot be read"):
        Database.open(LocalDisk(place))
    assert any("log" in problem for problem in check_database(LocalDisk(place)).problems)


def test_a_reader_that_is_too_slow_may_try_again(place: Path) -> None:
    (table,) = made(place, "t")
    reader = Database.open(LocalDisk(place), writable=False)
    pinned = reader.state().table(table).at()
    for path in (place / "tables" / str(table)).glob("*.arrow"):
        path.unlink()
    with pytest.raises(StaleStateError, match="is missing") as error:
        pinned.chunks([0])
    assert error.value.retryable
