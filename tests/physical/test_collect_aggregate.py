"""Aggregates over whole groups, many rows at once: against plain Python, over chunks of groups, with little memory."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest

from tableflow.errors import MemoryLimitError
from tableflow.expressions.registry import AGGREGATES
from tableflow.physical.collected import KERNELS
from tableflow.session import Session

ROWS = 300_000


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(7)
    keys = np.concatenate([random.integers(0, 50_000, ROWS // 2), np.full(ROWS - ROWS // 2, 7)])
    values = random.integers(-50, 50, ROWS)
    texts = [f"t{v}" for v in random.integers(0, 20, ROWS)]
    mask = random.random(ROWS) < 0.1
    return pa.table({"k": keys, "x": pa.array(values, mask=mask), "s": texts, "n": np.arange(ROWS)})


@pytest.fixture(scope="module", params=["1", "2"])
def session(request, data):
    session = Session({"parallelism.default": request.param})
    session.registrations.table("data", data, split_rows=20_000)
    yield session
    session.close()


def rows(session, sql):
    result = session.execute(sql).result
    found = [row for batch in iter(result.next_batch, None) for row in batch.to_pylist()]
    result.close()
    return found


@pytest.mark.slow
def test_every_group_of_many(session, data):
    found = rows(
        session,
        """
        SELECT k, count(*) AS c, median(x) AS m, mode(x) AS f, array_agg(x ORDER BY n) AS a, first(s ORDER BY n) AS s,
               count(DISTINCT s) AS d, string_agg(DISTINCT s, '' ORDER BY s) AS j, arg_max(n, x) AS g
        FROM data GROUP BY k""",
    )
    groups = defaultdict(list)
    for row in data.to_pylist():
        groups[row["k"]].append(row)
    assert len(found) == len(groups)
    for row in found:
        members = groups[row["k"]]
        values = [m["x"] for m in members if m["x"] is not None]
        assert row["c"] == len(members)
        assert row["a"] == [m["x"] for m in members]
        assert row["s"] == members[0]["s"]
        assert row["j"] == "".join(sorted({m["s"] for m in members}))
        assert row["d"] == len({m["s"] for m in members})
        if not values:
            assert row["m"] is row["f"] is row["g"] is None
            continue
        counts = Counter(values)
        most, best = max(counts.values()), max(values)
        assert row["m"] == statistics.median(values)
        assert row["f"] == min(value for value, count in counts.items() if count == most)
        assert row["g"] == min(m["n"] for m in members if m["x"] == best)


def test_the_most_frequent_value_of_every_type():
    nan, session = float("nan"), Session({"parallelism.default": "1"})
    table = {
        "k": [1, 1, 1, 1, 1, 2, 2, 2, 3],
        "f": [1.5, nan, 1.5, nan, nan, 0.0, -0.0, -1.0, None],
        "s": pa.array(["b", "a", "b", "a", "c", "é", "", "é", None]).dictionary_encode(),
        "b": [True, False, True, False, True, False, False, True, None],
        "l": [[1], [2], [2], [1], [2], [], [], None, None],
    }
    session.registrations.table("data", pa.table(table))
    found = rows(
        session, "SELECT k, mode(f) AS f, mode(s) AS s, mode(b) AS b, mode(l) AS l FROM data GROUP BY k ORDER BY k"
    )
    session.close()
    assert np.isnan(found[0].pop("f"))
    assert found == [
        {"k": 1, "s": "a", "b": True, "l": [2]},
        {"k": 2, "f": 0.0, "s": "é", "b": False, "l": []},
        {"k": 3, "f": None, "s": None, "b": None, "l": None},
    ]


def test_rows_that_do_not_fit_are_refused_with_a_name(data):
    session = Session({"parallelism.default": "1", "memory.limit": "4 MB"})
    session.registrations.table("data", data, split_rows=20_000)
    with pytest.raises(MemoryLimitError, match="operator 'CollectAggregate'"):
        rows(session, "SELECT k, array_agg(s ORDER BY n) FROM data GROUP BY k")
    session.close()


def test_no_rows_and_no_keys_is_one_row(session):
    (row,) = rows(
        session, "SELECT median(x) AS m, count(*) AS c, array_agg(x) AS a, regr_count(x, n) AS r FROM data WHERE n < 0"
    )
    assert row == {"m": None, "c": 0, "a": None, "r": 0}
    assert rows(session, "SELECT k, median(x) FROM data WHERE n < 0 GROUP BY k") == []


def test_every_collected_aggregate_has_a_kernel():
    named = {entry.name for entry in AGGREGATES if entry.collected and entry.name != "grouping"}
    assert named == set(KERNELS)
