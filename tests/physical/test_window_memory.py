"""What windows keep: nothing of windows that have closed, and few bytes for each key of a count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.emit import Emit, EveryRows, OnUpdate
from tableflow.expressions.nodes import AggregateCall
from tableflow.expressions.window_assigner import Cumulate, Hop, Session, Tumble
from tableflow.types import BIGINT, INT, STRING, TIMESTAMP, Field
from tests.physical.event_harness import EventHarness
from tests.physical.windowed import CALLS, FIRE, KEY, TEXT, VALUE, harness_of, node_of, ref

SECOND = 1_000_000
MINUTE = 60 * SECOND
MEDIAN = (AggregateCall(CALLS[5].type, "median", (ref(VALUE),)),)


def _batch(keys: Any, times: Any) -> Batch:
    count = len(keys)
    text = Column(STRING, pa.array(["x"]).take(pa.array(np.zeros(count, np.int64))))
    values = Column(BIGINT, pa.array(np.arange(count)))
    time = Column(TIMESTAMP, pa.array(np.asarray(times, np.int64), pa.timestamp("us")))
    return Batch([Column(INT, pa.array(np.asarray(keys, np.int32))), text, values, time], count)


def _most_bytes(harness: EventHarness, minutes: range) -> int:
    """The most that is kept after four minutes of these; keys come and go, and rows are out of order by seconds."""
    most = 0
    for minute in minutes[::4]:
        chance = np.random.default_rng(minute % 20)
        keys = chance.permutation(400) // 2 + minute * 40
        harness.batch(_batch(keys, minute * MINUTE + chance.integers(0, 4 * MINUTE, 400)))
        harness.watermark((minute + 4) * MINUTE - 5 * SECOND)
        most = max(most, harness.context.state_bytes)
        harness.said.clear()
    return most


@pytest.mark.slow
@pytest.mark.parametrize(
    "node",
    [
        node_of(Tumble(20 * MINUTE)),
        node_of(Hop(5 * MINUTE, 20 * MINUTE)),
        node_of(Cumulate(5 * MINUTE, 20 * MINUTE)),
        node_of(Session(30 * SECOND), partition=(KEY.id,)),
        node_of(Hop(5 * MINUTE, 20 * MINUTE), Emit((OnUpdate(),))),
        node_of(Tumble(20 * MINUTE), calls=MEDIAN),
        node_of(Tumble(20 * MINUTE), Emit((EveryRows(3),), keep_last_rows=2), fire=FIRE),
    ],
    ids=["tumble", "hop", "cumulate", "session", "on update", "median", "keep last"],
)
def test_a_day_takes_no_more_than_two_hours(node: Any) -> None:
    harness = harness_of(node)
    early = _most_bytes(harness, range(120))
    late = _most_bytes(harness, range(120, 24 * 60))
    assert late <= 1.05 * early
    harness.close()


def _counted(key: Field, keys: Callable[[Any], Column]) -> Iterator[float]:
    """Bytes for each key of a count, while 10,000 keys come a hundred times."""
    harness = harness_of(node_of(Tumble(MINUTE), keys=(key,), calls=CALLS[:1]))
    batch = _batch(np.zeros(10_000), np.zeros(10_000))
    place = 1 if key is TEXT else 2
    for number in range(1, 101):
        columns = list(batch.columns)
        columns[place] = keys((np.arange(10_000) + 10_000 * number) * 7919)
        harness.batch(batch.with_columns(columns))
        yield (harness.context.state_bytes - 65_536) / (10_000 * number)
    harness.close()


def test_a_counted_key_takes_less_than_64_bytes() -> None:
    assert max(_counted(VALUE, lambda numbers: Column(BIGINT, pa.array(numbers)))) < 64


@pytest.mark.slow
def test_a_counted_text_of_eleven_letters_takes_less_than_95_bytes() -> None:
    def texts(numbers: Any) -> Column:
        return Column(
            STRING, pc.binary_join_element_wise("k", pc.utf8_lpad(pa.array(numbers).cast("string"), 10, "0"), "")
        )

    found = list(_counted(TEXT, texts))
    assert max(found) < 95
    assert np.mean(found[10:]) < 80
