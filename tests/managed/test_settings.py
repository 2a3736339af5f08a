"""How a database is stored is set for all its connections, while it is open."""

from __future__ import annotations

import tableflow
from tableflow.config import COMMIT_DELAY, STORAGE_REMOVAL_DELAY, STORAGE_RETAINED_VERSIONS
from tableflow.storage.garbage import Garbage
from tableflow.storage.memory_disk import MemoryDisk


def test_what_is_kept_can_be_set_while_the_database_is_open():
    with tableflow.connect() as con:

        def versions():
            con.execute("VACUUM")
            return [number for number, *_ in con.execute("SHOW VERSIONS t").fetchall()]

        con.execute("CREATE TABLE t (a INT)")
        for number in range(4):
            con.execute("INSERT INTO t VALUES (?)", (number,))
        assert versions() == [5, 4, 3, 2, 1]
        con.execute("SET 'storage.retained-versions' = '2'")
        con.execute("INSERT INTO t VALUES (4)")
        assert versions() == [6, 5]
        con.execute("RESET 'storage.retained-versions'")
        con.execute("SET 'storage.retention' = '0 s'")
        con.execute("DELETE FROM t WHERE a < 4")
        assert versions() == [7]
        assert con.execute("SELECT a FROM t").fetchall() == [(4,)]


def test_connections_to_one_database_set_it_for_each_other(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        database = con.session.storage.shared.database
        with tableflow.connect(tmp_path / "db", settings={"commit.delay": "3 ms"}) as other:
            assert database.settings.get(COMMIT_DELAY) == 3_000
            assert database.committer.delay == 0.003
            other.execute("SET 'storage.removal-delay' = '7 us'")
            assert database.settings.get(STORAGE_REMOVAL_DELAY) == 7
        with tableflow.connect(tmp_path / "db", read_only=True) as reader:
            reader.execute("SET 'storage.retained-versions' = '1'")
        assert database.settings.get(STORAGE_RETAINED_VERSIONS) == 100_000


def test_garbage_goes_by_the_delay_of_the_moment():
    disk, now = MemoryDisk(), [100]
    disk.create("old").close()
    garbage = Garbage(disk, 50, lambda: now[0])
    garbage.add(["old"])
    now[0] = 120
    assert garbage.collect() == 0
    garbage.delay = 10
    assert garbage.collect() == 1
    assert disk.names("") == []
