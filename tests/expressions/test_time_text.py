"""Times as text: those near each other are written another way than those far apart."""

from __future__ import annotations

import numpy as np
import pytest

from tableflow.expressions.functions import time_text


@pytest.mark.parametrize("apart", [1, 60, 86_400, 10**7])
def test_times_near_each_other_and_far_apart_have_their_texts(apart: int):
    moments = np.array([7, -3, 7, 500, 0], np.int64) * apart * 1_000_000
    texts = time_text._written(moments, 1_000_000, time_text._letters("yyyy-MM-dd HH:mm")).to_pylist()
    assert texts == [str(each)[:16].replace("T", " ") for each in moments.astype("M8[us]")]


def test_the_first_nanosecond_has_its_text():
    moments = np.array([-(2**63), 0], np.int64)
    texts = time_text._written(moments, 10**9, time_text._letters("yyyy-MM-dd HH")).to_pylist()
    assert texts == ["1677-09-21 00", "1970-01-01 00"]
    assert time_text._written(moments, 10**9, time_text._letters("ss SSS")).to_pylist() == ["43 145", "00 000"]
