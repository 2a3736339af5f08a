"""Rows come out as they came in, with what stands at their positions, whenever the answers come."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tableflow.columnar.batch import Batch
from tableflow.config import PARALLELISM, Settings
from tableflow.errors import ConnectorError, InternalError
from tableflow.physical.fetch_columns import FetchColumns
from tableflow.physical.node import Input
from tableflow.runtime.graph import SourceSpec
from tableflow.runtime.lookup import FutureCall
from tableflow.runtime.operator import Operator, Suspend
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, INT, STRING, Field
from tests.kernels.columns import rows_of
from tests.physical.changelogs import operator_of
from tests.physical.contexts import RecordingContext
from tests.physical.event_harness import batch_of

KEY, ROW, NAME, SIZE = Field(1, "k", INT), Field(2, "row", BIGINT), Field(3, "name", STRING), Field(4, "size", INT)
STORED = {10: ("a", 1), 20: (None, 2), 30: ("c", None), 1 << 41: ("far", 4)}


class Stored:
    """Answers one question after the other, the last one first."""

    def __init__(self, error: Exception | None = None, *, short: bool = False) -> None:
        self.asked: list[list[int]] = []
        self.open: list[tuple[list[int], Future[Batch]]] = []
        self._error = error
        self._short = short

    def call(self, keys: Batch) -> FutureCall:
        wanted = [row[0] for row in rows_of(keys)]
        self.asked.append(wanted)
        future: Future[Batch] = Future()
        self.open.append((wanted, future))
        return FutureCall(future)

    def answer(self) -> None:
        wanted, future = self.open.pop()
        if self._error is not None:
            future.set_exception(self._error)
        else:
            future.set_result(batch_of((SIZE, NAME), [STORED[i][::-1] for i in wanted[self._short :]]))

    def close(self) -> None:
        pass


class Context(RecordingContext):
    settings = Settings().with_value(PARALLELISM.name, "3")

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        self._stored = stored

    def lookup(self, spec: SourceSpec) -> Any:
        return self._stored


def opened(stored: Stored) -> tuple[Operator, Context]:
    node = FetchColumns(
        fields=(NAME, KEY, SIZE),
        input=Input(fields=(KEY, ROW)),
        table="t",
        lookup=SourceSpec("stored", None),
        position=ROW.id,
        fetched=(SIZE, NAME),
    )
    node = loads(dumps(node))
    operator, context = operator_of(node)(), Context(stored)
    operator.open(context)  # type: ignore[arg-type]
    return operator, context


def rows(operator: Operator, stored: Stored, batch: Batch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for each in operator.process(batch, 0) or ():
        if not isinstance(each, Suspend):
            assert isinstance(each, Batch)
            found += [row[:-1] for row in rows_of(each)]  # the last is the weight
        elif not each.wake.ready:
            stored.answer()
    operator.close()
    return found


def test_rows_keep_their_order_and_ask_once() -> None:
    stored = Stored()
    operator, context = opened(stored)
    came = [(1, 30), (2, 10), (3, 1 << 41), (4, 30), (5, 20)]
    assert rows(operator, stored, batch_of((KEY, ROW), came)) == [
        ("c", 1, None), ("a", 2, 1), ("far", 3, 4), ("c", 4, None), (None, 5, 2),
    ]  # fmt: skip
    assert stored.asked == [[10, 20], [30, 1 << 41]]
    assert context.counted == {"fetched_rows": 4}


def test_nothing_is_asked_for_no_rows() -> None:
    stored = Stored()
    operator, _ = opened(stored)
    assert rows(operator, stored, batch_of((KEY, ROW), [])) == []
    assert stored.asked == []


def test_failures() -> None:
    stored = Stored(ConnectorError("the file is gone"))
    with pytest.raises(ConnectorError, match="the file is gone"):
        rows(opened(stored)[0], stored, batch_of((KEY, ROW), [(1, 10)]))
    stored = Stored(short=True)
    with pytest.raises(InternalError, match="2 rows were asked for, 0 were fetched"):
        rows(opened(stored)[0], stored, batch_of((KEY, ROW), [(1, 10), (2, 20)]))
