"""Times as text: those near each other are written another way than those far apart, and few texts come as a dictionary."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.functions import time_text
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.expressions.registry import resolve_call


def written(moments: np.ndarray, unit: int, pattern: str) -> list[str]:
    texts, codes = time_text._written(moments, unit, time_text._letters(pattern))
    return texts.take(pa.array(codes)).to_pylist()


@pytest.mark.parametrize("apart", [1, 60, 86_400, 10**7])
def test_times_near_each_other_and_far_apart_have_their_texts(apart: int):
    moments = np.array([7, -3, 7, 500, 0], np.int64) * apart * 1_000_000
    wanted = [str(each)[:16].replace("T", " ") for each in moments.astype("M8[us]")]
    assert written(moments, 1_000_000, "yyyy-MM-dd HH:mm") == wanted


def test_the_first_nanosecond_has_its_text():
    moments = np.array([-(2**63), 0], np.int64)
    assert written(moments, 10**9, "yyyy-MM-dd HH") == ["1677-09-21 00", "1970-01-01 00"]
    assert written(moments, 10**9, "ss SSS") == ["43 145", "00 000"]


@pytest.mark.parametrize("times", [20, 2000])
def test_few_texts_are_a_dictionary_in_which_none_is_twice(times: int):
    """The same minutes of three days."""
    minutes = np.arange(times) % 6
    moments = np.where(minutes < 3, 1440 * minutes, minutes) * 60_000_000
    missing = np.arange(times) % 5 == 1
    array = pa.array(moments, pa.timestamp("us"), mask=missing)
    call = resolve_call("date_format", [ColumnRef(t.TIMESTAMP, 1), Literal(t.STRING, "HH:mm")])
    found = evaluate(call, {1: Column(t.TIMESTAMP, array)}, times).column.array
    assert pa.types.is_dictionary(found.type) is (times > 1000)
    if times > 1000:
        assert len(found.dictionary) == len(set(found.dictionary.to_pylist()))
    wanted = [
        None if gone else f"00:{0 if minute < 3 else minute:02}" for minute, gone in zip(minutes, missing, strict=True)
    ]
    assert found.to_pylist() == wanted
