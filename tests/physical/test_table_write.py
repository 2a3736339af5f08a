"""Writing rows: constraints, routing by action, what is returned; and the definition's round trip."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import IntegrityError, MemoryLimitError, Span
from tableflow.physical.build import build_operator
from tableflow.physical.table_write import DELETE, INSERT, UPDATE, TableWrite
from tableflow.runtime.graph import OperatorSpec, SinkSpec
from tableflow.runtime.memory import MemoryPool
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, BOOLEAN, STRING, TINYINT
from tests.kernels.columns import rows_of
from tests.physical.contexts import RecordingContext
from tests.physical.jobs import leaf

TYPES = (TINYINT, BIGINT, BIGINT, STRING, BOOLEAN)  # action, row id, a, b, check


def plain(batch: Batch) -> list[tuple[Any, ...]]:
    """Rows without their weights."""
    return [row[:-1] for row in rows_of(batch)]


class Recording:
    def __init__(self) -> None:
        self.added: list[Any] = []
        self.removed: list[int] = []
        self.prepared = False
        self.held = 0

    def give_back(self) -> None:
        """Half of it can be given back."""
        self.held //= 2

    def write(self, batch: Batch) -> None:
        if batch.weights is None:
            self.held += 100 * batch.length
            self.added += plain(batch)
        else:
            assert set(batch.weights.tolist()) == {-1}
            self.removed += [row for (row,) in plain(batch)]

    def prepare(self) -> None:
        self.prepared = True


class Context(RecordingContext):
    def __init__(self, parallelism: int = 1) -> None:
        super().__init__()
        self.writer = Recording()
        self.parallelism = parallelism

    def sink(self, spec: SinkSpec) -> Recording:
        return self.writer


def node(**more: Any) -> TableWrite:
    rows = leaf(*TYPES)
    ids = [f.id for f in rows.fields]
    given = {
        "fields": (), "input": rows, "table": "t", "sink": SinkSpec("managed", {"object": "x"}), "columns": ("a", "b"),
        "default_action": INSERT, "values": (ids[2], ids[3]), "required": (0,), "checks": (("positive", ids[4]),),
        "span": Span(3, 9),
    }  # fmt: skip
    return TableWrite(**{**given, **more})


def run(node: TableWrite, *batches: list[tuple[Any, ...]], parallelism: int = 1) -> tuple[Context, list[Any]]:
    definition = loads(dumps(node))
    assert definition == node
    operator = build_operator(OperatorSpec("TableWrite", definition, "TableWrite"))
    context = Context(parallelism)
    operator.open(context)
    returned = []
    for rows in batches:
        columns = [
            Column(of, pa.array([row[i] for row in rows], kind))
            for i, (of, kind) in enumerate(zip(TYPES, ("int8", "int64", "int64", "string", "bool"), strict=True))
        ]
        for batch in operator.process(Batch(columns, len(rows)), 0) or ():
            returned += plain(batch)
    for _ in operator.on_end(0) or ():
        pass
    assert context.writer.prepared
    return context, returned


def test_rows_are_inserted_and_a_check_may_be_null():
    context, returned = run(node(), [(None, None, 1, "x", True), (None, None, 2, None, None)])
    assert context.writer.added == [(1, "x"), (2, None)]
    assert context.writer.removed == []
    assert returned == []
    assert context.counted == {"inserted": 2}


def test_each_row_does_what_its_action_says():
    ids = [f.id for f in leaf(*TYPES).fields]
    returning = (leaf(*TYPES).fields[2],)
    context, returned = run(
        node(action=ids[0], row_id=ids[1], fields=returning),
        [(UPDATE, 7, 1, "u", True), (INSERT, None, 2, "i", True), (DELETE, 9, None, None, False), (None, 5, 3, "n", False)],
    )  # fmt: skip
    assert sorted(context.writer.added) == [(1, "u"), (2, "i")]
    assert sorted(context.writer.removed) == [7, 9]
    assert sorted(returned, key=str) == [(1,), (2,), (None,)]
    assert context.counted == {"inserted": 1, "updated": 1, "deleted": 1}


def test_null_and_false_checks_name_table_row_and_values():
    with pytest.raises(IntegrityError) as null:
        run(node(), [(None, None, 1, "x", True)], [(None, None, 4, "y", True), (None, None, None, "it's", True)])
    assert null.value.message == "table 't': column 'a' may not be NULL"
    assert null.value.detail == "row 3 has a = NULL, b = 'it''s'; nothing was written"
    assert null.value.span == Span(3, 9)
    with pytest.raises(IntegrityError) as check:
        run(node(), [(None, None, 1, "x" * 99, False)], parallelism=2)
    assert check.value.message == "table 't': check 'positive' does not hold"
    assert check.value.detail is not None
    assert check.value.detail.startswith("a row has a = 1, b = 'xxx")
    assert len(check.value.detail) < 120


def test_an_error_in_mixed_actions_has_the_number_of_the_row_that_came():
    ids = [f.id for f in leaf(*TYPES).fields]
    with pytest.raises(IntegrityError) as error:
        run(node(action=ids[0], row_id=ids[1]), [(DELETE, 1, None, None, None), (INSERT, None, None, "z", True)])
    assert error.value.detail == "row 2 has a = NULL, b = 'z'; nothing was written"


def test_of_rows_with_one_key_the_first_is_kept_and_null_keys_are_all_different():
    rows = [
        (None, None, 1, "x", True),
        (None, None, 1, "y", True),
        (None, None, 2, "x", True),
        (None, None, 3, None, True),
    ]
    context, _ = run(node(first_of=((0,), (1,))), rows, [(None, None, 4, None, True), (None, None, 2, "new", True)])
    assert context.writer.added == [(1, "x"), (3, None), (4, None), (2, "new")]
    assert context.counted == {"inserted": 4}


class Limited(Context):
    def reserve(self, name: str, bytes: int = 0) -> Any:
        return MemoryPool(250).reserve(f"operator 'TableWrite' ({name})", bytes)


def test_what_the_writer_holds_is_given_back_or_refused_by_name(monkeypatch):
    monkeypatch.setitem(globals(), "Context", Limited)
    row = (None, None, 1, "x", True)
    context, _ = run(node(), [row] * 2, [row] * 2)
    assert (context.writer.held, len(context.writer.added)) == (200, 4), "400 were too many, and half was given back"
    with pytest.raises(MemoryLimitError, match=r"operator 'TableWrite' \(rows to be written\) was refused \d+ bytes"):
        run(node(), [row] * 6)
