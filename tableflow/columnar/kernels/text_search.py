"""Texts searched for other texts."""

from __future__ import annotations

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column


def containing(texts: pa.Array, part: str) -> pa.Array:
    """Whether each of some texts (strings, without a dictionary) contains another one, which is not empty; NULL for NULL."""
    found = pa.array(_native.containing(Column(t.STRING, texts).vector, part.encode()))
    return pc.if_else(texts.is_valid(), found, pa.scalar(None, pa.bool_())) if texts.null_count else found
