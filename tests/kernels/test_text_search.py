"""Texts searched as one are those that contain the other text one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar import _native
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.text_search import containing
from tableflow.types import BIGINT

_words = st.text("abä", max_size=30)


@given(
    st.lists(st.none() | _words, max_size=40),
    st.text("abä", min_size=1, max_size=4),
    st.sampled_from([pa.string(), pa.large_string()]),
    st.integers(0, 5),
)
def test_what_contains_a_text(texts, part, of, start):
    array = pa.array(texts, of).slice(start)
    assert containing(array, part).to_pylist() == [None if text is None else part in text for text in texts[start:]]


def test_nothing_is_found_across_two_texts_or_in_what_null_hides():
    assert containing(pa.array(["xgoo", "gle", "", "google"]), "google").to_pylist() == [False, False, False, True]
    offsets, bytes_ = pa.array([0, 6, 12], pa.int32()).buffers()[1], pa.py_buffer(b"googlegoogle")
    validity = pa.array([True, False]).buffers()[1]
    hidden = pa.Array.from_buffers(pa.string(), 2, [validity, offsets, bytes_], 1)
    assert containing(hidden, "google").to_pylist() == [True, None]


def test_foreign_input_is_refused():
    texts = Column(BIGINT, pa.array([1])).vector
    with pytest.raises(ValueError, match="texts"):
        _native.containing(texts, b"a")
    with pytest.raises(ValueError, match="nothing"):
        _native.containing(Column(BIGINT, pa.array(["a"])).vector, b"")
