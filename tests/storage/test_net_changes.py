"""What a table has more and less than it had: the sum of all changes between, whatever was folded, truncated and forgotten."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.representation import boundary
from tableflow.storage.changes import changes_since
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind
from tableflow.storage.memory_disk import MemoryDisk
from tests.storage.tables import Row, counter, create, delete, insert, replace_rows, rows_of, settings

IDS = (0, 1)


def _summed(batches: Iterator[Batch]) -> tuple[Counter[Row], int]:
    """Rows with their weights, and how many changes they are of."""
    found: Counter[Row] = Counter()
    many = 0
    for batch in batches:
        whole = compact(batch)
        weights = np.ones(whole.length, np.int64) if whole.weights is None else whole.weights
        rows = zip(*(boundary(column).to_pylist() for column in whole.columns), strict=True)
        for row, weight in zip(rows, weights, strict=True):
            found[row] += int(weight)
            many += 1
    return Counter({row: count for row, count in found.items() if count}), many


def _step(database: Database, table: int, draw: random.Random) -> None:
    match draw.randrange(6):
        case 0 | 1:
            insert(database, table, [(draw.randrange(5), str(draw.randrange(3))) for _ in range(draw.randrange(1, 9))])
        case 2:
            key = draw.randrange(5)
            delete(database, table, lambda row: row[0] == key)
        case 3:
            key = draw.randrange(5)
            replace_rows(database, table, lambda row: row[0] == key, [(key, "new")])
        case 4:
            database.fold([table] if draw.random() < 0.5 else [])
        case _ if draw.random() < 0.3:
            with database.transaction([table]) as transaction:
                transaction.truncate(table)
                transaction.commit(ChangeKind.TRUNCATE)
        case _:
            insert(database, table, [(9, "many")] * 20)


@pytest.mark.parametrize("kept", ["1", "3", "1000"])
@pytest.mark.parametrize("seed", range(4))
def test_what_came_and_went_is_not_there(seed: int, kept: str) -> None:
    draw = random.Random(seed)
    database = Database.open(
        MemoryDisk(), clock=counter(), background=False, settings=settings(storage__retained_versions=kept)
    )
    table = create(database)
    views = [database.state().table(table).at()]
    contents = [Counter(rows_of(database, table))]
    forgotten = 0
    for _ in range(40):
        _step(database, table, draw)
        state = database.state().table(table)
        if state.version != views[-1].version.number:
            views.append(state.at())
            contents.append(Counter(rows_of(database, table)))
        now = contents[-1]
        for view, before in zip(views[-6:], contents[-6:], strict=True):
            expected = Counter(now)
            expected.subtract(before)
            expected = Counter({row: count for row, count in expected.items() if count})
            found, many = _summed(changes_since(view, state.at(), IDS))
            assert found == expected
            assert many <= sum(now.values()) + sum(before.values())
            number = view.version.number
            if state.history.find(number) is None:
                forgotten += 1
                continue
            found, many = _summed(state.net_changes(number, state.version, IDS))
            assert found == expected
            assert many <= sum(now.values()) + sum(before.values())
            summed, _ = _summed(batch for batch, _ in state.changes(number, state.version, IDS))
            assert summed == expected
    assert forgotten > 0 or kept == "1000"
