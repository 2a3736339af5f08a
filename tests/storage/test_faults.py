"""The same work is stopped, or meets an error, at every step: what was acknowledged is there, whole, and nothing else.

The quick tests look at every sixth step; ``TABLEFLOW_FAULT_SEEDS`` says how many outcomes of each crash the thorough ones do (2).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from tableflow.errors import ConnectorError
from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind, StoredColumn
from tableflow.storage.follower import Follower
from tableflow.storage.identity import IDENTITY
from tableflow.types import INT
from tests.storage.simulated_disk import CRASH, ERROR, FULL, Crash, SimulatedDisk
from tests.storage.tables import KEYED, columns_of, rows_with_ids, settings

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("TABLEFLOW_FAULT_SEEDS", "2"))
STRIDES = pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.thorough)])
SETTINGS = settings(storage__inline_rows="6", storage__chunk_rows="4", storage__removal_delay="0 s")
Contents = dict[str, dict[int, tuple[Any, ...]]]


@dataclass
class Work:
    """What was asked for and what was acknowledged; ``contents[n]`` is the database after commit ``n``."""

    disk: SimulatedDisk
    contents: list[Contents] = field(default_factory=lambda: [{}])
    acknowledged: int = 0
    refused: int = 0

    def open(self) -> None:
        ticks = itertools.count(1_000_000, 1_000_000)
        self.database = Database.open(
            self.disk, settings=SETTINGS, clock=lambda: next(ticks), background=False,
            token=lambda: f"{self.disk.steps}s",
        )  # fmt: skip
        self.tables: dict[str, int] = {}
        for schema in self.database.state().schemas.values():
            self.tables.update({name: entry.table for name, entry in schema.permanent.items()})  # type: ignore[union-attr]

    def commit(self, changes: dict[str, tuple[list[int], list[tuple[Any, ...]]]], truncate: bool = False) -> None:
        def attempt() -> None:
            with self.database.transaction([self.tables[name] for name in changes]) as transaction:
                for name, (gone, added) in changes.items():
                    table = self.tables[name]
                    view = transaction.state.table(table).at()
                    if gone:
                        keys = columns_of([(key,) for key in gone], replace(KEYED, columns=KEYED.columns[:1]))
                        transaction.delete(table, view.find((0,), keys))
                    if truncate:
                        transaction.truncate(table)
                    writer = transaction.writer(table)
                    if added:
                        writer.write(columns_of(added, view.description), len(added))
                    writer.finish()
                transaction.commit(ChangeKind.MERGE)

        after = {name: dict(rows) for name, rows in self.contents[-1].items()}
        for name, (gone, added) in changes.items():
            kept = {} if truncate else {key: row for key, row in after[name].items() if key not in gone}
            after[name] = kept | {row[0]: row for row in added}
        self.does(attempt, after)

    def create(self, name: str) -> None:
        def attempt() -> None:
            with self.database.transaction(catalog=True) as transaction:
                table = transaction.create("default", name, KEYED)
                transaction.commit(ChangeKind.CREATE)
            self.tables[name] = table

        self.does(attempt, {**self.contents[-1], name: {}})

    def widen(self, name: str) -> None:
        def attempt() -> None:
            with self.database.transaction([self.tables[name]]) as transaction:
                old = transaction.state.table(self.tables[name]).description
                column = StoredColumn(2, "n", INT, initial=5)
                transaction.describe(self.tables[name], replace(old, columns=(*old.columns, column), next_column=3))
                transaction.commit(ChangeKind.ALTER)

        rows = {key: (*row, 5) for key, row in self.contents[-1][name].items()}
        self.does(attempt, {**self.contents[-1], name: rows})

    def does(self, attempt: Callable[[], None], after: Contents) -> None:
        """One commit; after an error nothing has changed, and it is tried again."""
        self.contents.append(after)
        while True:
            try:
                attempt()
            except ConnectorError:
                self.refused += 1
                assert contents_of(self.database) == self.contents[-2], "nothing of it may be seen"
                if self.disk.fault == FULL:
                    self.disk.fail_at = -1  # somebody made room
                continue
            break
        self.acknowledged = len(self.contents) - 1
        assert contents_of(self.database) == after

    def folds(self, name: str | None = None) -> None:
        try:
            self.database.fold([] if name is None else [self.tables[name]])
            self.database.collect()
        except ConnectorError:
            self.refused += 1
            if self.disk.fault == FULL:
                self.disk.fail_at = -1


def contents_of(database: Database) -> Contents:
    state = database.state()
    found: Contents = {}
    for schema in state.schemas.values():
        for name, entry in schema.permanent.items():
            rows = rows_with_ids(state.table(entry.table).at())  # type: ignore[union-attr, arg-type]
            found[name] = {row[0]: row[:-1] for row in rows}
            assert len(found[name]) == len(rows)
    return found


def work(run: Work) -> None:
    """Everything that writes: small and large commits, of one table and of two, folds, a second opening."""
    run.open()
    run.create("a")
    run.create("b")
    run.commit({"a": ([], [(1, "x"), (2, "y")])})
    run.commit({"a": ([1], [(3, "z")]), "b": ([], [(9, "q")])})
    run.commit({"b": ([], [(number, "many") for number in range(10, 20)])})
    run.folds()
    run.commit({"a": ([2], [(2, "again")]), "b": ([12, 15], [])})
    run.widen("a")
    run.commit({"a": ([3], [(4, "four", 4)])})
    run.folds("b")
    run.commit({"b": ([], [(30, "late")])}, truncate=True)
    run.database.close()
    run.open()
    run.commit({"a": ([], [(5, "five", None)]), "b": ([30], [(31, "last")])})
    run.folds()
    run.database.close()


def steps_of_work() -> int:
    disk = SimulatedDisk()
    run = Work(disk)
    work(run)
    assert run.refused == 0
    assert run.acknowledged == len(run.contents) - 1 == 10
    return disk.steps


def seen_by_a_reader(disk: SimulatedDisk) -> int:
    """The newest commit that another process could read when the machine stopped."""
    disk.look_back()
    return Follower(disk).refresh().sequence if disk.facts(IDENTITY) is not None else 0


def verify(disk: SimulatedDisk, run: Work, seen: int = 0) -> None:
    """The old or the new contents, all that was acknowledged or ``seen``, and a database that is sound and goes on."""
    again = Work(disk)
    if not disk.names("") and run.acknowledged == 0:
        return
    again.open()
    sequence = again.database.state().sequence
    assert max(run.acknowledged, seen) <= sequence < len(run.contents)
    assert contents_of(again.database) == run.contents[sequence]
    assert check_database(disk).problems == ()
    again.contents = [run.contents[sequence]]
    again.create("more")
    again.commit({"more": ([], [(1, "on")])})
    again.folds()
    assert contents_of(again.database) == again.contents[-1]
    again.database.close()
    assert check_database(disk).problems == ()


@STRIDES
def test_a_crash_at_every_step(stride: int) -> None:
    for step in range(0, steps_of_work(), stride):
        for seed in range(SEEDS if stride == 1 else 1):
            disk = SimulatedDisk(step, CRASH, seed)
            run = Work(disk)
            with pytest.raises(Crash):
                work(run)
            try:
                seen = seen_by_a_reader(disk)
                found = disk.after_crash(seed)
                verify(found, run, seen)
            except BaseException as error:
                error.add_note(f"crash at step {step}, seed {seed}")
                raise


@STRIDES
def test_a_crash_while_recovering(stride: int) -> None:
    """The machine stops again while it is opened after a crash."""
    steps = steps_of_work()
    for step in range(steps // 2, steps, 2 * stride):
        disk = SimulatedDisk(step, CRASH, step)
        run = Work(disk)
        with pytest.raises(Crash):
            work(run)
        for second in range(3):
            stopped = disk.after_crash(step)
            stopped.fail_at, stopped.fault = second, CRASH
            again = Work(stopped)
            try:
                again.open()
                again.database.fold()
            except Crash:
                pass
            verify(stopped.after_crash(second), run)


@STRIDES
@pytest.mark.parametrize("fault", [ERROR, FULL])
def test_an_error_at_every_step(fault: str, stride: int) -> None:
    refused = 0
    for step in range(1, steps_of_work(), stride):
        disk = SimulatedDisk(step, fault, step)
        run = Work(disk)
        try:
            try:
                work(run)
            except ConnectorError:
                assert run.acknowledged in {0, 9}, "only opening may fail, which is not tried again"
                disk.fail_at = -1
                disk._locked.clear()
            refused += run.refused
            disk.fail_at = -1
            verify(disk.after_crash(step), run)
        except BaseException as error:
            error.add_note(f"{fault} at step {step}")
            raise
    assert refused > 20 / stride


def test_a_log_that_cannot_be_repaired_takes_no_more() -> None:
    disk = SimulatedDisk()
    run = Work(disk)
    run.open()
    run.create("a")
    run.commit({"a": ([], [(1, "x")])})
    before = contents_of(run.database)

    def broken(*_: object) -> None:
        raise OSError(5, "input/output error")

    disk._sync = broken  # type: ignore[assignment, method-assign]
    with run.database.transaction([run.tables["a"]]) as transaction:
        transaction.delete(run.tables["a"], np.array([0]))
        with pytest.raises(ConnectorError, match="not possible to sync a commit"):
            transaction.commit(ChangeKind.DELETE)
    assert contents_of(run.database) == before, "it can be read"
    for _ in range(2):
        with pytest.raises(ConnectorError, match="takes no more changes"):
            run.database.transaction([run.tables["a"]])
    del disk._sync
    run.database.close()
    run.open()
    assert contents_of(run.database) in ({"a": {1: (1, "x")}}, {"a": {}})
    run.commit({"a": ([], [(2, "y")])})
