"""Processes at one database: readers beside a writer, a writer that is killed; money goes from one table to the other.

``TABLEFLOW_KILLS`` says how often a writer is killed in the thorough test (500).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.local_disk import LocalDisk
from tests.storage.tables import KEYED, columns_of, create, insert, settings

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TABLEFLOW_KILLS", "500"))
ACCOUNTS = 50
ROOT = Path(__file__).parents[2]


WRITER = """
    import os
    import sys
    from tableflow.storage.database import Database
    from tableflow.storage.description import ChangeKind
    from tableflow.storage.local_disk import LocalDisk
    from tests.storage.tables import KEYED, columns_of, settings

    def write(step):
        quick = settings(storage__fold_commits="20", storage__inline_rows="30", storage__removal_delay=sys.argv[2])
        database = Database.open(LocalDisk(sys.argv[1]), settings=quick)
        one, two = sorted(database.state().tables)
        while True:
            with database.transaction([one, two]) as transaction:
                for table, sign in ((one, 1), (two, -1)):
                    view = transaction.state.table(table).at()
                    key = (step * 7) % 50
                    found = view.find((0,), columns_of([(key, "")], KEYED)[:1])
                    value = int(view.fetch(found, [1])[0].to_pylist()[0])
                    transaction.delete(table, found)
                    writer = transaction.writer(table)
                    writer.write(columns_of([(key, str(value + sign * step))], KEYED), 1)
                    if step % 10 == 0:
                        many = [(1000 + step * 100 + each, "0") for each in range(50)]
                        writer.write(columns_of(many, KEYED), 50)
                    writer.finish()
                transaction.commit(ChangeKind.UPDATE)
            os.write(1, b"%d\\n" % step)  # in one piece, or not at all
            step += 1

    for line in sys.stdin:  # a process that has imported everything forks one that is killed
        child = os.fork()
        if not child:
            write(int(line))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("end", flush=True)
"""


class Writers:
    """Processes that write to the bank, one after the other."""

    def __init__(self, place: Path, delay: str = "0 s") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(place), delay],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._child = 0

    def start(self, step: int) -> None:
        self._in.write(f"{step}\n")
        self._in.flush()
        self._child = int(self._out.readline())

    def step(self) -> int:
        """The next step that was acknowledged."""
        return int(self._out.readline())

    def kill(self) -> list[int]:
        """Stops the writer; the steps that it acknowledged before that."""
        os.kill(self._child, signal.SIGKILL)
        return [int(line) for line in iter(self._out.readline, "end\n")]

    def close(self) -> None:
        self._in.close()
        self._process.wait()
        self._out.close()


def bank(place: Path) -> list[int]:
    database = Database.open(LocalDisk(place), background=False)
    tables = [create(database, name, KEYED) for name in ("one", "two")]
    for table in tables:
        insert(database, table, [(number, "0") for number in range(ACCOUNTS)])
    database.close()
    return tables


def expected_balances(steps: int) -> dict[int, int]:
    found = dict.fromkeys(range(ACCOUNTS), 0)
    for step in range(steps):
        found[step * 7 % ACCOUNTS] += step
    return found


def balances(database: Database, table: int) -> dict[int, int]:
    """By account; looked up by key, since a writer adds rows besides."""
    view = database.state().table(table).at()
    rows = view.find((0,), columns_of([(number, "") for number in range(ACCOUNTS)], KEYED)[:1])
    assert (rows >= 0).all()
    return dict(enumerate(map(int, view.fetch(rows, [1])[0].to_pylist())))


@pytest.mark.parametrize("kills", [8, pytest.param(KILLS, marks=pytest.mark.thorough)])
def test_a_writer_that_is_killed_loses_nothing(tmp_path: Path, kills: int) -> None:
    place = tmp_path / "db"
    one, two = bank(place)
    dice = random.Random(kills)
    writers = Writers(place)
    step = 0
    for kill in range(kills):
        writers.start(step)
        for _ in range(dice.randrange(1, 40)):
            step = writers.step() + 1
        time.sleep(dice.random() * 0.004)
        rest = writers.kill()
        step = rest[-1] + 1 if rest else step
        reader = Database.open(LocalDisk(place), writable=False)
        seen = balances(reader, one)
        assert seen in (expected_balances(step), expected_balances(step + 1)), f"after kill {kill}"
        assert balances(reader, two) == {key: -value for key, value in seen.items()}
        database = Database.open(LocalDisk(place), background=False)
        found = balances(database, one)
        if found == expected_balances(step + 1):
            step += 1  # it was whole, and the writer could not say so
        assert found == expected_balances(step), f"after kill {kill}"
        assert found == seen or seen == expected_balances(step - 1), "what a reader has seen stays"
        assert balances(reader, one) == found
        assert balances(database, two) == {key: -value for key, value in found.items()}
        database.close()
        if kill % 10 == 9 or kill == kills - 1:
            assert check_database(LocalDisk(place)).problems == ()
    writers.close()
    database = Database.open(LocalDisk(place), background=False, settings=settings(storage__removal_delay="0 s"))
    database.fold()
    database.collect()
    assert check_database(LocalDisk(place)).remarks == ()
    database.close()


@pytest.mark.parametrize(("processes", "seconds"), [(2, 3), pytest.param(10, 60, marks=pytest.mark.thorough)])
def test_readers_beside_a_writer_see_whole_commits(tmp_path: Path, processes: int, seconds: int) -> None:
    """The sum over both tables is always zero, whatever version; versions only go forward."""
    place = tmp_path / "db"
    bank(place)
    program = f"""
        import sys, time
        import tableflow

        sums = "SELECT (SELECT sum(CAST(v AS BIGINT)) FROM one{{0}}), (SELECT sum(CAST(v AS BIGINT)) FROM two{{0}})"
        con = tableflow.connect({str(place)!r}, read_only=True, settings={{"parallelism.default": "1"}})
        end = time.monotonic() + float(sys.argv[1])
        seen, reads, version = set(), 0, 0
        while time.monotonic() < end or reads < 6 or len(seen) < 4:
            about = "SELECT version, maintenance_error FROM information_schema.storage WHERE table_name = 'one'"
            (newest, problem), = con.execute(about).fetchall()
            assert problem is None, problem
            assert newest >= version, "versions only go forward"
            version = newest
            for clause in ("", f" FOR VERSION AS OF {{version}}"):
                (one, two), = con.execute(sums.format(clause)).fetchall()
                assert one == -two, (clause, one, two)
                assert one > 0 or version < 5
            seen.add(version)
            reads += 1
        print(reads, len(seen))
    """
    writers = Writers(place, "20 s")  # what a reader may take from a state to its files, on a machine with no time
    writers.start(0)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), str(seconds)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(processes)
    ]  # fmt: skip
    try:
        results = [reader.communicate(timeout=seconds + 120) for reader in readers]
        assert [reader.returncode for reader in readers] == [0] * processes
        for out, _ in results:
            reads, seen = map(int, out.split())
            assert reads > 5
            assert seen > 3
    finally:
        steps = writers.kill()
        writers.close()
    assert len(steps) > 10
    assert check_database(LocalDisk(place)).problems == ()
