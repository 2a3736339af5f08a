"""A database against a Python model of all its versions, with folding, compaction, removal and reopening in between."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tableflow.errors import CatalogError, IntegrityError
from tableflow.storage.check import check_database
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind, StoredColumn, TableDescription
from tableflow.storage.memory_disk import MemoryDisk
from tableflow.types import BIGINT, INT
from tests.storage.tables import KEYED, columns_of, rows_with_ids, settings

RETAINED = 12
NARROW = replace(KEYED, columns=(*KEYED.columns, StoredColumn(2, "n", INT)), next_column=3)
SETTINGS = settings(
    storage__inline_rows="6", storage__chunk_rows="4", storage__file_rows="40", storage__retained_versions=str(RETAINED)
)
Rows = dict[int, tuple[Any, ...]]


class Databases(RuleBasedStateMachine):
    """``versions`` has for every version of the table its rows by key; ``columns`` their names."""

    @initialize()
    def begin(self) -> None:
        self.ticks = itertools.count(1_000_000, 1_000_000)
        self.disk = MemoryDisk()
        self.open()
        with self.database.transaction(catalog=True) as transaction:
            self.table = transaction.create("default", "t", NARROW)
            transaction.commit(ChangeKind.CREATE)
        self.versions: dict[int, Rows] = {1: {}}
        self.names: dict[int, list[str]] = {1: ["k", "v", "n"]}
        self.retained = 1

    def open(self) -> None:
        tokens = itertools.count()
        self.database = Database.open(
            self.disk, settings=SETTINGS, clock=lambda: next(self.ticks), background=False,
            token=lambda: f"{next(self.ticks)}x{next(tokens)}",
        )  # fmt: skip

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    @property
    def newest(self) -> int:
        return max(self.versions)

    @property
    def description(self) -> TableDescription:
        return self.database.state().table(self.table).description

    def commit(self, gone: list[int], added: list[tuple[Any, ...]], kind: ChangeKind, truncate: bool = False) -> None:
        with self.database.transaction([self.table]) as transaction:
            view = transaction.state.table(self.table).at()
            if gone:
                keys = columns_of([(key,) for key in gone], TableDescription((KEYED.columns[0],)))
                transaction.delete(self.table, view.find((0,), keys))
            if truncate:
                transaction.truncate(self.table)
            if added:
                writer = transaction.writer(self.table)
                writer.write(columns_of(added, view.description), len(added))
                writer.finish()
            version = transaction.commit(kind).get(self.table)
        if version is None:
            assert not gone and not added and not truncate
            return
        assert version == self.newest + 1
        rows = {} if truncate else {key: row for key, row in self.versions[self.newest].items() if key not in gone}
        self.versions[version] = rows | {row[0]: row for row in added}
        self.names[version] = self.names[version - 1]

    def rows(self, keys: list[int], text: str) -> list[tuple[Any, ...]]:
        extra = [None if number % 3 == 0 else number for number in range(len(keys))]
        width = len(self.names[self.newest])
        return [(key, text, *([number] * (width - 2))) for key, number in zip(keys, extra, strict=True)]

    @rule(keys=st.sets(st.integers(0, 60), max_size=14), text=st.sampled_from(["a", "b", "c"]))
    def insert(self, keys: set[int], text: str) -> None:
        added = self.rows(sorted(keys), text)
        if keys & self.versions[self.newest].keys():
            with pytest.raises(IntegrityError):
                self.commit([], added, ChangeKind.INSERT)
        else:
            self.commit([], added, ChangeKind.INSERT)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        keys = sorted(self.versions[self.newest])
        self.commit(data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else [], [], ChangeKind.DELETE)

    @rule(data=st.data(), text=st.sampled_from(["x", "y"]))
    def update(self, data: st.DataObject, text: str) -> None:
        keys = sorted(self.versions[self.newest])
        chosen = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
        self.commit(chosen, self.rows(chosen, text), ChangeKind.UPDATE)

    @rule(keys=st.sets(st.integers(0, 60), max_size=3))
    def truncate(self, keys: set[int]) -> None:
        self.commit([], self.rows(sorted(keys), "t"), ChangeKind.TRUNCATE, truncate=True)

    def describe(self, description: TableDescription, names: list[str], change: Any) -> None:
        with self.database.transaction([self.table]) as transaction:
            transaction.describe(self.table, description)
            version = transaction.commit(ChangeKind.ALTER)[self.table]
        self.versions[version] = {key: change(row) for key, row in self.versions[self.newest].items()}
        self.names[version] = names

    @rule(initial=st.sampled_from([None, 7]))
    def add_column(self, initial: int | None) -> None:
        old = self.description
        if len(old.columns) >= 6:
            return
        name = f"c{old.next_column}"
        column = StoredColumn(old.next_column, name, INT, initial=initial)
        new = replace(old, columns=(*old.columns, column), next_column=old.next_column + 1)
        self.describe(new, [*self.names[self.newest], name], lambda row: (*row, initial))

    @precondition(lambda self: len(self.names[self.newest]) > 2)
    @rule()
    def drop_column(self) -> None:
        old = self.description
        self.describe(replace(old, columns=old.columns[:-1]), self.names[self.newest][:-1], lambda row: row[:-1])

    @precondition(lambda self: len(self.names[self.newest]) > 2)
    @rule()
    def widen_column(self) -> None:
        old = self.description
        column = replace(old.columns[2], type=BIGINT)
        self.describe(
            replace(old, columns=(*old.columns[:2], column, *old.columns[3:])), self.names[self.newest], lambda row: row
        )

    @rule(everything=st.booleans())
    def fold(self, everything: bool) -> None:
        self.database.fold([self.table] if everything else [])
        self.retained = max(self.retained, self.newest - RETAINED + 1)
        history = self.database.state().table(self.table).history
        assert history[0].number == self.retained, "what is older is forgotten"

    @rule()
    def collect(self) -> None:
        self.database.collect()

    @rule()
    def reopen(self) -> None:
        self.database.close()
        self.open()

    @rule()
    def give_up(self) -> None:
        with self.database.transaction([self.table]) as transaction:
            writer = transaction.writer(self.table)
            added = self.rows(list(range(100, 120)), "never")
            writer.write(columns_of(added, self.description), len(added))

    @rule(version=st.integers(0, 40))
    def read_version(self, version: int) -> None:
        reader = Database.open(self.disk, writable=False)
        for database in (self.database, reader):
            state = database.state().table(self.table)
            if self.retained <= version <= self.newest:
                view = state.at(version)
                assert [column.name for column in view.description.columns] == self.names[version]
                assert {row[0]: row[:-1] for row in rows_with_ids(view)} == self.versions[version]
                assert view.rows == len(self.versions[version])
            else:
                with pytest.raises(CatalogError):
                    state.at(version)

    @rule(after=st.integers(0, 40), last=st.integers(0, 40))
    def changes(self, after: int, last: int) -> None:
        if not self.retained <= after <= last <= self.newest or self.names[after] != self.names[last]:
            return
        found: Counter[tuple[Any, ...]] = Counter()
        state = self.database.state().table(self.table)
        ids = [column.id for column in state.at(last).description.columns]
        for batch, versions in state.changes(after, last, ids):
            assert all(after < version <= last for version in versions.tolist())
            assert batch.weights is not None
            values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            for row, weight in zip(values, batch.weights.tolist(), strict=True):
                found[row] += weight
        if any(self.names[version] != self.names[last] for version in range(after, last)):
            return
        expected = Counter(self.versions[last].values())
        expected.subtract(self.versions[after].values())
        assert {row: n for row, n in found.items() if n} == {row: n for row, n in expected.items() if n}

    @rule(keys=st.lists(st.integers(0, 60), min_size=1, max_size=5), version=st.integers(0, 40))
    def find(self, keys: list[int], version: int) -> None:
        version = version if self.retained <= version <= self.newest else self.newest
        view = self.database.state().table(self.table).at(version)
        found = view.find((0,), columns_of([(key,) for key in keys], TableDescription((KEYED.columns[0],))))
        assert (found >= 0).tolist() == [key in self.versions[version] for key in keys]
        there = found[found >= 0]
        ids = [column.id for column in view.description.columns]
        fetched = list(zip(*(column.to_pylist() for column in view.fetch(there, ids)), strict=True))
        assert fetched == [self.versions[version][key] for key in keys if key in self.versions[version]]

    @invariant()
    def newest_is_right(self) -> None:
        if hasattr(self, "database"):
            view = self.database.state().table(self.table).at()
            rows = rows_with_ids(view)
            assert {row[0]: row[:-1] for row in rows} == self.versions[self.newest]
            ids = np.array([row[-1] for row in rows], np.int64)
            assert len(rows) == len(self.versions[self.newest]) == view.rows
            assert (np.diff(ids) > 0).all()

    @rule()
    def check(self) -> None:
        assert check_database(self.disk).problems == ()


Databases.TestCase.settings = hypothesis_settings(max_examples=25, stateful_step_count=40)
TestDatabases = Databases.TestCase
